"""One attribute of a decision table: its values, those that conditions do not tell apart as one, and their words."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

from ..schema.values import Json, decimal, dumps
from .attributes import Kind, Path, Prepared
from .domain import SORTS, Candidate, Sort
from .words import plain_number

_SHORT = 40
_GIVEN: set[Sort] = {"number", "text", "bool", "list", "mapping"}
"""Values of all these kinds that nothing tells apart: it only matters that there is one."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Values that no condition tells apart; `value` stands for all of them, as conditions get it."""

    value: Any
    members: tuple[Candidate, ...]
    label: str = ""
    """Words of a value that is no JSON value (a clock, a sum)."""
    signature: tuple[bool | None, ...] = ()
    """What the axis' predicates say of it."""

    @property
    def first(self) -> Candidate:
        """The one that is shown."""
        return self.members[0]

    @property
    def sort(self) -> Sort | None:
        return self.members[0].sort if self.members else None


Signed: TypeAlias = tuple[Candidate, Prepared | None, tuple[bool | None, ...]]


def merged(signed: Iterable[Signed], *, apart: bool, fine: bool) -> tuple[Entry, ...]:
    """Candidates of one signature as one entry; with `fine` not over constants, with `apart` only those of one value."""
    groups: dict[tuple[tuple[bool | None, ...], object], list[tuple[Candidate, Prepared | None]]] = {}
    for candidate, prepared, signature in signed:
        key = (candidate.sort, repr(candidate.value)) if apart else _own(candidate) if fine else None
        groups.setdefault((signature, key), []).append((candidate, prepared))
    entries = []
    for (signature, _), group in groups.items():
        group.sort(key=lambda pair: (SORTS.index(pair[0].sort), not pair[0].literal))
        entries.append(Entry(group[0][1], tuple(candidate for candidate, _ in group), signature=signature))
    return tuple(entries)


def _own(candidate: Candidate) -> object:
    """What keeps a candidate apart where constants and gaps between them stay cells of their own."""
    if candidate.sort == "number":
        return candidate.at if candidate.at >= 0 else None
    return candidate.value if candidate.sort == "text" and candidate.literal else None


