"""Decisions: the founding table, the order of evaluation, several policies on one tool, and what must fail closed."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from pytest_agentops.policy import decide as module
from pytest_agentops.policy.binding import bind, check, unused
from pytest_agentops.policy.decide import decide
from pytest_agentops.schema.case import Principal
from pytest_agentops.schema.policy import ApprovalNeed

from .conftest import FOUNDING, NOON, bound, contract, policies_of, request, rules

ALLOW = "{allow: true}"
OK2 = ("allow", "rule", 2)
OK1 = ("allow", "rule", 1)
ASK = ("require_approval", "rule", 3)
NO = ("deny", "default_deny", None)


def unknown(rule: int) -> tuple[str, str, int]:
    return "deny", "indeterminate", rule


TIERS = ("enterprise", "pro", "standard", "other", None)
TABLE = {
    49: (OK2, OK1, OK1, NO, unknown(1)),
    50: (OK2, OK1, OK1, NO, unknown(1)),
    125: (OK2, ASK, ASK, ASK, unknown(2)),
    200: (OK2, ASK, ASK, ASK, unknown(2)),
    201: (ASK, ASK, ASK, ASK, ASK),
    None: (unknown(2), unknown(1), unknown(1), unknown(3), unknown(1)),
}
"""The founding example, all 30 cells: amount by customer tier; verdict, reason and the rule's number."""


@pytest.mark.parametrize(
    ("amount", "tier", "wanted"),
    [(amount, tier, wanted) for amount, row in TABLE.items() for tier, wanted in zip(TIERS, row, strict=True)],
)
def test_the_founding_policy_means_what_its_author_meant(ask, amount, tier, wanted) -> None:
    args = {} if amount is None else {"amount_usd": amount}
    context = {} if tier is None else {"customer_tier": tier}
    found = ask(FOUNDING, request(args, context=context))
    verdict, reason, rule = wanted
    line = {1: 5, 2: 7, 3: 9}.get(rule)
    assert (found.verdict, found.reason) == (verdict, reason)
    assert found.rule == (None if rule is None else f"payments.refund/{rule}")
    assert found.where == ("p0.yaml:2" if rule is None else f"p0.yaml:{line}")
    assert found.approvals == ((ApprovalNeed(role="support_manager"),) if verdict == "require_approval" else ())
    assert (found.obligations.redact_fields, found.obligations.retain_days) == (("bank_account", "card_number"), 365)


def test_a_deny_wins_wherever_it_stands_and_says_why(ask) -> None:
    text = rules(ALLOW, '{id: block, if: "amount_usd > 10", deny: true, reason: too much}')
    found = ask(text, request({"amount_usd": 11}), tier=0)
    assert (found.verdict, found.reason, found.rule, found.where) == ("deny", "rule", "payments.refund/block", "p0.yaml:6")
    assert found.message == "denied by rule payments.refund/block (p0.yaml:6): too much"
    assert ask(text, request({"amount_usd": 10}), tier=0).allowed


def test_a_deny_that_holds_beats_one_that_cannot_be_decided_and_that_beats_an_allow(ask) -> None:
    lines = (ALLOW, '{if: "missing == 1", deny: true}', '{if: "amount_usd > 10", deny: true}')
    assert ask(rules(*lines), request({"amount_usd": 11}), tier=0).reason == "rule"
    found = ask(rules(*lines), request({"amount_usd": 1}), tier=0)
    assert (found.verdict, found.reason, found.unknown) == ("deny", "indeterminate", ("missing",))
    assert found.message == "rule payments.refund/2 (p0.yaml:6) cannot be decided: missing or unusable: missing"


@pytest.mark.parametrize("line", ["note in ['XX']", "note not in ['DE']", "note == 'XX'", "note != 'DE'", "not (note == 'DE')"])
@pytest.mark.parametrize("args", [{}, {"note": None}], ids=["left out", "null"])
def test_what_is_left_out_or_null_does_not_get_past_a_deny(ask, line, args) -> None:
    found = ask(rules(f'{{if: "{line}", deny: true}}', ALLOW), request(args), tier=0)
    assert (found.verdict, found.reason, found.rule) == ("deny", "indeterminate", "payments.refund/1")


def test_a_condition_may_ask_for_null_itself(ask) -> None:
    text = rules("{if: \"note != null and note in ['XX']\", deny: true}", ALLOW)
    assert ask(text, request({"note": None}), tier=0).allowed
    assert ask(text, request({"note": "DE"}), tier=0).allowed
    assert not ask(text, request({"note": "XX"}), tier=0).allowed
    assert ask(text, request({}), tier=0).reason == "indeterminate"


