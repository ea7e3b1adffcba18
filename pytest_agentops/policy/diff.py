"""What a change of policies changes: every call that is decided otherwise, what lets more through first.

Over the decision table of both sides together it is exact. What is past the cap of cells is tried at random, mostly where rules
hold, and said to be partial. Beside the decisions, what was written otherwise is always listed: a change is never silent.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..schema.contract import Contract
from ..schema.policy import Decision, Request
from .assumed import assumed, tools_of
from .axis import Axis, Entry
from .binding import BoundTool, Policies, bind
from .builder import CAP, Builder
from .cells import Cells
from .compared import DIRECTIONS, Direction, direction, of_duties
from .decide import decide
from .match import fits
from .model import Policy
from .regions import builder_for, regions, request_at, request_of
from .role_changes import RoleChange
from .table import Table, each
from .written import TextChange, text_changes

TRIES = 4_000
"""Calls that are tried where there are too many cells."""
NEUTRAL_TIER = 2
"""Of a tool whose tier nobody names: it adds no people to what rules say, and denies where none applies."""
MOST_BOXES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Calls that one side decides so and the other otherwise."""

    direction: Direction
    duty: bool = False
    """Whether the duties differ, and not the decision."""
    tool: str
    where: tuple[str, ...]
    """The calls in words, the largest parts first."""
    more: int = 0
    """Cells beyond those."""
    cells: int
    before: Decision
    after: Decision
    example: Request

    @property
    def key(self) -> str:
        """Equal for what two suites have in common, whatever their tiers."""
        sides = ((d.verdict, d.reason, d.rule, d.where, d.approvals, d.obligations) for d in (self.before, self.after))
        return repr((self.direction, self.duty, self.tool, self.where, self.more, *sides))


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """Everything that differs."""

    changes: tuple[Change, ...]
    written: tuple[TextChange, ...]
    partial: tuple[str, ...]
    cells: int
    tools: tuple[str, ...]
    roles: tuple[RoleChange, ...] = ()
    """Who may agree."""

    @property
    def widens(self) -> bool:
        """Whether anything is let through that was not, or may be: other people are asked, or may agree."""
        return self.count("widened") + self.count("changed") > 0

    def count(self, wanted: Direction) -> int:
        ways = [*(change.direction for change in self.changes), *(role.direction for role in self.roles)]
        return ways.count(wanted)

    def of(self, wanted: Direction) -> list[Change]:
        return [change for change in self.changes if change.direction == wanted]


def diff(
    before: Sequence[Policy],
    after: Sequence[Policy],
    contracts: Mapping[str, Contract],
    *,
    elsewhere: Collection[str] = (),
    cap: int = CAP,
    tries: int = TRIES,
) -> Diff:
    """The difference of two sets of policies over all tools that either is for, but for those of other suites (`elsewhere`)."""
    tools = tuple(sorted({*(name for side in (before, after) for name in tools_of(side, tuple(contracts), elsewhere))}))
    changes: list[Change] = []
    partial: list[str] = []
    cells = 0
    for name in tools:
        contract = contracts.get(name) or _assumed(before, after, name, partial)
        sides = tuple(bind(side, {name: contract}) for side in (before, after))
        builder = builder_for([side.tools[name] for side in sides])
        table = builder.build(cap)
        if isinstance(table, Table):
            cells += table.size
            changes += _over(table, name, sides)
        else:
            partial.append(f"{name}: {table.size} cells are too many, {tries} calls were tried instead")
            changes += _tried(builder, name, sides, tries)
        partial += [f"{name}: {why}" for why in builder.partial]
    return Diff(
        changes=_ordered(changes),
        written=tuple(text_changes(before, after)),
        partial=tuple(dict.fromkeys(partial)),
        cells=cells,
        tools=tools,
    )


def united(
    found: Sequence[Diff], *, written: Sequence[TextChange], roles: Sequence[RoleChange] = (), lost: Sequence[str] = ()
) -> Diff:
    """What was found over several suites, each change once; `lost`: what suites could not say."""
    changes = {change.key: change for one in reversed(found) for change in one.changes}
    return Diff(
        changes=_ordered(changes.values()),
        written=tuple(dict.fromkeys(written)),
        partial=tuple(dict.fromkeys([*lost, *(why for one in found for why in one.partial)])),
        cells=sum(one.cells for one in found),
        tools=tuple(sorted({tool for one in found for tool in one.tools})),
        roles=tuple(dict.fromkeys(roles)),
    )


def _ordered(changes: Iterable[Change]) -> tuple[Change, ...]:
    def place(c: Change) -> tuple[object, ...]:
        return DIRECTIONS.index(c.direction), c.duty, c.before.verdict == c.after.verdict, c.tool, -c.cells, c.where

    return tuple(sorted(changes, key=place))


