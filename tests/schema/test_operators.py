from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agentops.schema.operators import OPERATORS, check, check_state, compare, fits, is_operators
from pytest_agentops.schema.values import same

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"$eq": 1}, 1.0),
        ({"$eq": {"$ref": "x"}}, {"$ref": "x"}),
        ({"$ne": 1}, True),
        ({"$gt": 0, "$le": 30}, 30),
        ({"$ge": "2026-01-01"}, "2026-01-01T00:00:00Z"),
        ({"$lt": Decimal("0.3")}, 0.2),
        ({"$le": Decimal("0.3")}, 0.3),
        ({"$ge": Decimal("0.3")}, 0.3),
        ({"$in": ["a", {"b": 1}]}, {"b": 1}),
        ({"$contains": "b"}, "abc"),
        ({"$contains": {"id": 1}}, [{"id": 2}, {"id": 1, "x": 1}]),
        ({"$contains": ["a", "b"]}, ["b", "c", "a"]),
        ({"$contains": "key"}, {"key": None}),
        ({"$matches": "W-\\d"}, "order W-1"),
        ({"$approx": 0.3}, 0.1 + 0.2),
        ({"$approx": {"value": 100, "rel": 0.1}}, 109),
        ({"$approx": {"value": 100, "abs": 5}}, 95),
        ({"$approx": 1}, Decimal("1.0000001")),
        ({"$any": True}, None),
        ({"$type": "integer"}, 3.0),
        ({"$type": ["null", "string"]}, None),
        ({"$type": "number"}, Decimal("0.1")),
        ({"$len": 2}, [1, 2]),
        ({"$len": {"min": 1, "max": 3}}, "ab"),
        ({"$len": {"$gt": 1}}, {"a": 1, "b": 2}),
        ({"a": {"$absent": True}}, {}),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}, "d": 3}),
        ([{"a": 1}], [{"a": 1, "b": 2}]),
        ({}, {"a": 1}),
        (Decimal("39.50"), 39.5),
        (1.1, Decimal("1.1")),
        ("caf\u00e9", "cafe\u0301"),
    ],
)
def test_fits(wanted, found):
    assert compare(wanted, found) == []
    assert fits(wanted, found)
    assert check(wanted) == []


@pytest.mark.parametrize(
    ("wanted", "found", "why"),
    [
        ("30", 30, 'wanted "30", got 30 (an integer)'),
        (True, 1, "wanted true, got 1 (an integer)"),
        (1, True, "wanted 1, got true (a boolean)"),
        (30, 40, "wanted 30, got 40"),
        (0, False, "wanted 0, got false (a boolean)"),
        (None, 0, "wanted null, got 0"),
        ({"$gt": 0, "$le": 30}, 40, "wanted <= 30, got 40"),
        ({"$gt": 0}, "40", 'wanted a number > 0, got "40" (a string)'),
        ({"$gt": 0}, True, "wanted a number > 0, got true (a boolean)"),
        ({"$ne": 1}, 1.0, "wanted anything but 1, got it"),
        ({"$in": [1, 2]}, True, "wanted one of [1,2], got true"),
        ({"$contains": "x"}, "abc", 'wanted to contain "x", got "abc"'),
        ({"$contains": ["a", "x"]}, ["a"], 'wanted to contain "x", got ["a"]'),
        ({"$contains": "1"}, 1, 'wanted something that contains "1", got 1 (an integer)'),
        ({"$matches": "^b"}, "ab", "wanted a match of '^b', got \"ab\""),
        ({"$matches": "1"}, 1, "wanted a text that matches '1', got 1 (an integer)"),
        ({"$approx": 1}, 1.1, "wanted 1 ± 0.000001, got 1.1"),
        ({"$approx": {"value": 100, "abs": 5}}, 106, "wanted 100 ± 5, got 106"),
        ({"$approx": 1}, "1", 'wanted a number near 1, got "1" (a string)'),
        ({"$type": "integer"}, True, "wanted the type integer, got true (a boolean)"),
        ({"$type": "number"}, None, "wanted the type number, got null"),
        ({"$len": 2}, [1], "wanted the length 2, got 1: [1]"),
        ({"$absent": True}, 1, "wanted to be absent, got 1"),
        ([1, 2], [1], "wanted 2 items [1,2], got 1 [1]"),
        ([1, 2], [2, 1], "wanted 1, got 2"),
        ({}, [], "wanted {}, got []"),
    ],
)
def test_why_not(wanted, found, why):
    differences = compare(wanted, found)
    assert differences[0].why == why
    assert not fits(wanted, found)


def test_each_difference_names_its_place():
    wanted = {"order": {"id": "W-1", "lines": [{"sku": "a"}, {"sku": "b"}]}, "amuont": 1}
    found = {"order": {"id": "W-2", "lines": [{"sku": "a"}, {"sku": "c"}]}, "amount": 1}
    assert [str(d) for d in compare(wanted, found)] == [
        'order.id: wanted "W-1", got "W-2"',
        'order.lines[1].sku: wanted "b", got "c"',
        "amuont: missing, wanted 1 (did you mean 'amount'?)",
    ]


