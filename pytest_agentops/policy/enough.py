"""The policy that would have been enough for recorded runs: the ranges that were seen, by verdict, and all that only narrows.

It is played back before anybody sees it: a tool about which it decides otherwise keeps its rules as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, cast

from ..errors import CaseFileError
from ..schema.contract import Contract
from ..schema.document import write
from ..schema.policy import EXPIRES_S, ApprovalNeed, Decision
from ..schema.values import Json
from .attributes import Values
from .binding import BoundTool, Policies, bind, check
from .cells import canonical
from .decide import decide
from .domain import plain
from .files import load_text
from .model import Placed, Policy
from .played import Judged, decided
from .ranges import Range, Seen
from .words import plain_number

MOST_VALUES = 12
"""Texts that are listed one by one; more are taken for free text."""
LONGEST = 24
Needs: TypeAlias = tuple[ApprovalNeed, ...]


@dataclass(slots=True)
class _Group:
    """The calls of one tool that were decided alike."""

    calls: int = 0
    ranges: dict[str, Range] = field(default_factory=dict)


@dataclass(slots=True)
class _Tool:
    """One tool that was used."""

    contract: Contract
    bound: BoundTool
    groups: dict[Needs, _Group] = field(default_factory=dict)
    """By who was asked; nobody: it was allowed."""


def enough(seen: Sequence[Seen], offered: Mapping[str, Contract], never_called: Sequence[str]) -> tuple[str, list[str]]:
    """The policy file, and what it could not narrow; no text where none decides these calls as they were decided."""
    tools = _used(seen, offered)
    kept: set[str] = set()
    while True:
        text = write(_file(seen, tools, never_called, kept))
        wrong = set(_otherwise(text, seen))
        if not wrong:
            said = "ranges alone would decide some of its calls otherwise, so the rules that let it through are kept"
            return text, [f"{tool}: {said}" for tool in sorted(kept)]
        if wrong <= kept:
            names = ", ".join(sorted(wrong))
            return "", [f"no policy was found that loads and decides the calls of {names} as they were decided"]
        kept |= wrong


def _used(seen: Sequence[Seen], offered: Mapping[str, Contract]) -> dict[str, _Tool]:
    found: dict[str, _Tool] = {}
    bare: dict[int, Policies] = {}
    for one in seen:
        side = bare.setdefault(id(one.side), _without_limits(one.side))
        for judged in one.used:
            name = judged.call.tool
            tool = found.setdefault(name, _Tool(offered[name], one.side.tools[name]))
            # a limit is kept and asks by itself: the ranges are those of the other rules
            decision = decide(side, judged.request)
            group = tool.groups.setdefault(decision.approvals, _Group())
            group.calls += 1
            _note(group, tool, judged)
    for tool in found.values():
        for group in tool.groups.values():
            for one_range in group.ranges.values():
                one_range.missing = one_range.calls < group.calls
    return dict(sorted(found.items()))


def _without_limits(side: Policies) -> Policies:
    policies = {id(b.policy): replace(b.policy, limits=()) for tool in side.tools.values() for b in tool.enforced}
    return bind(policies.values(), {name: tool.contract for name, tool in side.tools.items()})


def _note(group: _Group, tool: _Tool, judged: Judged) -> None:
    """What a rule can look at: the arguments, and what the policies read of the case's context."""
    values = Values(judged.request, tool.bound.declared, tool.bound.facts)
    conditions = [c for b in tool.bound.enforced for _, c in b.policy.conditions]
    read = {canonical(a.path, tool.bound.declared) for condition in conditions for a in condition.attributes}
    args = [("args", name) for name in judged.call.args if name not in tool.contract.ignored]
    for path in (*args, *sorted(path for path in read if path[0] == "context")):
        value = values.get(path)
        if value is not None and all(part.isidentifier() and not part.startswith("__") for part in path):
            name = ".".join(path)
            group.ranges.setdefault(name, Range(tool.contract.name, name, listed=path[0] == "context")).note(value)


# --- the file