def test_an_undecided_rule_may_ask_a_person_instead_but_never_an_undecided_deny(ask) -> None:
    more = "on_unknown: require_approval:lead"
    found = ask(rules('{if: "missing == 1", allow: true}', more=more), request(), tier=0)
    assert (found.verdict, found.reason, found.approvals) == ("require_approval", "indeterminate", (ApprovalNeed(role="lead"),))
    assert ask(rules('{if: "missing == 1", deny: true}', more=more), request(), tier=0).verdict == "deny"


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (NOON, "rule"),
        (None, "time_window"),
        (NOON.replace(tzinfo=None), "time_window"),
        (NOON + dt.timedelta(days=5), "time_window"),
        (dt.datetime.max.replace(tzinfo=dt.timezone(-dt.timedelta(hours=12))), "time_window"),
        (dt.datetime.min.replace(tzinfo=dt.timezone(dt.timedelta(hours=12))), "time_window"),
    ],
)
def test_outside_of_the_window_and_without_a_clock_everything_is_denied(ask, now, reason) -> None:
    text = rules(ALLOW, '{within: {days: [mon-fri], from: "09:00", to: "18:00", tz: Europe/Berlin}}')
    assert ask(text, request(now=now), tier=0).reason == reason


@pytest.mark.parametrize(
    ("hour", "inside"), [("mon 08:59", 0), ("mon 09:00", 1), ("mon 17:59", 1), ("mon 18:00", 0), ("sat 12:00", 0)]
)
def test_a_window_is_half_open(ask, hour, inside) -> None:
    text = rules(ALLOW, '{within: {days: [mon-fri], from: "09:00", to: "18:00", tz: UTC}}')
    day = 23 if hour.startswith("mon") else 28
    now = dt.datetime.fromisoformat(f"2026-11-{day}T{hour[4:]}:00+00:00")
    assert ask(text, request(now=now), tier=0).allowed == bool(inside)


@pytest.mark.parametrize(
    ("when", "inside"), [("27T23:00", 1), ("28T05:59", 1), ("28T06:00", 0), ("28T23:00", 0), ("27T05:00", 0)]
)
def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins(ask, when, inside) -> None:
    text = rules(ALLOW, '{within: {days: [fri], from: "22:00", to: "06:00", tz: UTC}}')
    now = dt.datetime.fromisoformat(f"2026-11-{when}:00+00:00")
    assert ask(text, request(now=now), tier=0).allowed == bool(inside)


def test_a_window_keeps_to_the_wall_clock_when_the_clocks_change(ask) -> None:
    text = rules(ALLOW, '{within: {from: "09:00", to: "10:00", tz: America/New_York}}')
    summer, winter = (
        dt.datetime(2026, 10, 30, 13, 30, tzinfo=dt.UTC),
        dt.datetime(2026, 11, 2, 13, 30, tzinfo=dt.UTC),
    )
    assert [ask(text, request(now=now), tier=0).allowed for now in (summer, winter)] == [True, False]


LIMIT = rules(ALLOW, "{limit: {sum: amount_usd, per: session, max: 100, else: require_approval:lead}}")
KEY = "p0.yaml#payments.refund/2"


def test_a_limit_raises_only_what_goes_above_it(ask) -> None:
    within = ask(LIMIT, request({"amount_usd": 40}, spent={KEY: Decimal(60)}), tier=0)
    above = ask(LIMIT, request({"amount_usd": 40.01}, spent={KEY: Decimal(60)}), tier=0)
    assert (within.verdict, above.verdict, above.reason, above.rule) == (
        "allow",
        "require_approval",
        "limit",
        "payments.refund/2",
    )
    assert [(c.limit, c.amount) for c in above.charges] == [(KEY, Decimal("40.01"))]
    assert above.approvals == (ApprovalNeed(role="lead"),)


@pytest.mark.parametrize(("tier", "verdict"), [(2, "deny"), (3, "require_approval"), (0, "require_approval")])
def test_a_limit_of_a_policy_that_decides_nothing_only_raises_the_tiers_default(ask, tier, verdict) -> None:
    text = rules("{limit: {max: 1, else: require_approval:lead}}")
    below, above = (ask(text, request(spent={"p0.yaml#payments.refund/1": Decimal(n)}), tier=tier) for n in (0, 1))
    assert above.verdict == verdict
    assert sum(n.count for n in below.approvals) <= sum(n.count for n in above.approvals)


