"""Fields that duties name: whether a tool can have them, by its schemas."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_agentops.policy.fields import may_have, meant, names

from .conftest import contract

ARGS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "amount_usd": {"type": "number"},
        "payer": {"$ref": "#/$defs/Payer"},
        "lines": {"type": "array", "items": {"type": "object", "properties": {"price": {"type": "number"}}}},
        "extra": {"type": "object"},
        "by_name": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Payer"}},
    },
    "$defs": {
        "Payer": {"anyOf": [{"type": "null"}, {"type": "object", "properties": {"iban": {}, "boss": {"$ref": "#/$defs/Payer"}}}]}
    },
}
RETURNS = {"type": "object", "properties": {"receipt": {"type": "object", "properties": {"card.no": {}}}}}
CLOSED = {**ARGS, "properties": {key: inner for key, inner in ARGS["properties"].items() if key not in ("extra", "by_name")}}


@pytest.mark.parametrize(
    ("field", "there"),
    [
        ("iban", True),
        ("price", True),
        ("card.no", True),
        ("payer.iban", False),
        ("ibn", False),
        ("$.payer.iban", True),
        ("$.payer.boss.iban", True),
        ("$.iban", False),
        ("$.lines[0].price", True),
        ("$.lines[*].prize", False),
        ("$.*.iban", True),
        ("$.receipt['card.no']", True),
        ("$", True),
    ],
)
def test_what_a_tool_can_have(field: str, there: bool) -> None:
    assert may_have(contract(parameters=CLOSED, returns=RETURNS), field) is there


@pytest.mark.parametrize("field", ["ibn", "$.extra.ibn", "$.by_name.ann.iban", "$.by_name['a b'].iban"])
def test_an_object_of_which_nothing_is_said_may_have_any_key(field: str) -> None:
    assert may_have(contract(parameters=ARGS), field)


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ("payer.iban", "$.payer.iban"),
        ("lines.price", "$.lines[*].price"),
        ("receipt.card.no", None),
        ("card.no", None),
        ("iban", None),
        ("no.such", None),
        ("$.payer.iban", None),
    ],
)
def test_what_a_name_with_dots_was_meant_as(field: str, path: str | None) -> None:
    assert meant(contract(parameters=CLOSED, returns=RETURNS), field) == path


def test_all_names_of_a_schema_that_holds_itself() -> None:
    assert names(contract(parameters=ARGS))[:5] == ["amount_usd", "payer", "iban", "boss", "lines"]
