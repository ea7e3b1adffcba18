"""What one policy says about one call: its denies in any order, its windows, then the first of its rules that applies."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Context, Decimal

from ..schema.call import Reason
from ..schema.policy import VERDICT_ORDER, ApprovalNeed, Charge, Request, Verdict
from ..schema.tier import Tier
from . import words
from .attributes import Kind, Prepared, Values
from .binding import Bound, BoundTool
from .conditions import Condition, Lookup
from .model import Declared, LimitRule, Placed, Policy, Rule
from .needs import united
from .tiers import default_of, people

_DIGITS = 2_200
"""Sums of limits are exact: a number has an exponent of a thousand at most."""
_EXACT = Context(prec=_DIGITS)


@dataclass(slots=True, kw_only=True)
class Opinion:
    """A verdict on its way: policies are combined by taking the strictest.

    Not frozen: that would cost each call twice as much.
    """

    verdict: Verdict
    reason: Reason
    message: str
    rule: str | None = None
    where: str = ""
    needs: tuple[ApprovalNeed, ...] = ()
    unknown: tuple[str, ...] = ()
    charges: tuple[Charge, ...] = ()
    abstains: bool = False
    """The policy has no rules that decide: the tier's default does, unless another policy says something."""
    override: str | None = None
    step: int = field(default=9, compare=False)
    """Of the evaluation order; among equals the first is named."""

    @property
    def rank(self) -> tuple[int, int, str, str]:
        """Strictest first, then the earliest step; never the order in which policies were loaded."""
        return -VERDICT_ORDER.index(self.verdict), self.step, self.where, self.rule or ""


def opinion(bound: Bound, tool: BoundTool, request: Request, values: Values) -> Opinion:
    """The policy's verdict with limits and the tier's floor."""
    found = _by_rules(bound, request, values) or _default(bound, tool)
    return found if found.verdict == "deny" else _floored(_limited(found, bound.policy, request, values), bound, tool)


def deciding_rule(bound: Bound, request: Request, values: Values) -> str | None:
    """The rule that decides in this policy, before its limits; None where none does, or where one cannot be decided."""
    found = _by_rules(bound, request, values)
    return found.rule if found is not None and found.reason == "rule" else None


def _by_rules(bound: Bound, request: Request, values: Values) -> Opinion | None:
    policy = bound.policy
    return (
        _scopes(policy, request)
        or _attributes(policy, values)
        or _denied(bound, values)
        or _closed(policy, request, values)
        or _ordered(bound, values)
    )


def _scopes(policy: Policy, request: Request) -> Opinion | None:
    lacking = [scope for scope in policy.scopes if scope not in request.principal.scopes]
    if not lacking:
        return None
    message = f"policy {policy.id} asks for the scope {', '.join(lacking)}, which the principal does not have"
    return Opinion(verdict="deny", reason="scope_missing", message=message, where=policy.where, step=0)


# --- declared attributes


def _attributes(policy: Policy, values: Values) -> Opinion | None:
    for declared in policy.attributes:
        found = values.get(declared.path)
        if found is None:
            why = "is missing, but required" if declared.required else ""
        else:
            why = misfit(declared, found)
        if why:
            message = f"{declared.name} {why} ({declared.where})"
            return Opinion(
                verdict="deny", reason="indeterminate", message=message, where=declared.where, unknown=(declared.name,), step=1
            )
    return None


_KINDS = {
    "decimal": (Kind.NUMBER,),
    "number": (Kind.NUMBER,),
    "integer": (Kind.NUMBER,),
    "string": (Kind.TEXT, Kind.LONG),
    "boolean": (Kind.BOOL,),
    "list": (Kind.LIST,),
}


