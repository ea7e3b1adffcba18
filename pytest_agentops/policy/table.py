"""The decision table: every call that conditions can tell apart, as cells of a product of attributes; rules as sets of cells.

A set of cells is an int whose n-th bit is the n-th cell, so that a rule is combined with others in a few operations whatever the
number of cells. Every cell has a real call behind it. Where an attribute cannot be cut exactly, or two are compared with
each other, `partial` says so: what is found is true, what is not found is not proved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from .attributes import Path
from .axis import Axis, Entry
from .cells import Cell, Cells, Predicate
from .conditions import All, Condition, Node, Not, Some

if TYPE_CHECKING:
    from .builder import Builder


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


def combine(node: Node, truths: Iterator[tuple[Cells, Cells]], every: Cells) -> tuple[Cells, Cells]:
    """Three-valued logic over sets: where a condition is true, and where it is unknown, from those of its comparisons."""
    if isinstance(node, Not):
        true, unknown = combine(node.of, truths, every)
        return every & ~(true | unknown), unknown
    if isinstance(node, All):
        true, false = every, 0
        for part in node.parts:
            yes, maybe = combine(part, truths, every)
            true &= yes
            false |= every & ~(yes | maybe)
        return true, every & ~(true | false)
    if isinstance(node, Some):
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
