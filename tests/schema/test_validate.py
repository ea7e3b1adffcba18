"""JSON Schema violations in words, placeholders, and defaults."""

from __future__ import annotations

import textwrap
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agentops.schema.validate import Schema, check_schema, compiled, fill_defaults, holds_placeholder, violations

ORDER = {
    "$defs": {
        "Line": {
            "type": "object",
            "properties": {
                "sku": {"type": "string", "minLength": 3},
                "qty": {"type": "integer", "minimum": 1, "default": 1},
                "gift": {"type": "object", "properties": {"wrap": {"default": "plain"}}},
            },
            "required": ["sku"],
            "additionalProperties": False,
        }
    },
    "type": "object",
    "properties": {
        "order_id": {"type": "string", "pattern": "^W-"},
        "total_usd": {"type": "number", "exclusiveMinimum": 0, "maximum": 100},
        "status": {"enum": ["open", "delivered"]},
        "kind": {"const": "order"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}, "minItems": 1, "uniqueItems": True},
        "count": {"anyOf": [{"type": "integer"}, {"$ref": "#/$defs/Line"}]},
    },
    "required": ["order_id"],
    "additionalProperties": False,
}


def said(value: object, schema: dict | None = None) -> str:
    return "\n".join(str(v) for v in violations(ORDER if schema is None else schema, value))


def test_a_value_that_fits_gives_nothing():
    assert said({"order_id": "W-1", "total_usd": Decimal("39.50"), "lines": [{"sku": "abc"}]}) == ""


def test_all_mistakes_at_once_in_words():
    wrong = {
        "order_id": "X-1",
        "total_usd": "30",
        "status": "opn",
        "kind": "basket",
        "note": 5,
        "lines": [{"sku": "ab", "qty": 0}, {"skuu": "abc"}],
        "count": "three",
        "ordr": 1,
    }
    assert (
        said(wrong)
        == textwrap.dedent(
            """
            $: unknown key 'ordr'; expected one of order_id, total_usd, status, kind, note, lines, count; did you mean 'order_id'?
            $.order_id: must match the pattern ^W-, found "X-1"
            $.total_usd: must be a number, found "30"
            $.status: must be "open" or "delivered", found "opn"; did you mean 'open'?
            $.kind: must be "order", found "basket"
            $.note: must be text or null, found 5
            $.lines[0].sku: must have at least 3 characters, found 2
            $.lines[0].qty: must be at least 1, found 0
            $.lines[1]: 'sku' is missing
            $.lines[1]: unknown key 'skuu'; expected one of sku, qty, gift; did you mean 'sku'?
            $.count: must be a whole number or a mapping, found "three"
            """
        ).strip()
    )


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        ({"maximum": 5}, 6, "$: must be at most 5, found 6"),
        ({"exclusiveMaximum": 5}, 5, "$: must be less than 5, found 5"),
        ({"exclusiveMinimum": 0}, 0, "$: must be more than 0, found 0"),
        ({"multipleOf": 0.5}, 0.3, "$: must be a multiple of 0.5, found 0.3"),
        ({"maxLength": 1}, "ab", "$: must have at most 1 character, found 2"),
        ({"maxItems": 2}, [1, 2, 3], "$: must have at most 2 items, found 3"),
        ({"minProperties": 1}, {}, "$: must have at least 1 key, found 0"),
        ({"uniqueItems": True}, [1, 1], "$: must not hold an item twice"),
        ({"contains": {"type": "string"}}, [1], "$: holds none of the items that are asked for"),
        ({"not": {"type": "string"}}, "a", '$: is not allowed, found "a"'),
        ({"properties": {"a": False}}, {"a": 1}, "$.a: is not allowed, found 1"),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, 1, "$: fits more than one of the allowed forms, found 1"),
        ({"type": ["integer", "number", "null"]}, "x", '$: must be a number or null, found "x"'),
        ({"type": "boolean"}, 1, "$: must be true or false, found 1"),
        ({"type": "integer"}, True, "$: must be a whole number, found true"),
        ({"type": "string"}, "", ""),
        ({"propertyNames": {"pattern": "^a"}}, {"b": 1}, '$: has a key that is not allowed: "b" does not match "^a"'),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, "$: 'b' is missing"),
        ({"type": "array"}, {"k": "v" * 90}, "$: must be a list, found " + '{"k":"' + "v" * 53 + "…"),
    ],
)
def test_each_keyword_has_words(schema, value, message):
    assert said(value, schema) == message


def test_the_parts_for_machines():
    unknown, missing = violations(ORDER, {"lines": [{"sku": "abc", "qyt": 2}]})[::-1]
    assert (unknown.loc, unknown.keyword, unknown.name) == (("lines", 0), "additionalProperties", "qyt")
    assert unknown.allowed == ("sku", "qty", "gift")
    assert (missing.loc, missing.keyword, missing.name) == ((), "required", "order_id")


def test_an_alternative_is_followed_to_the_deepest_mistake():
    assert said({"order_id": "W-1", "count": {"sku": "abc", "qty": "x"}}) == '$.count.qty: must be a whole number, found "x"'


def test_the_alternative_with_the_right_tag_speaks():
    schema = {
        "oneOf": [
            {"properties": {"kind": {"const": "card"}, "number": {"type": "string"}}, "required": ["number"]},
            {"properties": {"kind": {"const": "bank"}, "iban": {"type": "string"}, "bic": {"type": "string"}}},
        ]
    }
    assert said({"kind": "card", "iban": 1}, schema) == "$: 'number' is missing"
    assert said({"kind": "bank", "iban": 1, "bic": 2}, schema).count("must be text") == 2


