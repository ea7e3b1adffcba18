"""The decision table: every call that conditions can tell apart, as cells of a product of attributes; rules as sets of cells.

A set of cells is an int whose n-th bit is the n-th cell, so that a rule is combined with others in a few operations whatever the
number of cells. Every cell has a real call behind it. Where an attribute cannot be cut exactly, or two are compared with
each other, `partial` says so: what is found is true, what is not found is not proved.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, TypeAlias

from ..schema.contract import Contract
from . import possible
from .attributes import ROOTS, Kind, Path, Prepared, prepare
from .axis import Axis, Entry, merged
from .conditions import Comparison, Condition, Constant, Length, Membership, StartsWith, Term
from .domain import Candidate, Wants, plain, pool
from .model import Declared

Cells: TypeAlias = int
CAP = 200_000
FREE: Prepared = (Kind.FREE, None)


def canonical(path: Path, declared: Collection[str]) -> Path:
    """The one name of an attribute: a bare name is an argument that the contract declares, else a key of the context."""
    if path[0] in ROOTS and len(path) > 1:
        return path
    return ("args" if path[0] in declared else "context", *path)


class Cell:
    """The values of one cell, or of some of its attributes; any other is free."""

    __slots__ = ("_declared", "values")

    def __init__(self, declared: Collection[str], values: Mapping[Path, Any]) -> None:
        self._declared = declared
        self.values = values

    def get(self, path: Path) -> Prepared | None:
        found: Prepared | None = self.values.get(canonical(path, self._declared), FREE)
        return found


@dataclass(frozen=True, slots=True)
class Predicate:
    """Something that is true, false or unknown of a call and depends on these attributes."""

    key: object
    """Equal keys mean the same."""
    paths: tuple[Path, ...]
    holds: Callable[[Cell], bool | None] = field(compare=False)
    crossing: bool = True
    """Of several attributes: the values of each matter one by one; False where what is asked of each alone is enough."""


@dataclass(frozen=True, slots=True)
class TooBig:
    """There would be so many cells."""

    size: int


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


class Table:
    """The cells, and sets of them."""

    def __init__(self, builder: Builder, axes: Sequence[Axis]) -> None:
        self.builder = builder
        self.axes = tuple(axes)
        self.size = prod(len(axis.entries) for axis in axes)
        self.all: Cells = (1 << self.size) - 1
        self.partial = tuple(builder.partial)
        self._index = {axis.path: n for n, axis in enumerate(axes)}
        self._strides = _strides([len(axis.entries) for axis in axes])
        self._units: dict[tuple[int, int], Cells] = {}
        self._known: dict[object, tuple[Cells, Cells]] = {}

    # ---- sets of cells

    def holds(self, condition: Condition | None) -> tuple[Cells, Cells]:
        """Where a condition is true, and where it is unknown; None is always true."""
        if condition is None:
            return self.all, 0
        truths = iter([self.of(predicate) for predicate in self.builder.condition(condition)])
        return combine(condition.root, truths, self.all)

    def is_exact(self, condition: Condition | None) -> bool:
        """Whether all values that the condition tells apart are there."""
        asked = () if condition is None else self.builder.condition(condition)
        return not any(path in self.builder.inexact for predicate in asked for path in predicate.paths)

    def of(self, predicate: Predicate) -> tuple[Cells, Cells]:
        """Where a predicate is true, and where it is unknown."""
        known = self._known.get(predicate.key)
        if known is None:
            known = self._known[predicate.key] = self._of(predicate)
        return known

    def _of(self, predicate: Predicate) -> tuple[Cells, Cells]:
        indexes = [self._index[path] for path in predicate.paths]
        true = unknown = 0
        for entries, cells in self._combinations(indexes):
            values = {self.axes[n].path: self.axes[n].entries[e].value for n, e in zip(indexes, entries, strict=True)}
            found = predicate.holds(Cell(self.builder.declared, values))
            if found:
                true |= cells
            elif found is None:
                unknown |= cells
        return true, unknown

    def _combinations(self, indexes: Sequence[int]) -> Iterator[tuple[tuple[int, ...], Cells]]:
        if not indexes:
            yield (), self.all
            return
        for entries, cells in self._combinations(indexes[:-1]):
            last = indexes[-1]
            for entry in range(len(self.axes[last].entries)):
                yield (*entries, entry), cells & self.unit(last, entry)

    def unit(self, axis: int, entry: int) -> Cells:
        """All cells with this value of the attribute."""
        key = (axis, entry)
        if key not in self._units:
            stride, count = self._strides[axis], len(self.axes[axis].entries)
            self._units[key] = _repeated(((1 << stride) - 1) << (entry * stride), stride * count, self.size)
        return self._units[key]

    def where(self, path: Path, test: Callable[[Entry], bool]) -> Cells:
        """The cells whose value of the attribute passes; all where there is no such attribute."""
        if path not in self._index:
            return self.all
        axis = self._index[path]
        found = 0
        for entry, one in enumerate(self.axes[axis].entries):
            if test(one):
                found |= self.unit(axis, entry)
        return found

    # ---- single cells

    def entries(self, cell: int) -> tuple[int, ...]:
        """The values of the n-th cell, one of each axis."""
        return tuple(cell // stride % len(axis.entries) for axis, stride in zip(self.axes, self._strides, strict=True))

    def values(self, cell: int) -> dict[Path, Entry]:
        """The same by attribute."""
        return {axis.path: axis.entries[entry] for axis, entry in zip(self.axes, self.entries(cell), strict=True)}

    def words(self, cell: int) -> str:
        """One cell for people."""
        return self.box_words([frozenset([entry]) for entry in self.entries(cell)])

    def locate(self, get: Callable[[Path], Any]) -> int | None:
        """The cell of a call, by what its attributes are; None where it is in none (a value that cannot be, or is not tried)."""
        cell = 0
        for axis, stride in zip(self.axes, self._strides, strict=True):
            value = get(axis.path)
            found = Cell(self.builder.declared, {axis.path: value})
            signature = tuple(predicate.holds(found) for predicate in axis.predicates)
            entry = axis.find(value, signature)
            if entry is None:
                return None
            cell += entry * stride
        return cell

    # ---- many cells as few boxes

    def boxes(self, cells: Cells, most: int = 50) -> Iterator[tuple[list[frozenset[int]], Cells]]:
        """A set as boxes (for each axis some of its values), greedily the largest first met; at most so many."""
        rest = cells
        while rest and most:
            box, covered = self._box(lowest(rest), cells)
            yield box, covered
            rest &= ~covered
            most -= 1

    def _box(self, cell: int, inside: Cells) -> tuple[list[frozenset[int]], Cells]:
        chosen = [frozenset([entry]) for entry in self.entries(cell)]
        for axis in range(len(self.axes)):
            others = self._intersection([part for n, part in enumerate(chosen) if n != axis], skip=axis)
            good = [e for e in range(len(self.axes[axis].entries)) if not (others & self.unit(axis, e)) & ~inside]
            chosen[axis] = frozenset(good)
        return chosen, self._intersection(chosen)

    def _intersection(self, parts: Sequence[frozenset[int]], skip: int | None = None) -> Cells:
        found = self.all
        axes = [n for n in range(len(self.axes)) if n != skip]
        for axis, part in zip(axes, parts, strict=True):
            if len(part) < len(self.axes[axis].entries):
                union = 0
                for entry in part:
                    union |= self.unit(axis, entry)
                found &= union
        return found

    def box_words(self, box: Sequence[frozenset[int]]) -> str:
        """``amount_usd <= 50 and customer_tier is missing``; attributes that make no difference are left out."""
        said = [axis.words(part) for axis, part in zip(self.axes, box, strict=True) if len(part) < len(axis.entries)]
        return " and ".join(said) or "every call"


def combine(node: Any, truths: Iterator[tuple[Cells, Cells]], every: Cells) -> tuple[Cells, Cells]:
    """Three-valued logic over sets: where a condition is true, and where it is unknown, from those of its comparisons."""
    kind = type(node).__name__
    if kind == "Not":
        true, unknown = combine(node.of, truths, every)
        return every & ~(true | unknown), unknown
    if kind == "All":
        true, false = every, 0
        for part in node.parts:
            yes, maybe = combine(part, truths, every)
            true &= yes
            false |= every & ~(yes | maybe)
        return true, every & ~(true | false)
    if kind == "Some":
        true, false = 0, every
        for part in node.parts:
            yes, maybe = combine(part, truths, every)
            true |= yes
            false &= ~(yes | maybe)
        return true, every & ~(true | false)
    return next(truths)


def lowest(cells: Cells) -> int:
    """The first cell of a set that is not empty."""
    return (cells & -cells).bit_length() - 1


def each(cells: Cells) -> Iterator[int]:
    """The cells of a set, in order."""
    while cells:
        bit = cells & -cells
        yield bit.bit_length() - 1
        cells ^= bit


def _strides(sizes: Sequence[int]) -> list[int]:
    strides = [1] * len(sizes)
    for n in range(len(sizes) - 2, -1, -1):
        strides[n] = strides[n + 1] * sizes[n + 1]
    return strides


def _repeated(block: int, width: int, total: int) -> int:
    """The `width` bits of `block`, again and again up to `total`."""
    out, done = block, width
    while done < total:
        step = min(done, total - done)
        out |= (out & ((1 << step) - 1)) << done
        done += step
    return out


__all__ = ["CAP", "Builder", "Candidate", "Cell", "Cells", "Predicate", "Table", "TooBig", "canonical", "each", "lowest"]
