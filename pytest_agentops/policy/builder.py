"""Making a decision table: what conditions ask of each attribute is collected, then every attribute is cut into its values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from ..schema.contract import Contract
from . import possible
from .attributes import Kind, Path, Prepared, prepare
from .axis import Axis, Entry, merged
from .cells import Cell, Predicate, canonical
from .conditions import Comparison, Condition, Constant, Length, Membership, StartsWith, Term
from .domain import Candidate, Wants, plain, pool
from .model import Declared
from .table import Table

CAP = 200_000


@dataclass(frozen=True, slots=True)
class TooBig:
    """There would be so many cells."""

    size: int


def finest(make: Callable[..., Builder], cap: int) -> Table | TooBig:
    """A table with each constant a cell of its own; where that is too big, with what conditions do not tell apart as one."""
    table = make(fine=True).build(cap)
    return table if isinstance(table, Table) else make(fine=False).build(cap)


class Builder:
    """Collects what is asked of a table, then makes it."""

    def __init__(self, contract: Contract, declared: Collection[str], facts: Mapping[str, Any], *, fine: bool = False) -> None:
        """With `fine`, constants and what is between them stay cells of their own also where conditions do not differ."""
        self.fine = fine
        self.contract = contract
        self.declared = frozenset(declared)
        self.facts = facts
        self.wants: dict[Path, Wants] = {}
        self.names: dict[Path, str] = {}
        self.predicates: dict[object, Predicate] = {}
        self.special: dict[Path, tuple[tuple[str, Any], ...]] = {}
        self.by_condition: dict[int, tuple[Condition, tuple[Predicate, ...]]] = {}
        self.partial: dict[str, None] = {}
        self.inexact: set[Path] = set()
        """Attributes whose values may not all be tried."""

    # ---- what is asked

    def condition(self, condition: Condition) -> tuple[Predicate, ...]:
        """The comparisons of a condition."""
        if id(condition) not in self.by_condition:
            self.by_condition[id(condition)] = condition, tuple(self._atom(atom) for atom in condition.atoms())
        return self.by_condition[id(condition)][1]

    def declare(self, declared: Declared, fits: Callable[[Prepared | None], bool]) -> Predicate:
        """Whether an attribute is what a policy declares it to be."""
        path = canonical(declared.path, self.declared)
        wants = self.want(path, declared.name)
        for prepared in declared.prepared_enum:
            wants.constant(prepared)
        wants.numbers.update(n for n in (declared.minimum, declared.maximum) if n is not None)
        wants.integer |= declared.type == "integer"
        return self.add(Predicate(("declared", declared), (path,), lambda cell: fits(cell.get(path))))

    def special_axis(self, path: Path, name: str, values: Sequence[tuple[str, Any]]) -> None:
        """An attribute that no condition reads (the clock, a limit's sum): its values, each with its words."""
        self.special[path] = tuple(values)
        self.names[path] = name

    def add(self, predicate: Predicate) -> Predicate:
        return self.predicates.setdefault(predicate.key, predicate)

    def want(self, path: Path, name: str) -> Wants:
        self.names.setdefault(path, name)
        return self.wants.setdefault(path, Wants())

    def _atom(self, atom: Any) -> Predicate:
        terms: list[Term] = []
        if isinstance(atom, Comparison):
            terms = [atom.left, atom.right]
            ordered = atom.op not in ("==", "!=")
            for one, other in ((atom.left, atom.right), (atom.right, atom.left)):
                self._held_against(one, [other.prepared] if isinstance(other, Constant) else [], ordered=ordered)
        elif isinstance(atom, Membership):
            self._held_against(atom.needle, [c.prepared for c in atom.constants])
            terms = [atom.needle]
            if not atom.constants:
                terms.append(atom.options)  # type: ignore[arg-type]
                self._contains(atom)
        elif isinstance(atom, StartsWith):
            terms = [atom.of]
            self.want(self._path(atom.of), atom.of.name).prefixes.add(atom.prefix.prepared[1])
        else:
            terms = [atom.of]
            self.want(self._path(atom.of), atom.of.name)
        named = [term.of if isinstance(term, Length) else term for term in terms if not isinstance(term, Constant)]
        paths = tuple(dict.fromkeys(self._path(term) for term in named))
        if len(named) > 1:
            names = " with ".join(term.name for term in named)
            self.partial[f"two attributes are compared ({names}): only some of their values are tried"] = None
            self._link(paths)
        return self.add(Predicate(_key(atom, self.declared), paths, atom.holds))

    def _path(self, term: Any) -> Path:
        return canonical(term.path, self.declared)

    def _held_against(self, term: Term, constants: Iterable[Prepared], *, ordered: bool = False) -> None:
        if isinstance(term, Constant):
            return
        attribute = term.of if isinstance(term, Length) else term
        wants = self.want(self._path(attribute), attribute.name)
        for prepared in constants:
            if isinstance(term, Length):
                if prepared[0] is Kind.NUMBER:
                    wants.lengths.add(prepared[1])
            else:
                wants.constant(prepared)
                wants.ordered |= ordered and prepared[0] is Kind.TEXT

    def _contains(self, atom: Membership) -> None:
        path = self._path(atom.options)
        wants = self.want(path, atom.options.name)  # type: ignore[union-attr]
        if isinstance(atom.needle, Constant):
            kind, value = atom.needle.prepared
            wants.items[f"{kind:d}{value!r}"] = atom.needle.prepared
            if kind is Kind.TEXT:
                wants.parts.add(value)

    def _link(self, paths: Sequence[Path]) -> None:
        self.inexact.update(paths)
        every = [self.wants[path] for path in paths]
        for one in every:
            one.linked = True
            for other in every:
                one.numbers |= other.numbers
                one.literals |= other.literals

    # ---- the table

    def build(self, cap: int = CAP) -> Table | TooBig:
        """The table, unless it would have more than `cap` cells."""
        axes = self.axes()
        size = prod(len(axis.entries) for axis in axes)
        return Table(self, axes) if size <= cap else TooBig(size)

    def projected(self, axes: Sequence[Axis], asked: Collection[Predicate], cap: int) -> Table | None:
        """A table of only what these predicates look at; None if it would have more than `cap` cells."""
        paths = {path for predicate in asked for path in predicate.paths}
        small = [axis.projected(asked) for axis in axes if axis.path in paths]
        return Table(self, small) if prod(len(axis.entries) for axis in small) <= cap else None

    def axes(self) -> list[Axis]:
        """The attributes that make a difference, each cut into its values."""
        for _ in range(2):  # constants pass on along chains of linked attributes
            for predicate in self.predicates.values():
                if len(predicate.paths) > 1 and predicate.crossing:
                    self._link(predicate.paths)
        self._nested()
        of: dict[Path, list[Predicate]] = {path: [] for path in (*self.wants, *self.special)}
        crossed: set[Path] = set()
        for predicate in self.predicates.values():
            for path in predicate.paths:
                of.setdefault(path, []).append(predicate)
            if len(predicate.paths) > 1 and predicate.crossing:
                crossed.update(predicate.paths)
        return [self._axis(path, of[path], crossed=path in crossed) for path in sorted(of)]

    def _nested(self) -> None:
        for path in self.wants:
            if any(other[: len(path)] == path and len(other) > len(path) for other in self.wants):
                self.partial[f"{'.'.join(path)} and what is inside of it are both looked at"] = None
                self.inexact.add(path)

    def _axis(self, path: Path, predicates: Sequence[Predicate], *, crossed: bool) -> Axis:
        name = self.names.get(path, ".".join(path))
        single = tuple(p for p in predicates if p.paths == (path,))
        if path in self.special:
            return Axis(path, name, _told_apart(self.special[path], path, single), predicates=single, apart=not single)
        if path[0] == "tool":
            known = possible.fact(self.facts, path)
            return Axis(
                path, name, (Entry(prepare(known), (Candidate("text" if isinstance(known, str) else "number", known, -1),)),)
            )
        wants = self.wants.get(path) or Wants()
        found = pool(possible.widened(self.contract, path, wants))
        candidates = [c for c in found.candidates if possible.may_be(self.contract, path, c)]
        if not candidates:  # no cells would be no calls, and nothing could ever be found in them
            self.partial[f"no value was found that {name} may have by the tool's contract: whatever it may be is tried"] = None
            self.inexact.add(path)
            candidates = [*found.candidates]
        if not found.exact and not wants.linked:
            self.partial[f"{name} is looked at in ways that cannot all be told apart"] = None
            self.inexact.add(path)
        signed = [(c, p, self._signature(path, p, single)) for c, p in ((c, c.prepared) for c in candidates)]
        entries = merged(signed, apart=crossed, fine=self.fine)
        return Axis(path, name, entries, tuple(plain(point) for point in found.points), single, crossed)

    def _signature(self, path: Path, prepared: Prepared | None, predicates: Sequence[Predicate]) -> tuple[bool | None, ...]:
        cell = Cell(self.declared, {path: prepared})
        return tuple(predicate.holds(cell) for predicate in predicates)


def _told_apart(values: Sequence[tuple[str, Any]], path: Path, predicates: Sequence[Predicate]) -> tuple[Entry, ...]:
    """One entry for each answer of the predicates; without any, one for each value."""
    found: dict[object, Entry] = {}
    for n, (words, value) in enumerate(values):
        signature = tuple(predicate.holds(Cell((), {path: value})) for predicate in predicates)
        found.setdefault(signature or n, Entry(value, (), words, signature))
    return tuple(found.values())


def _key(atom: Any, declared: Collection[str]) -> object:
    """Equal for comparisons that say the same, wherever they stand."""

    def term(found: Any) -> object:
        if isinstance(found, Constant):
            return found.prepared
        if isinstance(found, Length):
            return "len", canonical(found.of.path, declared)
        return canonical(found.path, declared)

    if isinstance(atom, Comparison):
        return "compare", term(atom.left), atom.op, term(atom.right)
    if isinstance(atom, Membership):
        inside = tuple(term(c) for c in atom.constants) or term(atom.options)
        return "in", term(atom.needle), inside
    return type(atom).__name__, term(atom.of), getattr(atom, "prefix", None) and atom.prefix.prepared
