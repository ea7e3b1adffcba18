"""Policies and calls of every sort, for what must hold of any of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from pytest_agentops.policy.attributes import MAX_TEXT
from pytest_agentops.schema.case import Principal
from pytest_agentops.schema.contract import Contract
from pytest_agentops.schema.policy import Request

from .conftest import NOON

ATOM = st.one_of(
    st.builds("amount_usd {} {}".format, st.sampled_from(["<", "<=", "==", "!=", ">", ">="]), st.sampled_from([0, 10, 50, 51.5])),
    st.builds("{} {} args.amount_usd".format, st.sampled_from([10, 10.5]), st.sampled_from(["<", "<=", "==", "!="])),
    st.builds("customer_tier == '{}'".format, st.sampled_from("abc")),
    st.builds("customer_tier {} ['{}', 'c', null]".format, st.sampled_from(["in", "not in"]), st.sampled_from("ab")),
    st.builds("'{}' in principal.roles".format, st.sampled_from(["support", "boss"])),
    st.builds("{}(note)".format, st.sampled_from(["exists", "not exists"])),
    st.sampled_from(
        [
            "on",
            "on == true",
            "amount_usd in [10, 50, 'x']",
            "len(note) > 1",
            "startswith(note, 'a')",
            "note == 'ab'",
            "note != null",
            "'x' in tags",
            "1 in tags",
            "len(tags) <= 2",
            "missing == 1",
            "null in tags",
            "customer_tier == null",
            "customer_tier in ['a', 7]",
            "session.steps > 3",
            "tool.tier == 3",
            "10 <= amount_usd < 50",
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
DECIDES = st.sampled_from(
    ["allow: true", "require_approval: m", "require_approval: {role: n, count: 2}", "require_approval: {role: m, expires: 5m}"]
)
EFFECT = st.one_of(
    DECIDES,
    st.sampled_from(
        [
            "deny: true",
            "limit: {sum: amount_usd, max: 60}",
            "limit: {max: 1, else: require_approval:m}",
            "log: {redact_fields: [a]}",
            "log: {redact_fields: [b], retain_days: 3}",
            "within: {days: [mon-fri], tz: UTC}",
            "within: {from: '09:00', to: '11:00', tz: UTC}",
        ]
    ),
)


def rule_of(condition: st.SearchStrategy[str], effect: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """A rule in one line; one of four has no condition."""
    given = condition.map(lambda c: f'if: "{c}", ')
    return st.builds("{{{}{}}}".format, st.one_of(given, given, given, st.just("")), effect)


RULES = st.lists(rule_of(CONDITION, EFFECT), min_size=1, max_size=6)
MORE = st.sampled_from(
    [
        "",
        "default: deny",
        "default: require_approval:m",
        "override_tier: T",
        "on_unknown: require_approval:m",
        "scopes: [pay]",
        "attributes: {amount_usd: {type: integer, minimum: 5, maximum: 50}}",
        "attributes: {customer_tier: {enum: [a, b], required: true}, on: {type: boolean}}",
    ]
)
TIER = st.sampled_from([0, 1, 2, 3, 4, None])
AMOUNT: list[Any] = [
    0,
    1,
    10,
    10.25,
    10.5,
    49,
    50,
    51,
    51.5,
    Decimal("100.01"),
    -1,
    61,
    "50",
    "x",
    True,
    None,
    [],
    {},
    float("nan"),
]
NOTE: list[Any] = ["", "a", "ab", "b", "bb", "abc", "q", 1, None, "é" * 70, "a" * (MAX_TEXT + 1), ["a"], True]
TAGS: list[Any] = [[], ["x"], ["x", 1], [1], [2], ["y"], [None], ["x", {}], ["y", "y", "y"], [1, 2, "x"], "x", "axb", 5, [True]]
ARGS = {
    "amount_usd": st.sampled_from(AMOUNT),
    "note": st.sampled_from(NOTE),
    "on": st.sampled_from([True, False, "true", None]),
    "tags": st.sampled_from(TAGS),
}
CALL: st.SearchStrategy[Request] = st.builds(
    lambda args, context, now, spent, roles, scopes, steps: Request(
        tool="payments.refund",
        args=args,
        context=context,
        principal=Principal(id="bot", roles=roles, scopes=scopes),
        now=now,
        spent=spent,
        session=steps,
        able=frozenset(["redact", "retain"]),
    ),
    st.fixed_dictionaries({}, optional=ARGS),
    st.fixed_dictionaries(
        {},
        optional={
            "customer_tier": st.sampled_from(["a", "b", "c", "d", "", None, 7]),
            "change_ticket": st.sampled_from(["C", " ", True]),
            "sandbox": st.booleans(),
        },
    ),
    st.sampled_from([NOON, NOON.replace(hour=9), NOON.replace(day=22), None]),
    st.dictionaries(
        st.sampled_from([f"p0.yaml#payments.refund/{i}" for i in range(1, 7)]),
        st.sampled_from([Decimal(0), Decimal(1), Decimal(60)]),
    ),
    st.sampled_from([(), ("support",), ("boss", "support"), ("x",)]),
    st.sampled_from([(), ("pay",), ("pay", "more")]),
    st.sampled_from([{}, {"steps": 3}, {"steps": 4}]),
)


def refund(tier: int | None = 3, **fields: Any) -> Contract:
    """The contract of the tool in these policies."""
    properties: dict[str, Any] = {name: {} for name in ARGS}
    schema = {"type": "object", "properties": properties, **fields}
    return Contract(name="payments.refund", tier=tier, effect="write", parameters=schema)
