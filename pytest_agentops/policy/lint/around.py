"""What shows only around the policies: the floor of tiers, tools without a policy, policies without tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ...schema.contract import Contract
from ..assumed import assumed, tools_of
from ..match import fits
from ..model import Policy
from ..tiers import weaker_than_floor
from .finding import Finding, World


def around(policies: Sequence[Policy], world: World) -> Iterator[Finding]:
    """POL012, POL015 and POL016."""
    yield from _floor(policies, world)
    if policies:
        for name in sorted({*world.contracts, *world.used}):
            if not any(fits(policy.tool, name) for policy in policies) and not _only_reads(world.contracts.get(name)):
                yield _without_policy(name, policies[0], world)
    for policy in policies:
        if not policy.tests:
            cure = "add tests: [{name: ..., args: {...}, expect: allow}]; a change that no test sees is found by nobody"
            mistake = policy.source.mistake(f"policy {policy.id} has no tests", "", cure)
            yield Finding(code="POL016", severity="warning", mistake=mistake, policy=policy.id)


def _floor(policies: Sequence[Policy], world: World) -> Iterator[Finding]:
    """Only where somebody names the tier: a file alone does not know its tools."""
    for contract in world.contracts.values():
        for mistake in weaker_than_floor(policies, contract):
            yield Finding(code="POL012", severity="error", mistake=mistake)
    for policy in policies:
        alone = [policy] if "*" in policy.tool else policies
        for tool in tools_of([policy], tuple(world.contracts)):
            made = assumed(alone, tool)
            if tool not in world.contracts and made.tier is not None:
                made = replace(made, idempotency_key="?")  # what a contract promises beside its tier is not known
                for mistake in weaker_than_floor(alone, made):
                    yield Finding(code="POL012", severity="error", mistake=mistake)


def _without_policy(name: str, first: Policy, world: World) -> Finding:
    contract = world.contracts.get(name)
    tier = 4 if contract is None or contract.tier is None else contract.tier
    what = "is called by a case or in a recording" if name in world.used else "is offered to agents"
    where = f" ({contract.where})" if contract is not None and contract.where else ""
    said = f"the tool {name}{where} {what} and has no policy: its tier {tier} decides"
    mistake = first.source.mistake(said, "", f"write one: {{tool: {name}, rules: [...]}}")
    return Finding(code="POL015", severity="warning", mistake=mistake)


def _only_reads(contract: Contract | None) -> bool:
    """Tier 0: its default is what a policy would say."""
    return contract is not None and contract.tier == 0
