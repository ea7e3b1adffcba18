"""Which requests are one request to the recording, and which never are."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agentops.tape.model.exchange import Request, without_keys
from pytest_agentops.tape.model.match import key, normalised

URL = "http://127.0.0.1:8080/v1/chat/completions"
TOOL = {"type": "function", "function": {"name": "orders.get", "parameters": {"properties": {"order_id": {"type": "string"}}}}}


def chat(**changes: Any) -> dict[str, Any]:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Refund W-1."}]
    return {"model": "smollm2", "temperature": 0, "stream": False, "messages": messages, "tools": [TOOL], **changes}


def of(body: Any, url: str = URL, content_type: str = "application/json", **style: Any) -> str:
    text = body if isinstance(body, (str, bytes)) else json.dumps(body, **style)
    return key(Request.of("POST", url, text.encode() if isinstance(text, str) else text, content_type))


def test_the_form_of_the_json_does_not_count() -> None:
    body = chat(messages=[{"role": "user", "content": "Été à 5 €"}])
    backwards = dict(reversed(body.items()))
    forms = [of(body), of(backwards), of(body, indent=2), of(body, ensure_ascii=False), of(body, separators=(",", ":"))]
    assert len(set(forms)) == 1


@pytest.mark.parametrize(
    ("a", "b"), [("1", "1.0"), ("0", "-0.0"), ("100", "1e2"), ("0.5", "5e-1"), ("100000000000000000000", "1e20")]
)
def test_a_number_counts_by_its_value(a: str, b: str) -> None:
    assert of(f'{{"temperature": {a}}}') == of(f'{{"temperature": {b}}}')


def test_digits_beyond_a_float_count() -> None:
    assert of('{"x": 0.1234567890123456789}') != of('{"x": 0.1234567890123456788}')
    assert of('{"x": 0.12345678901234567890}') == of('{"x": 0.1234567890123456789}')


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1/chat/completions",
        "http://localhost:9/v1/chat/completions",
        "https://user:secret@host/v1/chat/completions",
    ],
)
def test_scheme_host_and_port_do_not_count(url: str) -> None:
    assert of(chat(), url) == of(chat())


def test_a_key_in_the_query_does_not_count_and_any_other_field_does() -> None:
    assert of(chat(), f"{URL}?api_key=a") == of(chat(), f"{URL}?api_key=b")
    assert of(chat(), f"{URL}?api-version=1") != of(chat(), f"{URL}?api-version=2")
    assert of(chat(), f"{URL}?a=1&b=2") == of(chat(), f"{URL}?b=2&a=1")
    assert of(chat(), f"{URL}?a=b%3Dc") != of(chat(), f"{URL}?a%3Db=c")


def test_the_content_type_does_not_count() -> None:
    assert of(chat(), content_type="application/json; charset=utf-8") == of(chat(), content_type="")


CHANGES = {
    "prompt": {"messages": [{"role": "system", "content": "Be very brief."}, {"role": "user", "content": "Refund W-1."}]},
    "role": {"messages": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Refund W-1."}]},
    "more": {"messages": [*chat()["messages"], {"role": "user", "content": "Now."}]},
    "order": {"messages": chat()["messages"][::-1]},
    "model": {"model": "smollm3"},
    "temperature": {"temperature": 0.7},
    "text for a number": {"temperature": "0"},
    "true for 1": {"stream": 0},
    "stream": {"stream": True},
    "null is not nothing": {"seed": None},
    "tool schema": {"tools": [{**TOOL, "function": {**TOOL["function"], "parameters": {}}}]},  # type: ignore[dict-item]
    "no tools": {"tools": []},
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_every_change_of_the_body_is_another_request(changes: dict[str, Any]) -> None:
    assert of(chat(**changes)) != of(chat())


def test_method_and_path_count() -> None:
    get, post = (Request.of(method, URL, b"") for method in ("GET", "POST"))
    assert key(get) != key(post)
    assert of(chat(), "http://x/v1/responses") != of(chat(), "http://x/v1/chat/completions")


@given(st.text(), st.text())
def test_another_prompt_never_has_the_same_key(a: str, b: str) -> None:
    """Not even one that Unicode calls equivalent: a model reads other tokens."""
    keys = [of(chat(messages=[{"role": "user", "content": text}])) for text in (a, b)]
    assert (keys[0] == keys[1]) == (a == b)


def test_composed_and_decomposed_letters_are_two_prompts() -> None:
    assert of(chat(messages="é")) != of(chat(messages="e\u0301"))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def _strict(value: Any) -> Any:
    """A form of a value that Python's == compares as JSON does: true is not 1."""
    if isinstance(value, dict):
        return {k: _strict(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_strict(v) for v in value]
    return (isinstance(value, bool), value)


@given(st.dictionaries(st.text(min_size=1), values, max_size=4), st.dictionaries(st.text(min_size=1), values, max_size=4))
def test_keys_are_equal_exactly_where_the_values_are(a: dict[str, Any], b: dict[str, Any]) -> None:
    assert of(dict(reversed(a.items())), indent=1) == of(a)
    assert (of(a) == of(b)) == (_strict(a) == _strict(b))


# ---- ids of tool calls


def called(first: str, second: str, answers: tuple[str, str]) -> dict[str, Any]:
    calls = [{"id": id_, "type": "function", "function": {"name": "orders.get", "arguments": "{}"}} for id_ in (first, second)]
    results = [{"role": "tool", "tool_call_id": id_, "content": f"result {i}"} for i, id_ in enumerate(answers)]
    return chat(messages=[{"role": "assistant", "content": None, "tool_calls": calls}, *results])


def responses(first: str, second: str, answers: tuple[str, str]) -> dict[str, Any]:
    calls = [{"type": "function_call", "call_id": id_, "name": "orders.get", "arguments": "{}"} for id_ in (first, second)]
    results = [{"type": "function_call_output", "call_id": id_, "output": f"result {i}"} for i, id_ in enumerate(answers)]
    return {"model": "m", "input": [*calls, *results]}


def anthropic(first: str, second: str, answers: tuple[str, str]) -> dict[str, Any]:
    calls = [{"type": "tool_use", "id": id_, "name": "orders.get", "input": {}} for id_ in (first, second)]
    results = [{"type": "tool_result", "tool_use_id": id_, "content": f"result {i}"} for i, id_ in enumerate(answers)]
    return {"model": "m", "messages": [{"role": "assistant", "content": calls}, {"role": "user", "content": results}]}


@pytest.mark.parametrize("api", [called, responses, anthropic])
def test_ids_of_tool_calls_count_only_by_which_call_they_name(api: Any) -> None:
    recorded = of(api("call_a", "call_b", ("call_a", "call_b")))
    assert of(api("call_x", "call_y", ("call_x", "call_y"))) == recorded
    assert of(api("call_b", "call_a", ("call_b", "call_a"))) == recorded
    assert of(api("call_x", "call_y", ("call_y", "call_x"))) != recorded, "the results are those of the other calls"
    assert of(api("call_x", "call_x", ("call_x", "call_x"))) != recorded
    assert of(api("call_x", "call_y", ("call_x", "call_z"))) != recorded


def test_other_ids_count() -> None:
    def body(item: str, argument: str) -> dict[str, Any]:
        use = {"type": "tool_use", "id": "toolu_1", "name": "t", "input": {"id": argument, "tool_use_id": argument}}
        return {"model": "m", "input": [{"type": "message", "id": item}], "messages": [{"role": "assistant", "content": [use]}]}

    assert of(body("msg_1", "W-1")) != of(body("msg_1", "W-2"))
    assert of(body("msg_1", "W-1")) != of(body("msg_2", "W-1"))


def test_an_id_that_looks_like_an_ordinal_is_an_id() -> None:
    assert of(called("call#2", "call#1", ("call#2", "call#1"))) == of(called("a", "b", ("a", "b")))


# ---- bodies that are no JSON


def multipart(boundary: str, content: str = "hello") -> bytes:
    part = f'--{boundary}\r\nContent-Disposition: form-data; name="file"\r\n\r\n{content}\r\n'
    return f"{part}--{boundary}--\r\n".encode()


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data; boundary={0}", 'Multipart/form-data; charset=x; boundary="{0}"', ""]
)
def test_the_boundary_of_a_multipart_body_does_not_count(content_type: str) -> None:
    recorded = of(multipart("aaa"), content_type="")
    assert of(multipart("b1f-9"), content_type=content_type.format("b1f-9")) == recorded
    assert of(multipart("b1f-9", "other"), content_type=content_type.format("b1f-9")) != recorded


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (b"q=1", b"q=2"),
        (b"\xff\xfe", b"\xff\xff"),
        (b"", b"{}"),
        (b"1", b"1.0"),
        (b'{"a": 1, "a": 2}', b'{"a": 2}'),
        (b'{"a": NaN}', b'{"a": null}'),
        (b'{"a": 1e999999999}', b'{"a": 1e999999998}'),
        (b'{"a": ' + b"9" * 5000 + b"}", b'{"a": ' + b"8" * 5000 + b"}"),
        (b"[" * 100_000, b"[" * 99_999),
        (b'{"a": ', b'{"a":'),
        (b'{"a": "\\ud800"}', b'{"a": "\\ud801"}'),
    ],
)
def test_other_bodies_count_by_their_bytes(a: bytes, b: bytes) -> None:
    assert of(a) == of(bytes(a))
    assert of(a) != of(b)