def test_a_limit_without_else_denies_and_a_deny_charges_nothing(ask) -> None:
    text = rules(ALLOW, "{limit: {max: 2}}")
    second, third = (ask(text, request(spent={KEY: Decimal(n)}), tier=0) for n in (1, 2))
    assert (second.verdict, third.verdict, third.reason, third.charges) == ("allow", "deny", "limit", ())


@pytest.mark.parametrize("amount", [None, "40", True, float("nan"), float("inf"), Decimal("sNaN"), 10**2000, [40]])
def test_a_limit_on_what_is_no_amount_is_a_deny(ask, amount) -> None:
    args = {} if amount is None else {"amount_usd": amount}
    found = ask(LIMIT, request(args), tier=0)
    assert (found.verdict, found.reason, found.unknown) == ("deny", "indeterminate", ("amount_usd",))


def test_negative_amounts_give_nothing_back_and_long_sums_are_exact(ask) -> None:
    assert ask(LIMIT, request({"amount_usd": -500}, spent={KEY: Decimal(100)}), tier=0).charges[0].amount == 0
    tiny = Decimal("1e-60")
    assert ask(LIMIT, request({"amount_usd": tiny}, spent={KEY: Decimal(100)}), tier=0).verdict == "require_approval"
    assert ask(LIMIT, request({"amount_usd": 1}, spent={KEY: Decimal("NaN")}), tier=0).verdict == "deny"


def test_several_policies_the_strictest_wins_whatever_their_order(ask) -> None:
    free, manager, finance = (
        rules(ALLOW),
        rules("{require_approval: manager}", more="id: m"),
        rules("{require_approval: {role: finance, count: 2, expires: 5m}}", tool="payments.*"),
    )
    both = ask((free, manager, finance), request(), tier=0)
    assert both.verdict == "require_approval"
    assert [(n.role, n.count, n.expires_s) for n in both.approvals] == [("finance", 2, 300), ("manager", 1, 900)]
    assert ask((finance, manager, free), request(), tier=0).approvals == both.approvals
    no = rules("{deny: true}", tool="*")
    assert ask((free, no, manager), request(), tier=0).verdict == "deny"


def test_needs_of_one_role_are_one_need_and_only_what_both_may_edit(ask) -> None:
    one = rules("{require_approval: {role: m, count: 2, allow_edit: [amount_usd, note]}}")
    two = rules("{require_approval: {role: m, expires: 1m, allow_edit: [note]}}", more="id: b")
    assert ask((one, two), request(), tier=0).approvals == (ApprovalNeed(role="m", count=2, expires_s=60, allow_edit=("note",)),)


def test_a_role_may_hand_on_only_to_whom_every_rule_lets_it(ask) -> None:
    one = rules("{require_approval: {role: m, escalate_to: [ceo, board]}}")
    two = rules("{require_approval: {role: m, escalate_to: [board]}}", more="id: b")
    none = rules("{require_approval: m}", more="id: c")
    for texts, left in (((one, two), ("board",)), ((two, one), ("board",)), ((one, none), ()), ((none, one), ())):
        assert ask(texts, request(), tier=0).approvals == (ApprovalNeed(role="m", escalate_to=left),)


def test_a_policy_that_only_forbids_leaves_the_decision_to_the_others(ask) -> None:
    org = rules('{if: "amount_usd > 1000", deny: true}', "{log: {redact_fields: [iban]}}", tool="*")
    found = ask((org, FOUNDING), request({"amount_usd": 20}, context={"customer_tier": "pro"}))
    assert found.allowed
    assert found.obligations.redact_fields == ("bank_account", "card_number", "iban")
    alone = ask(org, request({"amount_usd": 20}))
    assert (alone.verdict, alone.reason, alone.approvals[0].count) == ("require_approval", "tier_default", 2)


def test_duties_are_united_and_one_that_cannot_be_met_is_a_deny(ask) -> None:
    text = rules(ALLOW, "{log: {redact_fields: [a], retain_days: 30}}", '{if: "missing == 1", log: {redact_fields: [b]}}')
    found = ask(text, request(), tier=0)
    assert (found.obligations.redact_fields, found.obligations.retain_days, found.verdict) == (("a", "b"), 30, "allow")
    lame = ask(text, request(able=frozenset(["redact"])), tier=0)
    assert (lame.verdict, lame.reason, lame.message) == ("deny", "obligation", "an obligation cannot be met: retain")


