"""The toolbox: names, calls, wire names, state, and where it comes from."""

from __future__ import annotations

import asyncio
import types
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from pytest_agentops.errors import AgentOpsError, BudgetExceeded, CassetteMiss, LoadError, ToolBlocked, ToolFailed
from pytest_agentops.schema.call import ErrorInfo
from pytest_agentops.schema.case import AnswerSpec, ContractSpec
from pytest_agentops.schema.contract import Contract
from pytest_agentops.tools.arguments import ainvoke, invoke
from pytest_agentops.tools.offer import offer, offered
from pytest_agentops.tools.tool import Tool, tool
from pytest_agentops.tools.toolbox import Toolbox


@tool("orders.get", effect="read", tier=0)
def get_order(order_id: str) -> dict[str, Any]:
    """Look up."""
    return {"id": order_id}


@tool("payments.refund", effect="write", tier=2)
def refund(order_id: str, amount_usd: Decimal) -> str:
    """Pay back."""
    return f"{order_id} {amount_usd}"


class Caller:
    """Keeps what it was asked; raises what it was given."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.seen: list[tuple[str, dict[str, Any]]] = []

    def call(self, name: str, args: dict[str, Any]) -> Any:
        self.seen.append((name, args))
        if self.error:
            raise self.error
        return {"ok": name}

    async def acall(self, name: str, args: dict[str, Any]) -> Any:
        return self.call(name, args)


def test_calls_go_to_the_caller():
    caller = Caller()
    box = Toolbox([get_order, refund])
    bound = box.bind(caller)
    assert bound.call("orders.get", order_id="W-1", name="a", self="b") == {"ok": "orders.get"}
    assert asyncio.run(bound.acall("payments__refund", order_id="W-1")) == {"ok": "payments.refund"}
    assert bound.attempt("nowhere", {"a": 1}).value == {"ok": "nowhere"}
    assert asyncio.run(bound.aattempt("orders.get")).ok
    assert caller.seen == [
        ("orders.get", {"order_id": "W-1", "name": "a", "self": "b"}),
        ("payments.refund", {"order_id": "W-1"}),
        ("nowhere", {"a": 1}),
        ("orders.get", {}),
    ]
    assert bound.caller is caller
    with pytest.raises(AgentOpsError, match="no case is running"):
        box.call("orders.get", order_id="W-1")
    with pytest.raises(AgentOpsError, match="no case is running"):
        box.attempt("orders.get")


def test_an_attempt_gives_errors_as_values():
    failed = ToolFailed(
        "504", tool="orders.get", reason="tool_failed", error=ErrorInfo(type="Timeout", message="504", retryable=True)
    )
    result = Toolbox([get_order]).bind(Caller(failed)).attempt("orders.get", {"order_id": "W-1"})
    assert not result.ok
    assert result.exception is failed
    assert result.error == {
        "tool": "orders.get",
        "reason": "tool_failed",
        "message": "504",
        "error": {"type": "Timeout", "message": "504", "retryable": True},
    }


@pytest.mark.parametrize(
    ("error", "reason"),
    [(BudgetExceeded("tool_calls", 1, 2), "budget_exceeded"), (CassetteMiss("no recording", data={}), "tool_failed")],
)
def test_an_attempt_never_raises_what_is_latched_anyway(error: Exception, reason: str):
    bound = Toolbox([get_order]).bind(Caller(error))
    for result in (bound.attempt("orders.get", {}), asyncio.run(bound.aattempt("orders.get", {}))):
        assert result.exception is error
        assert result.error == {"tool": "orders.get", "reason": reason, "message": str(error)}


def test_an_attempt_with_arguments_that_are_no_mapping():
    result = Toolbox([get_order]).bind(Caller()).attempt("orders.get", ["W-1"])  # type: ignore[arg-type]
    assert isinstance(result.exception, ToolBlocked)
    assert result.error is not None
    assert result.error["message"] == "orders.get: the arguments must be a mapping, found a list"


def test_a_bug_of_ours_is_not_swallowed():
    with pytest.raises(ZeroDivisionError):
        Toolbox([get_order]).bind(Caller(ZeroDivisionError())).attempt("orders.get")


def test_looking_at_a_toolbox():
    box = Toolbox([refund, get_order])
    assert box.names == ["payments.refund", "orders.get"]
    assert list(box) == box.names
    assert len(box) == 2
    assert "orders.get" in box
    assert box.contracts["orders.get"].description == "Look up."
    assert "nowhere" not in box.contracts
    assert list(box.contracts) == box.names
    assert box.tool("orders__get").function is get_order
    with pytest.raises(
        LoadError, match=r"no tool 'orders\.gte'; there are: payments\.refund, orders\.get; did you mean 'orders\.get'"
    ):
        box.tool("orders.gte")
    assert repr(box) == "Toolbox(payments.refund, orders.get)"


def test_openai_schemas_and_wire_names():
    schemas = Toolbox([get_order, Tool(contract=Contract(name="free/form:x", description="Any."))]).openai()
    assert schemas[0] == {
        "type": "function",
        "function": {
            "name": "orders__get",
            "description": "Look up.",
            "parameters": {
                "type": "object",
                "properties": {"order_id": {"type": "string"}},
                "required": ["order_id"],
                "additionalProperties": False,
            },
        },
    }
    assert schemas[1]["function"] == {
        "name": "free_form_x",
        "description": "Any.",
        "parameters": {"type": "object", "properties": {}},
    }


def test_wire_names_that_collide():
    with pytest.raises(LoadError) as error:
        Toolbox([tool("a.b")(lambda: None), tool("a__b")(lambda: None)])
    assert str(error.value) == "the tools 'a.b' and 'a__b' would both be 'a__b' to a model; rename one"
    with pytest.raises(LoadError, match="would both be"):
        Toolbox([tool("a.b")(lambda: None)]).with_contracts({"a__b": ContractSpec()})


def test_a_tool_that_is_named_like_another_ones_wire_name_wins_over_it():
    box = Toolbox([tool("a__b")(lambda: None)])
    assert box.resolve("a__b") == "a__b"
    assert box.resolve("other") == "other"


def test_names_that_occur_twice():
    with pytest.raises(
        LoadError, match=r"two tools are named 'orders\.get' \(tests/tools/test_toolbox\.py:\d+ and tests/tools/test_toolbox\.py"
    ):
        Toolbox.union([Toolbox([get_order]), Toolbox([get_order])])


def test_what_a_toolbox_is_not_made_of():
    with pytest.raises(LoadError, match=r"found a Toolbox; use Toolbox\.union"):
        Toolbox([Toolbox()])  # type: ignore[list-item]
    with pytest.raises(LoadError, match=r"found a str; use Toolbox\.of"):
        Toolbox(["orders.get"])  # type: ignore[list-item]


def test_binding_finds_a_tool_that_cannot_be_described():
    """In the agent's hands the error could be swallowed, and the case would be green."""
    with pytest.raises(LoadError, match=r"\*\*more has no schema"):
        Toolbox([tool("x")(lambda **more: None)]).bind(Caller())


