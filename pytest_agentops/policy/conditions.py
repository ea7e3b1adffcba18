"""Conditions as data: what they compare, and whether they hold. Three-valued: true, false, or unknown (None).

The parts stay apart (attribute, kind of comparison, constant), so that a condition can be analysed over a table of cases as
well as evaluated.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, Protocol, TypeAlias

from .attributes import MAX_TEXT, Items, Kind, Path, Prepared, cannot_be, contains

Op: TypeAlias = Literal["==", "!=", "<", "<=", ">", ">="]
Use: TypeAlias = Literal["==", "!=", "<", "<=", ">", ">=", "in", "contains", "exists", "startswith", "len", "truth"]
"""How a condition looks at an attribute."""

_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Lookup(Protocol):
    """Where values come from; `attributes.Values`, or a cell of a table."""

    def get(self, path: Path) -> Prepared | None:
        """The value at `path`; None if it is missing."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """``amount_usd``, ``principal.roles``."""

    path: Path
    at: int = 0

    def value(self, values: Lookup) -> Prepared | None:
        return values.get(self.path)

    @property
    def name(self) -> str:
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class Length:
    """``len(x)``: of a text or a list."""

    of: Attribute
    at: int = 0

    def value(self, values: Lookup) -> Prepared | None:
        found = values.get(self.of.path)
        if found is None:
            return None
        kind, value = found
        if kind is Kind.TEXT or kind is Kind.LONG:
            return Kind.NUMBER, len(value)
        return (Kind.NUMBER, value.count) if kind is Kind.LIST else None


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal."""

    prepared: Prepared
    at: int = 0

    def value(self, values: Lookup) -> Prepared | None:
        return self.prepared


Term: TypeAlias = Attribute | Length | Constant


def asks_null(term: Term) -> bool:
    """Whether the condition itself writes null: whether something is null can be said of any value."""
    return isinstance(term, Constant) and term.prepared[0] is Kind.NULL


@dataclass(frozen=True, slots=True)
class Comparison:
    """``left op right``; unknown where the two are of different kinds, but any value is compared with a literal null."""

    left: Term
    op: Op
    right: Term

    def holds(self, values: Lookup) -> bool | None:
        a, b = self.left.value(values), self.right.value(values)
        if a is None or b is None:
            return None
        kind, other = a[0], b[0]
        if kind is other:
            if kind is Kind.NUMBER or kind is Kind.TEXT:
                return _COMPARE[self.op](a[1], b[1])
            if kind is Kind.BOOL or kind is Kind.NULL:
                return _COMPARE[self.op](a[1], b[1]) if self.op in ("==", "!=") else None
            return None
        if self.op not in ("==", "!=") or kind is Kind.FREE or other is Kind.FREE:
            return None
        if asks_null(self.left) or asks_null(self.right):
            return self.op == "!="
        if {kind, other} == {Kind.TEXT, Kind.LONG}:
            long, text = (a[1], b[1]) if kind is Kind.LONG else (b[1], a[1])
            return self.op == "!=" if cannot_be(long, text) else None
        return None


@dataclass(frozen=True, slots=True)
class Membership:
    """``needle in [constants]``, ``constant in attribute`` (a list's item, or a part of a text)."""

    needle: Term
    options: Items | Attribute
    constants: tuple[Constant, ...] = ()

    def holds(self, values: Lookup) -> bool | None:
        needle = self.needle.value(values)
        if needle is None:
            return None
        if isinstance(self.options, Items):
            return contains(self.options, needle)
        found = values.get(self.options.path)
        if found is None:
            return None
        if found[0] is Kind.LIST:
            known: Items = found[1]
            return known.null if asks_null(self.needle) else contains(known, needle)
        return needle[1] in found[1] if found[0] is Kind.TEXT and needle[0] is Kind.TEXT else None


@dataclass(frozen=True, slots=True)
class Exists:
    """``exists(x)``: x is given and not null. Of a call it is never unknown."""

    of: Attribute

    def holds(self, values: Lookup) -> bool | None:
        found = values.get(self.of.path)
        if found is not None and found[0] is Kind.FREE:
            return None
        return found is not None and found[0] is not Kind.NULL


@dataclass(frozen=True, slots=True)
class StartsWith:
    """``startswith(x, 'text')``."""

    of: Attribute
    prefix: Constant

    def holds(self, values: Lookup) -> bool | None:
        found = values.get(self.of.path)
        if found is None:
            return None
        kind, value = found
        if kind is Kind.LONG and value[:MAX_TEXT].isascii():
            kind = Kind.TEXT
        return bool(value.startswith(self.prefix.prepared[1])) if kind is Kind.TEXT else None


