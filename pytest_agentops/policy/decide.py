"""The decision about one call: a pure function of the policies and the request. It never raises, and never allows by mistake.

Order: the tool is known; the scopes are there; each policy speaks (declared attributes, all `deny` rules in any order, windows,
the first rule that applies, its default or the tier's, limits, the tier's floor); the strictest wins; the duties of all `log`
rules are united, and one that cannot be met is a deny.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..schema.policy import Decision, Obligations, Request
from ..schema.tier import Tier
from .attributes import Values
from .binding import Bound, BoundTool, Policies
from .needs import united
from .opinion import Opinion, by_tier, opinion
from .tiers import EVIDENCE


def decide(policies: Policies, request: Request) -> Decision:
    """What happens to the call, and why."""
    try:
        return evaluate(policies, request)
    except Exception as error:  # the last line of defence: a fault of ours must not let a call through
        message = f"the policies could not be evaluated ({type(error).__name__})"
        return Decision(verdict="deny", reason="policy_error", message=message)


def evaluate(policies: Policies, request: Request) -> Decision:
    """The same without the net."""
    tool = policies.tools.get(request.tool)
    if tool is None:
        return Decision(verdict="deny", reason="tool_unknown", message=f"unknown tool {request.tool!r}")
    values = Values(request, tool.declared, tool.facts)
    shadow = tuple(_as_decision(o, tool) for o in _opinions(tool.shadow, tool, request, values) if not o.abstains)
    if not policies.enforced:
        return _not_enforced(tool, request, shadow)
    opinions = _opinions(tool.enforced, tool, request, values)
    if all(bound.abstains for bound in tool.enforced):  # also where a limit of theirs asks somebody: it may only raise
        opinions.append(by_tier(tool))
    opinions = [o for o in opinions if not o.abstains or o.charges]
    opinions += _contract_scopes(tool, request)
    opinions.sort(key=lambda o: o.rank)
    first = next(o for o in opinions if not o.abstains)
    obligations = _obligations(tool.enforced, values)
    first = _evidence(first, tool, request) or first
    if first.verdict != "deny" and not obligations.duties <= request.able:
        missing = ", ".join(sorted(obligations.duties - request.able))
        message = f"an obligation cannot be met: {missing}"
        first = Opinion(verdict="deny", reason="obligation", message=message, rule=first.rule, where=first.where)
    return _as_decision(first, tool, opinions, obligations, shadow)


def _not_enforced(tool: BoundTool, request: Request, shadow: tuple[Decision, ...]) -> Decision:
    """As without any policy: every known tool is allowed, but a contract's scopes hold where somebody is named."""
    for lacking in _contract_scopes(tool, request) if request.named else ():
        return _as_decision(lacking, tool, shadow=shadow)
    return Decision(verdict="allow", reason="no_policy", message="no policy is enforced", tier=int(tool.tier), shadow=shadow)


def _opinions(bounds: Iterable[Bound], tool: BoundTool, request: Request, values: Values) -> list[Opinion]:
    return [opinion(bound, tool, request, values) for bound in bounds]


def _contract_scopes(tool: BoundTool, request: Request) -> list[Opinion]:
    lacking = [scope for scope in tool.contract.scopes if scope not in request.principal.scopes]
    if not lacking:
        return []
    message = f"{request.tool} needs the scope {', '.join(lacking)}, which the principal does not have"
    return [Opinion(verdict="deny", reason="scope_missing", message=message, step=-1)]


def _evidence(first: Opinion, tool: BoundTool, request: Request) -> Opinion | None:
    """Tier 4 asks for a change ticket and a sandbox, in the case's context where the agent cannot write."""
    if tool.tier is not Tier.PRODUCTION or first.verdict == "deny":
        return None
    ticket, sandbox = (request.context.get(name) for name in EVIDENCE)
    lacking = [] if ticket is True or (isinstance(ticket, str) and ticket.strip()) else [EVIDENCE[0]]
    if sandbox is not True:
        lacking.append(EVIDENCE[1])
    if not lacking:
        return None
    names = " and ".join(f"context.{name}" for name in lacking)
    message = f"tier 4 asks for {names}"
    return Opinion(verdict="deny", reason="tier_default", message=message, where=first.where, unknown=tuple(lacking))


def _obligations(bounds: Iterable[Bound], values: Values) -> Obligations:
    """All that may apply: an undecided `log` rule counts, for a field too many in the dark is no harm."""
    fields: set[str] = set()
    days: list[int] = []
    for bound in bounds:
        for rule in bound.policy.logs:
            if rule.condition is None or rule.condition.holds(values) is not False:
                fields.update(rule.obligations.redact_fields)
                days += [rule.obligations.retain_days] if rule.obligations.retain_days is not None else []
    return Obligations(redact_fields=tuple(sorted(fields)), retain_days=max(days, default=None))


def _as_decision(
    first: Opinion,
    tool: BoundTool,
    opinions: Iterable[Opinion] = (),
    obligations: Obligations = Obligations(),  # noqa: B008  frozen
    shadow: tuple[Decision, ...] = (),
) -> Decision:
    every = list(opinions) or [first]
    asks = first.verdict == "require_approval"
    charges = {c.limit: c for o in every for c in o.charges} if first.verdict != "deny" else {}
    return Decision(
        verdict=first.verdict,
        reason=first.reason,
        rule=first.rule,
        where=first.where or None,
        message=first.message,
        tier=int(tool.tier),
        approvals=united([need for o in every for need in o.needs]) if asks else (),
        obligations=obligations,
        charges=tuple(charges[key] for key in sorted(charges)),
        unknown=first.unknown,
        overrides=tuple(sorted({o.override for o in every if o.override is not None})),
        shadow=shadow,
    )
