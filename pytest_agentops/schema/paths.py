"""JSON paths: the part of RFC 9535 that a person writes by hand (names, indexes, ``*``).

``$.orders['W-1'].items[0].price``, ``$.orders.*.status``, ``$.log[-1]``. No filters, slices, unions or ``..``: what a check
looks at should be plain to see.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final, TypeAlias

from .values import Json, same

Concrete: TypeAlias = tuple[str | int, ...]
"""One place in a value: the keys and indexes from the top."""


class _Wild(Enum):
    ALL = "*"


ALL: Final = _Wild.ALL
Step: TypeAlias = str | int | _Wild


class PathError(ValueError):
    """A text that is no JSON path of this module; `column` is where, from 1."""

    def __init__(self, text: str, column: int, why: str) -> None:
        super().__init__(f"{text!r} is no JSON path: column {column}: {why}")
        self.column = column
        self.why = why


@dataclass(frozen=True, slots=True)
class Path:
    """A parsed path; equal texts give the same object."""

    text: str
    steps: tuple[Step, ...]

    def find(self, value: Json) -> list[tuple[Concrete, Json]]:
        """Every place that the path names in `value`, with what stands there; empty if there is none."""
        found: list[tuple[Concrete, Json]] = [((), value)]
        for step in self.steps:
            found = [((*place, key), inner) for place, outer in found for key, inner in _step(step, outer)]
        return found

    def covers(self, concrete: Concrete) -> bool:
        """Whether `concrete` is a place that the path names, or lies below one.

        An index from the end (``[-1]``) needs a value to count in and covers nothing here; see `find`.
        """
        return len(concrete) >= len(self.steps) and all(
            step is ALL or step == key for step, key in zip(self.steps, concrete, strict=False)
        )

    @property
    def from_end(self) -> bool:
        """Whether the path counts from the end of a list somewhere."""
        return any(isinstance(step, int) and step < 0 for step in self.steps)


def _step(step: Step, value: Json) -> Iterator[tuple[str | int, Json]]:
    if isinstance(value, dict):
        if step is ALL:
            yield from value.items()
        elif isinstance(step, str) and step in value:
            yield step, value[step]
    elif isinstance(value, list):
        if step is ALL:
            yield from enumerate(value)
        elif isinstance(step, int) and -len(value) <= step < len(value):
            yield step % len(value), value[step]


# letters, digits, _ and all that is not ASCII, said by what is left out: naming a million characters takes re 7 ms
_NAME = re.compile(r"[^\x00-@\[-^`{-\x7f][^\x00-/:-@\[-^`{-\x7f]*")
_INDEX = re.compile(r"0|-?[1-9][0-9]*")
_QUOTED = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""", re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "/": "/", "\\": "\\", "'": "'", '"': '"'}


def is_path(text: str) -> bool:
    """Whether a key is meant as a JSON path (``$``, ``$.a``, ``$[0]``) and not as a name or an operator."""
    return text == "$" or text.startswith(("$.", "$["))


@lru_cache(maxsize=4096)
def parse(text: str) -> Path:
    """The path that `text` writes; raises `PathError` (a ValueError) that names the column."""
    if not text.startswith("$"):
        raise PathError(text, 1, "a path starts with $")
    steps: list[Step] = []
    at = 1
    while at < len(text):
        step, at = _dotted(text, at) if text[at] == "." else _bracket(text, at)
        steps.append(step)
    return Path(text, tuple(steps))


def _dotted(text: str, at: int) -> tuple[Step, int]:
    if text.startswith("..", at):
        raise PathError(text, at + 1, "'..' is not supported; only names, indexes and *")
    if text.startswith("*", at + 1):
        return ALL, at + 2
    name = _NAME.match(text, at + 1)
    if name is None:
        raise PathError(text, at + 2, "expected a name or * after '.'; other keys go in brackets: ['W-1']")
    return name.group(), name.end()


