"""Least privilege: what agents were given and never used over recorded runs, and the policy that would have been enough."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ..schema.contract import Contract
from ..schema.document import write
from ..schema.policy import VERDICT_ORDER
from ..schema.values import Json
from .attributes import Kind, prepare
from .binding import Policies
from .domain import plain
from .played import Binder, PlayedRun, decided
from .regions import builder_for, regions
from .standing import Standing
from .table import Table
from .words import plain_number

MOST_VALUES = 12
"""Texts that are listed one by one; more are taken for free text."""
LONGEST = 24


@dataclass(slots=True)
class Range:
    """The values of one argument that were seen."""

    tool: str
    name: str
    calls: int = 0
    low: Decimal | None = None
    high: Decimal | None = None
    texts: set[str] = field(default_factory=set)
    others: bool = False
    """There were values that are neither."""
    missing: bool = False
    """Some calls were without it."""
    allowed_up_to: str = ""
    """What the policies allow alone: ``200``, ``any amount``; empty where they do not look at it."""

    @property
    def wider(self) -> bool:
        """Whether the policies allow more than was ever used."""
        return bool(self.allowed_up_to) and self.high is not None and self.allowed_up_to != plain_number(self.high)


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
    """A policy file that allows what these runs did, and nothing else."""


def privilege(runs: Sequence[PlayedRun], policies: Standing) -> Privilege:
    """What these runs used of what they had. Calls that were denied are no use of anything."""
    out = Privilege(runs=len(runs))
    offered: dict[str, Contract] = {}
    granted: dict[str, None] = {}
    needed: set[str] = set()
    ranges: dict[tuple[str, str], Range] = {}
    asked: dict[str, set[str | None]] = {}
    binder = Binder(policies.of)
    bound: dict[str, Policies] = {}
    for run in runs:
        offered.update(run.contracts)
        granted.update(dict.fromkeys(run.principal.scopes))
        side = binder.of(run)
        for judged in decided(run, side):
            call, decision = judged.call, judged.decision
            offered.setdefault(call.tool, Contract(name=call.tool, open=True))
            if decision.verdict == "deny" or not call.reached:
                continue
            bound.setdefault(call.tool, side)
            out.called[call.tool] = out.called.get(call.tool, 0) + 1
            needed.update(offered[call.tool].scopes)
            needed.update(s for p in side.tools[call.tool].enforced for s in p.policy.scopes)
            if decision.verdict == "require_approval":
                asked.setdefault(call.tool, set()).update(need.role for need in decision.approvals)
            ignored = offered[call.tool].ignored
            _note(ranges, call.tool, {name: value for name, value in call.args.items() if name not in ignored})
    out.used_scopes = sorted(scope for scope in granted if scope in needed)
    out.unused_scopes = sorted(scope for scope in granted if scope not in needed)
    out.never_called = sorted(name for name in offered if name not in out.called)
    for one in ranges.values():
        one.missing = one.calls < out.called[one.tool]
        one.allowed_up_to = _allowed(one, bound.get(one.tool))
    out.ranges = sorted(ranges.values(), key=lambda r: (r.tool, r.name))
    asking = {tool: _asked_role(side, tool) for tool, side in bound.items()}
    out.enough = write(_enough(out, offered, asked, asking))
    return out


def _asked_role(policies: Policies, tool: str) -> str | None:
    """Whom the policies of now ask about the tool."""
    needs = (rule.need for bound in policies.tools[tool].enforced for rule in bound.policy.rules)
    return next((need.role for need in needs if need is not None and need.role is not None), None)


def _note(ranges: dict[tuple[str, str], Range], tool: str, args: Mapping[str, Json]) -> None:
    for name, value in args.items():
        found = ranges.setdefault((tool, name), Range(tool, name))
        found.calls += 1
        kind, inner = prepare(value)
        if kind is Kind.NUMBER:
            number = Decimal(inner)
            found.low = number if found.low is None else min(found.low, number)
            found.high = number if found.high is None else max(found.high, number)
        elif kind is Kind.TEXT:
            found.texts.add(inner)
        else:
            found.others = True


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


# --- the policy that would have been enough


def _enough(
    found: Privilege,
    offered: Mapping[str, Contract],
    asked: Mapping[str, set[str | None]],
    asking: Mapping[str, str | None],
) -> dict[str, Any]:
    policies: list[dict[str, Any]] = []
    for tool in sorted(found.called):
        contract = offered[tool]
        tier = 4 if contract.tier is None else contract.tier
        condition = " and ".join(_conditions(tool, found.ranges))
        rule: dict[str, Any] = {"if": condition} if condition else {}
        roles = sorted(role for role in asked.get(tool, set()) if role is not None)
        if roles or tier >= 4:
            rule["require_approval"] = roles[0] if roles else "somebody"
        else:
            rule["allow"] = True
        more = _person_above(tool, found.ranges, asking.get(tool)) if tier == 3 and "allow" in rule else []
        policies.append({"id": tool, "tool": tool, "default": "deny", "rules": [rule, *more]})
    for tool in found.never_called:
        policies.append(
            {"id": tool, "tool": tool, "rules": [{"deny": True, "reason": "never called in the runs that were looked at"}]}
        )
    return {"version": 1, "policies": policies or [{"tool": "*", "rules": [{"deny": True}]}]}


def _person_above(tool: str, ranges: Sequence[Range], role: str | None) -> list[dict[str, Any]]:
    """Tier 3 lets an agent act alone only below an amount above which a person is asked."""
    top = next((one for one in ranges if one.tool == tool and one.high is not None and _may_bound(one)), None)
    if top is None or top.high is None:
        return []
    return [{"if": f"args.{top.name} > {plain_number(plain(top.high))}", "require_approval": role or "somebody"}]


def _may_bound(one: Range) -> bool:
    """Whether a condition may name the argument: it was always there, and always of one kind."""
    mixed = one.others or one.missing or (bool(one.texts) and one.high is not None)
    return not mixed and one.name.isidentifier() and not one.name.startswith("__")


def _conditions(tool: str, ranges: Sequence[Range]) -> Iterator[str]:
    for one in ranges:
        if one.tool != tool or not _may_bound(one):
            continue
        name = f"args.{one.name}"
        if one.low is not None and one.high is not None:
            low, high = (plain_number(plain(value)) for value in (one.low, one.high))
            yield f"{name} == {low}" if low == high else f"{low} <= {name} <= {high}"
        elif one.calls >= 2 * len(one.texts) and _can_be_listed(one.texts):
            yield f"{name} in [{', '.join(repr(text) for text in sorted(one.texts))}]"


def _can_be_listed(texts: set[str]) -> bool:
    """A few short words, as a condition writes them."""
    good = all(text.isprintable() and "'" not in text and "\\" not in text and len(text) <= LONGEST for text in texts)
    return good and 0 < len(texts) <= MOST_VALUES
