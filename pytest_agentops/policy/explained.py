"""Why a call is decided as it is: the truth of every rule and of every comparison in it, in the order of evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..schema.policy import Decision, Request
from ..schema.values import JsonObject
from . import words
from .attributes import Values
from .binding import Policies
from .decide import decide
from .model import LimitRule, LogRule, Placed, Policy, Rule, WindowRule


@dataclass(frozen=True, slots=True)
class RuleTruth:
    """One rule, and whether it holds for the call."""

    rule: Placed
    says: str
    holds: bool | None
    atoms: tuple[tuple[str, bool | None], ...]
    unknown: tuple[str, ...]
    decides: bool

    def as_json(self) -> JsonObject:
        return {
            "rule": self.rule.id,
            "where": self.rule.where,
            "says": self.says,
            "holds": words.TRUTH[self.holds],
            "comparisons": [{"text": text, "holds": words.TRUTH[holds]} for text, holds in self.atoms],
            "unknown": list(self.unknown),
            "decides": self.decides,
        }


@dataclass(frozen=True, slots=True)
class Explanation:
    """The decision on one call with all that led to it."""

    decision: Decision
    rules: tuple[RuleTruth, ...]
    policies: tuple[str, ...]
    """The policies that are for the tool, with their place."""


def explain(policies: Policies, request: Request) -> Explanation:
    """The decision, and what every rule says of the call."""
    decision = decide(policies, request)
    tool = policies.tools.get(request.tool)
    if tool is None:
        return Explanation(decision, (), ())
    values = Values(request, tool.declared, tool.facts)
    fitting = [bound.policy for bound in (*tool.enforced, *tool.shadow)]
    rules = tuple(_truth(rule, says, values, decision) for policy in fitting for rule, says in in_order(policy))
    return Explanation(decision, rules, tuple(f"{policy.id} ({policy.where})" for policy in fitting))


def in_order(policy: Policy) -> Iterator[tuple[Placed, str]]:
    """The rules as they are evaluated, each with what it says."""
    shadow = " (shadow)" if policy.mode == "shadow" else ""
    for rule in (*policy.denies, *policy.windows, *policy.ordered, *policy.limits, *policy.logs):
        yield rule, f"{says(rule)}{shadow}"


def says(rule: Placed) -> str:
    """What a rule says, in a few words."""
    if isinstance(rule, Rule):
        return f"ask {words.people((rule.need,))}" if rule.need is not None else rule.verdict
    if isinstance(rule, WindowRule):
        return "within"
    if isinstance(rule, LimitRule):
        what = "calls" if rule.sum is None else rule.sum.name
        above = "deny" if rule.need is None else f"ask {words.people((rule.need,))}"
        return f"limit {what} to {words.plain_number(rule.max)}, above: {above}"
    if isinstance(rule, LogRule):
        duties = [f"redact {', '.join(rule.obligations.redact_fields)}"] if rule.obligations.redact_fields else []
        if rule.obligations.retain_days is not None:
            duties.append(f"keep {rule.obligations.retain_days} days")
        return f"log: {'; '.join(duties)}"
    raise TypeError(rule)


def _truth(rule: Placed, said: str, values: Values, decision: Decision) -> RuleTruth:
    condition = rule.condition
    return RuleTruth(
        rule=rule,
        says=said,
        holds=True if condition is None else condition.holds(values),
        atoms=() if condition is None else tuple((words.atom(a), a.holds(values)) for a in condition.atoms()),
        unknown=() if condition is None else condition.unknown(values),
        decides=decision.rule == rule.id and decision.where == rule.where,
    )
