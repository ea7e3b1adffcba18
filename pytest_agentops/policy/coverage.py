"""What calls exercise of a policy: rules that decided, both sides of each comparison, constants hit on the spot, cells.

What no call can ever reach stays in the sums and is named: a policy with a rule that never decides is not fully covered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Literal, TypeAlias

from ..schema.contract import Contract
from ..schema.policy import Request
from . import words
from .attributes import Kind, Values
from .binding import BoundTool, bind
from .builder import CAP, finest
from .cells import Cells, Predicate, canonical
from .conditions import Comparison, Constant, Length
from .lint.decisions import take_turns
from .model import LimitRule, LogRule, Placed, Policy, WindowRule
from .opinion import amount_of, deciding_rule, is_above
from .regions import attribute_of, builder_for, request_at
from .table import Table, each

PointKind: TypeAlias = Literal["rules", "comparisons", "boundaries", "cells"]
KINDS: tuple[PointKind, ...] = ("rules", "comparisons", "boundaries", "cells")
COUNTED: tuple[PointKind, ...] = ("rules", "comparisons", "boundaries")
"""What the total counts; cells are many, and have a number of their own."""


@dataclass(frozen=True, slots=True)
class Point:
    """One thing to be exercised."""

    kind: PointKind
    name: str
    where: str
    covered: bool
    reachable: bool | None = True
    """None: not known, there are too many cells."""


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many."""

    covered: int
    reachable: int
    total: int

    @property
    def exact(self) -> Fraction:
        """Per cent, unrounded; nothing to cover is all covered."""
        return Fraction(100 * self.covered, self.total) if self.total else Fraction(100)

    @property
    def most(self) -> Fraction:
        """What could be reached at most."""
        return Fraction(100 * self.reachable, self.total) if self.total else Fraction(100)


@dataclass(slots=True)
class Covered:
    """The coverage of one policy for one tool by some calls."""

    policy: Policy
    tool: str
    calls: int
    points: list[Point] = field(default_factory=list)
    cells: Share = Share(0, 0, 0)
    unreached: list[str] = field(default_factory=list)
    """Cells that no call was in, in words, the largest parts first."""
    partial: tuple[str, ...] = ()

    def share(self, kind: PointKind) -> Share:
        return self.cells if kind == "cells" else share([p for p in self.points if p.kind == kind])


def share(points: Sequence[Point]) -> Share:
    return Share(sum(p.covered for p in points), sum(p.covered or p.reachable is not False for p in points), len(points))


def total(covered: Iterable[Covered], kind: PointKind | None = None) -> Share:
    """Over several policies: of one kind, or of rules, comparisons and boundaries together."""
    every = list(covered)
    shares = [c.share(k) for c in every for k in ((kind,) if kind is not None else COUNTED)]
    return Share(sum(s.covered for s in shares), sum(s.reachable for s in shares), sum(s.total for s in shares))


def coverage(policy: Policy, contract: Contract, calls: Sequence[Request], *, cap: int = CAP) -> Covered:
    """What these calls of the contract's tool exercise of the policy."""
    tool = bind([policy], {contract.name: contract}).tools[contract.name]
    shadow = [b for b in tool.shadow if b.policy is policy]
    tool = BoundTool(tool.contract, tool.tier, tool.declared, tool.facts, (*tool.enforced, *shadow), ())
    out = Covered(policy, contract.name, len(calls))
    table = finest(partial(builder_for, [tool]), cap)
    whole = table if isinstance(table, Table) else None
    out.partial = whole.partial if whole is not None else (f"{table.size} cells are too many: they are not counted",)
    seen = _Seen(tool, calls)
    out.points += _rules(policy, tool, seen, whole)
    out.points += _comparisons(policy, tool, seen, whole)
    out.points += _boundaries(policy, tool, seen, whole)
    if whole is not None:
        _cells(out, whole, tool, calls)
    return out


class _Seen:
    """The calls, looked at once."""

    def __init__(self, tool: BoundTool, calls: Sequence[Request]) -> None:
        self.tool = tool
        self.calls = [(request, Values(request, tool.declared, tool.facts)) for request in calls]


# --- rules


def _rules(policy: Policy, tool: BoundTool, seen: _Seen, table: Table | None) -> Iterator[Point]:
    (bound,) = (bound for bound in tool.enforced if bound.policy is policy)
    decided = {deciding_rule(bound, request, values) for request, values in seen.calls}
    can = None if table is None else {turn.rule.id for turn in take_turns(table, policy) if turn.decides}
    for rule in policy.rules:
        exact = table is not None and table.is_exact(rule.condition)
        reachable = None if can is None else rule.id in can or (None if not exact else False)
        yield Point("rules", f"rule {rule.id} decides", rule.where, rule.id in decided, reachable)
    for placed in (*policy.logs, *policy.windows, *policy.limits):
        yield from _duty(placed, seen, table)


