"""The decorator, and what it refuses."""

from __future__ import annotations

import functools
import inspect
import typing
from decimal import Decimal
from typing import Any

import pytest

from pytest_agentops.errors import LoadError
from pytest_agentops.tools.contracts import from_function
from pytest_agentops.tools.tool import Tool, mark_of, tool
from pytest_agentops.tools.toolbox import Toolbox


def test_a_decorated_function_is_still_the_function():
    def double(n: int) -> int:
        return 2 * n

    marked = tool("math.double", effect="read")(double)
    assert (marked(4), marked.__name__, marked.__module__) == (8, "double", __name__)
    assert inspect.signature(marked) == inspect.signature(double)
    assert double(4) == 8
    assert double("a") == "aa"  # type: ignore[arg-type,comparison-overlap]


class Money: ...


def pay(amount: Money, to: str = "bob") -> list[Money]:
    """Pay somebody."""
    return [amount]


class Till:
    @tool("till.open", effect="read")
    def open(self, drawer: Money) -> str:
        """Open it."""
        return "open"

    @tool("till.count", effect="read")
    async def count(self, drawer: Money) -> int:
        return 1

    @staticmethod
    def plain(drawer: Money) -> str:
        return "plain"

    def __call__(self, drawer: Money) -> str:
        """Ring."""
        return "ring"


@pytest.mark.parametrize(
    ("given", "hints"),
    [
        (pay, {"amount": Money, "to": str, "return": list[Money]}),
        (Till().plain, {"drawer": Money, "return": str}),
        (Till(), {"drawer": Money, "return": str}),
        (functools.partial(pay, to="eve"), {"amount": Money, "to": str, "return": list[Money]}),
    ],
)
def test_no_attribute_leads_to_the_function_and_it_looks_the_same(given: Any, hints: dict[str, Any]):
    marked = tool("x")(given)
    assert typing.get_type_hints(marked) == hints
    assert inspect.signature(marked) == inspect.signature(given)
    assert inspect.unwrap(marked) is marked
    reached = [value for name in dir(marked) if name not in ("__closure__", "__class__") for value in [getattr(marked, name)]]
    assert not any(value is given or value is pay or value is Till.plain for value in reached)
    assert inspect.getdoc(marked) == inspect.getdoc(
        given if inspect.isfunction(given) else getattr(given, "func", given.__call__)
    )
    assert Tool(function=marked).where.endswith(f"test_tool.py:{place(given)}")


def place(given: Any) -> int:
    inner = getattr(given, "func", given)
    return (inner if inspect.isfunction(inner) else type(inner).__call__).__code__.co_firstlineno


def test_methods_keep_their_looks():
    till = Till()
    assert str(inspect.signature(till.open)) == "(drawer: 'Money') -> 'str'"
    assert (till.open.__doc__, till.open.__qualname__, till.open(Money())) == ("Open it.", "Till.open", "open")
    assert inspect.iscoroutinefunction(till.count)
    assert not hasattr(till.open, "__wrapped__")
    assert typing.get_type_hints(Till.count) == {"drawer": Money, "return": int}
    assert sorted(Toolbox.of(till).names) == ["till.count", "till.open"]


def test_bare_and_without_a_name():
    @tool
    def one() -> None: ...

    @tool()
    def two() -> None: ...

    @tool(effect="read")
    def three() -> None: ...

    assert [Tool(function=f).name for f in (one, two, three)] == ["one", "two", "three"]


def test_every_word_reaches_the_contract():
    @tool(
        "payments.refund",
        effect="write",
        tier=3,
        idempotency_key="key",
        cost_usd=0.1,
        scopes=["payments:refund"],
        sensitive="card_number",
        passthrough=("$.url",),
        ignore=["trace"],
        resource="orders",
        version="2",
        description="Pays back.",
    )
    def refund(key: str) -> None:
        """Unused."""

    contract = from_function(refund)
    assert contract.name == "payments.refund"
    assert (contract.effect, contract.tier, contract.idempotency_key) == ("write", 3, "key")
    assert contract.cost_usd == Decimal("0.1")
    assert (contract.scopes, contract.sensitive, contract.passthrough) == (("payments:refund",), ("card_number",), ("$.url",))
    assert (contract.ignore, contract.ignored) == (("trace",), ("trace", "key"))
    assert (contract.resource, contract.version, contract.description) == ("orders", "2", "Pays back.")


def test_nothing_declared_is_the_strictest():
    @tool
    def f() -> None: ...

    contract = from_function(f)
    assert contract.effect is None
    assert contract.writes
    assert contract.autonomy == 4
    assert contract.cost_usd is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"effect": "reads"}, "x: effect 'reads'; expected one of read, write, irreversible; did you mean 'read'?"),
        ({"tier": 5}, "x: tier 5; expected 0 (read-only) to 4 (production control)"),
        ({"tier": True}, "x: tier True; expected 0 (read-only) to 4 (production control)"),
        ({"cost_usd": "two cents"}, "x: cost_usd 'two cents' is no price; write dollars: \"0.02\""),
        ({"cost_usd": -1}, 'x: cost_usd -1 is no price; write dollars: "0.02"'),
        ({"cost_usd": "NaN"}, "x: cost_usd 'NaN' is no price; write dollars: \"0.02\""),
    ],
)
def test_wrong_words(words: dict[str, Any], message: str):
    with pytest.raises(LoadError) as error:
        tool("x", **words)(lambda: None)
    assert str(error.value) == message


@pytest.mark.parametrize("name", ["", "two words", "a*", "<<a>>", "{x}", 3])
def test_names_that_patterns_could_not_tell(name: Any):
    with pytest.raises(LoadError, match="is no name for a tool"):
        tool(name)(lambda: None)


def test_what_cannot_be_a_tool():
    with pytest.raises(LoadError, match="Shop is a class; mark its methods"):

        @tool("shop")
        class Shop:
            pass

    with pytest.raises(LoadError, match="a tool without a name of its own; give one"):
        tool(lambda: None)
    with pytest.raises(LoadError, match="a contract or a function"):
        Tool()


def test_an_idempotency_key_must_be_an_argument():
    @tool("refund", idempotency_key="idempotency_kee")
    def refund(order: str, idempotency_key: str) -> None: ...

    with pytest.raises(LoadError) as error:
        _ = Tool(function=refund).contract
    assert str(error.value) == (
        "refund: idempotency_key 'idempotency_kee' is none of its arguments (order, idempotency_key); "
        "did you mean 'idempotency_key'?"
    )


def test_bound_methods_and_static_methods():
    class Shop:
        def get(self, order: str) -> str:
            return order

        @tool("shop.now")
        @staticmethod
        def now() -> int:
            return 1

        @tool("shop.make")
        @classmethod
        def make(cls, n: int) -> str:
            return f"{cls.__name__}{n}"

    marked = tool("shop.get", effect="read")(Shop().get)
    assert marked("W-1") == "W-1"
    assert list(from_function(marked).parameters["properties"]) == ["order"]
    assert mark_of(Shop().get) is None, "the class itself is left alone"
    assert Toolbox.of(Shop()).names == ["shop.now", "shop.make"]
    assert Shop.now() == 1


@pytest.mark.parametrize("key", ["sensitive", "passthrough", "ignore"])
def test_a_path_that_cannot_be_read_is_told_where_the_tool_is_declared(key: str) -> None:
    given: dict[str, Any] = {key: ["note", "$.card["]}
    with pytest.raises(LoadError, match=r"pay: '\$.card\[' is no JSON path: column 8: expected a quoted name"):
        tool("pay", **given)(lambda: None)
