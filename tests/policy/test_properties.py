"""What must hold for any policies and any call."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_agentops.policy.binding import bind
from pytest_agentops.policy.decide import evaluate
from pytest_agentops.policy.files import load_text
from pytest_agentops.schema.policy import VERDICT_ORDER, Decision, Request

from .conftest import NOON, bound, contract, request, rules

AMOUNT = st.sampled_from([0, 10, 49, 50, 51.5, Decimal("100.01"), -1, "50", True, None])
ATOM = st.one_of(
    st.builds(
        "amount_usd {} {}".format, st.sampled_from(["<", "<=", "==", "!=", ">", ">="]), st.sampled_from([0, 10, 50, "51.5"])
    ),
    st.builds("customer_tier == '{}'".format, st.sampled_from("ab")),
    st.builds("customer_tier in ['{}', 'c']".format, st.sampled_from("ab")),
    st.sampled_from(["on", "exists(note)", "'x' in principal.roles", "len(note) > 1", "startswith(note, 'a')", "missing == 1"]),
)
CONDITION = st.recursive(
    ATOM,
    lambda inner: (
        st.builds("not ({})".format, inner) | st.builds("({}) {} ({})".format, inner, st.sampled_from(["and", "or"]), inner)
    ),
    max_leaves=4,
)
EFFECT = st.sampled_from(
    [
        "allow: true",
        "require_approval: m",
        "require_approval: {role: n, count: 2}",
        "deny: true",
        "limit: {sum: amount_usd, max: 60}",
        "limit: {max: 1, else: require_approval:m}",
        "log: {redact_fields: [a]}",
        "within: {days: [mon-fri], tz: UTC}",
    ]
)
RULE = st.builds("{{{}{}}}".format, st.one_of(st.just(""), CONDITION.map(lambda c: f'if: "{c}", ')), EFFECT)
RULES = st.lists(RULE, min_size=1, max_size=5)
MORE = st.sampled_from(
    ["", "default: deny", "default: require_approval:m", "mode: shadow", "override_tier: T", "on_unknown: require_approval:m"]
)
TIER = st.sampled_from([0, 1, 2, 3, 4, None])
CALL: st.SearchStrategy[Request] = st.builds(
    lambda args, context, now, spent: request(args, context=context, now=now, spent=spent),
    st.fixed_dictionaries({}, optional={"amount_usd": AMOUNT, "note": st.sampled_from(["a", "bb", 1]), "on": st.booleans()}),
    st.fixed_dictionaries(
        {}, optional={"customer_tier": st.sampled_from("abc"), "change_ticket": st.just("C"), "sandbox": st.booleans()}
    ),
    st.sampled_from([NOON, None]),
    st.dictionaries(
        st.sampled_from([f"p0.yaml#payments.refund/{i}" for i in range(1, 6)]), st.sampled_from([Decimal(1), Decimal(55)])
    ),
)


def strictness(decision: Decision) -> int:
    return VERDICT_ORDER.index(decision.verdict)


@given(RULES, MORE, TIER, CALL, CONDITION | st.none(), st.integers(0, 5))
@settings(max_examples=300, deadline=None)
def test_a_deny_added_anywhere_never_allows_more(
    lines: list[str], more: str, tier: int | None, call: Request, condition: str | None, at: int
) -> None:
    added = "{deny: true}" if condition is None else f'{{if: "{condition}", deny: true}}'
    # the ids are fixed, since a limit's sum is kept under its rule's name
    before = [f"{{id: r{i}, {line[1:]}" for i, line in enumerate(lines)]
    after = [*before[:at], added, *before[at:]]
    spent = {key.replace("refund/", "refund/r"): value for key, value in call.spent.items()}
    asked = request(call.args, context=call.context, now=call.now, spent=spent)
    found = [evaluate(bound(rules(*each, more=more), tier=tier), asked) for each in (before, after)]
    assert strictness(found[0]) <= strictness(found[1])
    apart = evaluate(bound(rules(*before, more=more), rules(added, more="id: z"), tier=tier), asked)
    assert strictness(found[0]) <= strictness(apart)


OBLIGATION = st.builds(
    "{{{}{}}}".format,
    st.one_of(st.just(""), CONDITION.map(lambda c: f'if: "{c}", ')),
    st.sampled_from(
        [
            "limit: {sum: amount_usd, max: 60}",
            "limit: {sum: amount_usd, max: 60, else: {require_approval: {role: n, count: 2}}}",
            "limit: {max: 0, else: require_approval:m}",
            "limit: {max: 1, else: require_approval:m}",
            "log: {redact_fields: [a], retain_days: 3}",
            "within: {days: [mon-fri], tz: UTC}",
        ]
    ),
)


def assert_no_looser(before: Decision, after: Decision) -> None:
    """No other verdict, no role less, and not fewer people (those that a tier adds may be of the roles that come in)."""
    assert strictness(before) <= strictness(after)
    if before.verdict == after.verdict:
        named = [{need.role for need in found.approvals if need.role is not None} for found in (before, after)]
        assert named[0] <= named[1]
        assert sum(need.count for need in before.approvals) <= sum(need.count for need in after.approvals)


@given(RULES, MORE, TIER, CALL, OBLIGATION, st.integers(0, 5))
@settings(max_examples=500, deadline=None)
def test_an_obligation_added_anywhere_never_allows_more(
    lines: list[str], more: str, tier: int | None, call: Request, added: str, at: int
) -> None:
    before = [f"{{id: r{i}, {line[1:]}" for i, line in enumerate(lines)]
    after = [*before[:at], f"{{id: z, {added[1:]}", *before[at:]]
    spent = {key.replace("refund/", "refund/r"): value for key, value in call.spent.items()}
    spent["p0.yaml#payments.refund/z"] = Decimal(55)
    asked = request(call.args, context=call.context, now=call.now, spent=spent)
    assert_no_looser(*(evaluate(bound(rules(*each, more=more), tier=tier), asked) for each in (before, after)))


@given(
    RULES,
    MORE,
    TIER,
    CALL,
    st.lists(OBLIGATION, min_size=1, max_size=3),
    st.sampled_from(["", "override_tier: T", "on_unknown: require_approval:m", "tier: 0", "scopes: [pay]"]),
)
@settings(max_examples=500, deadline=None)
def test_another_policy_that_has_only_obligations_never_allows_more(
    lines: list[str], more: str, tier: int | None, call: Request, added: list[str], with_: str
) -> None:
    spent = {**call.spent, **{f"p1.yaml#b/{n}": Decimal(55) for n in (1, 2, 3)}}
    asked = request(call.args, context=call.context, now=call.now, spent=spent)
    one, other = rules(*lines, more=more), rules(*added, tool="payments.*", more=f"id: b\n{with_}")
    alone, both = evaluate(bound(one, tier=tier), asked), evaluate(bound(one, other, tier=tier), asked)
    if tier is not None or with_ != "tier: 0":  # a tool that declares no tier may get one from a policy
        assert_no_looser(alone, both)
    nothing = rules("{deny: true}", tool="orders.get")
    assert_no_looser(*(evaluate(bound(nothing, *each, tier=tier or 4), asked) for each in ((), (other,))))


@given(RULES, TIER, CALL)
@settings(max_examples=200, deadline=None)
def test_the_decision_does_not_depend_on_the_order_of_dictionaries(lines: list[str], tier: int | None, call: Request) -> None:
    def turned(value: Any) -> Any:
        return dict(reversed(value.items()))

    policies = bound(rules(*lines), tier=tier)
    other = request(turned(call.args), context=turned(call.context), now=call.now, spent=turned(call.spent))
    assert evaluate(policies, call) == evaluate(policies, other)


@given(RULES, RULES, MORE, TIER, CALL)
@settings(max_examples=200, deadline=None)
def test_between_policies_the_order_does_not_matter_and_another_one_never_allows_more(
    one: list[str], two: list[str], more: str, tier: int | None, call: Request
) -> None:
    first, second = rules(*one), rules(*two, more=f"id: b\n{more}", tool="payments.*")
    loaded = [*load_text(first, file="p0.yaml").policies, *load_text(second, file="p1.yaml").policies]
    tools = {"payments.refund": contract(tier=tier)}
    forth, back = evaluate(bind(loaded, tools), call), evaluate(bind(loaded[::-1], tools), call)
    assert forth == back
    if loaded[0].ordered or loaded[0].default:
        assert strictness(evaluate(bind(loaded[:1], tools), call)) <= strictness(forth)


@given(RULES, TIER, CALL)
@settings(max_examples=200, deadline=None)
def test_a_decision_is_whole(lines: list[str], tier: int | None, call: Request) -> None:
    found = evaluate(bound(rules(*lines), tier=tier), call)
    assert bool(found.approvals) == (found.verdict == "require_approval")
    assert (found.rule is None) or found.where is not None
    assert found.message
    if tier in (4, None):
        assert found.verdict != "allow"
        assert sum(need.count for need in found.approvals) >= 2 or found.verdict == "deny"


def test_two_rules_that_ask_one_role_are_no_two_people() -> None:
    """Found by the property above."""
    text = rules("{limit: {max: 1, else: require_approval:m}}", "{require_approval: m}")
    call = request({}, context={"sandbox": True, "change_ticket": "C"}, spent={"p0.yaml#payments.refund/1": Decimal(1)})
    found = evaluate(bound(text, tier=4), call)
    assert found.verdict == "require_approval"
    assert sum(need.count for need in found.approvals) == 2