def _file(seen: Sequence[Seen], tools: Mapping[str, _Tool], never_called: Sequence[str], kept: set[str]) -> dict[str, Any]:
    policies = [entry for name, tool in tools.items() for entry in (_as_they_are(tool) if name in kept else _ranges(tool))]
    policies += _narrowing(seen)
    for name in never_called:
        rules = [{"deny": True, "reason": "never called in the runs that were looked at"}]
        policies.append({"id": f"{name} (never called)", "tool": name, "rules": rules})
    return {"version": 1, **_roles(seen), "policies": policies or [{"tool": "*", "rules": [{"deny": True}]}]}


def _ranges(tool: _Tool) -> Iterator[dict[str, Any]]:
    """Who was asked is asked again, before anything is allowed."""
    rules: list[dict[str, Any]] = []
    for needs, group in sorted(tool.groups.items(), key=lambda item: not item[0]):
        condition = " and ".join(_conditions(group))
        effect = {"require_approval": _need(needs[0])} if needs else {"allow": True}
        rules.append({"if": condition, **effect} if condition else effect)
    if int(tool.bound.tier) == 3 and () in tool.groups:
        rules += _person_above(tool)
    yield {"id": tool.contract.name, "tool": tool.contract.name, **_ticket(tool), "default": "deny", "rules": rules}


def _ticket(tool: _Tool) -> dict[str, Any]:
    tickets = [b.policy.override_tier for b in tool.bound.enforced if b.policy.override_tier is not None]
    return {"override_tier": tickets[0]} if tickets else {}


def _person_above(tool: _Tool) -> list[dict[str, Any]]:
    """Tier 3 lets an agent act alone only below an amount above which a person is asked."""
    seen = {name: group.ranges[name].high for group in tool.groups.values() for name in group.ranges if name.startswith("args.")}
    for name, found in tool.groups[()].ranges.items():
        if name in seen and found.high is not None and _may_bound(found):
            top = max(g.ranges[name].high or found.high for g in tool.groups.values() if name in g.ranges)
            asked = [b.policy for b in tool.bound.enforced]
            need = next((rule.need for policy in asked for rule in policy.rules if rule.need is not None), None)
            person = _need(need) if need is not None else "somebody"
            return [{"if": f"{name} > {plain_number(plain(top))}", "require_approval": person}]
    return []


def _need(need: ApprovalNeed) -> Json:
    """As a rule writes it. Anybody at all cannot be written: then playing it back shows that somebody else is asked."""
    more: dict[str, Json] = {"count": need.count} if need.count != 1 else {}
    if need.expires_s != EXPIRES_S:
        more["expires"] = f"{need.expires_s}s"
    if need.escalate_to:
        more["escalate_to"] = list(need.escalate_to)
    if need.allow_edit is not None:
        more["allow_edit"] = list(need.allow_edit)
    role = need.role or "somebody"
    return {"role": role, **more} if more else role


def _may_bound(one: Range) -> bool:
    """Whether a condition may name it: it was always there, and always of one kind."""
    return not (one.others or one.missing or (bool(one.texts) and one.high is not None))


def _conditions(group: _Group) -> Iterator[str]:
    for name, one in sorted(group.ranges.items()):
        if not _may_bound(one):
            continue
        if one.low is not None and one.high is not None:
            low, high = (plain_number(plain(value)) for value in (one.low, one.high))
            yield f"{name} == {low}" if low == high else f"{low} <= {name} <= {high}"
        elif (one.listed or one.calls >= 2 * len(one.texts)) and _can_be_listed(one.texts):
            yield f"{name} in [{', '.join(repr(text) for text in sorted(one.texts))}]"


def _can_be_listed(texts: set[str]) -> bool:
    """A few short words, as a condition writes them."""
    good = all(text.isprintable() and "'" not in text and "\\" not in text and len(text) <= LONGEST for text in texts)
    return good and 0 < len(texts) <= MOST_VALUES


# --- what is taken over


