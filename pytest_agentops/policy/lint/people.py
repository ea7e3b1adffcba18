"""Who is asked: roles that nobody has, counts that are never met, windows that are never open together."""

from __future__ import annotations

from collections.abc import Iterator

from ...schema.policy import ApprovalNeed
from ..model import Policy, WindowRule
from ..people import asked, never
from ..windows import ever_open
from .finding import Finding, found
from .world import World


def people(policy: Policy, world: World) -> Iterator[Finding]:
    """POL011 and POL013."""
    for placed, _, need in asked(policy):
        why = _never(need, world)
        if why is not None:
            said, cure = why
            yield found("POL011", "error", placed, said, cure)
    yield from _never_open(policy)


def _never(need: ApprovalNeed, world: World) -> tuple[str, str] | None:
    """Why these people can never agree; None if they can, or if nobody says who has which role."""
    if world.roles is None or need.role is None:
        return None
    wrong = never(need.role, need.count, world.roles)
    if wrong is not None:
        said, allowed, cure = wrong
        if need.role not in world.roles:
            return said, cure or f"declare it: roles: {{{need.role}: [...]}}"
        return f"{said}: {allowed}", cure
    have = world.roles[need.role]
    for principal in world.principals:
        others = [person for person in have if person not in (principal.id, principal.on_behalf_of)]
        if len(others) < need.count:
            who = principal.id or principal.on_behalf_of
            said = f"{need.count} of the role {need.role!r} must approve, but {who} is one of them and makes the call"
            return f"{said}: nobody approves for himself", "add people to the role, or ask another one"
    return None


def _never_open(policy: Policy) -> Iterator[Finding]:
    """Windows that hold for the same calls, always or under one condition, and are never open at once."""
    told: set[str] = set()
    for text in dict.fromkeys(("", *map(_condition, policy.windows))):
        rules = [rule for rule in policy.windows if _condition(rule) in ("", text)]
        for n, rule in enumerate(rules[1:], start=2):
            if not ever_open([one.window for one in rules[:n]]):
                if rule.id not in told:
                    told.add(rule.id)
                    denied = f"every call where {text} is denied" if text else "every call is denied"
                    before = f"rule {rule.id} and the windows before it (line {rules[0].line})"
                    said = f"{before} are never open at once: {denied}"
                    yield found("POL013", "error", rule, said, "write one window, or make their conditions exclude each other")
                break


def _condition(rule: WindowRule) -> str:
    return "" if rule.condition is None else " ".join(rule.condition.text.split())
