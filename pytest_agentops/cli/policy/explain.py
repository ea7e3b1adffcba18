"""The decision on one call, with the truth of every rule: why it is allowed, asked about or denied. Exit 0 whatever it is."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ...errors import AgentOpsError
from .sources import add_paths, facts_of, mapping, moment, policies_in, policy_files

if TYPE_CHECKING:
    from ...policy.explained import Explanation
    from ...policy.model import Policy
    from ...schema.policy import Decision, Request

NAME = "explain"
HELP = "why one call is allowed, asked about or denied"


def arguments(parser: argparse.ArgumentParser) -> None:
    add_paths(parser)
    parser.add_argument("--tool", required=True, metavar="NAME", help="the tool that is called")
    parser.add_argument("--args", default="{}", metavar="JSON", help="its arguments: '{\"amount_usd\": 20}'")
    parser.add_argument("--context", default="{}", metavar="JSON", help="the case's context")
    parser.add_argument("--principal", default="{}", metavar="JSON", help="id, on_behalf_of, roles, scopes")
    parser.add_argument("--clock", type=moment, metavar="TIME", help="ISO 8601 with a zone; without it every window is closed")
    parser.add_argument("--session", default="{}", metavar="JSON", help="steps, tool_calls, tokens, usd, seconds so far")
    parser.add_argument("--spent", default="{}", metavar="JSON", help="what limits were charged before: '{\"refunds/6\": 480}'")
    parser.add_argument("--format", choices=("text", "json"), default="text")


def run(options: argparse.Namespace) -> int:
    """Explain one call."""
    from ...policy.assumed import assumed
    from ...policy.binding import bind, check
    from ...policy.explained import explain
    from ...schema.suggest import did_you_mean
    from ...schema.values import dumps

    files = policy_files(options.paths)
    policies = policies_in(files)
    facts = facts_of(options, options.paths, files)
    contract = facts.contracts.get(options.tool)
    request = _request(options, policies)
    notes = list(facts.notes)
    if contract is None:
        contract = assumed(policies, options.tool)
        tier = "no tier, so 4" if contract.tier is None else f"tier {contract.tier}"
        near = did_you_mean(options.tool, facts.contracts)
        notes.append(f"no suite declares {options.tool}: it is taken to be a write of {tier}" + (f"; {near}" if near else ""))
    contracts = {options.tool: contract}
    notes += [f"mistake: {m}" for m in check(policies, contracts, set(request.context))]
    found = explain(bind(policies, contracts), request)
    if found.decision.reason == "scope_missing" and not request.principal.scopes:
        notes.append("""no scopes were given: --principal '{"scopes": [...]}' says what the principal holds""")
    if options.format == "json":
        print(dumps({**_as_json(found.decision), "rules": [r.as_json() for r in found.rules], "notes": notes}, indent=2))
    else:
        _print(found, options.tool, notes)
    return 0


def _request(options: argparse.Namespace, policies: list[Policy]) -> Request:
    from ...schema.case import Principal
    from ...schema.policy import Request

    who = mapping(options.principal, "--principal", ("id", "on_behalf_of", "roles", "scopes"))
    limits = {limit.id: limit.key for policy in policies for limit in policy.limits}
    spent = mapping(options.spent, "--spent", tuple(limits))
    return Request(
        tool=options.tool,
        args=mapping(options.args, "--args"),
        context=mapping(options.context, "--context"),
        principal=Principal(
            id=who.get("id"),
            on_behalf_of=who.get("on_behalf_of"),
            roles=_texts(who, "roles"),
            scopes=_texts(who, "scopes"),
        ),
        now=options.clock,
        session=_numbers(mapping(options.session, "--session", ("steps", "tool_calls", "tokens", "usd", "seconds")), "--session"),
        spent={limits[name]: amount for name, amount in _numbers(spent, "--spent").items()},
        able=frozenset(["redact", "retain"]),
    )


def _texts(value: dict[str, Any], key: str) -> tuple[str, ...]:
    found = value.get(key, [])
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise AgentOpsError(f"--principal: {key} must be a list of texts")
    return tuple(found)


def _numbers(value: dict[str, Any], option: str) -> Mapping[str, Decimal]:
    from ...schema.values import decimal

    for key, amount in value.items():
        if isinstance(amount, bool) or not isinstance(amount, (int, float, Decimal)):
            raise AgentOpsError(f"{option}: {key} must be a number")
    return {key: decimal(amount) for key, amount in value.items()}


def _as_json(found: Decision) -> dict[str, Any]:
    return {
        "verdict": found.verdict,
        "reason": found.reason,
        "rule": found.rule,
        "where": found.where,
        "message": found.message,
        "tier": found.tier,
        "approvals": [{"role": n.role, "count": n.count, "expires_s": n.expires_s} for n in found.approvals],
        "redact_fields": list(found.obligations.redact_fields),
        "retain_days": found.obligations.retain_days,
        "unknown": list(found.unknown),
    }


def _print(found: Explanation, tool: str, notes: list[str]) -> None:
    from ...policy import words

    decision = found.decision
    print(f"{tool}: {words.outcome(decision)}, tier {decision.tier}")
    print(f"  why: {decision.message}")
    if decision.obligations.redact_fields:
        print(f"  redact: {', '.join(decision.obligations.redact_fields)}")
    if decision.obligations.retain_days is not None:
        print(f"  keep: {decision.obligations.retain_days} days")
    print(f"policies: {', '.join(found.policies) or 'none is for this tool'}")
    for truth in found.rules:
        mark = "=>" if truth.decides else "  "
        print(f"{mark} {words.TRUTH[truth.holds]:8}{truth.rule.id}: {truth.says} ({truth.rule.where})")
        for text, holds in truth.atoms:
            print(f"     {words.TRUTH[holds]:10}{text}")
        if truth.unknown:
            print(f"     missing or unusable: {', '.join(truth.unknown)}")
    for note in notes:
        print(f"note: {note}")
