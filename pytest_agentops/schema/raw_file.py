"""A whole file's bytes: a session reads thousands of small files, and Python's file objects cost more than the reading."""

from __future__ import annotations

import os

_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0)
_CHUNK = 1 << 16


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """All of the file; raises OSError as `open` does."""
    handle = os.open(path, _FLAGS)
    try:
        data = os.read(handle, _CHUNK)
        while more := os.read(handle, _CHUNK):  # at the end of a file there is nothing
            data += more
        return data
    finally:
        os.close(handle)
