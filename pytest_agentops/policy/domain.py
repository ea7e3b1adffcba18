"""Values of one attribute, so many that conditions can tell no others apart: between constants, each literal, other, missing.

Every candidate is a real JSON value. Where the candidates may not be all that conditions can tell apart (several ways of looking
at one text), `Pool.exact` is False and what is concluded from them is partial.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal
from enum import Enum
from itertools import chain, combinations
from typing import Literal, TypeAlias

from ..schema.values import Json
from ..schema.values import number as json_number
from .attributes import MAX_ITEMS, MAX_TEXT, MAX_UNICODE, Kind, Prepared, prepare

Sort: TypeAlias = Literal["missing", "number", "text", "bool", "list", "null", "mapping", "odd"]
SORTS: tuple[Sort, ...] = ("missing", "number", "text", "bool", "list", "null", "mapping", "odd")
"""Of several values that conditions do not tell apart, the first of these is shown."""
MAX_SUBSETS = 6
"""Of so many items of a list, or parts of a text, every combination is tried."""
_EXACT = Context(prec=2_200)
_ODD = 10**1_100
_PADS = "~_.#|;%+x0"
_WHOLES: dict[Kind, Sort] = {Kind.LIST: "list", Kind.OTHER: "mapping", Kind.LONG: "text"}


class Missing(Enum):
    """The attribute is not given."""

    MISSING = "missing"


MISSING = Missing.MISSING


@dataclass(frozen=True, slots=True)
class Candidate:
    """One value; `at` orders numbers: 2i+1 is the i-th constant, even numbers are what lies between, -1 where there is none."""

    sort: Sort
    value: Json | Missing
    at: int = 0
    literal: bool = False
    """Whether a condition names this very value."""

    @property
    def prepared(self) -> Prepared | None:
        return None if self.value is MISSING else prepare(self.value)


@dataclass(slots=True)
class Wants:
    """How all conditions look at one attribute."""

    numbers: set[Decimal] = field(default_factory=set)
    literals: set[str] = field(default_factory=set)
    ordered: bool = False
    """Texts are compared by < or >."""
    prefixes: set[str] = field(default_factory=set)
    parts: set[str] = field(default_factory=set)
    items: dict[str, Prepared] = field(default_factory=dict)
    """What is looked for in a list."""
    lengths: set[Decimal] = field(default_factory=set)
    always: tuple[str, ...] = ()
    """What every list holds, whatever else: a tool's scopes."""
    wholes: dict[str, Json] = field(default_factory=dict)
    """Values that a schema names as they are, and that no condition can: lists, mappings, long texts."""
    integer: bool = False
    linked: bool = False
    """It is compared with another attribute: more values of each kind are tried."""

    def constant(self, prepared: Prepared) -> None:
        kind, value = prepared
        if kind is Kind.NUMBER:
            self.numbers.add(Decimal(value))
        elif kind is Kind.TEXT:
            self.literals.add(value)

    def named(self, value: Json) -> None:
        """A value that a schema names."""
        prepared = prepare(value)
        self.constant(prepared)
        if prepared[0] in _WHOLES:
            self.wholes[repr(value)] = value


@dataclass(frozen=True, slots=True)
class Pool:
    """Candidates of one attribute."""

    candidates: tuple[Candidate, ...]
    points: tuple[Decimal, ...]
    exact: bool


def pool(wants: Wants) -> Pool:
    """Every kind of value, and of each kind those that conditions may tell apart."""
    points = tuple(sorted(wants.numbers or ({Decimal(0)} if wants.linked else set())))
    texts, exact = _texts(wants)
    lists, sure = _lists(wants)
    found = [
        Candidate("missing", MISSING),
        *_numbers(points, wants),
        *texts,
        Candidate("bool", True),
        Candidate("bool", False),
        *lists,
        *(Candidate(_WHOLES[prepare(value)[0]], value) for value in wants.wholes.values()),
        Candidate("null", None),
        Candidate("mapping", {}),
        Candidate("odd", _ODD),
    ]
    return Pool(tuple(found), points, exact and sure and not wants.linked)


# --- numbers


def plain(value: int | Decimal) -> Json:
    """A Decimal as JSON writes it."""
    number = Decimal(value)
    return int(number) if number == number.to_integral_value() and number.adjusted() < 30 else json_number(f"{number:f}")