@dataclass(frozen=True, slots=True)
class Truth:
    """An attribute that is itself true or false."""

    of: Attribute

    def holds(self, values: Lookup) -> bool | None:
        found = values.get(self.of.path)
        return found[1] if found is not None and found[0] is Kind.BOOL else None


@dataclass(frozen=True, slots=True)
class Not:
    """Unknown stays unknown."""

    of: Node

    def holds(self, values: Lookup) -> bool | None:
        found = self.of.holds(values)
        return None if found is None else not found


@dataclass(frozen=True, slots=True)
class All:
    """``and``: false if one part is, else unknown if one part is."""

    parts: tuple[Node, ...]

    def holds(self, values: Lookup) -> bool | None:
        result: bool | None = True
        for part in self.parts:
            found = part.holds(values)
            if found is False:
                return False
            if found is None:
                result = None
        return result


@dataclass(frozen=True, slots=True)
class Some:
    """``or``: true if one part is, else unknown if one part is."""

    parts: tuple[Node, ...]

    def holds(self, values: Lookup) -> bool | None:
        result: bool | None = False
        for part in self.parts:
            found = part.holds(values)
            if found is True:
                return True
            if found is None:
                result = None
        return result


Atom: TypeAlias = Comparison | Membership | Exists | StartsWith | Truth
Node: TypeAlias = Atom | Not | All | Some


@dataclass(frozen=True, slots=True)
class Condition:
    """A parsed condition."""

    text: str
    root: Node
    attributes: tuple[Attribute, ...]
    """Each attribute that it looks at, at its first place."""
    lead: int = 0
    """The blanks in front; `at` of the parts counts from behind them."""

    def holds(self, values: Lookup) -> bool | None:
        return self.root.holds(values)

    def atoms(self) -> Iterator[Atom]:
        """The single comparisons, in the order of the text."""
        return _atoms(self.root)

    def unknown(self, values: Lookup) -> tuple[str, ...]:
        """The attributes that are missing or unusable."""
        found = ((a.name, values.get(a.path)) for a in self.attributes)
        return tuple(name for name, value in found if value is None or value[0] in (Kind.UNUSABLE, Kind.LONG))


def _atoms(node: Node) -> Iterator[Atom]:
    if isinstance(node, (All, Some)):
        for part in node.parts:
            yield from _atoms(part)
    elif isinstance(node, Not):
        yield from _atoms(node.of)
    else:
        yield node


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at an attribute: how, and the constant it is held against (None: against another attribute, or nothing)."""

    path: Path
    use: Use
    constant: Prepared | None = None

    @property
    def number(self) -> int | Decimal | None:
        """The constant, if an amount is held against it."""
        return self.constant[1] if self.constant is not None and self.constant[0] is Kind.NUMBER else None


_MIRROR: Mapping[Op, Op] = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def readings(condition: Condition) -> Iterator[Reading]:
    """Every look at an attribute with its constant on the right: the axes of a decision table."""
    for atom in condition.atoms():
        if isinstance(atom, Comparison):
            yield from _of_comparison(atom)
        elif isinstance(atom, Membership):
            yield from _of_membership(atom)
        elif isinstance(atom, StartsWith):
            yield Reading(atom.of.path, "startswith", atom.prefix.prepared)
        else:
            yield Reading(atom.of.path, "exists" if isinstance(atom, Exists) else "truth")


def _of_comparison(atom: Comparison) -> Iterator[Reading]:
    for one, op, other in ((atom.left, atom.op, atom.right), (atom.right, _MIRROR[atom.op], atom.left)):
        constant = other.prepared if isinstance(other, Constant) else None
        if isinstance(one, Attribute):
            yield Reading(one.path, op, constant)
        elif isinstance(one, Length):
            yield Reading(one.of.path, "len", constant)


def _of_membership(atom: Membership) -> Iterator[Reading]:
    path = atom.needle.path if isinstance(atom.needle, Attribute) else None
    path = atom.needle.of.path if isinstance(atom.needle, Length) else path
    if isinstance(atom.options, Attribute):
        yield Reading(atom.options.path, "contains", atom.needle.prepared if isinstance(atom.needle, Constant) else None)
        if path is not None:
            yield Reading(path, "in")
    elif path is not None:
        for constant in atom.constants:
            yield Reading(path, "len" if isinstance(atom.needle, Length) else "in", constant.prepared)
