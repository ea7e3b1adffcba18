from __future__ import annotations

import pytest

BEFORE = {"orders": {"W-1": {"status": "open", "items": [1]}, "W-2": {"status": "sent"}}, "log": ["a"]}
AFTER = {"orders": {"W-1": {"status": "refunded", "items": [1]}, "W-2": {"status": "sent"}}, "log": ["a", "b"], "new": None}


@pytest.mark.parametrize(
    "wanted",
    [
        {"$.orders['W-1'].status": "refunded"},
        {"$.orders.*.status": {"$in": ["refunded", "sent"]}},
        {"$.orders['W-1']": {"status": "refunded"}},
        {"$.log[-1]": "b", "$.log": ["a", "b"]},
        {"$.new": None},
        {"$.gone": {"$absent": True}},
        {"orders": {"W-1": {"status": "refunded"}}},
        {"orders": {"W-3": {"$absent": True}}, "$.log": {"$len": 2}},
        {"$": {"new": None}},
        {},
    ],
)
def test_state_passes(check, wanted):
    result = check("state", wanted, before=BEFORE, after=AFTER)
    assert result.passed, result.why


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"$.orders['W-1'].status": "open"}, '$.orders[\'W-1\'].status: wanted "open", got "refunded"'),
        (
            {"$.orders['W-3'].status": "open"},
            "$.orders['W-3'].status: is not there, wanted \"open\"; $.orders has the keys W-1, W-2; did you mean 'W-2'?",
        ),
        (
            {"$.orders['W-1'].items[3]": 1},
            "$.orders['W-1'].items[3]: is not there, wanted 1; $.orders['W-1'].items is a list of 1",
        ),
        ({"$.new.deep": 1}, "$.new.deep: is not there, wanted 1; $.new is null"),
        ({"$.nothing.*": 1}, "$.nothing.*: is not there, wanted 1; $ has the keys log, new, orders"),
        ({"$.new.*": {"$any": True}}, '$.new.*: is not there, wanted {"$any":true}; $.new is null'),
        ({"$.orders.*.status": "sent"}, '$.orders[\'W-1\'].status: wanted "sent", got "refunded"'),
        ({"orders": {"W-1": {"status": "open"}}}, '$.orders[\'W-1\'].status: wanted "open", got "refunded"'),
        ({"ordrs": 1}, "$.ordrs: missing, wanted 1 (did you mean 'orders'?)"),
        ({"$.log": {"$absent": True}}, '$.log: wanted to be absent, got ["a","b"]'),
    ],
)
def test_state_fails(check, wanted, why):
    result = check("state", wanted, before=BEFORE, after=AFTER)
    assert not result.passed
    assert result.why == why


@pytest.mark.parametrize(("key", "wanted"), [("state", {}), ("state", {"$.a": {"$absent": True}}), ("changed_only", [])])
def test_an_unknown_state_never_passes(check, key, wanted):
    from pytest_agentops.schema.run import State

    result = check(key, wanted, state=State(before={}, after={}, known=False, why="a write was not played"))
    assert not result.passed
    assert result.why == "the state after the run is not known: a write was not played"
    assert not check(key, wanted).passed


@pytest.mark.parametrize(
    "wanted",
    [
        ["$.orders['W-1'].status", "$.log[1]", "$.new"],
        ["$.orders", "$.log", "$.new"],
        ["$.orders.*.status", "$.log[-1]", "$.*"],
        ["$"],
    ],
)
def test_changed_only_passes(check, wanted):
    result = check("changed_only", wanted, before=BEFORE, after=AFTER)
    assert result.passed, result.why
    assert result.measured == ["$.log[1]", "$.new", "$.orders['W-1'].status"]


def test_changed_only_fails(check):
    assert check("changed_only", ["$.orders['W-1']"], before=BEFORE, after=AFTER).why == (
        "the run changed what it may not (only $.orders['W-1'] may change):\n  $.log[1] is new: \"b\"\n  $.new is new: null"
    )
    assert check("changed_only", [], before=AFTER, after=BEFORE).why == (
        "the run changed what it may not (nothing may change):\n"
        '  $.log[1] is gone, it was "b"\n'
        "  $.new is gone, it was null\n"
        '  $.orders[\'W-1\'].status was "refunded", is "open"'
    )
    assert check("changed_only", [], before=AFTER, after=AFTER).passed
    assert not check("changed_only", ["$.orders['W-1'].status.deep"], before=BEFORE, after={**BEFORE, "log": []}).passed


def test_many_changes_are_cut(check):
    result = check("changed_only", [], before={}, after={f"k{i}": i for i in range(50)})
    assert len(result.why.splitlines()) == 12
    assert "... and 40 changes more" in result.why