def _numbers(points: Sequence[Decimal], wants: Wants) -> Iterator[Candidate]:
    if not points:
        yield Candidate("number", 1, -1)
        if wants.integer:
            yield Candidate("number", 1.5, -1)
        return
    for index, point in enumerate(points):
        low = points[index - 1] if index else None
        for value in _inside(low, point, wants):
            yield Candidate("number", plain(value), 2 * index)
        yield Candidate("number", plain(point), 2 * index + 1, literal=True)
    for value in _inside(points[-1], None, wants):
        yield Candidate("number", plain(value), 2 * len(points))


def _inside(low: Decimal | None, high: Decimal | None, wants: Wants) -> list[Decimal]:
    """Numbers between two, a whole one first; with `linked` three of them."""
    found: list[Decimal] = []
    if low is None and high is not None:
        whole = high.to_integral_value(rounding="ROUND_CEILING", context=_EXACT)
        found = [_EXACT.subtract(whole, Decimal(step)) for step in (Decimal(1), Decimal("1.5"), Decimal(2))]
    elif low is not None and high is None:
        whole = low.to_integral_value(rounding="ROUND_FLOOR", context=_EXACT)
        found = [_EXACT.add(whole, Decimal(step)) for step in (Decimal(1), Decimal("1.5"), Decimal(2))]
    elif low is not None and high is not None:
        whole = _EXACT.add(low.to_integral_value(rounding="ROUND_FLOOR", context=_EXACT), Decimal(1))
        half = _EXACT.divide(_EXACT.subtract(high, low), Decimal(2))
        middle = _EXACT.add(low, half)
        quarter = _EXACT.divide(half, Decimal(2))
        broken = _EXACT.divide(_EXACT.add(low, min(whole, high)), Decimal(2))  # between two whole numbers, so it is none
        near = [_EXACT.subtract(middle, quarter), _EXACT.add(middle, quarter)]
        found = [value for value in (whole, broken, middle, *near) if low < value < high]
    good = [value for value in dict.fromkeys(found) if prepare(plain(value))[0] is Kind.NUMBER]
    if wants.linked or wants.integer:
        return good
    return good[:1]


# --- texts


def _texts(wants: Wants) -> tuple[list[Candidate], bool]:
    literals, prefixes = sorted(wants.literals), sorted(wants.prefixes)
    pad = _pad([*literals, *prefixes, *wants.parts])
    bases = (
        _in_order(literals, prefixes, wants.ordered)
        if prefixes or wants.ordered
        else [_another(literals, wants.parts, pad), "", *literals]
    )
    joined, sure = _joined(sorted(wants.parts), pad)
    mixed = [*bases, *prefixes, *joined, *(f"{base}{pad}{part}" for base in prefixes for part in joined)]
    lengths = _lengths(wants, MAX_TEXT + 1)
    found = [*mixed, *(_padded(text, length, pad) for text in mixed for length in lengths if length >= len(text))]
    found += _long(wants, prefixes, lengths)
    if wants.linked:
        found += [f"{text}{pad}" for text in found]
    out = [Candidate("text", text, literal=text in wants.literals) for text in dict.fromkeys(found) if not _denormal(text)]
    simple = not (wants.ordered and (wants.lengths or wants.parts)) and not (wants.parts and (wants.lengths or prefixes))
    return sorted(out, key=lambda c: not c.literal), sure and simple


def _another(literals: Sequence[str], parts: Collection[str], pad: str) -> str:
    """A text that no condition names."""
    return pad * 3 if "other" in literals or any(part in "other" for part in parts) else "other"


def _denormal(text: str) -> bool:
    """A text that is brought to another form when it is read stands for that one."""
    return len(text) <= MAX_UNICODE and unicodedata.normalize("NFC", text) != text


def _pad(known: Sequence[str]) -> str:
    used = set("".join(known))
    return next((char for char in _PADS if char not in used), next(chr(c) for c in range(0xE000, 0xF8FF) if chr(c) not in used))


def _padded(text: str, length: int, pad: str) -> str:
    return text + pad * (length - len(text))


