"""Policies and tools brought together, once a suite: names resolved, tiers known, what was left open said at its place."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..errors import Mistake
from ..schema.contract import Contract
from ..schema.suggest import did_you_mean
from ..schema.tier import Tier
from ..schema.values import JsonObject
from .attributes import ROOTS, declared_names
from .conditions import Attribute
from .fields import meant
from .match import fits
from .model import Policy, Rule
from .retention import contradictions
from .thresholds import has_thresholds
from .tiers import tier_of, unmet, weaker_than_floor


@dataclass(frozen=True, slots=True)
class Bound:
    """A policy as a decision needs it."""

    policy: Policy
    denies: tuple[Rule, ...]
    ordered: tuple[Rule, ...]
    thresholds: bool
    lifted: bool = False
    """Whether what tier 2 asks for is not there, and only the policy's ticket lets it allow."""

    @property
    def abstains(self) -> bool:
        """Whether it only forbids, limits or logs, and leaves the decision to others."""
        return not self.ordered and self.policy.default is None


@dataclass(frozen=True, slots=True)
class BoundTool:
    """A tool with the policies that are for it."""

    contract: Contract
    tier: Tier
    declared: frozenset[str]
    """The arguments that a bare name may mean."""
    facts: JsonObject
    """What ``tool.*`` reads."""
    enforced: tuple[Bound, ...]
    shadow: tuple[Bound, ...]


@dataclass(frozen=True, slots=True)
class Policies:
    """All policies over all tools of a case; what `decide` works with."""

    tools: Mapping[str, BoundTool]
    enforced: bool
    """Whether any policy is enforced at all; without one every known tool is allowed."""


def bind(policies: Iterable[Policy], contracts: Mapping[str, Contract]) -> Policies:
    """The policies for these tools. Ask `check` for what is wrong with them first."""
    known = tuple(policies)
    tools = {name: _tool(name, contract, [p for p in known if fits(p.tool, name)]) for name, contract in contracts.items()}
    return Policies(tools, any(policy.mode == "enforce" for policy in known))


def _tool(name: str, contract: Contract, policies: Sequence[Policy]) -> BoundTool:
    declared = declared_names(contract)
    tier = tier_of(policies, contract)
    enforced = [policy for policy in policies if policy.mode == "enforce"]
    lacks = tier is Tier.LOW_RISK_WRITE and any(unmet(enforced, contract))
    bound = [
        Bound(p, p.denies, p.ordered, has_thresholds(p, declared), lifted=lacks and p.override_tier is not None) for p in policies
    ]
    return BoundTool(
        contract=contract,
        tier=tier,
        declared=declared,
        facts=_facts(contract, tier),
        enforced=tuple(b for b in bound if b.policy.mode == "enforce"),
        shadow=tuple(b for b in bound if b.policy.mode == "shadow"),
    )


def _facts(contract: Contract, tier: Tier) -> JsonObject:
    return {"name": contract.name, "tier": int(tier), "effect": contract.effect or "irreversible"}


def check(policies: Sequence[Policy], contracts: Mapping[str, Contract], context: Collection[str]) -> list[Mistake]:
    """What is wrong between policies, tools and a case's context: unclear names, idle duties, a weak floor, two retentions."""
    found: dict[Mistake, None] = {}
    for name, contract in contracts.items():
        mine, declared = [policy for policy in policies if fits(policy.tool, name)], declared_names(contract)
        unclear = [mistake for policy in mine for mistake in _names(policy, contract, declared, context)]
        # what a threshold bounds shows only when it is clear what its names mean
        found.update(dict.fromkeys(unclear or _clear(policies, contract)))
        found.update(dict.fromkeys(mistake for policy in mine for mistake in _hides_nothing(policy, contract)))
    return sorted(found, key=lambda m: (m.file, m.line, m.col, m.found))


def _clear(policies: Sequence[Policy], contract: Contract) -> list[Mistake]:
    fitting = [policy for policy in policies if fits(policy.tool, contract.name)]
    facts = _facts(contract, tier_of(fitting, contract))
    return [*weaker_than_floor(policies, contract), *(m for policy in fitting for m in contradictions(policy, contract, facts))]


def unused(policies: Sequence[Policy], contracts: Collection[str]) -> list[Mistake]:
    """Policies that are for none of these tools: a slip of the pen, or a file that serves several suites."""
    return [
        policy.source.mistake(f"tool: {policy.tool!r} is none of the tools", "", did_you_mean(policy.tool, contracts), key="tool")
        for policy in policies
        if not any(fits(policy.tool, name) for name in contracts)
    ]


def _names(policy: Policy, contract: Contract, declared: frozenset[str], context: Collection[str]) -> list[Mistake]:
    found = []
    for placed, condition in policy.conditions:
        for attribute in condition.attributes:
            why = _unclear(attribute, contract, declared, context)
            if why:
                found.append(placed.source.mistake(*why, key="if", at=condition.lead + attribute.at))
    for limit in policy.limits:
        why = _unclear(limit.sum, contract, declared, context) if limit.sum is not None else None
        if why:
            found.append(limit.source.mistake(*why, key="limit"))
    for entry in policy.attributes:
        why = _unclear(Attribute(entry.path), contract, declared, context)
        if why:
            found.append(policy.source.mistake(*why, key="attributes"))
    return found


def _hides_nothing(policy: Policy, contract: Contract) -> list[Mistake]:
    """Fields that are named by their keys with dots between: that is one key with dots, and what was meant stays in clear."""
    return [
        log.source.mistake(
            f"log: redact_fields: {field!r} is no key of {contract.name}, so nothing is redacted", "", f"write {path}", key="log"
        )
        for log in policy.logs
        for field in log.obligations.redact_fields
        if (path := meant(contract, field)) is not None
    ]


def _unclear(
    attribute: Attribute, contract: Contract, declared: frozenset[str], context: Collection[str]
) -> tuple[str, str, str] | None:
    """Why a bare name could be read in two ways; None if it cannot."""
    first, name = attribute.path[0], attribute.name
    if first in ROOTS:
        return None
    if first in declared and first in context:
        found = f"{name!r} is an argument of {contract.name} and a key of the context"
    elif contract.open:
        found = f"{name!r} may be an argument or a key of the context: {contract.name} does not declare its arguments"
    else:
        return None
    return found, "", f"write args.{name} or context.{name}"
