"""Who is asked: roles that nobody has, counts that are never met, windows that are never open together."""

from __future__ import annotations

from collections.abc import Iterator

from ...schema.policy import ApprovalNeed
from ..model import Policy, WindowRule
from ..people import asked, never
from ..windows import Window
from .finding import Finding, found
from .world import World

_WEEK = 7 * 24 * 60


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
    """Windows that always apply and are never open at once; of several zones, nothing is said."""
    always: list[WindowRule] = [rule for rule in policy.windows if rule.condition is None]
    if len(always) < 2 or len({rule.window.zone for rule in always}) > 1:
        return
    together = set(_minutes(always[0].window))
    for rule in always[1:]:
        together &= set(_minutes(rule.window))
        if not together:
            said = (
                f"rule {rule.id} and the windows before it (line {always[0].line}) are never open at once: every call is denied"
            )
            yield found("POL013", "error", rule, said, "write one window, or give one of them a condition")
            return


def _minutes(window: Window) -> Iterator[int]:
    """The minutes of the week, on the wall clock, in which it is open."""
    length = (window.end - window.start) % (24 * 60) or 24 * 60
    for day in window.days:
        for minute in range(length):
            yield (day * 24 * 60 + window.start + minute) % _WEEK