def test_scopes_of_the_contract_and_of_the_policy_are_needed(ask) -> None:
    text = rules(ALLOW, more='scopes: ["refund"]')
    found = ask(text, request(), tier=0)
    assert (found.verdict, found.reason) == ("deny", "scope_missing")
    able = request(principal=Principal(id="bot", scopes=("refund",)))
    assert ask(text, able, tier=0).allowed
    assert ask(text, able, tier=0, scopes=("refund", "pay")).message == (
        "payments.refund needs the scope pay, which the principal does not have"
    )


DECLARED = """\
attributes:
  amount_usd: {type: decimal, minimum: '0.01', maximum: 500, required: true}
  note: {type: string, enum: [a, b]}"""


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ({}, "amount_usd is missing, but required"),
        ({"amount_usd": None}, "amount_usd is null, but required"),
        ({"amount_usd": "5"}, "amount_usd is no decimal"),
        ({"amount_usd": True}, "amount_usd is no decimal"),
        ({"amount_usd": 0}, "amount_usd is below its minimum 0.01"),
        ({"amount_usd": -5}, "amount_usd is below its minimum 0.01"),
        ({"amount_usd": 500.5}, "amount_usd is above its maximum 500"),
        ({"amount_usd": float("nan")}, "amount_usd has a value that cannot be compared"),
        ({"amount_usd": 5, "note": "c"}, "note is none of the values in `enum`"),
        ({"amount_usd": 5, "note": 1}, "note is no string"),
    ],
)
def test_a_value_that_is_not_as_declared_is_a_deny_that_does_not_say_the_value(ask, args, why) -> None:
    found = ask(rules(ALLOW, more=DECLARED), request(args), tier=0)
    assert (found.verdict, found.reason) == ("deny", "indeterminate")
    assert found.message.startswith(f"{why} (p0.yaml:")
    assert ask(rules(ALLOW, more=DECLARED), request({"amount_usd": 5, "note": "a"}), tier=0).allowed


def test_a_shadow_policy_is_heard_and_not_obeyed(ask) -> None:
    shadow = rules("{deny: true}", "{log: {retain_days: 5}}", more="mode: shadow\nid: s")
    found = ask((FOUNDING, shadow), request({"amount_usd": 20}, context={"customer_tier": "pro"}))
    assert (found.verdict, found.obligations.retain_days) == ("allow", 365)
    assert [(s.verdict, s.rule) for s in found.shadow] == [("deny", "s/1")]
    alone = ask(shadow, request())
    assert (alone.verdict, alone.reason, len(alone.shadow)) == ("allow", "no_policy", 1)


def test_scopes_of_a_contract_hold_beside_a_shadow_policy(ask) -> None:
    shadow = rules(ALLOW, more="mode: shadow")
    lacking = ask(shadow, request(), scopes=("payments:refund",))
    assert (lacking.verdict, lacking.reason, len(lacking.shadow)) == ("deny", "scope_missing", 1)
    assert ask(shadow, request(), scopes=("orders:read",)).reason == "no_policy"
    assert ask(shadow, request(principal=Principal(), named=False), scopes=("payments:refund",)).reason == "no_policy"
    assert ask(rules(ALLOW), request(principal=Principal(), named=False), scopes=("payments:refund",)).reason == "scope_missing"


def test_without_policies_a_known_tool_is_allowed_and_an_unknown_one_is_not() -> None:
    none = bind([], {"payments.refund": contract()})
    assert (decide(none, request()).verdict, decide(none, request()).reason) == ("allow", "no_policy")
    assert decide(none, request(tool="other")).reason == "tool_unknown"


def test_a_tool_name_of_look_alike_letters_is_another_tool() -> None:
    for name in ("рayments.refund", "payments․refund", "Payments.refund", "payments.refund ", "payments.refund\u200b"):
        found = decide(bound(FOUNDING), request({"amount_usd": 1}, tool=name, context={"customer_tier": "pro"}))
        assert (found.verdict, found.reason) == ("deny", "tool_unknown")


def test_an_agent_cannot_bring_the_context_as_an_argument(ask) -> None:
    """`customer_tier` is no argument of the tool: what the agent sends under that name is not read."""
    args = {"amount_usd": 20, "customer_tier": "pro", "context": {"customer_tier": "pro"}, "principal": {"roles": ["admin"]}}
    found = ask(FOUNDING, request(args))
    assert (found.verdict, found.reason) == ("deny", "indeterminate")
    roles = rules("{if: \"'admin' in principal.roles\", allow: true}")
    assert ask(roles, request(args), tier=0, effect="write").reason == "tier_default"
    assert ask(roles, request(args), tier=2).reason == "default_deny"