def _assumed(before: Sequence[Policy], after: Sequence[Policy], name: str, partial: list[str]) -> Contract:
    """One contract for both sides; the tier is what each side says."""
    made = replace(assumed([*before, *after], name), tier=None)
    said = [policy.tier for policy in (*before, *after) if fits(policy.tool, name) and policy.tier is not None]
    if said:
        return made
    partial.append(f"nobody names the tier of {name}: its rules alone are compared, as for tier {NEUTRAL_TIER}")
    return replace(made, tier=NEUTRAL_TIER)


def _over(table: Table, name: str, sides: tuple[Policies, ...]) -> Iterator[Change]:
    old, new = (side.tools[name] for side in sides)
    before, after = (regions(table, tool, side) for tool, side in zip((old, new), sides, strict=True))
    groups: dict[_Pair, Cells] = {}
    for one in before:
        for other in after:
            both = one.cells & other.cells
            for pair in _pairs(one.decision, other.decision) if both else ():
                groups[pair] = groups.get(pair, 0) | both
    for pair, cells in groups.items():
        yield from _change(table, name, (old, new), cells, pair)


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two decisions that differ; calls with equal keys are told together."""

    way: Direction
    duty: bool
    key: object
    before: Decision = field(compare=False)
    after: Decision = field(compare=False)


def _pairs(before: Decision, after: Decision) -> Iterator[_Pair]:
    way = direction(before, after)
    if way is not None:
        key = tuple((d.verdict, d.reason, d.rule, d.approvals) for d in (before, after))
        yield _Pair(way, False, key, before, after)
    way = of_duties(before.obligations, after.obligations)
    if way is not None:
        yield _Pair(way, True, (before.obligations, after.obligations), before, after)


def _change(table: Table, name: str, tools: tuple[BoundTool, BoundTool], cells: Cells, pair: _Pair) -> Iterator[Change]:
    where, covered, first = [], 0, None
    for box, inside in table.boxes(cells, MOST_BOXES):
        where.append(table.box_words(box))
        covered |= inside
        first = first or next((r for c in _some(inside) if (r := _request_at(table, c, tools)) is not None), None)
    if first is not None:
        yield Change(
            direction=pair.way,
            duty=pair.duty,
            tool=name,
            where=tuple(where),
            more=(cells & ~covered).bit_count(),
            cells=cells.bit_count(),
            before=pair.before,
            after=pair.after,
            example=first,
        )


def _request_at(table: Table, cell: int, tools: tuple[BoundTool, BoundTool]) -> Request | None:
    """The call of a cell with the sums of both sides: a limit is kept under the name of its file."""
    old, new = (request_at(table, cell, tool) for tool in tools)
    return None if old is None or new is None else _both(old, new)


def _both(old: Request, new: Request) -> Request:
    return replace(new, spent={**old.spent, **new.spent})


def _some(cells: Cells) -> Iterator[int]:
    return (cell for cell, _ in zip(each(cells), range(64), strict=False))


# --- too many cells


def _tried(builder: Builder, name: str, sides: tuple[Policies, ...], tries: int) -> Iterator[Change]:
    """Calls at random, always the same ones; half of them with values at which a rule of either side changes its mind."""
    axes = builder.axes()
    old, new = (side.tools[name] for side in sides)
    found: dict[_Pair, tuple[Request, str, int]] = {}
    for values in _choices(builder, axes, (old, new), tries):
        requests = [request_of(values, tool) for tool in (old, new)]
        if requests[0] is None or requests[1] is None:
            continue
        for pair in _pairs(decide(sides[0], requests[0]), decide(sides[1], requests[1])):
            request, where, count = found.get(pair) or (_both(requests[0], requests[1]), _words(axes, values), 0)
            found[pair] = request, where, count + 1
    for pair, (request, where, count) in found.items():
        yield Change(
            direction=pair.way,
            duty=pair.duty,
            tool=name,
            where=(where,),
            more=count - 1,
            cells=count,
            before=pair.before,
            after=pair.after,
            example=request,
        )


def _choices(
    builder: Builder, axes: Sequence[Axis], tools: tuple[BoundTool, BoundTool], tries: int
) -> Iterator[dict[tuple[str, ...], Entry]]:
    chance = random.Random(0)  # the same calls each time
    conditions = [c for tool in tools for bound in tool.enforced for _, c in bound.policy.conditions]
    aimed = []
    for condition in conditions:
        small = builder.projected(axes, builder.condition(condition), 20_000)
        true = small.holds(condition)[0] if small is not None else 0
        if small is not None and true:
            aimed.append((small, [cell for cell, _ in zip(each(true), range(500), strict=False)]))
    by_path = {axis.path: axis for axis in axes}
    for n in range(tries):
        values = {axis.path: chance.choice(axis.entries) for axis in axes}
        if aimed and n % 4:
            small, cells = aimed[n % len(aimed)]
            for path, entry in small.values(chance.choice(cells)).items():
                same = [e for e in by_path[path].entries if all(member in entry.members for member in e.members)]
                values[path] = chance.choice(same) if same else entry
        yield values


def _words(axes: Sequence[Axis], values: Mapping[tuple[str, ...], Entry]) -> str:
    return " and ".join(axis.words([axis.entries.index(values[axis.path])]) for axis in axes if values[axis.path] in axis.entries)
