"""Least privilege: what agents were given and never used over recorded runs, and the policy that would have been enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..schema.contract import Contract
from ..schema.policy import VERDICT_ORDER
from .attributes import prepare
from .binding import Policies
from .enough import enough
from .played import Binder, PlayedRun, decided
from .ranges import Range, Seen
from .regions import builder_for, regions
from .standing import Standing
from .table import Table
from .words import plain_number


@dataclass(slots=True)
class Privilege:
    """What is there and not needed."""

    runs: int = 0
    unused_scopes: list[str] = field(default_factory=list)
    used_scopes: list[str] = field(default_factory=list)
    never_called: list[str] = field(default_factory=list)
    called: dict[str, int] = field(default_factory=dict)
    ranges: list[Range] = field(default_factory=list)
    enough: str = ""
    """A policy file under which these runs would have been as they were, and that allows as little else as can be; or none."""
    notes: list[str] = field(default_factory=list)
    """What could not be made narrower."""


def privilege(runs: Sequence[PlayedRun], policies: Standing) -> Privilege:
    """What these runs used of what they had. Calls that were denied are no use of anything."""
    out = Privilege(runs=len(runs))
    offered: dict[str, Contract] = {}
    granted: dict[str, None] = {}
    needed: set[str] = set()
    ranges: dict[str, Range] = {}
    binder = Binder(policies.of)
    bound: dict[str, Policies] = {}
    seen = [Seen(run, side, list(decided(run, side))) for run in runs for side in (binder.of(run),)]
    for one in seen:
        offered.update({**{call.tool: Contract(name=call.tool, open=True) for call in one.run.calls}, **one.run.contracts})
        granted.update(dict.fromkeys(one.run.principal.scopes))
        for judged in one.used:
            tool = judged.call.tool
            bound.setdefault(tool, one.side)
            out.called[tool] = out.called.get(tool, 0) + 1
            needed.update(offered[tool].scopes)
            needed.update(s for p in one.side.tools[tool].enforced for s in p.policy.scopes)
            for name, value in judged.call.args.items():
                if name not in offered[tool].ignored:
                    ranges.setdefault(f"{tool} {name}", Range(tool, name)).note(prepare(value))
    out.used_scopes = sorted(scope for scope in granted if scope in needed)
    out.unused_scopes = sorted(scope for scope in granted if scope not in needed)
    out.never_called = sorted(name for name in offered if name not in out.called)
    for found in ranges.values():
        found.missing = found.calls < out.called[found.tool]
        found.allowed_up_to = _allowed(found, bound.get(found.tool))
    out.ranges = sorted(ranges.values(), key=lambda r: (r.tool, r.name))
    out.enough, out.notes = enough(seen, offered, out.never_called)
    return out


def _allowed(seen: Range, policies: Policies | None) -> str:
    """Up to where the policies let the agent act alone by this argument."""
    if policies is None or seen.high is None:
        return ""
    tool = policies.tools[seen.tool]
    table = builder_for([tool]).build()
    if not isinstance(table, Table):
        return ""
    axis = next((a for a in table.axes if a.path == ("args", seen.name)), None)
    if axis is None or not axis.points:
        return ""
    alone = 0
    for region in regions(table, tool, policies):
        if region.decision.verdict == VERDICT_ORDER[0]:
            alone |= region.cells
    top = -1
    for n, entry in enumerate(axis.entries):
        if entry.sort == "number" and alone & table.unit(table.axes.index(axis), n):
            top = max(top, *(c.at for c in entry.members if c.sort == "number"))
    if top < 0:
        return "nothing"
    return "any amount" if top >= 2 * len(axis.points) else plain_number(axis.points[top // 2])
