"""Linting policies: each alone, for each of its tools; then what only shows between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..assumed import assumed, tools_of
from ..match import fits
from ..model import Policy
from .around import around
from .decisions import Analysed, decisions
from .duties import duties
from .finding import Finding, Report, ordered
from .names import names
from .people import people
from .world import World


def lint(policies: Sequence[Policy], world: World) -> Report:
    """Everything that is found in these policies."""
    found: list[Finding] = []
    partial: dict[str, None] = {}
    cells = 0
    for policy in policies:
        for tool in tools_of([policy], tuple(world.contracts), world.elsewhere):
            alone = [policy] if "*" in policy.tool else policies
            contract = world.contracts.get(tool) or assumed(alone, tool)
            known = tool in world.contracts
            analysed = decisions(
                policy, contract, known=known, beside=[p for p in policies if p is not policy and fits(p.tool, tool)]
            )
            cells += analysed.cells
            found += analysed.findings
            found += names(policy, contract, world, known=known)
            found += duties(policy, policies, contract, world, analysed.partial, known=known)
            partial.update(dict.fromkeys(_where(policy, tool, analysed)))
        found += people(policy, world)
    found += around(policies, world)
    return Report(findings=ordered(found), partial=tuple(partial), cells=cells, policies=len(policies))


def _where(policy: Policy, tool: str, analysed: Analysed) -> Iterator[str]:
    for why in analysed.partial:
        named = f"policy {policy.id} ({policy.where})" + (f", {tool}" if tool != policy.tool else "")
        yield f"{named}: {why}"