def misfit(declared: Declared, found: Prepared) -> str:
    """Why a value is not what the policy declares; never with the value itself, which may be a secret."""
    kind, value = found
    if kind is Kind.UNUSABLE:
        return "has a value that cannot be compared"
    if kind is Kind.NULL and declared.required:
        return "is null, but required"
    if declared.type is not None and kind not in _KINDS[declared.type]:
        return f"is no {declared.type}"
    if declared.type == "integer" and value != int(value):
        return "is no integer"
    if declared.enum is not None and found not in declared.prepared_enum:
        return "is none of the values in `enum`"
    if declared.minimum is not None or declared.maximum is not None:
        if kind is not Kind.NUMBER:
            return "is no number"
        if declared.minimum is not None and value < declared.minimum:
            return f"is below its minimum {declared.minimum}"
        if declared.maximum is not None and value > declared.maximum:
            return f"is above its maximum {declared.maximum}"
    return ""


# --- rules


def _holds(placed: Placed, values: Values) -> bool | None:
    return True if placed.condition is None else placed.condition.holds(values)


def _denied(bound: Bound, values: Values) -> Opinion | None:
    undecided: Rule | None = None
    for rule in bound.denies:
        holds = _holds(rule, values)
        if holds:
            return Opinion(
                verdict="deny", reason="rule", rule=rule.id, where=rule.where, message=_by("denied", rule, rule.note), step=2
            )
        if holds is None and undecided is None:
            undecided = rule
    return None if undecided is None else _undecided(undecided, values, 3)


def _undecided(placed: Placed, values: Values, step: int) -> Opinion:
    unknown = placed.condition.unknown(values) if isinstance(placed.condition, Condition) else ()
    why = f"missing or unusable: {', '.join(unknown)}" if unknown else "a value is not of the kind it is compared with"
    message = f"rule {placed.id} ({placed.where}) cannot be decided: {why}"
    return Opinion(
        verdict="deny", reason="indeterminate", rule=placed.id, where=placed.where, message=message, unknown=unknown, step=step
    )


def _by(what: str, rule: Placed, note: str = "") -> str:
    return f"{what} by rule {rule.id} ({rule.where})" + (f": {note}" if note else "")


def _closed(policy: Policy, request: Request, values: Values) -> Opinion | None:
    for rule in policy.windows:
        holds = _holds(rule, values)
        if holds is None:
            return _undecided(rule, values, 4)
        if holds and not rule.window.open(request.now):
            why = "there is no clock" if request.now is None else "it is not the time for it"
            message = _by("denied", rule, why)
            return Opinion(verdict="deny", reason="time_window", rule=rule.id, where=rule.where, message=message, step=4)
    return None


def _ordered(bound: Bound, values: Values) -> Opinion | None:
    for rule in bound.ordered:
        holds = _holds(rule, values)
        if holds is False:
            continue
        if holds is None:
            return _unknown_rule(bound, rule, values)
        needs = (rule.need,) if rule.need is not None else ()
        word = "allowed" if rule.verdict == "allow" else f"approval of {words.people(needs)} asked for"
        return Opinion(
            verdict=rule.verdict,
            reason="rule",
            rule=rule.id,
            where=rule.where,
            needs=needs,
            message=_by(word, rule, rule.note),
            step=5,
        )
    return None


def _unknown_rule(bound: Bound, rule: Rule, values: Values) -> Opinion:
    found = _undecided(rule, values, 5)
    need = bound.policy.on_unknown
    return found if need is None else replace(found, verdict="require_approval", needs=(need,))


def _default(bound: Bound, tool: BoundTool) -> Opinion:
    policy = bound.policy
    if policy.default is not None:
        needs = (policy.default_need,) if policy.default_need is not None else ()
        message = f"no rule of policy {policy.id} applies; its default is {policy.default} ({policy.where})"
        reason: Reason = "default_deny" if policy.default == "deny" else "rule"
        rule = None if policy.default == "deny" else f"{policy.id}/default"
        return Opinion(verdict=policy.default, reason=reason, rule=rule, where=policy.where, needs=needs, message=message, step=6)
    if bound.abstains:
        message = f"policy {policy.id} has no objection"
        return Opinion(verdict="allow", reason="tier_default", where=policy.where, message=message, abstains=True)
    found = by_tier(tool, thresholds=bound.thresholds)
    return replace(found, where=policy.where, message=f"no rule of policy {policy.id} applies ({policy.where}); {found.message}")


