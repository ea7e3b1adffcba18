"""The look of what a miss says, the same for tool calls and for model requests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from ..schema import paths
from ..schema.values import Json, dumps
from .stale import short

WIDTH = 130
"""Of one line of a report."""
VALUE = 40
"""Of one value in it."""
NOTHING: Json = object()
"""A side of a difference that is not there."""


def at(value: Json, place: paths.Concrete) -> Json:
    """What is at a place; `NOTHING` where a value has no such place."""
    for step in place:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return NOTHING
    return value


def cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def value_text(value: Json) -> str:
    return cut(dumps(value), VALUE)


def side(value: Json) -> str:
    """One side of a difference."""
    return "nothing" if value is NOTHING else value_text(value)


def plain(text: str) -> str:
    """`text` without what a terminal would act on."""
    return text if text.isprintable() else "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def pin_text(value: Json) -> str:
    """A pin for reading; several models are listed."""
    if value is None:
        return "gone"
    text = value if isinstance(value, str) else ", ".join(value)
    return short(text) if text.startswith("sha256:") else cut(text, 30)


def folder_of(file: str, case: str) -> str:
    """The trial's folder; a cassette that comes from no file is named by its case."""
    return (PurePosixPath(file).parent.name if file else "") or case.rpartition("/")[2] or "CASE"


def trial_of(folder: str) -> str:
    """The number of the trial that a folder holds."""
    name, _, number = folder.rpartition(".t")
    return number if name and number.isdigit() else "1"


def laid_out(head: str, rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    """The head line, then each row's label before its first line."""
    out = [head]
    for label, lines in rows:
        out += [f"  {label if i == 0 else '':<9} {line}" for i, line in enumerate(lines)]
    return "\n".join(plain(line).rstrip() for line in out)