def test_contracts_are_not_worked_out_to_know_the_names():
    box = Toolbox([tool("x")(lambda **more: None)])
    assert box.names == ["x"]
    assert "x" in box.contracts


# ---- YAML


def test_yaml_declares_and_tightens():
    box = Toolbox([get_order, refund]).with_contracts(
        {
            "payments.refund": ContractSpec(tier=4),
            "crm.search": ContractSpec(effect="read", answers=(AnswerSpec(result=[]),)),
        },
        where="cases/x.yaml",
    )
    assert box.names == ["orders.get", "payments.refund", "crm.search"]
    assert box.contracts["payments.refund"].tier == 4
    assert box.contracts["orders.get"].tier == 0
    assert box.tool("payments.refund").function is refund
    assert box.tool("crm.search").function is None
    assert box.contracts["crm.search"].where == "cases/x.yaml"
    with pytest.raises(LoadError, match="looser"):
        box.with_contracts({"payments.refund": ContractSpec(tier=3), "orders.get": ContractSpec(effect="read")}).bind(Caller())


def test_loosening_is_refused_before_any_contract_is_looked_at():
    with pytest.raises(LoadError, match=r"cases/x\.yaml: contracts\.payments\.refund\.effect: read is looser"):
        Toolbox([refund]).with_contracts({"payments.refund": ContractSpec(effect="read")}, where="cases/x.yaml")


