"""What a YAML file said, kept as JSON beside pytest's cache: reading JSON costs a twentieth of reading YAML.

An entry's name is a digest of everything it depends on (the text, the reader's own code), so that an entry can be missing but
not old; a damaged one is as good as missing. Only files that were right are kept. Without a folder every file is read.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from .values import Json, dumps, loads

_CHECK = 64
"""Hex digits of the payload's own digest, in front of it."""


class ParsedCache:
    """Entries by digest in one flat folder; safe for several processes, since entries are written whole and never changed."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = str(folder) if folder is not None else None
        self._stamp = _code_stamp() if folder is not None else b""

    def get(self, kind: str, *texts: str) -> Json:
        """What was kept for these texts, or None."""
        if self._folder is None:
            return None
        try:
            with open(self._path(kind, texts), "rb") as file:
                data = file.read()
        except OSError:
            return None
        payload = data[_CHECK:]
        if hashlib.sha256(payload).hexdigest().encode() != data[:_CHECK]:
            return None
        return loads(payload)

    def put(self, kind: str, value: Json, *texts: str) -> None:
        """Keep a value; a folder that cannot be written is no error, since nothing depends on it."""
        if self._folder is None:
            return
        path = self._path(kind, texts)
        temp = f"{path}.{os.getpid()}"
        payload = dumps(value).encode()
        try:
            with open(temp, "wb") as file:
                file.write(hashlib.sha256(payload).hexdigest().encode() + payload)
            os.replace(temp, path)
        except OSError:
            self._folder = None

    def _path(self, kind: str, texts: tuple[str, ...]) -> str:
        key = hashlib.sha256(self._stamp)
        for text in (kind, *texts):
            key.update(b"\0" + text.encode())
        return f"{self._folder}{os.sep}{key.hexdigest()[:40]}"


def _code_stamp() -> bytes:
    """Changes whenever the code that reads files does."""
    root = Path(__file__).parent.parent
    files = sorted(p for room in ("schema", "loading", "tape") for p in (root / room).iterdir() if p.suffix in (".py", ".json"))
    return repr([(p.name, (s := p.stat()).st_mtime_ns, s.st_size) for p in files]).encode()
