from __future__ import annotations

from decimal import Decimal

import pytest

TEXT = "I have Refunded 30 USD for order W-1.\nAnything else?"


@pytest.mark.parametrize(
    "wanted",
    [
        {"contains": "W-1"},
        {"contains": ["W-1", "30"]},
        {"icontains": ["refunded", "ANYTHING"]},
        {"matches": r"W-\d+"},
        {"matches": [r"(?i)refunded", r"else\?$"]},
        {"not_contains": ["sorry", "refunded"]},
        {"equals": TEXT},
        {"equals": {"$contains": "W-1"}},
        {"any": [{"contains": "no"}, {"contains": "W-1", "matches": "USD"}]},
        {"json_schema": {"type": "string", "minLength": 3}},
    ],
)
def test_output_passes(check, wanted):
    result = check("output", wanted, output=TEXT)
    assert result.passed, result.why


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (
            {"contains": "refunded"},
            'contains: "refunded" is not in the output; close: "Refunded" (another letter case; icontains ignores it)\n'
            '  the output: "I have Refunded 30 USD for order W-1.\\nAnything else?"',
        ),
        (
            {"contains": "W-1. Anything"},
            'contains: "W-1. Anything" is not in the output; close: "W-1.\\nAnything" (other blanks)\n'
            '  the output: "I have Refunded 30 USD for order W-1.\\nAnything else?"',
        ),
        (
            {"icontains": "have refund 30"},
            'icontains: "have refund 30" is not in the output, in any letter case; close: "have Refunded 30"\n'
            '  the output: "I have Refunded 30 USD for order W-1.\\nAnything else?"',
        ),
        (
            {"not_contains": "Refunded"},
            'not_contains: "Refunded" is in the output: "I have Refunded 30 USD for order W-1.\\nAnythin..."\n'
            '  the output: "I have Refunded 30 USD for order W-1.\\nAnything else?"',
        ),
        (
            {"matches": r"refunded \d+"},
            "matches: no match of 'refunded \\\\d+' in the output; "
            'close: "Refunded 30" (another letter case; (?i) ignores it)\n'
            '  the output: "I have Refunded 30 USD for order W-1.\\nAnything else?"',
        ),
        ({"equals": "no"}, f'equals: wanted "no", got "{TEXT}"'.replace("\n", "\\n")),
        (
            {"json_schema": {"type": "object"}},
            f'json_schema: the output does not fit\n  $: must be a mapping, found "{TEXT}"'.replace(".\n", ".\\n"),
        ),
        (
            {"any": [{"contains": "sorry"}, {"matches": "^no", "contains": "W-1"}]},
            "any: none of the alternatives holds\n"
            '  any[0]: contains: "sorry" is not in the output\n'
            "  any[1]: matches: no match of '^no' in the output\n"
            '  the output: "I have Refunded 30 USD for order W-1.\\nAnything else?"',
        ),
    ],
)
def test_output_fails(check, wanted, why):
    result = check("output", wanted, output=TEXT)
    assert not result.passed
    assert result.why == why


def test_all_keys_must_hold_and_each_is_told(check):
    why = check("output", {"contains": ["W-1", "x1", "x2"], "matches": "x3"}, output=TEXT).why
    assert [line.split()[1] for line in why.splitlines() if not line.startswith(" ")] == ['"x1"', '"x2"', "no"]


def test_a_json_output(check):
    output = {"status": "refunded", "amount": Decimal("30.10")}
    assert check("output", {"equals": {"amount": 30.1, "status": "refunded"}}, output=output).passed
    assert check("output", {"equals": {"amount": {"$gt": 30}, "status": {"$any": True}}}, output=output).passed
    assert check("output", {"contains": '"status":"refunded"'}, output=output).passed
    assert check("output", {"json_schema": {"required": ["status"]}}, output=output).passed
    assert check("output", {"equals": {"status": "refunded"}}, output=output).why == "equals:\n  amount: not expected, got 30.10"


def test_json_that_comes_as_text(check):
    text = '{"status": "refunded", "amount": 30}'
    assert check("output", {"equals": {"status": "refunded", "amount": 30}}, output=text).passed
    assert check("output", {"json_schema": {"type": "object", "required": ["status"]}}, output=text).passed
    assert (
        "must be"
        in check("output", {"json_schema": {"properties": {"amount": {"type": "string"}}, "type": "object"}}, output=text).why
    )
    assert check("output", {"equals": text}, output=text).passed
    assert not check("output", {"equals": 30}, output="30").passed
    assert not check("output", {"equals": "30"}, output=30).passed


def test_no_output(check):
    assert check("output", {"not_contains": "x"}, output=None).passed
    assert (
        check("output", {"contains": "null"}, output=None).why == 'contains: "null" is not in the output\n  the output is empty'
    )
    assert check("output", {"equals": "x"}, output=None).why == 'equals: wanted "x", there is nothing: the output is empty'
    assert "the output is empty" in check("output", {"json_schema": {}}, output=None).why


def test_a_reply_that_must_be_null(check):
    assert check("output", {"equals": None}, output=None).passed
    assert check("output", {"equals": {"$eq": None}}, output=None).passed
    assert check("output", {"any": [{"contains": "x"}, {"equals": None}]}, output=None).passed
    result = check("output", {"equals": None}, output="null")
    assert (result.passed, result.why) == (False, 'equals: wanted null, got "null" (a string)')
    assert result.wanted == {"equals": None}, "a wanted null is shown"
    assert check("output", {"equals": None, "contains": "a"}, output="a").why == 'equals: wanted null, got "a"'
    assert check("output", {"contains": "a"}, output="a").wanted == {"contains": "a"}, "and what nobody wrote is not"


@pytest.mark.parametrize("wanted", ["x", {"$ne": "x"}, {"$any": True}, {"$type": ["null", "string"]}])
def test_who_does_not_ask_for_null_does_not_get_it(check, wanted):
    assert check("output", {"equals": wanted}, output=None).why.endswith("there is nothing: the output is empty")


def test_a_long_output_is_cut(check):
    result = check("output", {"contains": "needle"}, output="word " * 5000)
    assert len(result.why) < 700
    assert len(result.measured) <= 500


def test_said_looks_at_every_message(check):
    said = ["Looking it up.", "Refunded 30 USD."]
    assert check("said", {"contains": ["Looking", "30"], "not_contains": "sorry"}, said=said).passed
    assert check("said", {"equals": "Looking it up."}, said=said).passed
    assert not check("said", {"not_contains": "Looking"}, said=said).passed
    assert check("said", {"contains": "sorry"}, said=said).why == (
        'contains: "sorry" is not in the messages to the user\n'
        "  the messages to the user:\n"
        '    "Looking it up."\n'
        '    "Refunded 30 USD."'
    )
    assert check("said", {"not_contains": "i"}, said=said).why.count("not_contains") == 1
    assert "are none" in check("said", {"contains": "x"}, said=[]).why
