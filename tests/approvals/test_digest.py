"""What an approval is bound to."""

from __future__ import annotations

import copy
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_agentops.approvals.action import Action, same_person

from .desks import refund

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ARGS = st.dictionaries(st.text(min_size=1), VALUES, max_size=4)


@pytest.mark.parametrize(
    "change",
    [
        {"tool": "payments.refunds"},
        {"tool": "payments.r\u0435fund"},
        {"rule": "refunds/4"},
        {"rule": None},
        {"trial": "refunds/big#2"},
        {"principal": {"id": "support-bot", "on_behalf_of": "user:mallory"}},
        {"principal": {}},
        {"under": {"policy": "sha256:000000000001"}},
        {"under": {"contract": "sha256:000000000001"}},
        {"more": {"change_ticket": "C-1"}},
    ],
)
def test_every_part_is_bound(change: dict[str, Any]) -> None:
    assert replace(refund(), **change).digest != refund().digest


@pytest.mark.parametrize(
    "args",
    [
        {"amount_usd": 121},
        {"amount_usd": "120"},
        {"amount_usd": True},
        {"amount_usd": None},
        {"amount_usd": [120]},
        {"extra": None},
        {"order_id": "W-1 "},
        {"order_id": "w-1"},
    ],
)
def test_every_argument_is_bound(args: dict[str, Any]) -> None:
    assert refund(**args).digest != refund().digest


def test_true_is_not_one() -> None:
    assert refund(amount_usd=1).digest != refund(amount_usd=True).digest


@pytest.mark.parametrize("amount", [120.0, Decimal("120.00"), Decimal("120")])
def test_one_number_in_two_spellings_is_one_call(amount: object) -> None:
    assert refund(amount_usd=amount).digest == refund().digest


def test_long_numbers_keep_their_digits() -> None:
    assert (
        refund(amount_usd=Decimal("0.1234567890123456789")).digest != refund(amount_usd=Decimal("0.1234567890123456788")).digest
    )


def test_two_spellings_of_a_name_are_two_calls() -> None:
    assert refund(to="caf\u00e9").digest != refund(to="cafe\u0301").digest
    both = Action(tool="t", args={"caf\u00e9": 1, "cafe\u0301": 2})
    assert both.digest != Action(tool="t", args={"caf\u00e9": 1}).digest


def test_a_lone_surrogate_breaks_nothing() -> None:
    assert refund(order_id="\ud800").digest != refund(order_id="\\ud800").digest


def test_the_order_of_keys_does_not_count() -> None:
    action = refund()
    assert replace(action, args=dict(reversed(action.args.items()))).digest == action.digest


def test_a_change_in_place_is_seen() -> None:
    action = refund(items=[{"sku": "a"}])
    before = action.digest
    action.args["items"][0]["sku"] = "b"
    assert action.digest != before


@settings(max_examples=150, deadline=None)
@given(one=ARGS, other=ARGS)
def test_equal_digests_mean_equal_arguments(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = Action(tool="t", args=one), Action(tool="t", args=other)
    assert first.digest == Action(tool="t", args=copy.deepcopy(one)).digest
    if first.digest == second.digest:
        assert one == other


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("alice", "Alice ", True),
        ("alice", "user:alice", True),
        ("\uff41lice", "alice", True),
        ("STRASSE", "straße", True),
        ("alice", "bob", False),
        ("alice", "alice2", False),
    ],
)
def test_who_may_be_one_person(one: str, other: str, same: bool) -> None:
    assert same_person(one, other) is same
