"""Files: read whole, written whole or not at all, or appended to by several processes at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_BINARY = getattr(os, "O_BINARY", 0)
_CHUNK = 1 << 16


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """All of the file; raises OSError as `open` does.

    A session reads thousands of small files, and Python's file objects cost more than the reading.
    """
    handle = os.open(path, os.O_RDONLY | _BINARY)
    try:
        data = os.read(handle, _CHUNK)
        while more := os.read(handle, _CHUNK):  # at the end of a file there is nothing
            data += more
        return data
    finally:
        os.close(handle)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside `path` that takes its place when the block ends well; else the old file stays as it was. Makes its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temp = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temp
        os.replace(temp, path)
    finally:
        temp.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write the file whole or not at all, with the line ends as they are."""
    with replacing(path) as temp:
        temp.write_text(text, encoding="utf-8", newline="\n")


def append_line(path: Path, line: str) -> None:
    """Add a line in one write: what several processes add at once gives whole lines."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | _BINARY, 0o666)
    try:
        os.write(handle, f"{line}\n".encode())
    finally:
        os.close(handle)


class SharedLines:
    """A file that all processes of a session add lines to, and follow."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0

    def clear(self) -> None:
        """What an earlier session left is not this one's; once, before any worker starts."""
        with suppress(FileNotFoundError):
            self.path.unlink()

    def add(self, line: str) -> None:
        """A line for all."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        append_line(self.path, line)

    def fresh(self) -> list[str]:
        """The whole lines that came since the last look, one's own among them."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._read)
                data = file.read()
        except FileNotFoundError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        return whole.decode().splitlines()