@dataclass(frozen=True)
class Axis:
    """An attribute and its entries."""

    path: Path
    name: str
    entries: tuple[Entry, ...]
    points: tuple[Json, ...] = ()
    """The numbers that it is compared with, in order."""
    predicates: tuple[Any, ...] = ()
    """What is asked of this attribute alone; entries differ in what they answer."""
    apart: bool = False
    """Each candidate is an entry of its own, for the attribute is compared with others."""

    def projected(self, asked: Collection[Any]) -> Axis:
        """The same attribute, cut only as far as these predicates tell its values apart."""
        if self.apart:
            return self
        kept = sorted(self._numbered[id(predicate)] for predicate in asked if id(predicate) in self._numbered)
        groups: dict[tuple[bool | None, ...], list[Entry]] = {}
        for entry in self.entries:
            groups.setdefault(tuple(entry.signature[n] for n in kept), []).append(entry)
        entries = tuple(
            Entry(group[0].value, tuple(c for entry in group for c in entry.members), group[0].label, signature)
            for signature, group in groups.items()
        )
        return replace(self, entries=entries, predicates=tuple(self.predicates[n] for n in kept))

    def find(self, value: Prepared | None, signature: tuple[bool | None, ...]) -> int | None:
        """The entry that a value belongs to; None if there is none."""
        found = [n for n, entry in enumerate(self.entries) if entry.signature == signature]
        if self.apart:
            return next((n for n in found if self.entries[n].value == value), None)
        if len(found) < 2 or value is None:
            return found[0] if found else None
        return self._finer(value, found)

    def _finer(self, value: Prepared, among: Sequence[int]) -> int | None:
        """Of entries that conditions do not tell apart, the one with this literal or between these numbers."""
        kind, inner = value
        at = None
        if kind is Kind.NUMBER and self.points:
            below = sum(1 for point in self.points if decimal(point) < inner)
            at = 2 * below + any(decimal(point) == inner for point in self.points)
        if at is not None:
            return next((n for n in among if self.entries[n].sort == "number" and self.entries[n].first.at == at), None)
        firsts = [(n, self.entries[n].first) for n in among]
        same = [n for n, first in firsts if first.literal and first.prepared == value]
        rest = [n for n, first in firsts if not first.literal and not (first.sort == "number" and first.at >= 0)]
        return next(iter((*same, *rest)), None)

    def words(self, chosen: Collection[int]) -> str:
        """What the attribute is in these entries."""
        entries = [self.entries[n] for n in sorted(chosen)]
        said = [entry.label for entry in entries if entry.label]
        given = [entry for entry in entries if {c.sort for c in entry.members} >= _GIVEN]
        if given:
            said.append(f"{self.name} is given")
            entries = [entry for entry in entries if entry not in given]
        members = {sort: [c for e in entries if e.sort == sort for c in e.members if c.sort == sort] for sort in SORTS}
        if members["number"]:
            said += self._numbers({c.at for c in members["number"]})
        if members["text"]:
            said.append(self._texts(members["text"]))
        said += [f"{self.name} == {'true' if c.value else 'false'}" for c in members["bool"]]
        said += [f"{self.name} is a list such as {_short(c.value)}" for c in members["list"][:1]]
        said += [f"{self.name} is null"] if members["null"] else []
        said += [f"{self.name} is a mapping"] if members["mapping"] else []
        said += [f"{self.name} is out of all proportion"] if members["odd"] else []
        if members["missing"]:
            also = {c.sort for e in entries if e.sort == "missing" for c in e.members} - {"missing"}
            said.append(f"{self.name} is missing" + (" or null" if also == {"null"} else " or of another kind" if also else ""))
        return said[0] if len(said) == 1 else f"({' or '.join(said)})"

    @cached_property
    def _numbered(self) -> dict[int, int]:
        """The builder makes one predicate of all that say the same, so that they are found at once."""
        return {id(predicate): n for n, predicate in enumerate(self.predicates)}

    @cached_property
    def _at(self) -> list[int]:
        """The places of numbers that may occur."""
        return sorted({c.at for entry in self.entries for c in entry.members if c.sort == "number"})

    def _numbers(self, chosen: set[int]) -> list[str]:
        runs: list[list[int]] = []
        for at in self._at:
            if at not in chosen:
                runs.append([])
            elif runs and runs[-1]:
                runs[-1].append(at)
            else:
                runs.append([at])
        return [self._run(run[0], run[-1]) for run in runs if run]

    def _run(self, low: int, high: int) -> str:
        if not self.points:
            return f"{self.name} is a number"
        if low == high and low % 2:
            return f"{self.name} == {self._point(low // 2)}"
        left = "" if low == 0 else f"{self._point(low // 2 if low % 2 else low // 2 - 1)} {'<=' if low % 2 else '<'} "
        right = "" if high == 2 * len(self.points) else f" {'<=' if high % 2 else '<'} {self._point(high // 2)}"
        if left and not right:
            word, point = left.split()[1].replace("<", ">"), left.split()[0]
            return f"{self.name} {word} {point}"
        return f"{left}{self.name}{right}" if right else f"{self.name} is any number"

    def _point(self, index: int) -> str:
        return plain_number(self.points[index])

    def _texts(self, chosen: Sequence[Candidate]) -> str:
        every = [c for e in self.entries for c in e.members if c.sort == "text" and e.sort == "text"]
        values = {c.value for c in chosen}
        if all(c.value in values for c in every if not c.literal) and any(not c.literal for c in every):
            without = [f"'{c.value}'" for c in every if c.literal and c.value not in values]
            return f"{self.name} not in [{', '.join(without)}]" if without else f"{self.name} is any text"
        named = [f"'{c.value}'" for c in chosen if c.literal]
        other = next((c for c in chosen if not c.literal), None)
        said = [f"{self.name} == {named[0]}" if len(named) == 1 else f"{self.name} in [{', '.join(named)}]"] if named else []
        said += [f"{self.name} is a text such as {_short(other.value)}"] if other is not None else []
        return " or ".join(said)


def _short(value: Any) -> str:
    text = dumps(value) if not isinstance(value, str) else f"'{value}'"
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}... ({len(value)} long)"