def _in_order(literals: Sequence[str], prefixes: Sequence[str], ordered: bool) -> list[str]:
    """Each point of the order of texts, and one text between every two."""
    ends = [after for prefix in prefixes if (after := _successor(prefix)) is not None]
    points = sorted({*literals, *prefixes, *ends})
    found = [""]
    for low, high in zip(points, [*points[1:], None], strict=True):
        found.append(low)
        inside = (f"{low}{char}" for char in ("a", "0", " ", "\x01", "\x00"))
        between = next((text for text in inside if high is None or text < high), None)
        if between is not None:
            found.append(between)
    return found


def _successor(prefix: str) -> str | None:
    """The first text after all that begin with `prefix`."""
    while prefix:
        code = ord(prefix[-1]) + 1
        code = 0xE000 if 0xD800 <= code <= 0xDFFF else code
        if code <= 0x10FFFF:
            return prefix[:-1] + chr(code)
        prefix = prefix[:-1]
    return None


def _joined(parts: Sequence[str], pad: str) -> tuple[list[str], bool]:
    """Texts that hold each combination of the parts."""
    chosen, sure = subsets(parts)
    return [pad.join((*some, "")) for some in chosen if some], sure


def subsets(things: Sequence[str]) -> tuple[list[tuple[str, ...]], bool]:
    """All combinations of a few; of many the small and the whole one, which is said."""
    if len(things) <= MAX_SUBSETS:
        return list(chain.from_iterable(combinations(things, size) for size in range(len(things) + 1))), True
    return [(), *((one,) for one in things), *combinations(things, 2), tuple(things)], False


def _lengths(wants: Wants, most: int) -> list[int]:
    found: set[int] = set()
    for length in wants.lengths:
        whole = int(min(length, Decimal(most)))
        found.update(step for step in (whole - 1, whole, whole + 1) if 0 <= step <= most)
    return sorted(found | {0}) if found else []


def _long(wants: Wants, prefixes: Sequence[str], lengths: Sequence[int]) -> list[str]:
    """Texts that are too long to be compared letter for letter."""
    if not (wants.literals or prefixes or wants.parts or lengths):
        return []
    beyond = {MAX_UNICODE + 1, *(4 * (len(text) + 1) + more for text in wants.literals for more in (0, 1))}
    beyond |= set(lengths)
    found = ["é" * length for length in sorted(beyond) if length > MAX_UNICODE]
    found += ["x" * (MAX_TEXT + 1)]
    found += [f"{prefix}{rest}" for prefix in prefixes for rest in ("x" * (MAX_TEXT + 1), "é" * (MAX_UNICODE + 1))]
    return found


# --- lists


def _lists(wants: Wants) -> tuple[list[Candidate], bool]:
    """Lists with each combination of what is looked for, and with other items of each kind."""
    known = {key: value[1] for key, value in wants.items.items() if value[0] in (Kind.TEXT, Kind.NUMBER, Kind.BOOL, Kind.NULL)}
    chosen, sure = subsets(sorted(key for key, value in known.items() if value not in wants.always))
    mixed = any(value[0] is not Kind.TEXT for value in wants.items.values())
    others: list[Json] = [_other_text(known.values()), None, {}] if known else []
    if mixed:
        others += [_other_number(known.values()), True, False]
    always = list(wants.always)
    found: list[list[Json]] = [always, [*always, "x"]]
    for some in chosen:
        base = [plain(v) if isinstance(v := known[key], (int, Decimal)) and not isinstance(v, bool) else v for key in some]
        sizes = range(len(others) + 1 if mixed else 3)
        found.extend([*always, *base, *rest] for size in sizes for rest in combinations(others, size))
    lengths = _lengths(wants, MAX_ITEMS + 1)
    longer = [
        [*items, *[items[-1]] * (length - len(items))] for items in found if items for length in lengths if length > len(items)
    ]
    unique = {repr(items): items for items in (*found, *longer)}
    return [Candidate("list", items) for items in unique.values()], sure


def _other_text(known: Collection[Json]) -> str:
    return next(text for text in ("other", *(f"other{n}" for n in range(len(known) + 1))) if text not in known)


def _other_number(known: Collection[Json]) -> int:
    numbers = [value for value in known if isinstance(value, (int, Decimal)) and not isinstance(value, bool)]
    return int(max(numbers, default=0)) + 1
