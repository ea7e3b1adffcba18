"""Where a character of a YAML string stands in its file: what follows a quote, an escape, a fold or an indent.

The string is walked as YAML reads it. Where the walk does not give the string back (an odd form), its start is the answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from ..schema.document import Document, PathItem

_ESCAPES = {"x": 2, "u": 4, "U": 8}
_SIMPLE = {"n": "\n", "t": "\t", "0": "\0", "r": "\r", "_": "\u00a0", "N": "\u0085", "e": "\x1b", "a": "\a", "b": "\b"}

_Char: TypeAlias = tuple[str, int, int]
"""A character of the value, its line and its column (from 1)."""
_Reader: TypeAlias = Callable[[str, int], tuple[str, int] | None]
"""The character at a place of a line and how many places it takes; None at the closing quote."""


def place_in(document: Document, path: Sequence[PathItem], offset: int) -> tuple[int, int]:
    """Line and column of the character `offset` of the string at `path`."""
    line, col = document.value_position(path)
    value = document.value
    for item in path:
        value = value[item]
    lines = document.text.removeprefix("\ufeff").split("\n")
    seen = ""
    where = (line, col)
    for char, row, column in _walk(lines, line, col):
        seen += char
        where = (row, column)
        if len(seen) > offset:
            break
    wanted = str(value)[: offset + 1]
    if seen != wanted and not (len(value) <= offset and seen.startswith(wanted)):
        return line, col
    return where


def _walk(lines: list[str], line: int, col: int) -> Iterator[_Char]:
    start = lines[line - 1][col - 1 : col]
    if start in ("|", ">"):
        return _block(lines, line, folded=start == ">")
    if start == '"':
        return _flow(lines, line, col + 1, _double)
    return _flow(lines, line, col + 1, _single) if start == "'" else _flow(lines, line, col, _plain)


def _block(lines: list[str], line: int, *, folded: bool) -> Iterator[_Char]:
    body = lines[line:]
    indent = next((len(row) - len(row.lstrip(" ")) for row in body if row.strip()), 0)
    last: _Char | None = None
    for number, row in enumerate(body, line + 1):
        if row.strip() and len(row) - len(row.lstrip(" ")) < indent:
            return
        if last is not None:
            yield last
        for column, char in enumerate(row[indent:], indent + 1):
            yield char, number, column
        last = (" " if folded else "\n", number, len(row) + 1)


def _flow(lines: list[str], line: int, col: int, read: _Reader) -> Iterator[_Char]:
    """A scalar that is not a block; a line break in it is one blank."""
    for number in range(line, len(lines) + 1):
        row = lines[number - 1]
        at = col - 1 if number == line else len(row) - len(row.lstrip(" \t"))
        if number > line:
            yield " ", number, at + 1
        end = len(row.rstrip(" \t"))
        while at < end:
            step = read(row, at)
            if step is None:
                return
            char, width = step
            yield char, number, at + 1
            at += width


def _plain(row: str, at: int) -> tuple[str, int] | None:
    return row[at], 1


def _single(row: str, at: int) -> tuple[str, int] | None:
    if row[at] != "'":
        return row[at], 1
    return ("'", 2) if row[at : at + 2] == "''" else None


def _double(row: str, at: int) -> tuple[str, int] | None:
    char = row[at]
    if char == '"':
        return None
    if char != "\\":
        return char, 1
    letter = row[at + 1 : at + 2]
    width = _ESCAPES.get(letter)
    if width is not None and re.fullmatch(r"[0-9A-Fa-f]+", row[at + 2 : at + 2 + width] or "?"):
        return chr(int(row[at + 2 : at + 2 + width], 16)), 2 + width
    return _SIMPLE.get(letter, letter), 2
