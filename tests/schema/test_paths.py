from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agentops.schema import paths
from pytest_agentops.schema.values import same

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)
PLACES = st.lists(st.text(max_size=4) | st.integers(0, 20), max_size=4).map(tuple)
SHOP = {"orders": {"W-1": {"status": "open", "items": [{"sku": "a"}, {"sku": "b"}]}, "W-2": {"status": "sent", "items": []}}}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("$", [()]),
        ("$.orders['W-1'].status", [("orders", "W-1", "status")]),
        ('$["orders"]["W-1"].status', [("orders", "W-1", "status")]),
        ("$.orders.*.status", [("orders", "W-1", "status"), ("orders", "W-2", "status")]),
        ("$.orders['W-1'].items[*].sku", [("orders", "W-1", "items", 0, "sku"), ("orders", "W-1", "items", 1, "sku")]),
        ("$.orders['W-1'].items[ -1 ].sku", [("orders", "W-1", "items", 1, "sku")]),
        ("$.orders['W-1'].items[2]", []),
        ("$.orders['W-3']", []),
        ("$.orders[0]", []),
        ("$.orders['W-1'].items.sku", []),
        ("$.orders['W-1'].status.*", []),
    ],
)
def test_find(text, found):
    assert [place for place, _ in paths.parse(text).find(SHOP)] == found


@pytest.mark.parametrize(
    ("text", "column", "why"),
    [
        ("orders", 1, "a path starts with $"),
        ("", 1, "a path starts with $"),
        ("$orders", 2, "expected '.' or '['"),
        ("$.", 3, "expected a name or *"),
        ("$.W-1", 4, "brackets"),
        ("$.1a", 3, "brackets"),
        ("$..a", 2, "'..' is not supported"),
        ("$[?@.a]", 3, "filters are not supported"),
        ("$[0:2]", 4, "slices"),
        ("$['a','b']", 6, "lists of names"),
        ("$['a'", 6, "expected ']'"),
        ("$[a]", 3, "quoted name"),
        ("$['a", 3, "quoted name"),
        (r"$['ab\x']", 6, r"unknown escape \x"),
        ("$[01]", 4, "expected ']'"),
    ],
)
def test_mistakes_name_the_column(text, column, why):
    with pytest.raises(paths.PathError) as error:
        paths.parse(text)
    assert error.value.column == column
    assert why in str(error.value)
    assert f"column {column}" in str(error.value)


def test_escapes():
    assert paths.parse(r"""$['it\'s']["q\"\\"]['\u00e9\ud83d\ude00\n']""").steps == ("it's", 'q"\\', "é😀\n")


@given(PLACES)
def test_a_place_reads_back(place):
    assert paths.parse(paths.text(place)).steps == place
    assert paths.parse(paths.text(place)).covers(place)


@given(JSON)
def test_find_gives_what_stands_there(value):
    for text in ("$", "$.*", "$.*.*", "$[*][*]"):
        for place, found in paths.parse(text).find(value):
            at = value
            for key in place:
                at = at[key]
            assert at is found
            assert paths.parse(text).covers(place)


def test_covers_is_at_or_below():
    path = paths.parse("$.orders.*.items")
    assert path.covers(("orders", "W-1", "items"))
    assert path.covers(("orders", "W-1", "items", 0, "sku"))
    assert not path.covers(("orders", "W-1"))
    assert not path.covers(("orders", "W-1", "status"))
    assert not paths.parse("$.a[0]").covers(("a", "0"))
    assert not paths.parse("$.a[-1]").covers(("a", 1))


def test_parse_is_cached():
    assert paths.parse("$.a.b") is paths.parse("$.a.b")


def test_remove_keeps_the_original():
    value = {"key": 1, "inner": {"key": 2, "list": [1, 2, 3]}, "$.odd": 3}
    assert paths.remove(value, ["key"]) == {"inner": {"key": 2, "list": [1, 2, 3]}, "$.odd": 3}
    assert paths.remove(value, ["$.inner.list[0]", "$.inner.key"]) == {"key": 1, "inner": {"list": [2, 3]}, "$.odd": 3}
    assert paths.remove(value, ["$.inner.*"])["inner"] == {}
    assert paths.remove(value, ["nothing", "$.no.such"]) == value
    assert value == {"key": 1, "inner": {"key": 2, "list": [1, 2, 3]}, "$.odd": 3}


def test_changes_are_the_smallest_places():
    before = {"a": {"x": 1, "y": [1, 2]}, "gone": {"deep": 1}, "same": [{"k": 1}]}
    after = {"a": {"x": 2, "y": [1, 3, 4]}, "new": {"deep": 1}, "same": [{"k": 1.0}]}
    found = [paths.text(place) for place in paths.changes(before, after)]
    assert found == ["$.a.x", "$.a.y[1]", "$.a.y[2]", "$.gone", "$.new"]


def test_changes_know_types():
    assert paths.changes({"a": 1}, {"a": True}) == [("a",)]
    assert paths.changes({"a": 30}, {"a": "30"}) == [("a",)]
    assert paths.changes({"a": {}}, {"a": []}) == [("a",)]
    assert paths.changes({"a": None}, {}) == [("a",)]


@given(JSON, JSON)
def test_no_change_means_equal(before, after):
    assert (paths.changes(before, after) == []) == same(before, after)
