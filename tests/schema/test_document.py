"""Strict YAML: what is read, what is refused and in which words, and that what is written is read back."""

from __future__ import annotations

import gc
import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_agentops.errors import CaseFileError
from pytest_agentops.schema import document
from pytest_agentops.schema.values import NotJson, number

TRAPS = [
    ("NO", "NO"),
    ("yes", "yes"),
    ("on", "on"),
    ("True", "True"),
    ("NULL", "NULL"),
    ("~", "~"),
    ("2026-11-22", "2026-11-22"),
    ("2026-11-22T09:00:00Z", "2026-11-22T09:00:00Z"),
    ("12:30:00", "12:30:00"),
    ("0123", "0123"),
    ("0x1F", "0x1F"),
    ("0o17", "0o17"),
    ("1_000", "1_000"),
    (".inf", ".inf"),
    ("-.inf", "-.inf"),
    (".nan", ".nan"),
    (".5", ".5"),
    ("5.", "5."),
    ("+1", "+1"),
    ("1.10", 1.1),
    ("1e3", 1000.0),
    ("1E+3", 1000.0),
    ("-0", 0),
    ("30", 30),
    ("null", None),
    ("true", True),
    ("false", False),
    ("", None),
    ("'30'", "30"),
    ('"null"', "null"),
    ("=", "="),
    ("<<", "<<"),
]


@pytest.mark.parametrize(("text", "value"), TRAPS, ids=[t or "empty" for t, _ in TRAPS])
def test_a_plain_scalar_means_what_json_means(text: str, value: object) -> None:
    found = document.read(f"a: {text}\n", file="f").value["a"]
    assert found == value
    assert type(found) is type(value)


def test_numbers_keep_their_digits() -> None:
    assert document.read("[0.1234567890123456789, 39.50, 1e400]", file="f").value == [
        Decimal("0.1234567890123456789"),
        39.5,
        Decimal("1e400"),
    ]


def test_keys_are_texts() -> None:
    assert document.read("1: a\nnull: b\ntrue: c\n", file="f").value == {"1": "a", "null": "b", "true": "c"}


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n"])
def test_an_empty_file_has_no_value(text: str) -> None:
    assert document.read(text, file="f").value is None


def test_a_byte_order_mark_at_the_start_is_no_part_of_the_first_key() -> None:
    assert document.read("\ufeffversion: 1\n", file="f").value == {"version": 1}


MISTAKES = [
    ("duplicate key", "a: 1\nb: 2\na: 3\n", "f:3:1: duplicate key 'a'; it stands on line 1 already"),
    ("anchor", "a: &x 1\n", "f:1:4: an anchor (&x); anchors and aliases are not allowed; write the value out"),
    (
        "tag",
        "a: !!int 1\n",
        "f:1:4: a tag (tag:yaml.org,2002:int); tags are not allowed; quote the value if the ! belongs to the text",
    ),
    ("tagged mapping", "a: !x {b: 1}\n", "f:1:4: a tag (!x); tags are not allowed; quote the value if the ! belongs to the text"),
    ("tagged key", "!x a: 1\n", "f:1:1: a tag (!x); tags are not allowed; quote the value if the ! belongs to the text"),
    ("second document", "a: 1\n---\nb: 1\n", "f:2:1: a second document (---); one document a file"),
    ("directive", "%YAML 1.1\n---\na: 1\n", "f:1:1: a % directive; plain YAML without directives"),
    ("list as key", "? [a, b]\n: 1\n", "f:1:3: a mapping or list as a key; a key is a text; quote it if it is meant as text"),
    ("template braces", "a: {{ name }}\n", "f:1:5: a mapping or list as a key; a key is a text; quote it if it is meant as text"),
    ("tab", "a:\n\tb: 1\n", "f:2:1: a tab where YAML wants spaces; indent with spaces"),
    ("unclosed quote", 'a: 1\nb: "x\nc: 2\n', "f:2:4: not valid YAML: the file ends inside a quoted text; close the quote"),
    ("unclosed list", "a: [1, 2\nb: 3\n", "f:1:4: not valid YAML: a [ that is not closed, or a missing comma; close it with ]"),
    ("unclosed mapping", "a: {b: 1\n", "f:1:4: not valid YAML: a { that is not closed, or a missing comma; close it with }"),
    (
        "second colon",
        "task: Refund: W-1\n",
        "f:1:13: not valid YAML: a second ': ' on one line; quote the text, or start a new line",
    ),
    (
        "indentation",
        "a: 1\n- b\n",
        "f:2:1: not valid YAML: a line that fits no key here; check the indentation against the lines above",
    ),
    (
        "reserved",
        "a: @user\n",
        "f:1:4: not valid YAML: the character '@' cannot begin a value; quote the text if it begins with this character",
    ),
    (
        "control character",
        "a: 1\nb: x\x07y\n",
        'f:2:5: not valid YAML: the control character U+0007; write it as an escape in double quotes ("\\u0007")',
    ),
    ("surrogate", "a: \ud800\n", "f:1:4: not valid YAML: half of a character (a lone surrogate); valid Unicode"),
    ("huge number", "a: 1e999999999\n", "f:1:4: the number 1e999999999... is out of all proportion; quote it if it is a text"),
]


