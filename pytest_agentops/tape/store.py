"""Where recordings lie, and how they get there whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from ..errors import CassetteError, SecretFound
from ..schema.values import canonical
from .cassette import dump, read
from .recording import Recording, ToolsCassette

Scan: TypeAlias = Callable[[bytes], Sequence[str]]
"""The kinds of secrets in bytes that are about to be kept (`Membrane.scan`)."""

TOOLS = "tools.yaml"
PARTIAL = "tools.partial.yaml"
_FORGOTTEN_S = 3600.0
_LONGEST = 161
"""A case's id, ``~`` and a variant's id."""


def folder_for(root: Path, suite: str, name: str, trial: int = 1) -> Path:
    """The folder of one trial: ``<suite>/<case>[~<variant>]``, from the second trial on with ``.t<N>``."""
    return root / _safe(suite) / (_safe(name) if trial == 1 else f"{_safe(name)}.t{trial}")


def _safe(name: str) -> str:
    """A folder name for every system. Ids are safe already; another name is cleaned and told apart by a digest."""
    clean = re.sub(r"[^a-z0-9_~-]+", "-", name.lower()).strip("-") or "x"
    if clean == name and len(name) <= _LONGEST:
        return name
    return f"{clean[:80]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def save(path: Path, cassette: ToolsCassette, scan: Scan | None = None) -> bool:
    """Write the recording unless the file says the same already; True if bytes were written.

    Atomic: the old file is whole until the new one is. Raises `CassetteError` where it cannot be written and `SecretFound`
    where it would hold a secret; then nothing is left behind.
    """
    if cassette.unanswered:
        raise CassetteError(
            f"not written: no answer came for {', '.join(cassette.unanswered)}",
            path=path.as_posix(),
            cure="let the agent wait for all its threads and tasks before it returns",
        )
    old = _read_old(path)
    keep = _settled(old, cassette) if old is not None else cassette
    written = old is None or keep.as_json() != old.as_json()
    if written:
        _write(path, dump(keep), scan)
    _remove(path.with_name(PARTIAL))
    return written


def save_partial(path: Path, cassette: ToolsCassette, scan: Scan | None = None) -> Path:
    """Keep the recording of a run that did not end well beside the good one, for reading."""
    partial = path.with_name(PARTIAL)
    _write(partial, dump(cassette), scan)
    return partial


def _read_old(path: Path) -> ToolsCassette | None:
    try:
        return read(path)
    except CassetteError:  # missing or damaged: there is nothing to keep
        return None


def _settled(old: ToolsCassette, new: ToolsCassette) -> ToolsCassette:
    """`new`, with the run facts and the order of the old file where its answers are equal."""
    if not equal_answers(old, new):
        return new
    return replace(
        new,
        calls=old.calls,
        recorded_at=old.recorded_at,
        with_=old.with_,
        clock=old.clock,
        seed=old.seed,
        state_before=old.state_before,
        state_after=old.state_after,
    )


def equal_answers(old: ToolsCassette, new: ToolsCassette) -> bool:
    """Whether both recorded the same; the order among overlapping calls and the overlaps themselves do not count."""
    if len(old.calls) != len(new.calls) or _state(old) != _state(new) or old.case != new.case:
        return False
    # Cuts are the places that no call of either run was in flight across: what lies between two cuts has no order.
    ours, theirs = [call.identity for call in old.calls], [call.identity for call in new.calls]
    start = 0
    for cut in sorted(_cuts(old.calls) & _cuts(new.calls)):
        if sorted(ours[start:cut]) != sorted(theirs[start:cut]):
            return False
        start = cut
    return True


def _cuts(calls: Sequence[Recording]) -> set[int]:
    crossed = {place for i, call in enumerate(calls) for place in range(i - call.overlap + 1, i + 1)}
    return set(range(1, len(calls) + 1)) - crossed


def _state(cassette: ToolsCassette) -> str:
    return canonical([cassette.has_state, cassette.state_before, cassette.state_after])


def _write(path: Path, text: str, scan: Scan | None) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _forget_old(path)
        with temporary.open("wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        if scan is not None and (kinds := scan(temporary.read_bytes())):
            raise SecretFound(path.as_posix(), kinds)
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise CassetteError(
            f"cannot be written: {error.strerror or error}",
            path=path.as_posix(),
            cure="make the folder writable, or record into another one (--agent-cassettes DIR, ini agentops_cassettes)",
        ) from error
    finally:
        _remove(temporary)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _forget_old(path: Path) -> None:
    """Remove temporary files of runs that were killed long ago; a fresh one may belong to a run beside us."""
    for left in path.parent.glob(f".{path.name}.*.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _FORGOTTEN_S:
                left.unlink()


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