def _bracket(text: str, at: int) -> tuple[Step, int]:
    if text[at] != "[":
        raise PathError(text, at + 1, f"expected '.' or '[', found {text[at]!r}; keys with other signs go in brackets: ['W-1']")
    inner = at + 1 + len(text[at + 1 :]) - len(text[at + 1 :].lstrip(" "))
    step: Step
    if text.startswith("*", inner):
        step, end = ALL, inner + 1
    elif index := _INDEX.match(text, inner):
        step, end = int(index.group()), index.end()
    elif quoted := _QUOTED.match(text, inner):
        step, end = _unescape(text, quoted), quoted.end()
    elif text.startswith("?", inner):
        raise PathError(text, inner + 1, "filters are not supported; only names, indexes and *")
    else:
        raise PathError(text, inner + 1, "expected a quoted name, an index or * in brackets")
    while text.startswith(" ", end):
        end += 1
    if text.startswith((",", ":"), end):
        raise PathError(text, end + 1, "slices and lists of names are not supported; only names, indexes and *")
    if not text.startswith("]", end):
        raise PathError(text, end + 1, "expected ']'")
    return step, end + 1


def _unescape(text: str, quoted: re.Match[str]) -> str:
    def one(match: re.Match[str]) -> str:
        code = match.group(1)
        if len(code) == 5:
            return chr(int(code[1:], 16))
        if code not in _ESCAPES:
            raise PathError(text, quoted.start() + 2 + match.start(), f"unknown escape \\{code}")
        return _ESCAPES[code]

    raw = quoted.group(1) if quoted.group(1) is not None else quoted.group(2)
    plain = _ESCAPE.sub(one, raw)
    # \ud83d\ude00 is one sign, written as two halves
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if "\\u" in raw else plain


def text(concrete: Concrete) -> str:
    """The path of one place, as a person would write it: ``$.orders['W-1'].items[0]``; `parse` reads it back."""
    out = ["$"]
    for key in concrete:
        if isinstance(key, int):
            out.append(f"[{key}]")
        elif _NAME.fullmatch(key):
            out.append(f".{key}")
        else:
            out.append(f"['{_escape(key)}']")
    return "".join(out)


def _escape(key: str) -> str:
    plain = key.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return "".join(c if c >= " " else f"\\u{ord(c):04x}" for c in plain)


def below(concrete: Concrete, top: Concrete) -> bool:
    """Whether `concrete` is `top` or lies below it."""
    return concrete[: len(top)] == top


def remove(value: Json, specs: Sequence[str]) -> Json:
    """A copy of `value` without the places that `specs` name: a JSON path, else an exact key of the top level."""
    places: list[Concrete] = []
    for spec in specs:
        if is_path(spec):
            places += [place for place, _ in parse(spec).find(value)]
        elif isinstance(value, dict) and spec in value:
            places.append((spec,))
    return _without(value, (), set(places)) if places else value


def _without(value: Json, here: Concrete, gone: set[Concrete]) -> Json:
    if isinstance(value, dict):
        return {k: _without(v, (*here, k), gone) for k, v in value.items() if (*here, k) not in gone}
    if isinstance(value, list):
        return [_without(v, (*here, i), gone) for i, v in enumerate(value) if (*here, i) not in gone]
    return value


def changes(before: Json, after: Json) -> list[Concrete]:
    """The smallest places that differ; a key or item that only one side has is a place of its own."""
    out: list[Concrete] = []
    _changes(before, after, (), out)
    return out


def _changes(before: Json, after: Json, here: Concrete, out: list[Concrete]) -> None:
    if before is after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            if key in before and key in after:
                _changes(before[key], after[key], (*here, key), out)
            else:
                out.append((*here, key))
    elif isinstance(before, list) and isinstance(after, list):
        for i in range(max(len(before), len(after))):
            if i < len(before) and i < len(after):
                _changes(before[i], after[i], (*here, i), out)
            else:
                out.append((*here, i))
    elif not same(before, after):
        out.append(here)
