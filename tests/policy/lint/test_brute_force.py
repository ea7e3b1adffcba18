"""The linter against brute force: every call of a grid with a value for each thing that the generated conditions tell apart."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_agentops.policy.attributes import Values
from pytest_agentops.policy.binding import bind
from pytest_agentops.policy.lint.decisions import decisions
from pytest_agentops.policy.lint.finding import Finding
from pytest_agentops.policy.model import Policy, Rule
from pytest_agentops.policy.opinion import misfit
from pytest_agentops.schema.case import Principal
from pytest_agentops.schema.policy import Request

from ..conftest import policies_of, rules
from ..generated import DECIDES, refund, rule_of

ATOM = st.one_of(
    st.builds("amount_usd {} {}".format, st.sampled_from(["<", "<=", "==", "!=", ">", ">="]), st.sampled_from([0, 10, 50.5])),
    st.builds("customer_tier {} '{}'".format, st.sampled_from(["==", "!="]), st.sampled_from("ab")),
    st.sampled_from(
        [
            "customer_tier in ['a', 'b', null]",
            "customer_tier not in ['a']",
            "customer_tier != null",
            "customer_tier in ['a', 3]",
            "exists(customer_tier)",
            "exists(amount_usd)",
            "on",
            "on == false",
            "'boss' in principal.roles",
            "0 < amount_usd < 10",
            "amount_usd in [10, 50.5]",
        ]
    ),
)
CONDITION = st.recursive(
    ATOM,
    lambda inner: (
        st.builds("not ({})".format, inner) | st.builds("({}) {} ({})".format, inner, st.sampled_from(["and", "or"]), inner)
    ),
    max_leaves=4,
)
LINES = st.lists(rule_of(CONDITION, st.one_of(DECIDES, DECIDES, st.just("deny: true"))), min_size=1, max_size=6)
MORE = st.sampled_from(
    ["", "attributes: {amount_usd: {minimum: 0, required: true}}", "attributes: {customer_tier: {enum: [a, b], required: true}}"]
)
GONE = object()
AMOUNTS: list[Any] = [GONE, -1, 0, 5, 10, 20, 50.5, 51, "text", None]
TIERS: list[Any] = [GONE, "a", "b", "c", None, 3, 4]
ONS: list[Any] = [GONE, True, False, None]
ROLES: list[tuple[str, ...]] = [(), ("boss",), ("clerk",), ("boss", "clerk")]


def grid() -> Iterator[Request]:
    for amount, tier, on, roles in product(AMOUNTS, TIERS, ONS, ROLES):
        args = {name: value for name, value in (("amount_usd", amount), ("on", on)) if value is not GONE}
        context = {} if tier is GONE else {"customer_tier": tier}
        yield Request(tool="payments.refund", args=args, context=context, principal=Principal(roles=roles), able=frozenset())


GRID = list(grid())


def brute(policy: Policy) -> dict[str, set[Any]]:
    """What decides each call, worked out rule by rule."""
    tool = bind([policy], {"payments.refund": refund()}).tools["payments.refund"]
    decides: set[Any] = set()
    both: set[Any] = set()
    gaps: set[Any] = set()
    low: set[Any] = set()
    for request in GRID:
        values = Values(request, tool.declared, tool.facts)

        def holds(rule: Rule, values: Values = values) -> bool | None:
            return True if rule.condition is None else rule.condition.holds(values)

        if any(misfit(d, found) if (found := values.get(d.path)) is not None else d.required for d in policy.attributes):
            continue
        denying = [(rule, holds(rule)) for rule in policy.denies]
        first = next((rule for rule, true in denying if true), None)
        if first is not None:
            decides.add(first.id)
            continue
        if any(true is None for _, true in denying):
            continue
        ordered = list(policy.ordered)
        reached = next((n for n, rule in enumerate(ordered) if holds(rule) is not False), None)
        if reached is None:
            gaps.add(str(request))
            continue
        rule = ordered[reached]
        if holds(rule) is None:
            continue
        decides.add(rule.id)
        amount = request.args.get("amount_usd")
        reads = rule.condition is not None and any(a.name == "amount_usd" for a in rule.condition.attributes)
        if rule.verdict == "allow" and reads and isinstance(amount, (int, float)) and amount < lowest(policy):
            low.add(rule.id)
        for later in ordered[reached + 1 :]:
            rest = later.condition is None and later is ordered[-1]
            if holds(later) and later.effect != rule.effect and not rest:
                both.add((rule.id, later.id))
    return {"decides": decides, "both": both, "gaps": gaps, "low": low}


def lowest(policy: Policy) -> float:
    """Below all numbers of the policy; only -1 of the grid may be."""
    numbers = [0.0 if "0" in condition.text else 99.0 for _, condition in policy.conditions]
    return min(numbers, default=99.0)


def of(code: str, findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.code == code]


@given(LINES, MORE)
@example(
    ["{if: 'amount_usd < 0', deny: true}", "{if: 'not (not (on))', deny: true}", "{if: 'not (on == false)', deny: true}"], ""
)
@settings(max_examples=500, deadline=None)
def test_findings_are_what_brute_force_finds(lines: list[str], more: str) -> None:
    (policy,) = policies_of(rules(*lines, more=more))
    found = decisions(policy, refund(), known=True)
    assert found.partial == []
    truth = brute(policy)
    assert {f.rule for f in of("POL004", found.findings)} == {rule.id for rule in policy.rules} - truth["decides"]
    pairs = {(f.rule, f.mistake.found.split(" and ")[1].split(" ")[0]) for f in of("POL005", found.findings)}
    assert pairs == truth["both"]
    assert bool(of("POL006", found.findings)) == (bool(truth["gaps"]) and bool(policy.ordered))