@pytest.mark.parametrize(("text", "message"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES])
def test_a_mistake_names_its_place_and_cure(text: str, message: str) -> None:
    with pytest.raises(CaseFileError) as caught:
        document.read(text, file="f")
    assert str(caught.value) == message


def test_all_mistakes_come_at_once_in_line_order() -> None:
    text = "a: &x 1\nb: *x\na: 2\nc: !t 1\nd: [&y 1, *y]\ne: 'open\n"
    with pytest.raises(CaseFileError) as caught:
        document.read(text, file="f")
    assert [(m.line, m.found) for m in caught.value.mistakes] == [
        (1, "an anchor (&x)"),
        (2, "an alias (*x)"),
        (3, "duplicate key 'a'"),
        (4, "a tag (!t)"),
        (5, "an anchor (&y)"),
        (5, "an alias (*y)"),
        (6, "not valid YAML: the file ends inside a quoted text"),
    ]


def test_a_bomb_of_brackets_is_a_mistake_and_no_crash() -> None:
    with pytest.raises(CaseFileError, match=r"nested deeper than 100 levels|maximum nesting depth"):
        document.read("[" * 5000, file="f")


def test_places_are_those_of_keys_items_and_values() -> None:
    doc = document.read("cases:\n  - id: a\n    expect:\n      steps:   3\n  - b\n", file="f")
    assert doc.position(("cases",)) == (1, 1)
    assert doc.position(("cases", 0)) == (2, 5)
    assert doc.position(("cases", 0, "expect", "steps")) == (4, 7)
    assert doc.value_position(("cases", 0, "expect", "steps")) == (4, 16)
    assert doc.position(("cases", 1)) == (5, 5)
    deep = document.read("a:\n b:\n  c:\n   d:\n    e:\n     f: 1\n     g:\n     - 2\n", file="f")
    assert deep.position(("a", "b", "c", "d", "e", "g")) == (7, 6)
    assert deep.position(("a", "b", "c", "d", "e", "g", 0)) == (8, 8)
    assert deep.lines(("a", "b", "c", "d", "e")) == {"f": 6, "g": 7}
    assert doc.lines(("cases", 0)) == {"id": 2, "expect": 3}


def test_a_place_that_is_not_there_is_that_of_its_parent() -> None:
    doc = document.read("\na:\n  b: 1\n", file="f")
    assert doc.position(("a", "x", "y")) == (2, 1)
    assert doc.position(("x",)) == (2, 1)
    assert doc.value_position(("a", "b", "c")) == (3, 6)
    assert doc.lines(("a", "b")) == {}


