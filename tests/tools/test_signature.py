"""Schemas from type hints, and JSON arguments as Python values."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import functools
import subprocess
import sys
import textwrap
import typing
import uuid
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, Optional

import pydantic
import pytest
from typing_extensions import TypedDict

from pytest_agentops.errors import LoadError
from pytest_agentops.schema.validate import check_schema
from pytest_agentops.tools import plain, signature
from pytest_agentops.tools.arguments import InvalidArguments, ainvoke, check, check_result, invoke, normalise
from pytest_agentops.tools.contracts import from_function
from pytest_agentops.tools.tool import Tool, tool


@dataclasses.dataclass
class Line:
    sku: str
    qty: int = 1
    price: Decimal = Decimal("0.50")
    tags: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Receipt:
    """What the customer gets."""

    id: str
    lines: list[Line]
    note: str | None = None


class Address(pydantic.BaseModel):
    street: str
    zip_code: str = pydantic.Field(pattern=r"^\d{5}$", description="Five digits.")

    @pydantic.field_validator("street")
    @classmethod
    def has_a_number(cls, value: str) -> str:
        if not any(c.isdigit() for c in value):
            raise ValueError("a street has a house number")
        return value


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Point(NamedTuple):
    x: int
    y: int = 0


class Options(TypedDict, total=False):
    fast: bool


def parameters(function: Any) -> dict[str, Any]:
    return from_function(function).parameters


def properties(function: Any) -> dict[str, Any]:
    return parameters(function)["properties"]


def test_the_whole_of_a_refund():
    def refund(  # noqa: D417
        order_id: str, amount_usd: Decimal, reason: Literal["broken", "late"] = "broken", *, key: str | None = None
    ) -> Receipt:
        """Pay money back.

        Goes to the customer's card.

        Args:
            order_id: The order,
                as the shop writes it.
            amount_usd (Decimal): How much.
            key: For safe retries.

        Returns:
            The receipt.
        """
        raise NotImplementedError

    contract = from_function(refund, name="payments.refund", effect="write", tier=3, cost_usd="0.02", idempotency_key="key")
    assert contract.description == "Pay money back.\n\nGoes to the customer's card."
    assert contract.parameters == {
        "type": "object",
        "properties": {
            "order_id": {"type": "string", "description": "The order, as the shop writes it."},
            "amount_usd": {"type": "number", "description": "How much."},
            "reason": {"enum": ["broken", "late"], "type": "string", "default": "broken"},
            "key": {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "For safe retries.", "default": None},
        },
        "required": ["order_id", "amount_usd"],
        "additionalProperties": False,
    }
    assert contract.returns is not None
    assert contract.returns["$ref"] == "#/$defs/Receipt"
    assert contract.returns["$defs"]["Receipt"]["description"] == "What the customer gets."
    assert contract.returns["$defs"]["Line"]["properties"]["price"] == {"type": "number", "default": 0.5}
    assert (contract.cost_usd, contract.idempotency_key, contract.tier) == (Decimal("0.02"), "key", 3)
    assert contract.where.startswith("tests/tools/test_signature.py:")


PLAIN_HINTS = [
    str,
    int,
    float,
    bool,
    None,
    Decimal,
    Any,
    object,
    list,
    dict,
    list[int],
    list[Any],
    dict[str, int],
    dict[str, Any],
    list[dict[str, list[Decimal]]],
    Optional[str],  # noqa: UP045
    int | None,
    str | int | float,
    Optional[Any],  # noqa: UP045
    Literal["a"],
    Literal["a", "b"],
    Literal[1, 2],
    Literal[True],
    Line,
    Receipt,
    list[Receipt],
    Receipt | None,
    dict[str, Line],
]


@pytest.mark.parametrize("hint", PLAIN_HINTS, ids=str)
@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_the_short_way_says_what_pydantic_says(hint: Any, mode: Literal["validation", "serialization"]):
    defs: dict[str, Any] = {}
    short = plain.schema(hint, defs)
    schemas, shared = signature._by_pydantic([("x", hint)], mode)
    assert short == schemas["x"]
    assert plain.finished(defs) == shared


@pytest.mark.parametrize(
    "hint",
    [
        Address,
        Annotated[int, pydantic.Field(ge=0)],
        Colour,
        dt.date,
        uuid.UUID,
        Point,
        Options,
        tuple[int, str],
        set[str],
        Literal["a", 1],
        list[Address],
        dict[int, str],
        typing.Sequence[str],
        pydantic.dataclasses.dataclass(type("D", (), {"__annotations__": {"a": int}})),
        Line | Receipt | dict[str, Address],
    ],
    ids=str,
)
def test_the_short_way_gives_up_where_pydantic_knows_more(hint: Any):
    with pytest.raises(plain.NotPlain):
        plain.schema(hint, {})
    schemas, defs = signature._by_pydantic([("x", hint)], "validation")
    assert check_schema({**schemas["x"], "$defs": defs}) is None


def test_two_dataclasses_of_one_name_are_left_to_pydantic():
    other = dataclasses.make_dataclass("Line", [("x", int)])
    with pytest.raises(plain.NotPlain):
        plain.schema(list[Line] | other, {})

    def f(a: Line, b) -> None: ...

    f.__annotations__["b"] = other
    found = parameters(f)
    assert check_schema(found) is None
    assert len(found["$defs"]) == 2


def test_models_constraints_and_descriptions():
    def ship(  # noqa: D417
        address: Address,
        days: Annotated[int, pydantic.Field(ge=1, le=5, description="How long.")],
        colour: Colour,
        note: Annotated[str, "What the driver must know."],
        when: dt.date,
        weight: int = pydantic.Field(default=3, ge=1),
        boxes: list[str] = pydantic.Field(default_factory=list),  # noqa: B008
    ) -> Address:
        """Ship it.

        Args:
            days: Loses against the hint's own words.
        """
        raise NotImplementedError

    found = parameters(ship)
    assert found["required"] == ["address", "days", "colour", "note", "when"]
    props = found["properties"]
    assert props["days"] == {"type": "integer", "minimum": 1, "maximum": 5, "description": "How long."}
    assert props["note"] == {"type": "string", "description": "What the driver must know."}
    assert props["weight"] == {"type": "integer", "minimum": 1, "default": 3}
    assert props["boxes"] == {"type": "array", "items": {"type": "string"}, "default": []}
    assert props["when"] == {"type": "string", "format": "date"}
    assert found["$defs"]["Address"]["properties"]["zip_code"]["description"] == "Five digits."
    assert '"title"' not in str(found).replace("'", '"')


def test_an_argument_may_be_called_title():
    def f(title: str, page: Address) -> None: ...

    assert list(properties(f)) == ["title", "page"]


def test_hints_that_are_missing_or_none():
    def search(query, limit=10, *, sort: str = None): ...  # noqa: RUF013

    found = parameters(search)
    assert found["properties"] == {
        "query": {},
        "limit": {"default": 10},
        "sort": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
    }
    assert found["required"] == ["query"]
    assert from_function(search).returns is None
    assert from_function(search).description == ""


def test_a_default_that_json_cannot_say_stays_the_functions_own():
    marker = object()

    def f(a: Any = marker, b: Any = float("nan")) -> Any:
        return a is marker

    assert parameters(f)["properties"] == {"a": {}, "b": {}}
    assert "required" not in parameters(f)
    assert invoke(Tool(function=f), {}) is True


def test_defaults_are_not_mixed_up():
    """1, True and 1.0 are equal in Python; the cached schemas of closures must not be."""

    def make(default: Any) -> Any:
        def f(a: Any = default) -> None: ...

        return f

    assert [repr(properties(make(d))["a"]["default"]) for d in (1, True, 1.0, [1])] == ["1", "True", "1.0", "[1]"]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            lambda **kwargs: None,
            "x: **kwargs has no schema, an agent could not know what to pass; name each argument, or take one dict",
        ),
        (
            lambda *args: None,
            "x: *args has no schema, an agent could not know what to pass; name each argument, or take one dict",
        ),
    ],
)
def test_open_arguments_are_refused(function: Any, message: str):
    with pytest.raises(LoadError) as error:
        from_function(function, name="x")
    assert str(error.value) == message


def test_a_type_without_a_schema_is_refused_by_name():
    class Socket:
        pass

    def f(a: int, s) -> None: ...

    f.__annotations__["s"] = Socket
    with pytest.raises(
        LoadError, match=r"f: no JSON Schema for the argument 's' .*use JSON types, dataclasses or pydantic models"
    ):
        from_function(f)


def test_a_hint_that_cannot_be_resolved_is_refused_by_name():
    def f(a: int, b: Nowhere) -> Nowhere: ...  # noqa: F821

    with pytest.raises(LoadError) as error:
        from_function(f)
    assert str(error.value) == (
        "f: the type hint 'Nowhere' of 'b' cannot be resolved: name 'Nowhere' is not defined; "
        "define or import the type at the top of the module, not under TYPE_CHECKING or in a function"
    )


def test_a_return_hint_that_says_nothing_is_no_promise():
    def unknown(a: int) -> Nowhere: ...  # noqa: F821
    def arbitrary(a: int) -> threading_lock: ...  # type: ignore[name-defined]  # noqa: F821
    def anything(a: int) -> Any: ...
    def nothing(a: int) -> None: ...

    assert from_function(unknown).parameters["properties"] == {"a": {"type": "integer"}}
    assert [from_function(f).returns for f in (unknown, arbitrary, anything, nothing)] == [None, None, None, {"type": "null"}]


def test_results_are_described_as_they_are_written():
    def total() -> Decimal: ...
    def where() -> Point: ...
    def ship() -> Address: ...

    assert check_result(from_function(total), 39.5) == []
    assert check_result(from_function(total), "39.50") != []
    assert check_result(from_function(where), {"x": 1, "y": 2}) == []
    assert [str(v) for v in check_result(from_function(where), {"y": 2})] == ["$: 'x' is missing"]
    assert [str(v) for v in check_result(from_function(ship), {"street": "A 1", "zip_code": "1"})] == [
        '$.zip_code: must match the pattern ^\\d{5}$, found "1"'
    ]


def test_arguments_become_python_values():
    seen: list[Any] = []

    def f(
        amount: Decimal,
        line: Line,
        address: Address,
        colour: Colour,
        day: dt.date,
        ident: uuid.UUID,
        point: Point,
        pair: tuple[int, str],
        names: set[str],
        ratio: float,
        options: Options,
        either: int | str,
        anything: Any,
        maybe: Line | None = None,
    ) -> None:
        seen.extend(list(locals().values())[:-1])

    args = {
        "amount": 30.1,
        "line": {"sku": "abc", "price": Decimal("0.1234567890123456789")},
        "address": {"street": "Main 5", "zip_code": "12345"},
        "colour": "red",
        "day": "2026-11-22",
        "ident": "12345678-1234-5678-1234-567812345678",
        "point": {"x": 3},
        "pair": [1, "a"],
        "names": ["a", "b"],
        "ratio": 1,
        "options": {"fast": True},
        "either": "7",
        "anything": {"deep": [1]},
    }
    one = Tool(function=f)
    assert check(one.contract, args) == []
    invoke(one, args)
    assert seen[0] == Decimal("30.1")
    assert seen[1] == Line("abc", price=Decimal("0.1234567890123456789"))
    assert seen[2] == Address(street="Main 5", zip_code="12345")
    assert seen[3:7] == [Colour.RED, dt.date(2026, 11, 22), uuid.UUID(args["ident"]), Point(3, 0)]
    assert seen[7:9] == [(1, "a"), {"a", "b"}]
    assert isinstance(seen[9], float)
    assert seen[10:] == [{"fast": True}, "7", {"deep": [1]}, None]


def test_money_as_text_does_not_slip_through():
    def refund(amount: Decimal) -> None: ...

    assert [str(v) for v in check(from_function(refund), {"amount": "1000"})] == ['$.amount: must be a number, found "1000"']


def test_notes_that_have_no_hash():
    def f(a: Annotated[int, {"unit": "kg"}]) -> int:
        return a

    assert properties(f) == {"a": {"type": "integer"}}
    assert invoke(Tool(function=f), {"a": 1}) == 1


def test_positional_only_and_keyword_only():
    def f(a: int, /, b: int = 2, *, c: int = 3) -> tuple[int, int, int]:
        return a, b, c

    assert invoke(Tool(function=f), {"a": 1, "c": 9}) == (1, 2, 9)


def test_pydantics_defaults_reach_the_function():
    def f(a: int = pydantic.Field(default=4, ge=1)) -> int:
        return a

    assert invoke(Tool(function=f), {}) == 4
    assert normalise(from_function(f), {}) == {"a": 4}


def test_a_models_own_validator_says_no():
    def ship(address: Address, n: int) -> None: ...

    with pytest.raises(InvalidArguments) as error:
        invoke(Tool(function=ship), {"address": {"street": "Main", "zip_code": "12345"}, "m": 1})
    assert str(error.value) == (
        "ship: the arguments do not fit: $: unknown key 'm'; "
        "$.address.street: Value error, a street has a house number, found \"Main\"; $: 'n' is missing"
    )


def test_methods_partials_and_objects():
    class Shop:
        def get(self, order_id: str) -> str:
            """Look up."""
            return order_id.lower()

        @classmethod
        def make(cls, n: int) -> int:
            return n

        def __call__(self, query: Literal["a"]) -> str:
            """Search."""
            return query

    def f(a: int, b: int) -> int:
        """Add."""
        return a + b

    shop = Shop()
    assert list(properties(shop.get)) == ["order_id"]
    assert from_function(shop.get).description == "Look up."
    assert list(properties(Shop.make)) == ["n"]
    assert properties(tool("search")(shop)) == {"query": {"const": "a", "type": "string"}}
    assert from_function(tool("search")(shop)).description == "Search."
    half = functools.partial(f, b=2)
    assert properties(half) == {"a": {"type": "integer"}, "b": {"type": "integer", "default": 2}}
    assert from_function(half).name == "f"
    assert from_function(half).description == "Add."
    assert invoke(Tool(function=half), {"a": 1}) == 3


def test_a_wrapped_function_keeps_its_schema():
    def logged(function: Any) -> Any:
        @functools.wraps(function)
        def inner(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return inner

    @tool("x")
    @logged
    def f(line: Line) -> str:
        """Say it."""
        return line.sku

    assert properties(f) == {"line": {"$ref": "#/$defs/Line"}}
    assert invoke(Tool(function=f), {"line": {"sku": "abc"}}) == "abc"


async def _twice(n: int) -> int:
    return 2 * n


def test_async_tools():
    import asyncio

    assert Tool(function=_twice).is_async
    assert Tool(function=functools.partial(_twice, n=1)).is_async
    assert asyncio.run(ainvoke(Tool(function=_twice), {"n": 2})) == 4  # type: ignore[arg-type]
    with pytest.raises(LoadError, match="_twice gave something to await"):
        invoke(Tool(function=_twice), {"n": 2})

    class Async:
        async def __call__(self, n: int) -> int:
            return n

    assert Tool(function=tool("x")(Async())).is_async


def test_plain_tools_need_no_pydantic():
    """A replayed case with ordinary hints must not pay pydantic's import."""
    code = """
    import sys
    from dataclasses import dataclass
    from decimal import Decimal
    from pytest_agentops.tools.tool import tool, Tool
    from pytest_agentops.tools.toolbox import Toolbox
    from pytest_agentops.tools.arguments import check, normalise

    @dataclass
    class Receipt:
        id: str
        amount: Decimal

    @tool("a.b", effect="read")
    def f(order_id: str, amount: Decimal, tags: list[str] | None = None) -> Receipt: ...

    box = Toolbox([f])
    assert box.names == ["a.b"]
    assert "jsonschema_rs" not in sys.modules
    check(box.contracts["a.b"], {}), normalise(box.contracts["a.b"], {}), box.openai(), box.functions()
    heavy = {"pydantic", "yaml", "asyncio", "vcr", "openai", "pandas"} & set(sys.modules)
    assert not heavy, heavy
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