@pytest.mark.parametrize(
    ("mode", "found", "fit"),
    [
        ("partial", {"a": {"x": 1, "y": 2}, "b": 1}, True),
        ("superset", {"a": {"x": 1, "y": 2}, "b": 1}, True),
        ("exact", {"a": {"x": 1, "y": 2}}, False),
        ("exact", {"a": {"x": 1}}, False),
        ("exact", {"a": {"x": 1}, "c": 3}, True),
        ("subset", {}, True),
        ("subset", {"a": {}}, True),
        ("subset", {"c": 3}, True),
        ("subset", {"a": {"x": 1, "y": 2}}, False),
        ("subset", {"a": {"x": 2}}, False),
        ("partial", {"a": {"x": 1}}, True),
    ],
)
def test_modes_apply_at_every_mapping(mode, found, fit):
    wanted = {"a": {"x": 1}} if mode in ("partial", "superset") else {"a": {"x": 1}, "c": 3}
    assert fits(wanted, found, mode=mode) is fit


def test_modes_with_operators():
    assert fits({"a": {"$gt": 1}, "b": {"$absent": True}}, {"a": 2}, mode="exact")
    assert not fits({"a": {"$gt": 1}}, {"a": 1}, mode="subset")
    assert compare({"a": 1}, {"a": 1, "b": 2}, mode="exact")[0].why == "not expected, got 2"


@given(PLAIN)
def test_a_value_fits_itself_in_every_mode(value):
    for mode in ("partial", "exact", "superset", "subset"):
        assert fits(value, value, mode=mode)


@given(PLAIN, PLAIN)
def test_exact_is_equality(wanted, found):
    assert fits(wanted, found, mode="exact") == same(wanted, found)
    assert fits({"$eq": wanted}, found) == same(wanted, found)
    assert fits({"$ne": wanted}, found) != same(wanted, found)


@given(PLAIN, PLAIN)
def test_exact_implies_the_others_and_lists_agree_with_fits(wanted, found):
    for mode in ("partial", "exact", "superset", "subset"):
        assert fits(wanted, found, mode=mode) == (compare(wanted, found, mode=mode) == [])
    if fits(wanted, found, mode="exact"):
        assert fits(wanted, found)
        assert fits(wanted, found, mode="subset")
    assert fits(wanted, found) == fits(wanted, found, mode="superset")


@given(st.dictionaries(st.sampled_from("abcd"), PLAIN), st.dictionaries(st.sampled_from("abcd"), PLAIN))
def test_the_order_of_keys_does_not_count(wanted, found):
    turned = dict(reversed(list(wanted.items()))), dict(reversed(list(found.items())))
    assert sorted(map(str, compare(wanted, found))) == sorted(map(str, compare(*turned)))


@pytest.mark.parametrize(
    ("wanted", "place", "message"),
    [
        ({"a": {"$gtt": 1}}, ("a", "$gtt"), "did you mean '$gt'?"),
        ({"a": {"$gt": 1, "b": 2}}, ("a", "$gt"), "all operators or none"),
        ({"b": 2, "$gt": 1}, ("$gt",), "all operators or none"),
        ([{"$in": 3}], (0, "$in"), "$in takes a list, found 3"),
        ({"$matches": "("}, ("$matches",), "is no regular expression"),
        ({"$matches": 1}, ("$matches",), "takes a regular expression"),
        ({"$gt": None}, ("$gt",), "takes a number or a text"),
        ({"$gt": True}, ("$gt",), "takes a number or a text"),
        ({"$any": False}, ("$any",), "$any takes true"),
        ({"$absent": False}, ("$absent",), "write {$any: true}"),
        ({"$absent": True, "$gt": 1}, ("$absent",), "stands alone"),
        ({"$type": "int"}, ("$type",), "did you mean 'integer'?"),
        ({"$type": []}, ("$type",), "$type takes one of"),
        ({"$len": -1}, ("$len",), "$len takes a count"),
        ({"$len": {"mn": 1}}, ("$len",), "$len takes a count"),
        ({"$len": {"$gtt": 1}}, ("$len", "$gtt"), "unknown operator"),
        ({"$approx": "1"}, ("$approx",), "takes a number or {value, rel, abs}"),
        ({"$approx": {"value": 1, "rel": -1}}, ("$approx",), "not negative"),
        ({"$contains": {"$nope": 1}}, ("$contains", "$nope"), "unknown operator"),
    ],
)
def test_malformed(wanted, place, message):
    found = check(wanted)
    assert [p for p, _ in found] == [place]
    assert message in found[0][1]


def test_what_stands_under_eq_is_data():
    assert check({"$eq": {"$nope": 1}, "$ne": {"$x": 1}, "$in": [{"$y": 1}]}) == []


def test_every_operator_is_checked_and_told():
    for name in OPERATORS:
        assert is_operators({name: True})


def test_state_keys_may_be_paths():
    assert check_state({"$.a['b']": {"$gt": 1}, "plain": {"x": 1}}) == []
    assert [place for place, _ in check_state({"$.a-b": 1, "$.c": {"$gtt": 1}, "d": {"$nope": 2}})] == [
        ("$.a-b",),
        ("$.c", "$gtt"),
        ("d", "$nope"),
    ]


def test_an_unknown_operator_never_fits():
    assert not fits({"$gtt": 1}, 2)
    assert not fits({"a": {"b": 1, "$gtt": 1}}, {"a": {"b": 1}})
