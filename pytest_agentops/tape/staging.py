"""How files get into a recording's folder: all of them whole and without secrets, or none."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from ..errors import CassetteError, SecretFound

Scan: TypeAlias = Callable[[bytes], Sequence[str]]
"""The kinds of secrets in bytes that are about to be kept (`Membrane.scan`)."""

_FORGOTTEN_S = 3600.0


def write_files(texts: Mapping[Path, str], scan: Scan | None = None, gone: Iterable[Path] = ()) -> None:
    """Write files of one folder as temporary ones, scan them all, then put them in place right after one another.

    `gone` are removed once the new ones stand. Raises `CassetteError` where a file cannot be written and `SecretFound` where one
    would hold a secret; then the folder is as it was.
    """
    staged = {path: path.with_name(f".{path.name}.{os.getpid()}.tmp") for path in texts}
    path = Path()
    try:
        for path, temporary in staged.items():
            _stage(path, temporary, texts[path])
        for path, temporary in staged.items():
            if scan is not None and (kinds := scan(temporary.read_bytes())):
                raise SecretFound(path.as_posix(), kinds)
        before: list[tuple[Path, bytes | None]] = []
        try:
            for path, temporary in staged.items():
                before.append((path, path.read_bytes() if path.exists() else None))
                os.replace(temporary, path)
        except OSError:
            _put_back(before[:-1])
            raise
        for path in gone:
            path.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        raise CassetteError(
            f"cannot be written: {error.strerror or error}",
            path=path.as_posix(),
            cure="make the folder writable, or record into another one (--agent-cassettes DIR, ini agentops_cassettes)",
        ) from error
    finally:
        for temporary in staged.values():
            remove(temporary)


def _stage(path: Path, temporary: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _forget_old(path)
    with temporary.open("wb") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())


def _put_back(before: Sequence[tuple[Path, bytes | None]]) -> None:
    """A second file that could not be put in place must not stand beside a new first one."""
    for path, data in before:
        with contextlib.suppress(OSError):
            if data is None:
                path.unlink()
            else:
                path.write_bytes(data)


def remove(path: Path) -> None:
    """Remove a file that nothing depends on."""
    with contextlib.suppress(OSError):
        path.unlink()


def _forget_old(path: Path) -> None:
    """Remove temporary files of runs that were killed long ago; a fresh one may belong to a run beside us."""
    for left in path.parent.glob(f".{path.name}.*.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _FORGOTTEN_S:
                left.unlink()


def _sync_folder(folder: Path) -> None:
    """Make the renames themselves durable, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
