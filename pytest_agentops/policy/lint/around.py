"""What shows only around the policies: the floor of tiers, tools without a policy, policies without tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ...schema.contract import Contract
from ..assumed import assumed, tools_of
from ..match import fits
from ..model import Policy
from ..tiers import weaker_than_floor
from .finding import Finding, found
from .world import World


def around(policies: Sequence[Policy], world: World) -> Iterator[Finding]:
    """POL012, POL015 and POL016."""
    yield from _floor(policies, world)
    if policies:
        for name, contract in sorted(world.contracts.items()):
            # of tier 0 the default is what a policy would say
            if contract.tier != 0 and not any(fits(policy.tool, name) for policy in policies):
                yield _without_policy(contract, policies[0])
    for policy in policies:
        if not policy.tests:
            cure = "add tests: [{name: ..., args: {...}, expect: allow}]; a change that no test sees is found by nobody"
            yield found("POL016", "warning", policy, f"policy {policy.id} has no tests", cure)


def _floor(policies: Sequence[Policy], world: World) -> Iterator[Finding]:
    """Only where somebody names the tier: a file alone does not know its tools."""
    for contract in world.contracts.values():
        for mistake in weaker_than_floor(policies, contract):
            yield Finding(code="POL012", severity="error", mistake=mistake)
    for policy in policies:
        alone = [policy] if "*" in policy.tool else policies
        for tool in tools_of([policy], tuple(world.contracts), world.elsewhere):
            made = assumed(alone, tool)
            if tool not in world.contracts and made.tier is not None:
                made = replace(made, idempotency_key="?")  # what a contract promises beside its tier is not known
                for mistake in weaker_than_floor(alone, made):
                    yield Finding(code="POL012", severity="error", mistake=mistake)


def _without_policy(contract: Contract, first: Policy) -> Finding:
    where = f" ({contract.where})" if contract.where else ""
    said = f"the tool {contract.name}{where} is offered to agents and has no policy: its tier {int(contract.autonomy)} decides"
    mistake = first.source.mistake(said, "", f"write one: {{tool: {contract.name}, rules: [...]}}")
    return Finding(code="POL015", severity="warning", mistake=mistake)
