"""What a condition reads: attributes of a call, each looked up once and bounded, so that no value can take long or raise.

A value is known by its kind, and kinds never mix: true is not 1, "30" is not 30. NaN, infinities, numbers out of all
proportion and lists that are too long are unusable: what depends on them is unknown.
"""

from __future__ import annotations

import math
import sys
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from typing import Any, TypeAlias

from ..schema.contract import Contract
from ..schema.policy import Request
from ..schema.values import Json, decimal

Path: TypeAlias = tuple[str, ...]

ROOTS: Mapping[str, Collection[str] | None] = {
    "args": None,
    "context": None,
    "principal": ("id", "on_behalf_of", "roles", "scopes"),
    "tool": ("name", "tier", "effect"),
    "session": ("steps", "tool_calls", "tokens", "usd", "seconds"),
}
"""The groups of attributes, and what is in them where that is known."""
LATER_ROOTS = ("resource", "env")

MAX_ITEMS = 128
MAX_UNICODE = 64
"""Texts beyond ASCII are brought to one form (NFC). That costs more than linear time: longer ones are compared by length only."""
MAX_TEXT = 10_000
_MAX_BITS = 3_400
_WORD = 64
"""Longer ints become Decimals once: each comparison of the two would convert them anew."""
_MAX_EXPONENT = 1_000
_MAX_BYTES = 600
"""Of a Decimal in memory: about a thousand digits."""
_MAX_UNICODE_OF_LIST = 512
_STRETCH = 4
"""NFC shortens a text to a quarter of its characters at most."""


class Kind(IntEnum):
    """What sort of value an attribute has."""

    TEXT = 1
    NUMBER = 2
    BOOL = 3
    NULL = 4
    LIST = 5
    OTHER = 6
    LONG = 7
    UNUSABLE = 8
    FREE = 9
    """In an analysis: any value, or none."""


_COMPARABLE = frozenset([Kind.TEXT, Kind.NUMBER, Kind.BOOL, Kind.NULL])
_ANY_KIND = frozenset(Kind) - {Kind.FREE}

Prepared: TypeAlias = tuple[Kind, Any]
UNUSABLE: Prepared = (Kind.UNUSABLE, None)


@dataclass(frozen=True, slots=True)
class Items:
    """A list's values by their kind, to be searched at once."""

    texts: frozenset[str]
    numbers: frozenset[int | Decimal]
    bools: frozenset[bool]
    null: bool
    sure: Collection[Kind]
    """Of what is looked for: the kinds that every value can be compared with, so that what is not found is not there."""
    count: int


def items(values: Sequence[Prepared], *, literal: bool = False) -> Items:
    """The values of a list, each prepared; in a `literal` list a null asks for null, and so differs from anything else."""
    kinds = {kind for kind, _ in values if not (literal and kind is Kind.NULL)}
    return Items(
        texts=frozenset(v for k, v in values if k is Kind.TEXT),
        numbers=frozenset(v for k, v in values if k is Kind.NUMBER),
        bools=frozenset(v for k, v in values if k is Kind.BOOL),
        null=any(k is Kind.NULL for k, _ in values),
        sure=_sure(kinds),
        count=len(values),
    )


def _sure(kinds: Collection[Kind]) -> Collection[Kind]:
    if not kinds:
        return _ANY_KIND
    return frozenset(kinds) & _COMPARABLE if len(kinds) == 1 else frozenset()


def contains(found: Items, needle: Prepared) -> bool | None:
    """Whether `needle` equals one of the values: the `or` of all comparisons, unknown where one of another kind is left."""
    kind, value = needle
    if kind is Kind.TEXT:
        there = value in found.texts
    elif kind is Kind.NUMBER:
        there = value in found.numbers
    elif kind is Kind.BOOL:
        there = value in found.bools
    elif kind is Kind.LONG:
        sure = Kind.TEXT in found.sure and all(cannot_be(value, text) for text in found.texts)
        return False if sure else None
    else:
        there = kind is Kind.NULL and found.null
    return True if there else False if kind in found.sure else None


