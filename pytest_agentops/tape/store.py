"""Where recordings lie, and how they get there whole or not at all."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CassetteError, SecretFound
from ..schema.values import canonical
from .cassette import dump, read
from .overlap import same_but_for_order
from .recording import Recording, ToolsCassette
from .staging import Scan, remove, write_files

if TYPE_CHECKING:
    from .model.exchange import ModelCassette

TOOLS = "tools.yaml"
PARTIAL = "tools.partial.yaml"
MODEL = "model.yaml"
MODEL_PARTIAL = "model.partial.yaml"
_LONGEST = 161
"""A case's id, ``~`` and a variant's id."""
_SAFE = re.compile(r"[a-z0-9_~](?:[a-z0-9_~-]*[a-z0-9_~])?")


def folder_for(root: Path, suite: str, name: str, trial: int = 1) -> Path:
    """The folder of one trial: ``<suite>/<case>[~<variant>]``, from the second trial on with ``.t<N>``."""
    return root.joinpath(_safe(suite), _safe(name) if trial == 1 else f"{_safe(name)}.t{trial}")


def _safe(name: str) -> str:
    """A folder name for every system. Ids are safe already; another name is cleaned and told apart by a digest."""
    if _SAFE.fullmatch(name) is not None and len(name) <= _LONGEST:
        return name
    clean = re.sub(r"[^a-z0-9_~-]+", "-", name.lower()).strip("-") or "x"
    return f"{clean[:80]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


_WAIT = "let the agent wait for all its threads and tasks before it returns"


def _all_answered(path: Path, unanswered: Sequence[str], cure: str = _WAIT) -> None:
    if unanswered:
        calls = [name if n == 1 else f"{name} ({n} times)" for name, n in Counter(unanswered).items()]
        raise CassetteError(
            f"not written: no answer came for {', '.join(calls)}",
            path=path.as_posix(),
            cure=cure,
        )


def save_recording(folder: Path, tools: ToolsCassette, model: ModelCassette | None, scan: Scan | None = None) -> bool:
    """Write both layers of a recording, or neither; True if bytes were written.

    A layer that says the same as its file leaves the file alone; where both do, nothing but pins is written. Without a model
    layer an old model.yaml is removed. Other files of the folder are left alone. The old files are whole until the new ones
    are. Raises `CassetteError` where one cannot be written and `SecretFound` where one would hold a secret; then nothing new
    is left behind.
    """
    _all_answered(folder / TOOLS, tools.unanswered)
    if model is not None:
        _all_answered(folder / MODEL, model.unanswered, f"see that the server is up, and {_WAIT}")
    texts = _changed(folder, tools, model)
    gone = [folder / MODEL] if model is None and (folder / MODEL).exists() else []
    if texts or gone:
        _scan_bodies(folder / MODEL, model if folder / MODEL in texts else None, scan)
        write_files(texts, scan, gone)
    for left in (PARTIAL, MODEL_PARTIAL):
        remove(folder / left)
    return bool(texts or gone)


def _changed(folder: Path, tools: ToolsCassette, model: ModelCassette | None) -> dict[Path, str]:
    """The texts of the files that have to be written, the model layer's first: the header of the tools layer speaks of it."""
    from .model import file

    old, old_model = _read_old_pair(folder)
    same_model = old is not None and (
        model is None if old_model is None else model is not None and file.equal_answers(old_model, model)
    )
    keep = tools
    if old is not None and same_model:
        keep = replace(_settled(old, tools), endpoint=old.endpoint)  # a fact of the run, too: a local server's port
    texts = {} if model is None or same_model else {folder / MODEL: file.dump(model)}
    if old is None or keep.as_json() != old.as_json():
        texts[folder / TOOLS] = dump(keep)
    return texts


def _read_old_pair(folder: Path) -> tuple[ToolsCassette | None, ModelCassette | None]:
    """The recording that is there; none where one of its files is missing or damaged."""
    from .model import file

    old = _read_old(folder / TOOLS)
    if old is None or "model" not in old.layers:
        return old, None
    try:
        return old, file.read(folder / MODEL)
    except CassetteError:
        return None, None


_NOT_THE_MODELS = "keep it out of what the agent's own clients send and get, or send that request inside a tool"


def _scan_bodies(path: Path, model: ModelCassette | None, scan: Scan | None) -> None:
    """The bodies as they went over the wire: base64 and escapes would hide a secret from the scan of the file."""
    for exchange in model.exchanges if model is not None and scan is not None else ():
        for body in (exchange.request.body, exchange.response.body):
            if scan is not None and (kinds := scan(body)):
                raise SecretFound(path.as_posix(), kinds, cure=_NOT_THE_MODELS)


def save_partial_recording(folder: Path, tools: ToolsCassette, model: ModelCassette | None, scan: Scan | None = None) -> Path:
    """Keep both layers of a run that did not end well beside the good ones, for reading."""
    from .model import file

    texts = {folder / PARTIAL: dump(tools)}
    if model is not None:
        texts[folder / MODEL_PARTIAL] = file.dump(model)
    _scan_bodies(folder / MODEL_PARTIAL, model, scan)
    write_files(texts, scan, [folder / MODEL_PARTIAL] if model is None else [])
    return folder / PARTIAL


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
    if _state(old) != _state(new) or old.case != new.case or canonical(old.approvals) != canonical(new.approvals):
        return False
    return same_but_for_order(_marked(old.calls), _marked(new.calls))


def _marked(calls: Sequence[Recording]) -> list[tuple[str, int]]:
    return [(call.identity, call.overlap) for call in calls]


def _state(cassette: ToolsCassette) -> str:
    return canonical([cassette.has_state, cassette.state_before, cassette.state_after])
