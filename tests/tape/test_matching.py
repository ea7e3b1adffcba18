"""Which calls are equal."""

from __future__ import annotations

import pytest

from pytest_agentops.schema.contract import Contract
from pytest_agentops.tape.matching import key

Args = dict[str, object]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"order_id": "W", "amount_usd": 1}, {"amount_usd": 1.0, "order_id": "W"}),
        ({"order_id": "W", "amount_usd": 1}, {"order_id": "W", "amount_usd": 1, "currency": "USD", "note": None}),
        ({"order_id": "W", "amount_usd": 1, "idempotency_key": "a"}, {"order_id": "W", "amount_usd": 1}),
        ({"order_id": "caf\u00e9", "amount_usd": 1}, {"order_id": "cafe\u0301", "amount_usd": 1}),
    ],
)
def test_equal_in_the_first_tier(one: Args, other: Args, contracts: dict[str, Contract]) -> None:
    assert key(contracts["payments.refund"], one) == key(contracts["payments.refund"], other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"date": "2026-12-31"}, {"date": "2026-01-05"}),
        ({"created": 1}, {"created": 2}),
        ({"x": "30"}, {"x": 30}),
        ({"x": True}, {"x": 1}),
        ({"x": [1, 2]}, {"x": [2, 1]}),
        ({"x": "A"}, {"x": "a"}),
        ({"x": "a b"}, {"x": "a  b"}),
        ({"x": None}, {}),
    ],
)
@pytest.mark.parametrize("normalised", [False, True])
def test_no_field_is_ignored_for_its_name(one: Args, other: Args, normalised: bool) -> None:
    contract = Contract(name="book")
    assert key(contract, one, normalised=normalised) != key(contract, other, normalised=normalised)


def test_the_second_tier_forgives_blanks(contracts: dict[str, Contract]) -> None:
    one, other = {"order_id": " W-1\n"}, {"order_id": "W-1"}
    assert key(contracts["orders.get"], one) != key(contracts["orders.get"], other)
    assert key(contracts["orders.get"], one, normalised=True) == key(contracts["orders.get"], other, normalised=True)


def test_the_second_tier_forgives_a_null_that_is_the_default_in_a_list() -> None:
    item = {"type": "object", "properties": {"note": {"default": None}, "size": {}}}
    contract = Contract(name="t", parameters={"type": "object", "properties": {"items": {"type": "array", "items": item}}})
    bare, explicit, other = {"items": [{}]}, {"items": [{"note": None}]}, {"items": [{"size": None}]}
    assert key(contract, bare, normalised=True) == key(contract, explicit, normalised=True)
    assert key(contract, bare, normalised=True) != key(contract, other, normalised=True)


def test_declared_fields_do_not_count() -> None:
    contract = Contract(name="t", ignore=("trace", "$.meta.id"))
    assert key(contract, {"a": 1, "trace": "x", "meta": {"id": 1}}) == key(contract, {"a": 1, "trace": "y", "meta": {"id": 2}})
    assert key(contract, {"a": {"trace": 1}}) != key(contract, {"a": {"trace": 2}})


def test_two_tools_have_two_keys() -> None:
    assert key(Contract(name="a"), {}) != key(Contract(name="b"), {})


def test_volatile_values_are_folded() -> None:
    assert key(Contract(name="t"), {"k": "real"}, lambda value: {"k": "<<uuid:1>>"}) == key(
        Contract(name="t"), {"k": "<<uuid:1>>"}
    )