def test_numbers_keep_their_kinds_and_digits():
    assert said(Decimal("0.10000000000000000001"), {"maximum": 0.1}).startswith("$: must be at most 0.1, found 0.1000000000000")
    assert said(30.0, {"type": "integer"}) == ""
    assert said(True, {"enum": [1]}) == "$: must be 1, found true"


@pytest.mark.parametrize("text", ["<<card_number:1>>", "<<secret:STRIPE_KEY>>", "Bearer <<secret:1>> and more", "<<uuid:12>>"])
def test_a_placeholder_is_accepted_anywhere(text):
    value = {"order_id": text, "total_usd": text, "status": text, "kind": text, "note": text, "count": text}
    assert said({**value, "lines": [{"sku": text, "qty": text}]}) == ""
    assert said({"order_id": "W-1", "lines": text}) == ""
    assert holds_placeholder([{"a": text}])


def test_a_placeholder_does_not_excuse_what_stands_beside_it():
    found = said({"order_id": "<<secret:1>>", "total_usd": "30", "lines": [{"sku": "<<sku:1>>", "qty": 0}, {"qty": "<<n:1>>"}]})
    assert found.splitlines() == [
        '$.total_usd: must be a number, found "30"',
        "$.lines[0].qty: must be at least 1, found 0",
        "$.lines[1]: 'sku' is missing",
    ]


def test_a_placeholder_in_an_alternative_makes_it_fit():
    assert said({"order_id": "W-1", "count": {"sku": "abc", "qty": "<<qty:1>>"}}) == ""
    assert said({"order_id": "W-1", "count": {"sku": "abc", "qty": "<<qty:1>>", "x": 1}}) == (
        "$.count: unknown key 'x'; expected one of sku, qty, gift"
    )


@pytest.mark.parametrize("text", ["<card:1>", "<<card>>", "<<>>", "<<1:2>>", "<< card:1 >>"])
def test_what_only_looks_like_a_placeholder_is_none(text):
    assert said({"order_id": "W-1", "total_usd": text}) != ""


def test_real_values_can_be_asked_for():
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    assert violations(schema, {"n": "<<n:1>>"}) == []
    assert [v.path for v in violations(schema, {"n": "<<n:1>>"}, placeholders=False)] == ["$.n"]


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "objct"}, '$.type: "objct" is not valid'),
        ({"properties": 3}, '$.properties: 3 is not of type "object"'),
        ({"pattern": "("}, '"(" is not a "regex"'),
        ({"$ref": "#/$defs/none"}, "Pointer '/$defs/none' does not exist"),
        ({"$ref": "http://127.0.0.1:9/x.json"}, "http://127.0.0.1:9/x.json is outside of the schema"),
        ([], "a JSON Schema is a mapping, found []"),
    ],
)
def test_what_is_no_schema(schema, why):
    assert why in (check_schema(schema) or "")


def test_a_schema_is_fine():
    assert check_schema(ORDER) is None
    assert check_schema(True) is None


def test_a_broken_schema_raises_when_it_is_used():
    with pytest.raises(ValueError, match="objct"):
        violations({"type": "objct"}, 1)


def test_equal_schemas_are_compiled_once():
    assert compiled({"type": "string"}) is compiled({"type": "string"})
    assert compiled({"type": "string"}) is not compiled({"type": "integer"})
    assert Schema({"type": "string"}).fits("x")


def test_defaults_are_filled_in_everywhere():
    value = {"order_id": "W-1", "lines": [{"sku": "abc"}, {"sku": "def", "qty": 2, "gift": {}}], "count": {"sku": "ghi"}}
    filled = fill_defaults(ORDER, value)
    assert filled["lines"] == [{"sku": "abc", "qty": 1}, {"sku": "def", "qty": 2, "gift": {"wrap": "plain"}}]
    assert filled["count"] == {"sku": "ghi", "qty": 1}
    assert "qty" not in value["lines"][0], "the value itself stays as it was"


def test_defaults_of_references_alternatives_and_tuples():
    schema = {
        "$defs": {"P": {"type": "object", "properties": {"x": {"default": 1}}, "default": {"x": 9}}, "Q": {"$ref": "#/$defs/P"}},
        "properties": {
            "a": {"$ref": "#/$defs/Q"},
            "b": {"$ref": "#/$defs/P", "default": {}},
            "c": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/P"}]},
            "d": {"prefixItems": [{}, {"$ref": "#/$defs/P"}]},
            "e": {"allOf": [{"properties": {"y": {"default": 2}}}]},
            "f": {"default": None},
        },
        "additionalProperties": {"$ref": "#/$defs/P"},
    }
    assert fill_defaults(schema, {"c": {}, "d": [1, {}], "e": {}, "other": {}}) == {
        "a": {"x": 9},
        "b": {"x": 1},
        "c": {"x": 1},
        "d": [1, {"x": 1}],
        "e": {"y": 2},
        "f": None,
        "other": {"x": 1},
    }


def test_a_default_is_no_shared_object():
    schema = {"properties": {"tags": {"default": []}}}
    fill_defaults(schema, {})["tags"].append("x")
    assert fill_defaults(schema, {}) == {"tags": []}


def test_a_schema_that_refers_to_itself_ends():
    schema = {"$defs": {"N": {"properties": {"next": {"$ref": "#/$defs/N", "default": {}}}}}, "$ref": "#/$defs/N"}
    assert "next" in fill_defaults(schema, {})
    assert fill_defaults({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A", "default": 1}}}, {}) == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab<>:1", max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["sku", "qty", "gift", "lines"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON)
def test_filling_twice_is_filling_once(value):
    once = fill_defaults(ORDER, value)
    assert fill_defaults(ORDER, once) == once


@given(JSON)
def test_every_violation_names_a_place_that_is_there(value):
    for violation in violations(ORDER, value):
        here = value
        for key in violation.loc:
            here = here[key]
        assert violation.message