def test_a_name_that_is_both_argument_and_context_is_refused_and_never_guessed(ask) -> None:
    found = check(policies_of(FOUNDING), {"payments.refund": contract()}, ["amount_usd"])
    said = "'amount_usd' is an argument of payments.refund and a key of the context; write args.amount_usd or context.amount_usd"
    assert [str(m) for m in found] == [f"p0.yaml:{line}:12: {said}" for line in (5, 7, 9)]
    both = request({"amount_usd": 20}, context={"amount_usd": 1, "customer_tier": "pro"})
    assert ask(FOUNDING, both).reason == "indeterminate"


def test_a_tool_without_declared_arguments_needs_roots() -> None:
    loose = {"payments.refund": contract(open=True, parameters={"type": "object"})}
    found = check(policies_of(FOUNDING), loose, [])
    assert len(found) == 5
    assert str(found[0]) == (
        "p0.yaml:5:12: 'amount_usd' may be an argument or a key of the context: payments.refund does not declare its arguments; "
        "write args.amount_usd or context.amount_usd"
    )
    rooted = FOUNDING.replace("amount_usd", "args.amount_usd").replace("customer_tier", "context.customer_tier")
    assert check(policies_of(rooted), loose, []) == []


def retention(*lines: str, **fields: Any) -> list[str]:
    made = contract(**fields)
    return [str(m) for m in check(policies_of(rules(*lines)), {made.name: made}, []) if "retain_days" in m.found]


def test_two_times_for_the_same_calls_are_a_mistake_however_they_are_written() -> None:
    long = "{log: {retain_days: 30}}"
    assert retention(long, '{if: "amount_usd > 5", log: {retain_days: 60}}') == [
        "p0.yaml:6:30: retain_days: 60 here and 30 on line 5, for the same calls of payments.refund; "
        "where amount_usd > 5; make the conditions exclude each other"
    ]
    other = '{if: "50 < amount_usd", log: {retain_days: 60}}'
    assert len(retention('{if: "amount_usd > 50", log: {retain_days: 30}}', other)) == 1
    assert len(retention("{if: \"note == 'a'\", log: {retain_days: 30}}", other)) == 1
    assert retention('{if: "amount_usd <= 50", log: {retain_days: 30}}', other) == []
    assert retention('{if: "amount_usd < 60", log: {retain_days: 60}}', other, long.replace("30", "60")) == []
    assert retention('{if: "amount_usd > 5", log: {redact_fields: [a]}}', long) == []


def test_what_the_tool_never_gets_is_no_contradiction() -> None:
    lines = ("{if: \"args.kind == 'x'\", log: {retain_days: 30}}", '{if: "amount_usd > 5", log: {retain_days: 60}}')
    schema = {"type": "object", "properties": {"kind": {"enum": ["a"]}, "amount_usd": {"type": "number"}}}
    assert retention(*lines, parameters=schema) == []
    assert len(retention(*lines)) == 1


def test_of_several_policies_the_longer_time_counts(ask) -> None:
    texts = (rules(ALLOW, "{log: {retain_days: 30}}"), rules("{log: {retain_days: 60}}", tool="*"))
    assert check(policies_of(*texts), {"payments.refund": contract(tier=0, effect="read")}, []) == []
    assert ask(texts, request(), tier=0).obligations.retain_days == 60


def test_a_policy_for_no_tool_is_named() -> None:
    found = unused(policies_of(rules("{deny: true}", tool="payment.refund"), FOUNDING), ["payments.refund"])
    assert [str(m) for m in found] == [
        "p0.yaml:3:3: tool: 'payment.refund' is none of the tools; did you mean 'payments.refund'?"
    ]


def test_a_fault_of_the_evaluator_is_a_deny(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RecursionError

    monkeypatch.setattr(module, "evaluate", broken)
    found = decide(bound(FOUNDING), request())
    assert (found.verdict, found.reason, found.message) == (
        "deny",
        "policy_error",
        "the policies could not be evaluated (RecursionError)",
    )


def test_an_explicit_default_counts_where_no_rule_applies(ask) -> None:
    line = '{if: "amount_usd > 5", allow: true}'
    asked = ask(rules(line, more="default: require_approval:lead"), request({"amount_usd": 1}), tier=0)
    assert (asked.verdict, asked.rule, asked.approvals) == (
        "require_approval",
        "payments.refund/default",
        (ApprovalNeed(role="lead"),),
    )
    assert ask(rules(line, more="default: deny"), request({"amount_usd": 1}), tier=0).reason == "default_deny"
