"""What a call said and got, beside the log: one file each, so that retention can delete it and the chain still verifies.

The record holds only ``sha256(salt + payload)``; the salt lies in the file and goes with it, so that nobody can guess what
stood there.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..schema import paths
from ..schema.paths import Concrete
from ..schema.values import Json, dumps, loads, written

FOLDER = "payload"
REDACTED = "[redacted]"
_SALT = 32


def redact(value: Json, fields: Sequence[str]) -> tuple[Json, list[str]]:
    """A copy without the values of `fields` (exact keys at any depth, or JSON paths), and JSON pointers to what was removed."""
    names = frozenset(f for f in fields if not paths.is_path(f))
    places = frozenset(place for f in fields if paths.is_path(f) for place, _ in paths.parse(f).find(value))
    gone: list[str] = []
    return _copy(value, (), names, places, gone), gone


def unredacted(value: Json, fields: Sequence[str]) -> list[str]:
    """JSON pointers to values of `fields` that still stand in the clear."""
    _, found = redact(value, fields)
    return [pointer for pointer in found if _at(value, pointer) != REDACTED]


def _copy(value: Json, here: Concrete, names: frozenset[str], places: frozenset[Concrete], gone: list[str]) -> Json:
    if here and (here in places or here[-1] in names):
        gone.append(_pointer(here))
        return REDACTED
    if isinstance(value, dict):
        return {k: _copy(v, (*here, k), names, places, gone) for k, v in value.items()}
    if isinstance(value, list):
        return [_copy(v, (*here, i), names, places, gone) for i, v in enumerate(value)]
    return value


def _pointer(place: Concrete) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in place)


def _at(value: Json, pointer: str) -> Json:
    for raw in pointer.split("/")[1:]:
        step = raw.replace("~1", "/").replace("~0", "~")
        value = value[int(step)] if isinstance(value, list) else value[step]
    return value


class Payloads:
    """The payload files beside one folder of logs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / FOLDER

    def keep(self, value: Json) -> str:
        """Write a payload and give its digest; raises OSError where that cannot be done."""
        salt = os.urandom(_SALT)
        data = written(dumps(value, sort_keys=True))
        name = hashlib.sha256(salt + data).hexdigest()
        try:
            handle = self._create(name)
        except FileNotFoundError:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = self._create(name)
        with os.fdopen(handle, "wb") as file:
            file.write(salt + data)
        return f"sha256:{name}"

    def _create(self, name: str) -> int:
        return os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)

    def read(self, digest: str) -> bytes | None:
        """The payload's bytes; None if it is not there; ValueError if it is not what the digest says."""
        try:
            raw = self._path(digest).read_bytes()
        except FileNotFoundError:
            return None
        if hashlib.sha256(raw).hexdigest() != digest.removeprefix("sha256:"):
            raise ValueError("it was changed")
        return raw[_SALT:]

    def value(self, digest: str) -> Json:
        """The payload as a value; None if it was erased."""
        data = self.read(digest)
        return None if data is None else loads(data)

    def erase(self, digest: str) -> bool:
        """Delete a payload together with its salt; False if it is not there."""
        try:
            self._path(digest).unlink()
        except FileNotFoundError:
            return False
        return True

    def present(self) -> Iterator[str]:
        """The digests of all payloads that are there."""
        if self.folder.is_dir():
            yield from sorted(f"sha256:{p.name}" for p in self.folder.iterdir() if p.is_file())

    def _path(self, digest: str) -> Path:
        name = digest.removeprefix("sha256:")
        if len(name) != 64 or not set(name) <= set("0123456789abcdef"):
            raise ValueError(f"{digest!r} is no digest")  # a record that names ../../x must not lead anywhere
        return self.folder / name
