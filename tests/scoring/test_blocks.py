from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_agentops.schema.call import Call, ErrorInfo
from pytest_agentops.schema.governed import BlockedCall
from pytest_agentops.schema.run import Run
from pytest_agentops.scoring.blocks import count_unexpected, matched, unexpected


def stopped(tool: str = "pay", reason: Any = "rule", rule: str | None = "p/1", **args: Any) -> Call:
    return Call(tool=tool, args=args, decision="deny", reason=reason, rule=rule, error=ErrorInfo(type=reason))


names = st.sampled_from(["a", "b", "c", "*"])
calls_of = st.lists(st.builds(lambda t, n: stopped(t, n=n), st.sampled_from(["a", "b", "c"]), st.integers(0, 2)), max_size=5)
entries_of = st.lists(
    st.one_of(names, st.builds(lambda t, n: BlockedCall(tool=t, args=None if n == 3 else {"n": n}), names, st.integers(0, 3))),
    max_size=5,
)


@given(entries_of, calls_of)
@settings(max_examples=150, deadline=None)
def test_as_many_entries_as_can_be_matched_at_once(entries: list[Any], calls: list[Call]) -> None:
    pairs = matched(entries, calls)
    assert len(set(pairs.values())) == len(pairs), "each call is for one entry"
    fits = [[bool(matched([entry], [call])) for call in calls] for entry in entries]
    assert all(fits[entry][call] for entry, call in pairs.items())
    places = [*range(len(calls)), *[None] * len(entries)]
    best = max(
        sum(call is not None and fits[entry][call] for entry, call in enumerate(way))
        for way in set(permutations(places, len(entries)))
    ) if len(places) <= 7 else len(pairs)  # fmt: skip
    assert len(pairs) == best


def test_a_general_entry_leaves_the_special_call_to_the_special_entry() -> None:
    calls = [stopped("pay", n=1), stopped("pay", n=2)]
    entries = ["pay", BlockedCall(tool="pay", args={"n": 1})]
    assert matched(entries, calls) == {0: 1, 1: 0}
    assert unexpected(calls, entries) == []


def test_reasons_and_rules() -> None:
    call = stopped("pay", "limit", "p/3")
    assert matched([BlockedCall(tool="pay", reason="limit", rule="p/3")], [call]) == {0: 0}
    assert matched([BlockedCall(tool="pay", reason="rule")], [call]) == {}
    assert matched([BlockedCall(tool="pay", rule="p/1")], [call]) == {}
    assert matched([BlockedCall(tool="p*", args={"n": {"$gt": 1}})], [stopped("pay", n=1)]) == {}


def test_only_what_a_policy_denied_can_be_unexpected() -> None:
    calls = [
        stopped("pay"),
        stopped("pay", "budget_exceeded"),
        stopped("pay", "audit_unavailable"),
        Call(tool="pay", args={}, decision="rejected", reason="approval_rejected"),
        Call(tool="pay", args={}, decision="invalid", reason="schema_invalid"),
        Call(tool="pay", args={}, source="replay", reason="rule"),
    ]
    assert unexpected(calls, []) == calls[:1]


@pytest.mark.parametrize(
    ("expect", "outcome", "left"),
    [
        (None, "completed", 2),
        ({}, "completed", 2),
        ({"policy": {"blocked": ["pay"]}}, "completed", 1),
        ({"policy": {"blocked": ["pay", "pay", "pay"]}}, "completed", 0),
        ({"policy": {"blocks": 2}}, "completed", 0),
        ({"policy": {"blocks": {"min": 1}}}, "completed", 0),
        ({"policy": {"blocks": 1}}, "completed", 2),
        ({"policy": {"blocks": 0}}, "completed", 2),
        ({"outcome": "blocked"}, "blocked", 1),
        ({"outcome": "blocked"}, "completed", 2),
        ({"outcome": "blocked", "policy": {"blocked": ["pay"]}}, "blocked", 0),
        ({"any": [{"outcome": "completed"}, {"policy": {"blocks": 2}}]}, "completed", 0),
        ({"any": [{"any": [{"policy": {"blocked": ["pay"]}}]}]}, "completed", 1),
    ],
)
def test_what_a_case_speaks_of_is_expected(expect: Any, outcome: Any, left: int, make_case: Any) -> None:
    case = make_case(**({} if expect is None else {"expect": expect}))
    assert count_unexpected(Run(calls=[stopped(), stopped()], outcome=outcome), case) == left


def test_a_run_without_blocks_has_none_unexpected(make_case: Any) -> None:
    assert count_unexpected(Run(calls=[]), make_case(expect={"policy": {"blocks": 1}})) == 0