def test_tools_of_yaml_cannot_be_called():
    with pytest.raises(LoadError, match="declared without code"):
        invoke(Toolbox.declared([Contract(name="x")]).tool("x"), {})
    assert Toolbox.declared({"x": Contract(name="x")}).names == ["x"]


def test_tools_that_something_else_runs():
    schemas = [
        {"name": "search", "inputSchema": {"type": "object", "properties": {"name": {"type": "string"}}}},
        {"name": "list"},
    ]
    box = Toolbox.from_json(schemas, lambda name, args: [name, args])
    assert invoke(box.tool("search"), {"name": "x", "1": 2}) == ["search", {"name": "x", "1": 2}]
    assert box.with_contracts({"list": ContractSpec(effect="read")}).contracts["list"].effect == "read"

    async def call(name: str, args: dict[str, Any]) -> Any:
        return name, args

    remote = Toolbox.from_json(schemas, call).tool("list")
    assert remote.is_async
    assert asyncio.run(ainvoke(remote, {"a": 1})) == ("list", {"a": 1})  # type: ignore[arg-type]


# ---- objects and state


class Base:
    def __init__(self) -> None:
        self.orders = {"W-1": {"total": Decimal("0.1")}}

    @tool("orders.list", effect="read")
    def list_orders(self) -> list[str]:
        return list(self.orders)

    def helper(self) -> None: ...


class Shop(Base):
    @tool("orders.cancel", effect="write")
    def cancel(self, order_id: str) -> str:
        del self.orders[order_id]
        return order_id

    def state(self) -> dict[str, Any]:
        return {"orders": self.orders}


def test_an_object_with_decorated_methods():
    shop = Shop()
    box = Toolbox.of(shop)
    assert box.names == ["orders.list", "orders.cancel"]
    before = box.snapshot()
    assert invoke(box.tool("orders.cancel"), {"order_id": "W-1"}) == "W-1"
    assert before == {"orders": {"W-1": {"total": 0.1}}}, "a snapshot is a copy"
    assert box.snapshot() == {"orders": {}}
    assert box.has_state
    assert not Toolbox([get_order]).has_state
    assert Toolbox([get_order]).snapshot() is None


def test_an_overridden_method_is_the_later_one():
    class Other(Shop):
        @tool("orders.void")
        def cancel(self, order_id: str) -> str:
            return "void"

    assert Toolbox.of(Other()).names == ["orders.list", "orders.void"]


def test_a_module_with_tools():
    module = types.ModuleType("shop_tools")
    module.get_order, module.state, module.other = get_order, {"a": 1}, len  # type: ignore[attr-defined]
    assert Toolbox.of(module).names == ["orders.get"]
    assert Toolbox.of(module).snapshot() is None


def test_state_that_is_a_value():
    class Kept:
        state = {"a": 1}  # noqa: RUF012

        @tool
        def f(self) -> None: ...

    assert Toolbox.of(Kept()).snapshot() == {"a": 1}


def test_a_tool_called_state_is_a_tool():
    class Light:
        @tool
        def state(self) -> str:
            return "on"

    assert Toolbox.of(Light()).names == ["state"]
    assert Toolbox.of(Light()).snapshot() is None


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (lambda: {"a": {1, 2}}, r"the tools' state is no JSON: \$\.a: a set has no order"),
        (lambda: {}["x"], "the tools' state cannot be read: KeyError: 'x'"),
    ],
)
def test_states_that_cannot_be_read(state: Any, message: str):
    with pytest.raises(LoadError, match=message):
        Toolbox([], state=state).snapshot()


def test_states_that_are_none():
    async def state() -> None: ...

    with pytest.raises(LoadError, match="state must be a function without arguments; found a dict"):
        Toolbox([], state={})  # type: ignore[arg-type]
    with pytest.raises(LoadError, match="write `def`, not `async def`"):
        Toolbox([], state=state)


