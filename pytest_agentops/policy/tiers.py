"""Autonomy tiers: what happens by default, and how low a policy may go.

0 read-only: allow. 1 draft: allow, but one person agrees to what cannot be taken back. 2 low-risk write: only what a rule allows.
3 high-risk write: two people, or amounts below which the agent acts alone. 4 production control: two people, a change ticket
and a sandbox, never alone. A tool that declares no tier is 4.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..errors import Mistake
from ..schema.contract import Contract
from ..schema.policy import ApprovalNeed, Verdict
from ..schema.tier import Tier
from .attributes import declared_names
from .match import fits
from .model import Policy, Rule
from .thresholds import bounded, has_thresholds

TWO_PEOPLE = ApprovalNeed(role=None, count=2)
ONE_PERSON = ApprovalNeed(role=None, count=1)
EVIDENCE = ("change_ticket", "sandbox")
"""What the case's context must hold before a tool of tier 4 is called."""


@dataclass(frozen=True, slots=True)
class TierDefault:
    """What happens where no rule applies."""

    verdict: Verdict
    need: ApprovalNeed | None = None


def tier_of(policies: Sequence[Policy], contract: Contract) -> Tier:
    """The strictest tier that the contract and its policies name; 4 if none does."""
    named = [policy.tier for policy in policies if policy.tier is not None and policy.mode == "enforce"]
    if contract.tier is not None:
        named.append(contract.tier)
    return Tier(max(named, default=Tier.PRODUCTION))


def final(contract: Contract) -> bool:
    """Whether a call cannot be taken back: so declared, or not declared at all."""
    return contract.effect is None or contract.effect == "irreversible"


def default_of(tier: Tier, contract: Contract, *, thresholds: bool = False) -> TierDefault:
    """The tier's own default; `thresholds`: the policy has amounts above which a person is asked."""
    if tier is Tier.READ_ONLY or (tier is Tier.DRAFT and not final(contract)):
        return TierDefault("allow")
    if tier is Tier.DRAFT:
        return TierDefault("require_approval", ONE_PERSON)
    if tier is Tier.LOW_RISK_WRITE or (tier is Tier.HIGH_RISK_WRITE and thresholds):
        return TierDefault("deny")
    return TierDefault("require_approval", TWO_PEOPLE)


def people(tier: Tier, contract: Contract, *, thresholds: bool) -> int:
    """How many people at least must agree to a call, whatever a rule says."""
    if tier is Tier.PRODUCTION or (tier is Tier.HIGH_RISK_WRITE and not thresholds):
        return 2
    return 1 if tier is Tier.DRAFT and final(contract) else 0


# --- the floor


def weaker_than_floor(policies: Sequence[Policy], contract: Contract) -> list[Mistake]:
    """Where policies allow a tool more than its tier does; `override_tier` lets its own policy, but for tier 4."""
    fitting = [p for p in policies if p.mode == "enforce" and fits(p.tool, contract.name)]
    tier = tier_of(fitting, contract)
    found: list[Mistake] = []
    for policy in fitting:
        if policy.override_tier is not None and tier is Tier.PRODUCTION:
            hint = "remove it" if contract.tier is not None else "declare the tool's tier"
            found.append(_say(policy, f"{contract.name} is tier 4, which cannot be overridden", hint, key="override_tier"))
        if policy.tier is not None and contract.tier is not None and policy.tier < contract.tier:
            said = f"tier: {contract.name} declares tier {contract.tier}"
            found.append(_say(policy, said, "a policy may only raise it", key="tier"))
        if policy.override_tier is None or tier is Tier.PRODUCTION:
            found += _of_policy(policy, contract, tier)
    return [*found, *_controls(fitting, contract, tier)]


def _of_policy(policy: Policy, contract: Contract, tier: Tier) -> Iterator[Mistake]:
    name = contract.name
    if policy.default == "allow" and tier is not Tier.READ_ONLY:
        yield _say(policy, f"default: allow, but {name} is tier {int(tier)}", "only tier 0 is allowed by default", key="default")
    declared = declared_names(contract)
    thresholds = has_thresholds(policy, declared)
    needed = people(tier, contract, thresholds=thresholds)
    if needed == 0:
        return
    for rule in policy.ordered:
        if rule.verdict == "allow" and not (tier is Tier.HIGH_RISK_WRITE and bounded(policy, rule, declared)):
            yield _rule(rule, f"{rule.id} allows {name} without a person; it is tier {int(tier)}", _cure(tier))
        elif (
            rule.verdict == "require_approval"
            and rule.need is not None
            and rule.need.count < needed
            and not policy_allows(policy)
        ):
            yield _rule(rule, f"{rule.id} asks one person; {name} is tier {int(tier)}", f"tier {int(tier)} asks two: count: 2")
    if policy.default_need is not None and policy.default_need.count < needed and not policy_allows(policy):
        yield _say(policy, f"default: one person is asked; {name} is tier {int(tier)}", "write count: 2", key="default")


def policy_allows(policy: Policy) -> bool:
    """Whether a rule allows at all."""
    return any(rule.verdict == "allow" for rule in policy.rules)


def _cure(tier: Tier) -> str:
    if tier is Tier.HIGH_RISK_WRITE:
        return "give it an upper bound on an amount in the arguments, ask a person above it, or name the ticket in override_tier"
    if tier is Tier.PRODUCTION:
        return "tier 4 never allows by itself: require_approval with count: 2 (or declare the tool's tier)"
    return "write require_approval, or name the ticket in override_tier"


def _controls(policies: Sequence[Policy], contract: Contract, tier: Tier) -> Iterator[Mistake]:
    """What a tier asks for beside the decision, as far as a contract and a policy can say it."""
    name = contract.name
    if policies and tier is Tier.READ_ONLY and contract.effect != "read":
        effect = contract.effect or "not declared"
        yield _say(policies[0], f"{name} is tier 0, but its effect is {effect}", "tier 0 is for tools that only read")
    held = (policy for policy in policies if policy.override_tier is None)
    allowing = next((rule for policy in held for rule in policy.rules if rule.verdict == "allow"), None)
    if tier is Tier.LOW_RISK_WRITE and allowing is not None:
        for lacking, cure in unmet(policies, contract):
            yield _rule(allowing, f"{name} is tier 2 and has no {lacking}", cure)
    asking = next((rule for policy in policies for rule in policy.ordered), None)
    windows = [window for policy in policies for window in policy.windows if window.condition is None]
    if tier is Tier.PRODUCTION and asking is not None and not windows:
        yield _rule(asking, f"{name} is tier 4 and has no time window", "add a rule such as within: {days: [mon-fri], tz: UTC}")


def unmet(policies: Sequence[Policy], contract: Contract) -> Iterator[tuple[str, str]]:
    """What tier 2 asks for before a rule may allow, and is not there; each with its cure."""
    if contract.idempotency_key is None:
        yield "idempotency key", "name its argument: idempotency_key="
    if not any(limit.condition is None for policy in policies for limit in policy.limits):
        yield "limit", "add a rule such as limit: {per: session, max: 10}"


def _say(policy: Policy, found: str, hint: str = "", *, key: str = "") -> Mistake:
    return policy.source.mistake(found, "", hint, key=key)


def _rule(rule: Rule, found: str, hint: str) -> Mistake:
    return rule.source.mistake(found, "", hint)