def test_reading_leaves_the_garbage_collector_as_it_was() -> None:
    assert gc.isenabled()
    document.read("a: 1", file="f")
    assert gc.isenabled()
    gc.disable()
    try:
        document.read("a: 1", file="f")
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_without_the_c_library_the_same_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    import yaml

    monkeypatch.delattr(yaml, "CSafeLoader")
    doc = document.read("a: [NO, 1_000, 30]\nb: '\U0001f600'\n", file="f")
    assert doc.value == {"a": ["NO", "1_000", 30], "b": "\U0001f600"}
    assert doc.position(("b",)) == (2, 1)
    for text in ("a: 'x", "a: \x07", "\ta: 1", "a: 1\na: 2"):
        with pytest.raises(CaseFileError):
            document.read(text, file="f")


# -- writing

WRITTEN = """\
format: 1
recorded: {at: 2026-11-22, with: pytest-agentops 0.1.0}
pins:
  model: smollm2-135m
  prompt: sha256:1f2e9c0a4b7d
  policy: sha256:9aa1e2f3c4d5
  tools: {orders.get: "sha256:aa11bb22cc33"}
layers: [tools, model]
endpoint: http://127.0.0.1:8080/v1
clock: 2026-11-22T09:00:00Z
calls:
- tool: orders.get
  args: {order_id: W-1}
  result: {id: W-1, country: "NO", total_usd: 30}
- tool: payments.refund
  args: {order_id: W-1, amount_usd: 30, idempotency_key: "<<uuid:1>>"}
  error: {type: ToolTimeout, message: upstream 504, retryable: true}
- tool: notes.list
  args: {}
  result:
  - {id: 1, text: "😀 done: yes"}
  - id: 2
    text: |
      Two lines,

      and a blank one.
state: {before: null, after: {}}
"""


def test_the_written_form_is_settled() -> None:
    assert document.write(document.read(WRITTEN, file="f").value) == WRITTEN


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.decimals(allow_nan=False, allow_infinity=False, places=20).map(lambda d: number(str(d)))
    | st.text()
    | st.text(alphabet=" \t\n\r:#-'\"\\{}[],&*!|>%@`?~.0aé\u2028\x85\ufeff\x00")
    | st.sampled_from([t for t, _ in TRAPS])
    | st.text(alphabet="a\n ", min_size=90, max_size=120),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from([t for t, _ in TRAPS]), inner),
    max_leaves=30,
)


def same(a: Any, b: Any) -> bool:
    """Equal and of one type throughout: 1, 1.0 and true are three values."""
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


@settings(max_examples=400, deadline=None)
@given(values)
def test_what_is_written_is_read_back(value: Any) -> None:
    text = document.write(value)
    assert same(document.read(text, file="f").value, value)
    assert text.endswith("\n")
    assert not any(line != line.rstrip() for line in text.split("\n"))


@given(st.text(min_size=1000, max_size=1200, alphabet=st.characters(codec="ascii")), st.text())
def test_keys_of_any_length_are_read_back(key: str, text: str) -> None:
    for value in ({key: text}, {"a": {key: {key: text}}}, [{key: text}], {text: {key: []}}):
        assert same(document.read(document.write(value), file="f").value, value)


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        Decimal("NaN"),
        object(),
        {"a": {1, 2}},
        {1: "a"},
        {"a": {1: "a"}},
        {"a": {"b": [{1: 2}]}},
        "\ud800",
        b"x",
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_json_cannot_say_is_refused(value: Any) -> None:
    with pytest.raises(NotJson):
        document.write(value)


def test_what_could_not_be_read_back_is_not_written() -> None:
    deep: Any = []
    for _ in range(150):
        deep = [deep]
    with pytest.raises(NotJson, match="nested deeper"):
        document.write(deep)
    deep = 1
    for _ in range(99):
        deep = {"a": deep, "b": "\n".join("xy")}
    assert document.read(document.write(deep), file="f").value == deep


def test_one_object_in_two_places_is_written_twice() -> None:
    shared = {"a": ["x" * 200]}
    assert "&" not in document.write([shared, shared])
