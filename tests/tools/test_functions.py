"""Tools as plain callables: what frameworks read of a function."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import typing
from decimal import Decimal
from typing import Annotated, Any

import pydantic
import pytest

from pytest_agentops.schema.contract import Contract
from pytest_agentops.schema.values import jsonable
from pytest_agentops.tools.tool import tool
from pytest_agentops.tools.toolbox import Toolbox


@dataclasses.dataclass
class Line:
    sku: str


@tool("shop.refund")
def refund(  # noqa: D417
    order_id: str, amount: Annotated[Decimal, pydantic.Field(ge=0)], line: Line | None = None, *, fast: bool = False
) -> Line:
    """Pay back.

    Args:
        order_id: Which.
    """
    raise NotImplementedError


@tool("shop.wait", description="Wait.")
async def wait(seconds: float) -> None:
    """Not this."""


class Caller:
    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, Any]]] = []

    def call(self, name: str, args: dict[str, Any]) -> Any:
        self.seen.append((name, jsonable(args)))
        return "called"

    async def acall(self, name: str, args: dict[str, Any]) -> Any:
        self.seen.append((name, jsonable(args)))
        return "awaited"


@pytest.fixture
def caller() -> Caller:
    return Caller()


def test_the_face_of_a_function(caller: Caller):
    function = Toolbox([refund]).bind(caller).functions()["shop.refund"]
    assert function.__name__ == function.__qualname__ == "shop__refund"
    assert function.__module__ == __name__
    assert function.__doc__ == "Pay back.\n\nArgs:\n    order_id: Which."
    assert not inspect.iscoroutinefunction(function)
    signature = inspect.signature(function)
    assert list(signature.parameters) == ["order_id", "amount", "line", "fast"]
    assert signature.parameters["fast"].kind is inspect.Parameter.KEYWORD_ONLY
    assert signature.parameters["fast"].default is False
    assert signature.return_annotation is Any, "agents get JSON, whatever the function itself gives"
    hints = typing.get_type_hints(function, include_extras=True)
    assert hints["order_id"] is str
    assert hints["amount"].__origin__ is Decimal
    assert hints["amount"].__metadata__[0].metadata[0].ge == 0
    assert hints["line"] == Line | None
    assert function.schema["function"]["name"] == "shop__refund"  # type: ignore[attr-defined]


def test_calls_pass_the_guard(caller: Caller):
    function = Toolbox([refund]).bind(caller).functions()["shop.refund"]
    assert function("W-1", Decimal("0.50"), line=Line("abc")) == "called"
    assert caller.seen == [("shop.refund", {"order_id": "W-1", "amount": 0.5, "line": {"sku": "abc"}})]
    with pytest.raises(TypeError, match="missing a required argument: 'amount'"):
        function("W-1")


def test_async_tools_stay_async(caller: Caller):
    function = Toolbox([wait]).bind(caller).functions()["shop.wait"]
    assert inspect.iscoroutinefunction(function)
    assert asyncio.run(function(1.5)) == "awaited"
    assert caller.seen == [("shop.wait", {"seconds": 1.5})]
    assert function.__doc__ == "Wait."


SCHEMA = {
    "type": "object",
    "properties": {
        "query": {"type": "string", "description": "What to look for."},
        "limit": {"type": "integer", "default": 10},
        "tags": {"type": "array", "items": {"type": "string"}},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "since": {"$ref": "#/$defs/Day"},
    },
    "required": ["query"],
    "$defs": {"Day": {"type": "string"}},
}


def test_a_signature_from_a_schema(caller: Caller):
    box = Toolbox.declared([Contract(name="crm.search", description="Search.", parameters=SCHEMA)]).bind(caller)
    function = box.functions()["crm.search"]
    assert str(inspect.signature(function)).startswith("(*, query: str, limit: int = 10, tags: ")
    assert typing.get_type_hints(function)["tags"] == list[Any] | None
    assert function.__doc__ == "Search.\n\nArgs:\n    query: What to look for."
    function(query="ann", tags=None, note=None, since=None)
    function(query="ann", tags=["a"])
    assert caller.seen == [("crm.search", {"query": "ann", "note": None}), ("crm.search", {"query": "ann", "tags": ["a"]})]


def test_names_that_python_cannot_write(caller: Caller):
    schema = {"type": "object", "properties": {"from": {"type": "string"}, "x-y": {}, "arguments": {}}}
    function = Toolbox.declared([Contract(name="mail", parameters=schema)]).bind(caller).functions()["mail"]
    assert str(inspect.signature(function)) == "(*, arguments: Any = None, **arguments_: Any) -> Any"
    function(**{"from": "ann", "x-y": 1, "arguments": 2})
    assert caller.seen == [("mail", {"arguments": 2, "from": "ann", "x-y": 1})]


def test_an_open_tool_takes_anything(caller: Caller):
    function = Toolbox.declared([Contract(name="x", open=True)]).bind(caller).functions()["x"]
    function(a=1, arguments={"b": 2})
    assert caller.seen == [("x", {"a": 1, "arguments": {"b": 2}})]


def test_pydantic_reads_the_function(caller: Caller):
    """Frameworks build their schemas from signature and hints, most of them through pydantic."""
    function = Toolbox([refund]).bind(caller).functions()["shop.refund"]
    schema = pydantic.TypeAdapter(function).json_schema()
    assert schema["required"] == ["order_id", "amount"]
    assert pydantic.validate_call(function)(order_id="W-1", amount="1.5", line={"sku": "abc"}) == "called"
    assert caller.seen == [("shop.refund", {"order_id": "W-1", "amount": 1.5, "line": {"sku": "abc"}, "fast": False})]
