"""A request as what it adds to an earlier one, and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agentops.schema import document
from pytest_agentops.schema.values import Json, JsonObject
from pytest_agentops.tape.model.delta import Deltas, whole

TOOLS = [
    {"type": "function", "function": {"name": f"tool_{i}", "description": "What it does, at some length."}} for i in range(4)
]


def says(*texts: str) -> list[JsonObject]:
    return [{"role": "user", "content": f"{text}, said in so many words that keeping it twice costs more"} for text in texts]


def chat(*texts: str, **more: Json) -> JsonObject:
    return {"model": "m", "messages": says(*texts), "tools": TOOLS, **more}


def deltas(values: list[Json]) -> list[JsonObject | None]:
    """The changes; each one is shown to give the very JSON text back."""
    taker = Deltas()
    out = [taker.add(i, value) for i, value in enumerate(values, 1)]
    known: list[Json] = []
    for value, delta in zip(values, out, strict=True):
        read = delta and document.read(document.write(delta), file="").value
        known.append(value if read is None else whole(read, known[read["like"] - 1]))
        assert json.dumps(known[-1]) == json.dumps(value)
    return out


def test_a_request_says_what_it_adds() -> None:
    assert deltas([chat("a"), chat("a", "b"), chat("a", "b", "c")]) == [
        None,
        {"like": 1, "json": {"messages": {"keep": 1, "add": says("b")}}},
        {"like": 2, "json": {"messages": {"keep": 2, "add": says("c")}}},
    ]


@pytest.mark.parametrize("key", ["messages", "input", "contents"])
def test_the_lists_of_every_api(key: str) -> None:
    first: JsonObject = {"model": "m", "tools": TOOLS, key: says("a", "b")}
    second: JsonObject = {"model": "m", "tools": TOOLS, key: says("a", "b", "c")}
    assert deltas([first, second])[1] == {"like": 1, "json": {key: {"keep": 2, "add": says("c")}}}


def test_two_conversations_in_turn_are_each_like_their_own() -> None:
    found = deltas([chat("a1"), chat("b1"), chat("a1", "a2"), chat("b1", "b2"), chat("a1", "a2", "a3"), chat("b1", "b2", "b3")])
    assert [delta and delta["like"] for delta in found] == [None, 1, 1, 2, 3, 4]
    assert found[5] == {"like": 4, "json": {"messages": {"keep": 2, "add": says("b3")}}}


def test_two_conversations_that_part_are_like_where_they_parted() -> None:
    found = deltas([chat("s"), chat("s", "a"), chat("s", "a", "b"), *(chat("x", str(i)) for i in range(9)), chat("s", "a", "c")])
    assert found[-1] == {"like": 3, "json": {"messages": {"keep": 2, "add": says("c")}}}


def test_equal_requests() -> None:
    assert deltas([chat("a"), chat("a")])[1] == {"like": 1, "json": {}}


def test_a_conversation_that_was_cut_back() -> None:
    assert deltas([chat("a", "b", "c"), chat("a")])[1] == {"like": 1, "json": {"messages": {"keep": 1, "add": []}}}


def test_keys_that_come_and_go_and_change_places() -> None:
    first = {**chat("a"), "seed": 1}
    assert deltas([first, chat("a", "b", top_p=1)])[1] == {
        "like": 1,
        "drop": ["seed"],
        "json": {"messages": {"keep": 1, "add": says("b")}, "top_p": 1},
    }
    turned = dict(reversed(chat("a").items()))
    assert deltas([chat("a"), turned])[1] == {"like": 1, "order": ["tools", "messages", "model"], "json": {}}


def test_a_mapping_of_the_same_keys_says_what_changes() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0}}
    first: JsonObject = {"object": "chat.completion", "system_fingerprint": "fp_50cad350e4", "usage": usage}
    assert deltas([first, {**first, "usage": {**usage, "prompt_tokens": 2}}])[1] == {
        "like": 1,
        "json": {"usage": {"change": {"prompt_tokens": 2}}},
    }


@pytest.mark.parametrize(
    "other",
    [
        {"model": "m", "messages": says("a"), "tools": TOOLS, "n": 1.0},
        {"model": "m", "messages": says("a"), "tools": TOOLS, "n": True},
        {"model": "m", "messages": [dict(reversed(says("a")[0].items()))], "tools": TOOLS, "n": 1},
    ],
)
def test_alike_is_not_the_same(other: JsonObject) -> None:
    delta = deltas([{**chat("a"), "n": 1}, other])[1]
    assert delta is not None
    assert len(delta["json"]) == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"messages": says("a")}, {"messages": {"keep": 1, "add": []}}),
        ({"usage": {"change": 1, "b": 2}}, {"usage": {"change": {}}}),
    ],
)
def test_a_value_that_looks_like_a_change_is_kept_whole(first: JsonObject, second: JsonObject) -> None:
    rest = {"tools": TOOLS}
    assert deltas([{**first, **rest}, {**second, **rest}]) == [None, None]


@pytest.mark.parametrize("value", [{"model": "m", "input": "hello"}, [1, 2], "text", None, {}])
def test_what_has_little_in_common_is_kept_whole(value: Json) -> None:
    assert deltas([chat("a"), value, value])[1:] == [None, None]


@pytest.mark.parametrize(
    ("delta", "base", "says"),
    [
        ({"like": 1, "json": {}}, None, "like: 1 is no mapping of JSON that another could be like"),
        ({"like": 1, "json": []}, {}, "like: json has to be a mapping of what differs"),
        ({"like": 2, "drop": ["a"], "json": {}}, {"b": 1}, "drop: 2 has no 'a'"),
        ({"like": 2, "order": ["b", "a"], "json": {}}, {"b": 1}, "order: expected the keys b, each once"),
        ({"like": 1, "json": {"m": {"keep": 2, "add": []}}}, {"m": [1]}, "m: keep is 2, 1 has 1 of them"),
        ({"like": 1, "json": {"m": {"keep": True, "add": []}}}, {"m": [1]}, "m: keep is true, 1 has 1 of them"),
        ({"like": 1, "json": {"m": {"keep": -1, "add": []}}}, {"m": [1]}, "m: keep is -1, 1 has 1 of them"),
        ({"like": 1, "json": {"m": {"keep": 1, "add": 3}}}, {"m": [1]}, "m: add is 3, expected a list"),
        ({"like": 1, "json": {"u": {"change": {"x": 1}}}}, {"u": {"a": 1}}, "u: change has to be a mapping of some of a"),
    ],
)
def test_a_change_that_does_not_fit(delta: JsonObject, base: Json, says: str) -> None:
    with pytest.raises(ValueError) as caught:
        whole(delta, base)
    assert str(caught.value).startswith(says)


ITEMS = st.sampled_from(
    [1, 1.0, True, None, "a", [], {}, {"keep": 1, "add": []}, {"change": {}}, {"a": 1, "b": 2}, {"b": 2, "a": 1}]
)
LISTS = st.lists(ITEMS, max_size=5)
BODIES = st.dictionaries(st.sampled_from("mnop"), LISTS | ITEMS, max_size=4) | ITEMS


@given(st.lists(BODIES, max_size=6))
def test_whatever_is_sent_comes_back(bodies: list[Any]) -> None:
    ballast = {"tools": TOOLS}
    deltas([{**body, **ballast} if isinstance(body, dict) else body for body in bodies])