def test_a_bare_list_is_json() -> None:
    assert of(b" [1, 2]") == of(b"[1,2.0]")
    assert normalised(Request.of("POST", URL, b"[1]")) == [1]


# ---- speed


def conversation(turns: int) -> bytes:
    messages: list[dict[str, Any]] = [{"role": "system", "content": "You are the support agent of a small shop. " * 5}]
    for i in range(turns):
        call = {
            "id": f"call_{i}",
            "type": "function",
            "function": {"name": "orders.get", "arguments": f'{{"order_id": "W-{i}"}}'},
        }
        messages += [
            {"role": "user", "content": "Where is my order? It was to come on Monday. " * 5},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"call_{i}", "content": '{"status": "delivered", "total_usd": 39.5}' * 5},
        ]
    return json.dumps(chat(messages=messages, temperature=0.2)).encode()


def test_the_cost_of_a_key_grows_with_the_conversation_and_not_with_its_square() -> None:
    """0.4 ms for 30 KB where it was written; against itself, since a trace function (coverage) makes it ten times slower."""
    short, long = (Request.of("POST", URL, conversation(turns)) for turns in (20, 80))
    assert 3.5 < len(long.body) / len(short.body) < 4.5

    def best(work: Any) -> float:
        times = []
        for _ in range(40):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
        return min(times)

    assert best(lambda: key(long)) < 8 * best(lambda: key(short))


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("http://h/a?key=SECRET&x=1#f", "http://h/a?key=<<key>>&x=1#f"),
        ("/a?x=1&API%5fKEY=SECRET", "/a?x=1&API%5fKEY=<<key>>"),
        ("https://me:SECRET@h:1/a@b?x=/@", "https://h:1/a@b?x=/@"),
        ("/monkey?monkey=1&key2=2", "/monkey?monkey=1&key2=2"),
    ],
)
def test_an_address_without_its_keys(url: str, kept: str) -> None:
    assert without_keys(url) == kept


def test_an_address_of_six_groups_keeps_its_brackets() -> None:
    assert Request.of("GET", "http://me:k@[::1]:8080/a", b"").endpoint == "http://[::1]:8080"
