"""Which values an attribute can have: what the tool's schema lets through, never less."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from pytest_agentops.policy import possible
from pytest_agentops.policy.attributes import Kind
from pytest_agentops.policy.binding import bind
from pytest_agentops.policy.domain import MISSING, Candidate, Wants, pool
from pytest_agentops.policy.regions import builder_for, regions, request_at
from pytest_agentops.policy.table import Table, each
from pytest_agentops.schema.contract import Contract

from .conftest import policies_of, rules


def tool(schema: Any, *required: str, defs: Any = None, **fields: Any) -> Contract:
    parameters = {"type": "object", "properties": {"x": schema}, "required": list(required), "$defs": defs or {}}
    return Contract(name="payments.refund", tier=2, parameters=parameters, **fields)


def values(contract: Contract, path: tuple[str, ...] = ("args", "x")) -> list[Any]:
    found = pool(possible.widened(contract, path, Wants())).candidates
    return [c.value for c in found if possible.may_be(contract, path, c)]


def sorts(contract: Contract, path: tuple[str, ...] = ("args", "x")) -> set[str]:
    return {"missing" if v is MISSING else type(v).__name__ for v in values(contract, path)}


@pytest.mark.parametrize(
    ("schema", "wanted"),
    [
        ({"type": "string"}, {"str"}),
        ({"type": ["string", "null"]}, {"str", "NoneType"}),
        ({"type": "boolean"}, {"bool"}),
        ({"type": "integer"}, {"int"}),
        ({"type": "what"}, {"str", "int", "float", "bool", "list", "dict", "NoneType"}),
        ({"anyOf": [{"type": "boolean"}, {"type": "array"}]}, {"bool", "list"}),
        ({"allOf": [{"type": ["string", "boolean"]}, {"type": ["boolean", "null"]}]}, {"bool"}),
        ({"$ref": "#/$defs/kind"}, {"str"}),
        ({"$ref": "#/$defs/nowhere"}, {"str", "int", "bool", "list", "dict", "NoneType"}),
        (False, set()),
        (True, {"str", "int", "bool", "list", "dict", "NoneType"}),
    ],
)
def test_types(schema: Any, wanted: set[str]) -> None:
    assert sorts(tool(schema, "x", defs={"kind": {"type": "string"}})) <= wanted | {"float"}
    assert bool(wanted) == bool(sorts(tool(schema, "x")))


def test_values_and_bounds_are_cut_at() -> None:
    assert values(tool({"enum": ["a", 3]}, "x")) == [3, "a"]
    assert values(tool({"const": "a"}, "x")) == ["a"]
    low = [v for v in values(tool({"type": "number", "minimum": 10, "exclusiveMaximum": 20}, "x")) if v != 10**1_100]
    assert low == [10, 11]
    assert min(v for v in values(tool({"type": "number", "exclusiveMinimum": 0}, "x"))) > 0


def test_whole_values_of_an_enum_are_tried() -> None:
    long = "\u00e9" * 70
    named = [["a", "b"], [1], {"k": 1}, long, None, True]
    assert sorted(map(repr, values(tool({"enum": named}, "x")))) == sorted(map(repr, named))
    assert values(tool({"type": "array", "const": ["a", "b"]}, "x")) == [["a", "b"]]
    assert [1] in values(tool({"anyOf": [{"type": "array", "enum": [[1]]}, {"type": "string"}]}, "x"))


def test_what_a_session_used_up_is_never_below_nothing() -> None:
    wants = possible.widened(tool({}), ("session", "steps"), Wants(numbers={Decimal(-5)}))
    found = [c for c in pool(wants).candidates if possible.may_be(tool({}), ("session", "steps"), c)]
    assert [c.value for c in found if c.sort == "number"] == [0, 1]


def test_an_attribute_that_can_have_no_value_is_partial_and_no_empty_table() -> None:
    contract = tool({"type": "string", "enum": [["a"]]}, "x")
    found = bind(policies_of(rules('{if: "exists(args.x)", deny: true}')), {contract.name: contract}).tools[contract.name]
    table = builder_for([found]).build()
    assert isinstance(table, Table)
    assert table.size > 0
    assert "no value was found that args.x may have" in table.partial[0]


def test_what_may_be_missing() -> None:
    assert MISSING in values(tool({"type": "string"}))
    assert MISSING not in values(tool({"type": "string"}, "x"))
    assert MISSING in values(tool({}), ("args", "other"))
    assert MISSING in values(Contract(name="t", open=True), ("args", "x"))
    inner = tool({"type": "object", "properties": {"y": {"type": "boolean"}}, "required": ["y"]}, "x")
    assert set(map(str, values(inner, ("args", "x", "y")))) == {"True", "False"}


def test_principals_sessions_and_scopes() -> None:
    made = tool({}, scopes=("pay",))
    assert sorts(made, ("principal", "id")) == {"missing", "str"}
    assert sorts(made, ("principal", "roles")) == {"list"}
    for items in ({}, {"s": (Kind.TEXT, "pay")}, {"m": (Kind.TEXT, "more")}):
        every = pool(possible.widened(made, ("principal", "scopes"), Wants(items=dict(items)))).candidates
        lists = [c.value for c in every if possible.may_be(made, ("principal", "scopes"), c)]
        assert ["pay"] in lists
        assert all("pay" in v for v in lists if isinstance(v, list))
        assert any("more" in v for v in lists if isinstance(v, list)) == ("m" in items)
    assert not possible.may_be(made, ("session", "steps"), Candidate("number", -1))
    assert possible.may_be(made, ("context", "x"), Candidate("mapping", {}))


def test_an_attribute_and_what_is_inside_of_it() -> None:
    text = rules('{if: "exists(context.a) and context.a.b == 1", deny: true}', "{require_approval: m}", more="tier: 2")
    contract = tool({})
    policies = bind(policies_of(text), {contract.name: contract})
    found = policies.tools[contract.name]
    builder = builder_for([found])
    table = builder.build()
    assert isinstance(table, Table)
    assert any("what is inside of it" in why for why in table.partial)
    calls = [request_at(table, cell, found) for cell in each(table.all)]
    assert any(call is None for call in calls)  # b without a
    assert {region.decision.verdict for region in regions(table, found, policies)} == {"require_approval", "deny"}