def _duty(placed: Placed, seen: _Seen, table: Table | None) -> Iterator[Point]:
    """A log applied; a window met open and closed; a limit met below and above."""
    applying = [(r, v) for r, v in seen.calls if placed.condition is None or placed.condition.holds(v)]
    reachable = None if table is None else bool(table.holds(placed.condition)[0])
    if isinstance(placed, LogRule):
        yield Point("rules", f"rule {placed.id} applies", placed.where, bool(applying), reachable)
    elif isinstance(placed, WindowRule):
        opened = [placed.window.open(r.now) for r, _ in applying]
        for word, wanted in (("open", True), ("closed", False)):
            yield Point("rules", f"rule {placed.id} is met {word}", placed.where, wanted in opened, reachable)
    elif isinstance(placed, LimitRule):
        over = [_over(placed, r, v) for r, v in applying]
        for word, wanted in (("within its limit", False), ("above its limit", True)):
            yield Point("rules", f"rule {placed.id} is met {word}", placed.where, wanted in over, reachable)


def _over(limit: LimitRule, request: Request, values: Values) -> bool | None:
    amount = amount_of(limit, values)
    return None if amount is None else is_above(limit, request.spent.get(limit.key, Decimal(0)), amount)


# --- comparisons


def _comparisons(policy: Policy, tool: BoundTool, seen: _Seen, table: Table | None) -> Iterator[Point]:
    for placed, condition in policy.conditions:
        predicates: Sequence[Predicate | None] = [None] * sum(1 for _ in condition.atoms())
        if table is not None:
            predicates = table.builder.condition(condition)
        for atom, predicate in zip(condition.atoms(), predicates, strict=True):
            found = [atom.holds(values) for _, values in seen.calls]
            for side in (True, False):
                can = None if table is None or predicate is None else _can_be(table, predicate, side)
                if can is False and not table.is_exact(condition):  # type: ignore[union-attr]
                    can = None
                name = f"{words.atom(atom)} is {words.TRUTH[side]} (rule {placed.id})"
                yield Point("comparisons", name, placed.where, side in found, can)


def _can_be(table: Table, predicate: Predicate, side: bool) -> bool:
    true, unknown = table.of(predicate)
    return bool(true if side else table.all & ~(true | unknown))


# --- boundaries


def _boundaries(policy: Policy, tool: BoundTool, seen: _Seen, table: Table | None) -> Iterator[Point]:
    """Each number that an amount is compared with, met exactly."""
    told: set[tuple[str, str]] = set()
    for placed, condition in policy.conditions:
        for atom in condition.atoms():
            if not isinstance(atom, Comparison):
                continue
            for one, other in ((atom.left, atom.right), (atom.right, atom.left)):
                if isinstance(one, Constant) or not isinstance(other, Constant) or other.prepared[0] is not Kind.NUMBER:
                    continue
                number = other.prepared[1]
                name = f"len({one.of.name})" if isinstance(one, Length) else one.name
                said = f"{name} == {words.plain_number(number)}"
                if (name, said) in told:
                    continue
                told.add((name, said))
                met = any((v := one.value(values)) is not None and v == (Kind.NUMBER, number) for _, values in seen.calls)
                reachable: bool | None = None
                if table is not None and not isinstance(one, Length):
                    reachable = _has_point(table, canonical(one.path, tool.declared), number)
                yield Point("boundaries", f"{said} (rule {placed.id})", placed.where, met, reachable)


def _has_point(table: Table, path: tuple[str, ...], number: int | Decimal) -> bool | None:
    """Whether the attribute can be this number."""
    axis = next((axis for axis in table.axes if axis.path == path), None)
    if axis is None:
        return None
    return any(c.sort == "number" and c.prepared == (Kind.NUMBER, number) for entry in axis.entries for c in entry.members)


# --- cells


def _cells(out: Covered, table: Table, tool: BoundTool, calls: Sequence[Request]) -> None:
    found: Cells = 0
    for request in calls:
        cell = table.locate(attribute_of(tool, request))
        if cell is not None:
            found |= 1 << cell
    possible = table.all
    if any(len(axis.path) > 2 for axis in table.axes) and table.size <= 20_000:
        for cell in each(table.all):
            if request_at(table, cell, tool) is None:
                possible &= ~(1 << cell)
    out.cells = Share((found & possible).bit_count(), possible.bit_count(), possible.bit_count())
    out.unreached = [table.box_words(box) for box, _ in table.boxes(possible & ~found, 10)]


def calls_by_tool(calls: Iterable[Request]) -> Mapping[str, list[Request]]:
    """Calls sorted by the tool that they call."""
    out: dict[str, list[Request]] = {}
    for request in calls:
        out.setdefault(request.tool, []).append(request)
    return out


__all__ = ["KINDS", "Covered", "Point", "Share", "calls_by_tool", "coverage", "share", "total"]