def _narrowing(seen: Sequence[Seen]) -> Iterator[dict[str, Any]]:
    """What only makes policies stricter, with the tools that it is for: scopes, attributes, denies, windows, limits, logs."""
    policies = {id(b.policy): b.policy for one in seen for tool in one.side.tools.values() for b in tool.enforced}
    for number, policy in enumerate(policies.values(), start=1):
        placed = [p for p in policy.placed if p not in policy.ordered]
        said: dict[str, Any] = {"tier": policy.tier} if policy.tier is not None else {}
        said |= {"scopes": list(policy.scopes)} if policy.scopes else {}
        said |= {"attributes": {d.name: _declared(d) for d in policy.attributes}} if policy.attributes else {}
        said |= {"rules": [_raw(rule) for rule in _in_order(placed)]} if placed else {}
        if said:
            yield {"id": f"{policy.id} (kept {number})", "tool": policy.tool, **said}


def _as_they_are(tool: _Tool) -> Iterator[dict[str, Any]]:
    """The rules that let a call through, word for word."""
    for number, bound in enumerate(tool.bound.enforced, start=1):
        policy = bound.policy
        said: dict[str, Any] = {} if policy.override_tier is None else {"override_tier": policy.override_tier}
        said |= {} if policy.default is None else {"default": _fallback(policy.default, policy.default_need)}
        said |= {} if policy.on_unknown is None else {"on_unknown": _fallback("require_approval", policy.on_unknown)}
        said |= {"rules": [_raw(rule) for rule in policy.ordered]} if policy.ordered else {}
        if policy.ordered or policy.default is not None:
            yield {
                "id": tool.contract.name if number == 1 else f"{tool.contract.name} {number}",
                "tool": tool.contract.name,
                **said,
            }


def _fallback(verdict: str, need: ApprovalNeed | None) -> Json:
    return verdict if need is None else {"require_approval": _need(need)}


def _in_order(placed: Sequence[Placed]) -> list[Placed]:
    return sorted(placed, key=lambda p: (p.file, p.line))


def _raw(placed: Placed) -> Json:
    """A rule as its file writes it."""
    value: Any = placed.source.document.value
    for part in placed.source.place:
        value = value[part]
    return cast(Json, value)


def _declared(declared: Any) -> dict[str, Json]:
    said = {
        "type": declared.type,
        "enum": None if declared.enum is None else list(declared.enum),
        "minimum": declared.minimum,
        "maximum": declared.maximum,
        "required": declared.required or None,
    }
    return {key: str(value) if key in ("minimum", "maximum") else value for key, value in said.items() if value is not None}


def _roles(seen: Sequence[Seen]) -> dict[str, Any]:
    """Who has which role, where the files say one and the same."""
    said: list[Any] = []
    for one in seen:
        for tool in one.side.tools.values():
            said += [b.policy.source.document.value.get("roles") for b in tool.enforced]
    return {"roles": said[0]} if said and said[0] is not None and all(roles == said[0] for roles in said) else {}


# --- played back


def _otherwise(text: str, seen: Sequence[Seen]) -> Iterator[str]:
    """The tools about which the file decides otherwise than the policies of now, or for which it is a mistake."""
    try:
        policies = load_text(text, file="enough.yaml").policies
    except CaseFileError:
        yield from (judged.call.tool for one in seen for judged in one.used)
        return
    for one in seen:
        contracts = {name: tool.contract for name, tool in one.side.tools.items()}
        again = {judged.number: judged.decision for judged in decided(one.run, bind(policies, contracts))}
        for judged in one.known:
            if not _alike(judged, again[judged.number]):
                yield judged.call.tool
        for tool in {judged.call.tool for judged in one.used} & one.run.contracts.keys():
            if _mistaken(policies, one, tool):
                yield tool


def _mistaken(policies: Sequence[Policy], one: Seen, tool: str) -> bool:
    """Whether a suite would not load with it, that loads with the policies of now."""
    contract = {tool: one.run.contracts[tool]}
    mine = [b.policy for b in one.side.tools[tool].enforced]
    return bool(check(policies, contract, tuple(one.run.context))) and not check(mine, contract, tuple(one.run.context))


def _alike(judged: Judged, again: Decision) -> bool:
    """What did not reach its tool was not needed, and may be denied."""
    if not judged.call.reached and again.verdict == "deny":
        return True
    return (judged.decision.verdict, judged.decision.approvals) == (again.verdict, again.approvals)