def cannot_be(long: str, text: str) -> bool:
    """Whether a long text is too long to be another way of writing `text`."""
    return len(long) > _STRETCH * (len(text) + 1)


def prepare(value: Json) -> Prepared:
    """A JSON value with its kind; anything else is unusable."""
    kind = type(value)
    if kind is str:
        return _text(value)
    if kind is bool:
        return Kind.BOOL, value
    if kind is int:
        bits = value.bit_length()
        if bits <= _WORD:
            return Kind.NUMBER, value
        return (Kind.NUMBER, Decimal(value)) if bits <= _MAX_BITS else UNUSABLE
    if kind is float:
        return (Kind.NUMBER, decimal(value)) if math.isfinite(value) else UNUSABLE
    if kind is Decimal:
        small = sys.getsizeof(value) <= _MAX_BYTES and value.is_finite() and abs(value.adjusted()) <= _MAX_EXPONENT
        return (Kind.NUMBER, value) if small else UNUSABLE
    if value is None:
        return Kind.NULL, None
    if kind is list or kind is tuple:
        return _list(value)
    return (Kind.OTHER, value) if kind is dict else UNUSABLE


def _text(value: str) -> Prepared:
    if value.isascii():
        return (Kind.TEXT, value) if len(value) <= MAX_TEXT else (Kind.LONG, value)
    if len(value) > MAX_UNICODE:
        return Kind.LONG, value
    return Kind.TEXT, unicodedata.normalize("NFC", value)


def _list(value: Sequence[Json]) -> Prepared:
    if len(value) > MAX_ITEMS:
        return UNUSABLE
    beyond = sum(len(v) for v in value if type(v) is str and not v.isascii())
    if beyond > _MAX_UNICODE_OF_LIST:
        return UNUSABLE
    return Kind.LIST, items([UNUSABLE if type(v) in (list, tuple, dict) else prepare(v) for v in value])


def declared_names(contract: Contract) -> frozenset[str]:
    """The arguments that the contract's schema names."""
    return frozenset(_names(contract.parameters, contract.parameters, 0))


def _names(schema: Json, top: Json, depth: int) -> list[str]:
    if not isinstance(schema, dict) or depth > 3:
        return []
    found = list(schema["properties"]) if isinstance(schema.get("properties"), dict) else []
    for word in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(word) or ():
            found += _names(part, top, depth + 1)
    ref = schema.get("$ref")
    if isinstance(ref, str) and ref.startswith("#/"):
        node: Json = top
        for step in ref[2:].split("/"):
            node = node.get(step) if isinstance(node, dict) else None
        found += _names(node, top, depth + 1)
    return found


class Values:
    """The attributes of one request; a bare name is an argument that the contract declares, else of the case's context."""

    __slots__ = ("_known", "_tool", "declared", "request")

    def __init__(self, request: Request, declared: frozenset[str], tool: Mapping[str, Json]) -> None:
        self.request = request
        self.declared = declared
        self._tool = tool
        self._known: dict[Path, Prepared | None] = {}

    def get(self, path: Path) -> Prepared | None:
        """The value at `path`; None if it is missing."""
        known = self._known
        if path in known:
            return known[path]
        found = known[path] = self._look_up(path)
        return found

    def _look_up(self, path: Path) -> Prepared | None:
        first = path[0]
        if first in ROOTS and len(path) > 1:
            node, rest = self._root(first), path[1:]
        else:
            declared = first in self.declared
            if declared and first in self.request.context:  # refused when policies are loaded; never guessed here
                return UNUSABLE
            node, rest = (self.request.args if declared else self.request.context), path
        for key in rest:
            if not isinstance(node, Mapping) or key not in node:
                return None
            node = node[key]
        return prepare(node)

    def _root(self, name: str) -> Json:
        request = self.request
        if name == "args":
            return request.args
        if name == "context":
            return request.context
        if name == "session":
            return request.session
        if name == "tool":
            return self._tool
        principal = request.principal
        found = {"id": principal.id, "on_behalf_of": principal.on_behalf_of}
        return {k: v for k, v in found.items() if v is not None} | {"roles": principal.roles, "scopes": principal.scopes}
