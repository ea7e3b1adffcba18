"""A contract for a tool that no suite declares: what its policies, and their tests, say of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..schema.contract import Contract
from .attributes import ROOTS
from .match import fits
from .model import Policy


def assumed(policies: Sequence[Policy], tool: str) -> Contract:
    """It takes what tests pass and rules read, but for what tests put into the context."""
    fitting = [policy for policy in policies if fits(policy.tool, tool)]
    context = {name for policy in fitting for test in policy.tests for name in test.context}
    names: dict[str, None] = {}
    for policy in fitting:
        for test in policy.tests:
            names.update(dict.fromkeys(test.args))
        paths = [a.path for _, condition in policy.conditions for a in condition.attributes]
        paths += [declared.path for declared in policy.attributes] + [p.sum.path for p in policy.limits if p.sum is not None]
        for path in paths:
            if path[0] == "args":
                names[path[1]] = None
            elif path[0] not in ROOTS and path[0] not in context:
                names[path[0]] = None
    tiers = [policy.tier for policy in fitting if policy.tier is not None and policy.mode == "enforce"]
    tier = max(tiers, default=None)
    schema = {"type": "object", "properties": {name: {} for name in names}}
    return Contract(name=tool, parameters=schema, tier=tier, effect="read" if tier == 0 else "write", where="assumed")


def tools_of(policies: Sequence[Policy], known: Sequence[str] = (), elsewhere: Collection[str] = ()) -> tuple[str, ...]:
    """The tools that policies speak of: known ones that fit, names, tools of tests; else a pattern stands for itself.

    A policy that is for tools of another suite only (`elsewhere`) is left to that suite.
    """
    found: dict[str, None] = {}
    for policy in policies:
        mine = [name for name in known if fits(policy.tool, name)]
        if not mine and any(fits(policy.tool, name) for name in elsewhere):
            continue
        mine += [test.tool for test in policy.tests if test.tool is not None and fits(policy.tool, test.tool)]
        if "*" not in policy.tool:
            mine.append(policy.tool)
        found.update(dict.fromkeys(mine or [policy.tool.replace("*", "any")]))
    return tuple(sorted(found))