def by_tier(tool: BoundTool, *, thresholds: bool = False) -> Opinion:
    """What happens to a tool where no rule applies."""
    default = default_of(tool.tier, tool.contract, thresholds=thresholds)
    needs = (default.need,) if default.need is not None else ()
    reason: Reason = "default_deny" if default.verdict == "deny" else "tier_default"
    message = f"tier {int(tool.tier)}: {default.verdict}"
    return Opinion(verdict=default.verdict, reason=reason, needs=needs, message=message, step=7)


# --- limits and the floor: they only raise


def _limited(found: Opinion, policy: Policy, request: Request, values: Values) -> Opinion:
    for limit in policy.limits:
        holds = _holds(limit, values)
        amount = amount_of(limit, values)
        spent = request.spent.get(limit.key, Decimal(0))
        if holds is False:
            continue
        if holds is None or amount is None or not spent.is_finite():
            return _undecided_limit(limit, values)
        found.charges = (*found.charges, Charge(limit=limit.key, amount=amount))
        if is_above(limit, spent, amount):
            found = _over(found, limit)
        if found.verdict == "deny":
            return found
    return found


def amount_of(limit: LimitRule, values: Lookup) -> Decimal | None:
    """What this call adds: one call, or the attribute; less than nothing adds nothing."""
    if limit.sum is None:
        return Decimal(1)
    found = values.get(limit.sum.path)
    if found is None or found[0] is not Kind.NUMBER:
        return None
    return max(Decimal(found[1]), Decimal(0))


def is_above(limit: LimitRule, spent: Decimal, amount: Decimal) -> bool:
    """Whether the call would go above the limit."""
    return _EXACT.add(spent, amount) > limit.max


def _undecided_limit(limit: LimitRule, values: Values) -> Opinion:
    found = _undecided(limit, values, 8)
    if limit.sum is None or found.unknown:
        return found
    message = f"limit {limit.id} ({limit.where}) cannot be decided: {limit.sum.name} is missing or no amount"
    return replace(found, message=message, unknown=(limit.sum.name,))


def _over(found: Opinion, limit: LimitRule) -> Opinion:
    if limit.need is not None and found.verdict == "require_approval":
        return replace(found, needs=(*found.needs, limit.need))
    top = f"{limit.max} a session"
    verdict: Verdict
    if limit.need is None:
        verdict, message = "deny", _by("denied", limit, f"the limit of {top} is used up")
    else:
        verdict, message = "require_approval", _by(f"approval of {words.people((limit.need,))} asked for", limit, f"above {top}")
    return replace(
        found,
        verdict=verdict,
        reason="limit",
        message=message,
        rule=limit.id,
        where=limit.where,
        needs=() if limit.need is None else (limit.need,),
        abstains=False,
        step=8,
    )


def _floored(found: Opinion, bound: Bound, tool: BoundTool) -> Opinion:
    """Not below the people that the tier asks for; a ticket may say so, but not for tier 4."""
    least = people(tool.tier, tool.contract, thresholds=bound.thresholds)
    needs = united(found.needs) if found.needs else ()  # two rules that ask the same role ask one and the same person
    have = sum(need.count for need in needs)
    ticket = bound.policy.override_tier
    if found.verdict == "deny" or found.abstains or have >= least:
        return replace(found, override=ticket) if bound.lifted and found.verdict == "allow" and not found.abstains else found
    if ticket is not None and tool.tier is not Tier.PRODUCTION:
        return replace(found, override=ticket)
    if needs:
        first, *rest = needs
        return replace(found, needs=(replace(first, count=first.count + least - have), *rest))
    message = f"{found.message}; tier {int(tool.tier)} asks {least} {'person' if least == 1 else 'people'}"
    anybody = (ApprovalNeed(role=None, count=least),)
    return replace(found, verdict="require_approval", reason="tier_default", needs=anybody, message=message)
