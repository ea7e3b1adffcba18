"""Contracts from YAML, JSON Schema and code, and what YAML may do to code."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from pytest_agentops.errors import LoadError
from pytest_agentops.schema.case import AnswerSpec, ContractSpec, ErrorSpec, MatchRules
from pytest_agentops.schema.contract import Contract
from pytest_agentops.tools.arguments import canned, check
from pytest_agentops.tools.contracts import from_function, from_json, from_openai_tool, from_spec, open_contract, tighten
from pytest_agentops.tools.tool import tool

QUERY = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}


@tool("payments.refund", effect="write", tier=2, sensitive=["card"])
def refund(order_id: str, amount_usd: Decimal) -> None:
    """Pay back."""


def test_a_tool_from_yaml():
    spec = ContractSpec(
        description="Search.",
        parameters=QUERY,
        effect="read",
        tier=0,
        cost_usd="0.02",
        scopes=("crm:read",),
        match=MatchRules(ignore=("trace",)),
        resource="crm",
    )
    contract = from_spec("crm.search", spec, "cases/crm.yaml")
    assert contract == Contract(
        name="crm.search",
        description="Search.",
        parameters=QUERY,
        effect="read",
        tier=0,
        cost_usd=Decimal("0.02"),
        scopes=("crm:read",),
        ignore=("trace",),
        resource="crm",
        where="cases/crm.yaml",
    )
    assert not contract.open


def test_a_tool_from_yaml_without_parameters_takes_anything():
    contract = from_spec("crm.search", ContractSpec(effect="read"))
    assert contract.open
    assert check(contract, {"what": ["ever"]}) == []


def answers(*specs: AnswerSpec) -> Contract:
    return from_spec("crm.search", ContractSpec(parameters=QUERY, answers=specs))


def test_the_first_answer_that_fits_is_given():
    contract = answers(
        AnswerSpec(args={"query": "ann"}, result=[{"id": "C-17"}]),
        AnswerSpec(args={"query": {"$matches": "^b"}, "limit": {"$le": 5}}, result="few"),
        AnswerSpec(args={"query": {"$in": ["slow", "late"]}}, error=ErrorSpec(type="timeout", retryable=True)),
        AnswerSpec(result=[]),
        AnswerSpec(result="never"),
    )

    def given(**args: Any) -> Any:
        answer = canned(contract, args)
        assert answer is not None
        return answer.error or answer.result

    assert given(query="ann", limit=3) == [{"id": "C-17"}]
    assert given(query="bob", limit=5) == "few"
    assert given(query="bob", limit=6) == []
    assert given(query="late") == {"type": "timeout", "message": "", "retryable": True}
    assert given(query="cid") == []


def test_no_answer_fits():
    assert canned(answers(AnswerSpec(args={"query": "ann"}, result=1)), {"query": "bob"}) is None
    assert canned(from_spec("x", ContractSpec(answers=())), {}) is None
    assert canned(from_spec("x", ContractSpec()), {}) is None


def test_a_null_result_is_an_answer():
    answer = canned(answers(AnswerSpec(result=None)), {"query": "x"})
    assert answer is not None
    assert answer.result is None
    assert answer.error is None


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            ContractSpec(parameters={"type": "objct"}),
            's.yaml: x: its `parameters` are no JSON Schema: $.type: "objct" is not valid',
        ),
        (ContractSpec(returns={"$ref": "#/no"}), "s.yaml: x: its `returns` are no JSON Schema: Pointer '/no' does not exist"),
        (ContractSpec(parameters={"type": "string"}), "s.yaml: x: its `parameters` must describe a mapping; write {type: object"),
        (ContractSpec(cost_usd="free"), "x: cost_usd 'free' is no price"),
        (
            ContractSpec(parameters={**QUERY, "additionalProperties": False}, idempotency_key="key"),
            "x: idempotency_key 'key' is none of its arguments (query)",
        ),
    ],
)
def test_mistakes_in_yaml(spec: ContractSpec, message: str):
    with pytest.raises(LoadError) as error:
        from_spec("x", spec, "s.yaml")
    assert str(error.value).startswith(message)


def test_yaml_overrides_the_fields_it_names():
    before = from_function(refund)
    after = tighten(before, ContractSpec(effect="irreversible", tier=4, scopes=("pay",), cost_usd=0.5, sensitive=("iban",)))
    assert (after.effect, after.tier, after.scopes, after.cost_usd, after.sensitive) == (
        "irreversible",
        4,
        ("pay",),
        Decimal("0.5"),
        ("iban",),
    )
    assert (after.parameters, after.description, after.name) == (before.parameters, "Pay back.", "payments.refund")
    assert tighten(before, ContractSpec()) == before
    assert tighten(before, ContractSpec(effect="write", tier=2)) == before


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            ContractSpec(effect="read"),
            "s.yaml: contracts.payments.refund.effect: read is looser than the code's write; expected one of write, "
            "irreversible; change it in the code, where the tool is written",
        ),
        (
            ContractSpec(tier=1),
            "s.yaml: contracts.payments.refund.tier: 1 is looser than the code's 2; expected 2 to 4; "
            "change it in the code, where the tool is written",
        ),
        (
            ContractSpec(answers=(AnswerSpec(result=1),)),
            "s.yaml: contracts.payments.refund.answers: this tool has code, canned answers would never be true to it; "
            "remove `answers`, or leave the tool out of `tools` to have it answered from YAML",
        ),
    ],
)
def test_yaml_never_loosens(spec: ContractSpec, message: str):
    with pytest.raises(LoadError) as error:
        tighten(from_function(refund), spec, "s.yaml")
    assert str(error.value) == message


def test_yaml_may_be_the_first_to_declare():
    after = tighten(from_function(lambda a: None, name="x"), ContractSpec(effect="read", tier=0))
    assert (after.effect, after.tier) == ("read", 0)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "function", "function": {"name": "search", "description": "Find.", "parameters": QUERY, "strict": True}},
        {"name": "search", "description": "Find.", "parameters": QUERY},
        {"name": "search", "description": "Find.", "input_schema": QUERY},
        {"name": "search", "description": "Find.", "inputSchema": QUERY, "annotations": {"readOnlyHint": True}},
    ],
)
def test_function_schemas_of_apis_and_mcp(schema: dict[str, Any]):
    contract = from_openai_tool(schema)
    assert (contract.name, contract.description, contract.parameters) == ("search", "Find.", QUERY)
    assert contract.effect is None, "what a server says of itself is no promise"
    assert not contract.open


@pytest.mark.parametrize("schema", [{}, {"function": 3}, {"name": 3}])
def test_what_is_no_function_schema(schema: Any):
    with pytest.raises(LoadError, match="no function schema"):
        from_openai_tool(schema)


def test_json_schema_with_the_decorators_words():
    contract = from_json("a.b", QUERY, effect="read", scopes="x:y")
    assert (contract.effect, contract.scopes, contract.open) == ("read", ("x:y",), False)
    assert open_contract("a.b").open
    assert open_contract("a.b").writes