def test_states_are_joined():
    one, two = Toolbox([get_order], state=lambda: {"a": 1}), Toolbox([refund], state=lambda: {"b": 2})
    assert Toolbox.union([one, two]).snapshot() == {"a": 1, "b": 2}
    assert Toolbox.union([one, Toolbox([refund])]).snapshot() == {"a": 1}
    assert Toolbox.union([]).names == []
    with pytest.raises(LoadError, match="two toolboxes have the state key 'a'"):
        Toolbox.union([one, Toolbox([refund], state=lambda: {"a": 1})]).snapshot()
    with pytest.raises(LoadError, match="the states of several toolboxes are joined by key; found a list"):
        Toolbox.union([one, Toolbox([refund], state=list)]).snapshot()


# ---- what a suite's `tools` may name


def made(value: Any, setup: dict[str, Any] | None = None) -> Toolbox:
    return offer(value, setup or {}, what="tools").toolbox


@dataclass
class Factory:
    setup: dict[str, Any]

    @tool("shop.get")
    def get(self) -> Any:
        return self.setup


def test_all_that_offers_tools():
    box = Toolbox([get_order])
    assert made(box) is box
    assert made(get_order).names == ["orders.get"]
    assert made(Tool(contract=Contract(name="x"))).names == ["x"]
    assert made([get_order, refund]).names == ["orders.get", "payments.refund"]
    assert made(Shop).names == ["orders.list", "orders.cancel"]
    assert made(Shop()).names == ["orders.list", "orders.cancel"]
    assert made(lambda: [get_order]).names == ["orders.get"]
    assert made([lambda setup: Toolbox([get_order]), Factory, refund]).names == ["orders.get", "shop.get", "payments.refund"]
    assert made([]).names == []


def test_a_factory_gets_a_setup_of_its_own():
    setup = {"orders": {"W-1": 1}}
    found = offer(Factory, setup, what="tools")
    assert found.read_setup
    given = invoke(found.toolbox.tool("shop.get"), {})
    assert given == setup
    given["orders"].clear()  # type: ignore[index]
    assert setup == {"orders": {"W-1": 1}}, "the next trial starts from the case again"
    assert not offer(Shop, setup, what="tools").read_setup
    assert offered([("a", Shop), ("b", Factory)], setup).read_setup
    assert offered([("a", Shop), ("b", Factory)], setup).toolbox.names == ["orders.list", "orders.cancel", "shop.get"]


def test_an_object_that_can_be_called_is_called_only_if_it_has_no_tools():
    class Callable_(Shop):
        def __call__(self) -> None:
            raise AssertionError("not a factory")

    class Maker:
        def __call__(self, setup: dict[str, Any]) -> list[Any]:
            return [get_order]

    assert made(Callable_()).names == ["orders.list", "orders.cancel"]
    assert made(Maker()).names == ["orders.get"]


async def _async_factory() -> None: ...


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "tools: expected tools, found null; name a @tool function, a list of them"),
        ("orders.get", "tools: expected tools, found a str"),
        ({"a": get_order}, "tools: expected tools, found a dict"),
        ([get_order, 3], "tools[1]: expected tools, found a int"),
        (object(), "tools: a object offers no tools; mark its methods with @tool"),
        (lambda: lambda: None, "tools: gave a function, not tools; return a Toolbox"),
        (lambda: None, "tools: expected tools, found null"),
        (
            lambda database, setup: None,
            "tools: a factory of tools is called with `setup` or with nothing; it asks for database; "
            "decorate it with @tool if it is a tool itself",
        ),
        (_async_factory, "tools: an async factory; tools are made before the agent's loop runs; write `def`"),
    ],
)
def test_what_offers_none(value: Any, message: str):
    with pytest.raises(LoadError) as error:
        made(value)
    assert str(error.value).startswith(message)


def test_what_a_factory_raises_is_its_own():
    def connect() -> None:
        raise ConnectionRefusedError("db")

    with pytest.raises(ConnectionRefusedError):
        made(connect)
