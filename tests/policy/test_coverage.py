"""Coverage: what calls exercise of a policy, and what no call ever can."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_agentops.policy.coverage import KINDS, Covered, Share, coverage, total
from pytest_agentops.policy.model import Policy
from pytest_agentops.schema.case import Principal
from pytest_agentops.schema.policy import Request

from .conftest import FOUNDING, NOON, contract, policies_of, request, rules
from .generated import CALL, MORE, RULES, refund


def policy(*lines: str, more: str = "") -> Policy:
    return policies_of(rules(*lines, more=more))[0]


def asked(amount: Any = None, tier: str | None = None, **fields: Any) -> Request:
    args = {} if amount is None else {"amount_usd": amount}
    return request(args, context={} if tier is None else {"customer_tier": tier}, **fields)


def names(covered: Covered, kind: str, *, hit: bool) -> list[str]:
    return [p.name for p in covered.points if p.kind == kind and p.covered is hit]


def test_rules_comparisons_boundaries_and_cells() -> None:
    (founding,) = policies_of(FOUNDING)
    one = coverage(founding, contract(), [asked(20, "pro")])
    assert names(one, "rules", hit=True) == ["rule payments.refund/1 decides", "rule payments.refund/4 applies"]
    assert names(one, "comparisons", hit=True) == [
        "amount_usd <= 50 is true (rule payments.refund/1)",
        "customer_tier in ['standard', 'pro'] is true (rule payments.refund/1)",
        "amount_usd <= 200 is true (rule payments.refund/2)",
        "customer_tier == 'enterprise' is false (rule payments.refund/2)",
        "amount_usd > 50 is false (rule payments.refund/3)",
    ]
    assert names(one, "boundaries", hit=False) == [
        "amount_usd == 50 (rule payments.refund/1)",
        "amount_usd == 200 (rule payments.refund/2)",
    ]
    assert one.cells == Share(1, 30, 30)
    calls = [asked(a, t) for a in (49, 50, 125, 200, 201) for t in ("enterprise", "pro", "standard", "gold")]
    most = coverage(founding, contract(), [*calls, *(asked(a) for a in (49, 50, 125, 200, 201))])
    assert [most.share(kind).exact for kind in KINDS[:3]] == [100, 100, 100]
    assert most.cells == Share(25, 30, 30)
    assert most.unreached == ["amount_usd is missing or of another kind"]
    assert total([one, most]).total == 2 * total([most]).total


def test_nothing_is_covered_by_nothing_and_shares_are_not_rounded() -> None:
    (founding,) = policies_of(FOUNDING)
    none = coverage(founding, contract(), [])
    assert total([none]).covered == 0
    assert Share(2999, 3000, 3000).exact == Fraction(2999, 30)
    assert Share(2999, 3000, 3000).exact < 100
    assert Share(0, 0, 0).exact == Share(0, 0, 0).most == 100


def test_denies_limits_windows_and_logs() -> None:
    made = policy(
        '{if: "amount_usd > 100", deny: true}',
        "{require_approval: m}",
        "{limit: {sum: amount_usd, max: 60}}",
        "{limit: {max: 2}}",
        "{within: {from: '09:00', to: '13:00', tz: UTC}}",
        '{if: "amount_usd > 70", log: {redact_fields: [note]}}',
    )
    found = coverage(made, contract(), [asked(101), asked(30)])
    assert names(found, "rules", hit=False) == [
        "rule payments.refund/5 is met closed",
        "rule payments.refund/4 is met above its limit",
    ]
    late = asked(30, now=NOON.replace(hour=14), spent={made.limits[1].key: 2})
    assert names(coverage(made, contract(), [asked(101), asked(30), late]), "rules", hit=False) == []


def test_what_can_never_be_reached_stays_in_the_sum_and_is_named() -> None:
    made = policy(
        '{if: "amount_usd > 50", require_approval: m}',
        '{if: "amount_usd > 60", allow: true}',
        '{if: "0 <= amount_usd", deny: true}',
    )
    schema = {"type": "object", "properties": {"amount_usd": {"type": "number", "minimum": 10}}, "required": ["amount_usd"]}
    found = coverage(made, contract(parameters=schema), [asked(a) for a in (10, 50, 51, 60, 61)])
    never = [p.name for p in found.points if p.reachable is False]
    assert never == [
        "rule payments.refund/1 decides",
        "rule payments.refund/2 decides",
        "0 <= amount_usd is false (rule payments.refund/3)",
        "amount_usd == 0 (rule payments.refund/3)",
    ]
    rest = found.share("rules")
    assert (rest.covered, rest.reachable, rest.total) == (1, 1, 3)
    assert rest.most == Fraction(100, 3)


def test_too_many_cells_are_said_and_the_rest_is_counted() -> None:
    lines = [f'{{if: "amount_usd > {n} and context.c{n} == {n}", require_approval: m}}' for n in range(14)]
    found = coverage(policy(*lines), contract(), [asked(3)])
    assert "cells are too many" in found.partial[0]
    assert found.cells.total == 0
    assert all(p.reachable is None or p.kind == "boundaries" for p in found.points)
    assert names(found, "boundaries", hit=True) == ["amount_usd == 3 (rule payments.refund/4)"]


@given(RULES, MORE, st.lists(CALL, max_size=8))
@settings(max_examples=100, deadline=None)
def test_what_is_covered_can_be_reached_and_more_calls_cover_no_less(lines: list[str], more: str, calls: list[Request]) -> None:
    (made,) = policies_of(rules(*lines, more=more))
    found = coverage(made, refund(), calls, cap=4_000)
    for point in found.points:
        assert not (point.covered and point.reachable is False), point
    half = coverage(made, refund(), calls[: len(calls) // 2], cap=4_000)
    assert {p.name for p in half.points if p.covered} <= {p.name for p in found.points if p.covered}
    assert half.cells.covered <= found.cells.covered <= found.cells.reachable


def test_a_rule_decides_nothing_where_a_window_is_closed_or_a_scope_is_missing() -> None:
    hours = "{within: {days: [mon, tue, wed, thu, fri], from: '09:00', to: '17:00', tz: Europe/Berlin}}"
    guarded = policy(hours, "{if: 'amount_usd <= 50', allow: true}", more="scopes: [pay]")
    holder = Principal(scopes=("pay",))
    decided = "rule payments.refund/2 decides"
    assert decided in names(coverage(guarded, contract(), [asked(20, now=NOON, principal=holder)]), "rules", hit=True)
    for closed in (asked(20, now=None, principal=holder), asked(20, now=NOON, principal=Principal())):
        assert decided in names(coverage(guarded, contract(), [closed]), "rules", hit=False)
