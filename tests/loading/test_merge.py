"""How defaults, cases and points of a matrix come together."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agentops.loading.merge import merged, points, slug, with_point

CASES: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ("mappings merge", {"budget": {"steps": 1, "seconds": 2}}, {"budget": {"steps": 3}}, {"budget": {"steps": 3, "seconds": 2}}),
    ("lists replace", {"fixtures": ["a", "b"]}, {"fixtures": ["c"]}, {"fixtures": ["c"]}),
    ("tags add up", {"tags": ["a", "b"]}, {"tags": ["b", "c"]}, {"tags": ["a", "b", "c"]}),
    ("null removes", {"model": "m", "task": "t"}, {"model": None}, {"task": "t"}),
    (
        "null removes deep",
        {"expect": {"steps": 1, "cost": {"usd": {"max": 1}}}},
        {"expect": {"steps": None}},
        {"expect": {"cost": {"usd": {"max": 1}}}},
    ),
    ("null where nothing was is nothing", {}, {"expect": {"steps": None}}, {"expect": {}}),
    ("null of tags", {"tags": ["a"]}, {"tags": None}, {}),
    ("setup replaces", {"setup": {"a": {"b": 1}}}, {"setup": {"c": None}}, {"setup": {"c": None}}),
    (
        "operators replace",
        {"expect": {"state": {"a": {"$gt": 1}}}},
        {"expect": {"state": {"a": {"$lt": 2}}}},
        {"expect": {"state": {"a": {"$lt": 2}}}},
    ),
    (
        "a mapping replaces operators",
        {"expect": {"state": {"a": {"$gt": 1}}}},
        {"expect": {"state": {"a": {"b": 2}}}},
        {"expect": {"state": {"a": {"b": 2}}}},
    ),
    (
        "json paths merge",
        {"expect": {"state": {"$.a": 1}}},
        {"expect": {"state": {"$.b": 2}}},
        {"expect": {"state": {"$.a": 1, "$.b": 2}}},
    ),
    (
        "bounds merge",
        {"expect": {"steps": {"min": 1}}},
        {"expect": {"steps": {"max": 2}}},
        {"expect": {"steps": {"min": 1, "max": 2}}},
    ),
    ("a number replaces bounds", {"expect": {"steps": {"min": 1}}}, {"expect": {"steps": 3}}, {"expect": {"steps": 3}}),
    ("a wanted null stays", {"expect": {}}, {"expect": {"state": {"$.a": None}}}, {"expect": {"state": {"$.a": None}}}),
    (
        "a wanted null stays beside others",
        {"expect": {"state": {"$.b": 1}}},
        {"expect": {"state": {"$.a": None}}},
        {"expect": {"state": {"$.b": 1, "$.a": None}}},
    ),
    (
        "a wanted null replaces what was wanted before",
        {"expect": {"state": {"$.a": 1, "b": {"c": 2}}}},
        {"expect": {"state": {"$.a": None, "b": {"c": None}}}},
        {"expect": {"state": {"$.a": None, "b": {"c": None}}}},
    ),
    (
        "a null reply is wanted",
        {"expect": {"output": {"contains": "a"}}},
        {"expect": {"output": {"equals": None}}},
        {"expect": {"output": {"contains": "a", "equals": None}}},
    ),
    (
        "a null reply is wanted where nothing was",
        {},
        {"expect": {"steps": None, "output": {"equals": None, "contains": None}}},
        {"expect": {"output": {"equals": None}}},
    ),
    (
        "a null reply replaces another",
        {"expect": {"output": {"equals": "x"}}},
        {"expect": {"output": {"equals": None}}},
        {"expect": {"output": {"equals": None}}},
    ),
    (
        "a null operand stays",
        {"expect": {"output": {"equals": {"$eq": 1}}, "state": {"$.a": {"$eq": 1}}, "tone": 1}},
        {"expect": {"output": {"equals": {"$eq": None}}, "state": {"$.a": {"$ne": None}}, "tone": {"$eq": None}}},
        {"expect": {"output": {"equals": {"$eq": None}}, "state": {"$.a": {"$ne": None}}, "tone": {"$eq": None}}},
    ),
    (
        "null arguments stay",
        {"expect": {"calls": {"include": ["a"]}}},
        {"expect": {"calls": {"include": [{"a": {"b": None}}], "never": [{"c": None}]}}},
        {"expect": {"calls": {"include": [{"a": {"b": None}}], "never": [{"c": None}]}}},
    ),
    ("null in a setup stays", {}, {"setup": {"a": None, "b": {"c": None}}}, {"setup": {"a": None, "b": {"c": None}}}),
    ("null in a context is a value", {"context": {"a": 1}}, {"context": {"b": None}}, {"context": {"a": 1, "b": None}}),
    ("null in a context removes a default", {"context": {"a": 1}}, {"context": {"a": None}}, {"context": {}}),
    ("null for the options of an agent", {}, {"agent": {"x": None}}, {"agent": {"x": None}}),
    ("options of one agent merge", {"agent": {"x": {"a": 1}}}, {"agent": {"x": {"b": 2}}}, {"agent": {"x": {"a": 1, "b": 2}}}),
    ("another agent replaces", {"agent": {"x": {"a": 1}}}, {"agent": {"y": {"b": 2}}}, {"agent": {"y": {"b": 2}}}),
    ("tags in data are data", {"context": {"tags": ["a"]}}, {"context": {"tags": ["b"]}}, {"context": {"tags": ["b"]}}),
    (
        "a schema replaces",
        {"expect": {"output": {"json_schema": {"type": "object"}}}},
        {"expect": {"output": {"json_schema": {"const": 1}}}},
        {"expect": {"output": {"json_schema": {"const": 1}}}},
    ),
]


@pytest.mark.parametrize(("base", "over", "wanted"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_merging(base: dict[str, Any], over: dict[str, Any], wanted: dict[str, Any]) -> None:
    before = repr((base, over))
    assert merged(base, over) == wanted
    assert repr((base, over)) == before, "neither side is changed"


fields = st.dictionaries(
    st.sampled_from(["context", "setup", "expect", "model", "budget"]),
    st.recursive(st.integers() | st.text(), lambda i: st.lists(i) | st.dictionaries(st.sampled_from("abc"), i), max_leaves=5),
)


@given(fields)
def test_merging_with_nothing_changes_nothing(case: dict[str, Any]) -> None:
    assert merged(case, {}) == case
    assert merged({}, case) == case


@given(fields, fields)
def test_what_the_case_says_is_there(base: dict[str, Any], over: dict[str, Any]) -> None:
    out = merged(base, over)
    assert out.keys() == base.keys() | over.keys()
    assert all(out[k] == v for k, v in over.items() if not isinstance(v, (dict, list)))
    assert merged(out, over) == out


def test_the_full_product_is_named_in_the_order_of_its_keys() -> None:
    assert list(points({"model": ["A b", {"id": "x", "value": "m/2"}], "budget.steps": [1, 2.5]})) == [
        ("a-b-1", {"model": "A b", "budget.steps": 1}),
        ("a-b-2-5", {"model": "A b", "budget.steps": 2.5}),
        ("x-1", {"model": "m/2", "budget.steps": 1}),
        ("x-2-5", {"model": "m/2", "budget.steps": 2.5}),
    ]
    assert list(points(None)) == [(None, {})]


@pytest.mark.parametrize(
    ("text", "wanted"), [("smollm2-135m", "smollm2-135m"), ("xai/Grok 3", "xai-grok-3"), ("a_b", "a_b"), ("é", "x")]
)
def test_slugs(text: str, wanted: str) -> None:
    assert slug(text) == wanted


def test_points_set_what_is_deep_and_leave_the_case_as_it_is() -> None:
    case = {"budget": {"steps": 1, "seconds": 2}, "model": "m"}
    assert with_point(case, {"budget.steps": 9, "context.a.b": 1, "model": None}) == {
        "budget": {"steps": 9, "seconds": 2},
        "context": {"a": {"b": 1}},
    }
    assert case == {"budget": {"steps": 1, "seconds": 2}, "model": "m"}


def test_a_point_merges_as_a_case_does() -> None:
    case = {"expect": {"output": {"contains": "a"}, "steps": {"max": 3}}, "context": {"tier": "pro"}, "setup": {"a": {"b": 1}}}
    points_ = {
        "expect": {"steps": {"min": 1}, "output": None},
        "expect.cost": {"usd": {"max": 1}},
        "context": {"region": None},
        "setup.a": {"c": None},
    }
    assert with_point(case, points_) == {
        "expect": {"steps": {"min": 1, "max": 3}, "cost": {"usd": {"max": 1}}},
        "context": {"tier": "pro", "region": None},
        "setup": {"a": {"c": None}},
    }
    assert with_point(case, {"setup": {"x": 1}})["setup"] == {"x": 1}, "a setup replaces whole"


def test_a_null_of_a_point_is_a_value_where_values_stand() -> None:
    case = {"expect": {"output": {"equals": "x"}, "state": {"a": 1}}, "setup": {"a": 1}, "context": {"a": 1}}
    point = {"expect.output.equals": None, "expect.state.a": None, "setup.a": None, "context.a": None, "context.b": None}
    assert with_point(case, point) == {
        "expect": {"output": {"equals": None}, "state": {"a": None}},
        "setup": {"a": None},
        "context": {"b": None},
    }
