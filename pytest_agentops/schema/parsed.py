"""What a YAML file said, kept as JSON beside pytest's cache: reading JSON costs a twentieth of reading YAML.

An entry's name is a digest of everything it depends on (the text, the reader's own code), so that an entry can be missing but
not old; a damaged one, or one that was made under another name, is as good as missing. Only files that were right are kept.
Without a folder every file is read.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from .disk import read_bytes
from .values import Json, dumps, loads

_CHECK = 64
"""Hex digits of the payload's own digest, in front of it."""

_READERS = ("schema", "loading", "tape")
"""The rooms whose code decides what a text becomes."""


class ParsedCache:
    """Entries by digest in one flat folder; safe for several processes, since entries are written whole and never changed."""

    def __init__(self, folder: Path | None, *, scan: Callable[[bytes], Sequence[str]] = lambda _: ()) -> None:
        self._scan = scan
        self._stamp = _code_stamp() if folder is not None else None
        self._folder = None if self._stamp is None else str(folder)

    def get(self, kind: str, *texts: str) -> Json:
        """What was kept for these texts, or None."""
        if self._folder is None:
            return None
        name = self._name(kind, texts)
        try:
            data = read_bytes(f"{self._folder}{os.sep}{name}")
        except OSError:
            return None
        payload = data[_CHECK:]
        if _digest(name, payload) != data[:_CHECK]:
            return None
        return loads(payload)

    def put(self, kind: str, value: Json, *texts: str) -> None:
        """Keep a value; a folder that cannot be written is no error, since nothing depends on it."""
        if self._folder is None:
            return
        name = self._name(kind, texts)
        path = f"{self._folder}{os.sep}{name}"
        temp = f"{path}.{os.getpid()}"
        try:
            payload = dumps(value).encode()
        except UnicodeEncodeError:  # a lone surrogate
            return
        if self._scan(payload):  # a second place for a secret would be one too many
            return
        try:
            with open(temp, "wb") as file:
                file.write(_digest(name, payload) + payload)
            os.replace(temp, path)
        except OSError:
            self._folder = None
            with contextlib.suppress(OSError):
                os.unlink(temp)

    def _name(self, kind: str, texts: tuple[str, ...]) -> str:
        key = hashlib.sha256(self._stamp or b"")
        for text in (kind, *texts):
            data = text.encode("utf-8", "surrogateescape")  # a file's name may be no text
            key.update(b"%d\0" % len(data) + data)
        return key.hexdigest()[:40]


def _digest(name: str, payload: bytes) -> bytes:
    """Of an entry under its name: one that was copied to another name is damaged."""
    return hashlib.sha256(name.encode() + payload).hexdigest().encode()


def _code_stamp(root: Path = Path(__file__).parent.parent) -> bytes | None:
    """Changes whenever the code that reads files does; by what it says, since an installer may give every file one time."""
    stamp = hashlib.sha256(sys.version.encode())
    try:
        for room in _READERS:
            files = sorted(p for p in (root / room).rglob("*") if p.suffix in (".py", ".json"))
            if not files:  # imported from an archive
                return None
            for path in files:
                data = path.read_bytes()
                stamp.update(f"{path.relative_to(root).as_posix()} {len(data)}\0".encode() + data)
    except OSError:
        return None
    return stamp.digest()
