"""Tiers: what happens by default, and which policies are weaker than their tool's floor."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_agentops.policy.thresholds import has_thresholds
from pytest_agentops.policy.tiers import tier_of, weaker_than_floor
from pytest_agentops.schema.policy import ApprovalNeed

from .conftest import FOUNDING, contract, policies_of, request, rules

OTHER = rules("{deny: true}", tool="orders.get")
"""A policy for another tool: policies are loaded, none is for this one."""
EVIDENCE = {"change_ticket": "CHG-1", "sandbox": True}
TWO = (ApprovalNeed(role=None, count=2),)
ONE = (ApprovalNeed(role=None, count=1),)


def floor(*texts: str, **fields: Any) -> list[str]:
    return [str(m) for m in weaker_than_floor(policies_of(*texts), contract(**fields))]


@pytest.mark.parametrize(
    ("tier", "effect", "verdict", "reason", "approvals"),
    [
        (0, "read", "allow", "tier_default", ()),
        (1, "write", "allow", "tier_default", ()),
        (1, "irreversible", "require_approval", "tier_default", ONE),
        (1, None, "require_approval", "tier_default", ONE),
        (2, "write", "deny", "default_deny", ()),
        (3, "write", "require_approval", "tier_default", TWO),
        (4, "write", "require_approval", "tier_default", TWO),
        (None, "write", "require_approval", "tier_default", TWO),
    ],
)
def test_the_default_of_each_tier(ask, tier, effect, verdict, reason, approvals) -> None:
    found = ask(OTHER, request(context=EVIDENCE), tier=tier, effect=effect)
    assert (found.verdict, found.reason, found.approvals, found.tier) == (verdict, reason, approvals, 4 if tier is None else tier)


@pytest.mark.parametrize(
    ("context", "lacking"),
    [
        ({}, ("change_ticket", "sandbox")),
        ({"change_ticket": "CHG-1"}, ("sandbox",)),
        ({"change_ticket": " ", "sandbox": True}, ("change_ticket",)),
        ({"change_ticket": "CHG-1", "sandbox": "true"}, ("sandbox",)),
        ({"change_ticket": "CHG-1", "sandbox": 1}, ("sandbox",)),
    ],
)
def test_tier_4_asks_for_a_ticket_and_a_sandbox_in_the_context(ask, context, lacking) -> None:
    args = {"change_ticket": "CHG-1", "sandbox": True}
    found = ask(OTHER, request(args, context=context), tier=4)
    assert (found.verdict, found.reason, found.unknown) == ("deny", "tier_default", lacking)


def test_tier_4_never_allows_by_itself_not_even_with_a_ticket_of_the_policy(ask) -> None:
    text = rules("{allow: true}", more="override_tier: OPS-1")
    found = ask(text, request(context=EVIDENCE), tier=4)
    assert (found.verdict, found.reason, found.approvals, found.overrides) == ("require_approval", "tier_default", TWO, ())
    void, alone, window = floor(text, tier=4)
    assert void == "p0.yaml:4:3: payments.refund is tier 4, which cannot be overridden; remove it"
    assert "allows payments.refund without a person" in alone
    assert "has no time window" in window


def test_one_person_becomes_two_where_the_tier_asks_two(ask) -> None:
    text = rules("{require_approval: lead}")
    assert ask(text, request(), tier=3).approvals == (ApprovalNeed(role="lead", count=2),)
    assert ask(text, request(), tier=2).approvals == (ApprovalNeed(role="lead", count=1),)
    assert floor(text) == ["p0.yaml:5:7: payments.refund/1 asks one person; payments.refund is tier 3; tier 3 asks two: count: 2"]
    assert floor(rules("{require_approval: {role: lead, count: 2}}")) == []


def test_the_founding_policy_is_no_weaker_than_tier_3() -> None:
    assert floor(FOUNDING) == []
    assert has_thresholds(policies_of(FOUNDING)[0], ["amount_usd"])
    assert not has_thresholds(policies_of(FOUNDING)[0], [])


ASK = '{if: "amount_usd > 50", require_approval: m}'


@pytest.mark.parametrize(
    ("allow", "fine"),
    [
        ("amount_usd <= 50", True),
        ("50 >= amount_usd", True),
        ("amount_usd in [10, 20]", True),
        ("amount_usd == 10", True),
        ("not (amount_usd > 50)", True),
        ("note == 'a' and amount_usd < 50", True),
        ("amount_usd < 50 or (amount_usd < 40 and note == 'x')", True),
        ("amount_usd > 0", False),
        ("amount_usd != 10", False),
        ("amount_usd < 50 or note == 'x'", False),
        ("note == 'a'", False),
        ("len(note) < 5", False),
        ("exists(note) and amount_usd > 0", False),
        ("not exists(note) and amount_usd > 0", False),
        ("note != null and amount_usd >= 10", False),
        ("args.amount_usd <= 50", True),
        ("exists(amount_usd) and amount_usd <= 50", True),
        ("amount_usd != null and amount_usd <= 50", True),
        ("amount_usd in [10, 'x']", False),
        ("session.usd <= 50", False),
        ("session.steps < 5 and tool.tier <= 3", False),
        ("tool.tier == 3", False),
        ("context.budget <= 50", False),
        ("budget <= 50", False),
        ("amount_usd <= 50 or not exists(amount_usd)", False),
        ("amount_usd <= 50 or (amount_usd == null and note == 'a')", False),
        ("amount_usd <= 50 or amount_usd == 'all'", False),
    ],
)
def test_what_bounds_an_allow(ask, allow, fine) -> None:
    text = rules(f'{{if: "{allow}", allow: true}}', ASK)
    found = floor(text)
    assert found == ([] if fine else found)
    if not fine:
        (mistake,) = found
        assert mistake.startswith("p0.yaml:5:7: payments.refund/1 allows payments.refund without a person; it is tier 3; give it")
        assert ask(text, request({"amount_usd": 20, "note": "x"})).verdict != "allow"


def test_an_allow_without_a_person_above_it_is_no_threshold(ask) -> None:
    alone = rules('{if: "amount_usd <= 50", allow: true}')
    assert len(floor(alone)) == 1
    assert ask(alone, request({"amount_usd": 20})).approvals == TWO
    assert floor(rules('{if: "amount_usd <= 50", allow: true}', more="default: require_approval:m")) == []
    assert len(floor(rules('{if: "amount_usd <= 50", allow: true}', '{if: "amount_usd < 9", require_approval: m}'))) == 1


@pytest.mark.parametrize("root", ["tool.tier", "session.steps", "context.n"])
def test_what_is_no_argument_is_no_threshold_though_a_person_is_asked_above_it(ask, root) -> None:
    text = rules(f'{{if: "{root} <= 3", allow: true}}', f'{{if: "{root} > 3", require_approval: m}}')
    (mistake,) = floor(text)
    assert (
        "allows payments.refund without a person; it is tier 3; give it an upper bound on an amount in the arguments" in mistake
    )
    found = ask(text, request({"amount_usd": 10**6}, session={"steps": 0}, context={"n": 0}))
    assert (found.verdict, sum(need.count for need in found.approvals)) == ("require_approval", 2)


def test_the_person_is_asked_above_the_same_argument_however_it_is_spelt() -> None:
    allow = '{if: "amount_usd <= 50", allow: true}'
    assert floor(rules(allow, '{if: "args.amount_usd > 50", require_approval: m}')) == []
    assert len(floor(rules(allow, '{if: "args.amount_usd < 9", require_approval: m}'))) == 1


def test_a_ticket_goes_below_the_floor_and_is_named(ask) -> None:
    text = rules("{allow: true}", more="override_tier: OPS-12")
    assert floor(text) == []
    found = ask(text, request())
    assert (found.verdict, found.overrides) == ("allow", ("OPS-12",))


def test_a_ticket_lifts_the_controls_of_tier_2_and_stands_in_the_decision(ask) -> None:
    text = rules('{if: "amount_usd > 9", require_approval: m}', "{allow: true}", more="override_tier: OPS-12")
    assert floor(text, tier=2) == []
    assert (ask(text, request({"amount_usd": 1}), tier=2)).overrides == ("OPS-12",)
    assert (ask(text, request({"amount_usd": 10}), tier=2)).overrides == (), "a person is asked: nothing is lifted"
    whole = rules("{allow: true}", "{limit: {max: 3}}", more="override_tier: OPS-12")
    assert ask(whole, request(), tier=2, idempotency_key="note").overrides == (), "all that the tier asks for is there"
    assert ask(whole, request(), tier=2).overrides == ("OPS-12",)


def test_a_ticket_lifts_the_floor_only_for_the_policy_that_has_it(ask) -> None:
    free, denies = rules("{allow: true}"), rules("{if: on, deny: true}", more="override_tier: OPS-12\nid: other")
    for tier, mistakes in ((2, 2), (3, 1), (1, 0)):
        assert len(floor(free, tier=tier)) == len(floor(free, denies, tier=tier)) == mistakes
    assert len(floor(free, denies, tier=0)) == 1
    asked = request({"on": False})
    assert (ask((free, denies), asked, tier=2)).overrides == ()
    assert ask((free, denies), asked, tier=3).approvals == TWO


def test_a_ticket_does_not_lower_a_tier() -> None:
    down = rules("{allow: true}", more="tier: 1\noverride_tier: OPS-12")
    assert floor(down) == ["p0.yaml:4:3: tier: payments.refund declares tier 3; a policy may only raise it"]


def test_a_policy_may_raise_a_tier_and_not_lower_it() -> None:
    down, up = rules("{deny: true}", more="tier: 1"), rules("{deny: true}", more="tier: 4")
    assert floor(down) == ["p0.yaml:4:3: tier: payments.refund declares tier 3; a policy may only raise it"]
    assert floor(up) == []
    assert tier_of(policies_of(down), contract()) == 3
    assert tier_of(policies_of(up), contract()) == 4
    assert tier_of(policies_of(down), contract(tier=None)) == 1


def test_allow_by_default_is_for_tier_0_only() -> None:
    text = rules("{deny: true, if: on}", more="default: allow")
    assert floor(text, tier=0, effect="read") == []
    assert floor(text, tier=2) == [
        "p0.yaml:4:3: default: allow, but payments.refund is tier 2; only tier 0 is allowed by default"
    ]


def test_the_controls_of_a_tier_that_can_be_seen() -> None:
    allow = rules("{allow: true}")
    assert floor(allow, tier=0) == [
        "p0.yaml:2:1: payments.refund is tier 0, but its effect is write; tier 0 is for tools that only read"
    ]
    assert floor(allow, tier=2) == [
        "p0.yaml:5:7: payments.refund is tier 2 and has no idempotency key; name its argument: idempotency_key=",
        "p0.yaml:5:7: payments.refund is tier 2 and has no limit; add a rule such as limit: {per: session, max: 10}",
    ]
    assert floor(rules("{allow: true}", "{limit: {max: 3}}"), tier=2, idempotency_key="note") == []
    assert len(floor(rules("{allow: true}", "{if: on, limit: {max: 3}}"), tier=2, idempotency_key="note")) == 1
    two = "{require_approval: {role: sre, count: 2}}"
    assert floor(rules(two), tier=4) == [
        "p0.yaml:5:7: payments.refund is tier 4 and has no time window; add a rule such as within: {days: [mon-fri], tz: UTC}"
    ]
    assert floor(rules(two, "{within: {days: [mon-fri], tz: UTC}}"), tier=4) == []


def test_what_cannot_be_taken_back_needs_a_person_at_tier_1(ask) -> None:
    text = rules("{allow: true}")
    assert floor(text, tier=1) == []
    assert floor(text, tier=1, effect="irreversible") == [
        "p0.yaml:5:7: payments.refund/1 allows payments.refund without a person; it is tier 1; "
        "write require_approval, or name the ticket in override_tier"
    ]
    assert ask(text, request(), tier=1, effect="irreversible").approvals == ONE


def test_a_policy_in_shadow_mode_is_not_held_to_the_floor() -> None:
    assert floor(rules("{allow: true}", more="mode: shadow")) == []
