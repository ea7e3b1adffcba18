"""model.yaml: what is written, what is read, what is refused and with which words."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agentops.errors import CassetteError, MissingCassette
from pytest_agentops.schema.parsed import ParsedCache
from pytest_agentops.tape.model.bodies import FORMS
from pytest_agentops.tape.model.exchange import Exchange, ModelCassette, Request, Response
from pytest_agentops.tape.model.file import dump, loads, read
from pytest_agentops.tape.model.jsontext import STYLES
from pytest_agentops.tape.model.stream import HOLDS

HOST = "http://127.0.0.1:8080"
TOOL_CALL = {"id": "call_7d1", "type": "function", "function": {"name": "orders__get", "arguments": '{"order_id":"W-1"}'}}
SYSTEM = {"role": "system", "content": "You help customers of a shop.\nLook things up before you act.\n"}
USER = {"role": "user", "content": "Refund order W-1, it arrived broken."}


def compact(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def exchange(asked: bytes, answered: bytes, *, kind: str = "application/json", overlap: int = 0) -> Exchange:
    return Exchange(
        request=Request(method="POST", path="/v1/chat/completions", body=asked, content_type="application/json", endpoint=HOST),
        response=Response(status=200, headers=(("content-type", kind),), body=answered),
        overlap=overlap,
    )


def answer(number: int, message: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1795390924 + number,
        "model": "smollm2",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 40 + number, "completion_tokens": 9, "total_tokens": 49 + number},
        "system_fingerprint": "b0-unknown",
    }


@pytest.fixture
def cassette() -> ModelCassette:
    first = {
        "model": "smollm2",
        "messages": [SYSTEM, USER],
        "temperature": 0,
        "tools": [{"type": "function", "name": "orders__get"}],
    }
    call = {"role": "assistant", "content": None, "tool_calls": [TOOL_CALL]}
    second = {**first, "messages": [SYSTEM, USER, call, {"role": "tool", "tool_call_id": "call_7d1", "content": "delivered"}]}
    stream = 'data: {"id":"c3","choices":[{"delta":{"content":"Done"}}]}\n\ndata: [DONE]\n\n'
    return ModelCassette(
        case="refunds/small_refund",
        endpoint=HOST,
        exchanges=[
            exchange(compact(first), compact(answer(1, call))),
            exchange(compact(second), compact(answer(2, {"role": "assistant", "content": "Refunded."}))),
            exchange(
                json.dumps({"model": "other", "stream": True}).encode(), stream.encode(), kind="text/event-stream", overlap=1
            ),
            Exchange(
                request=Request(
                    method="GET", path="/v1/models", query=(("key", "<<key>>"), ("n", "1")), endpoint="https://elsewhere.example"
                ),
                response=Response(
                    status=429, headers=(("content-type", "text/plain"), ("retry-after", "1")), body=b"slow down\n"
                ),
            ),
        ],
    )


WRITTEN = """\
---
format: 1
case: refunds/small_refund
endpoint: http://127.0.0.1:8080
requests:
- request:
    method: POST
    path: /v1/chat/completions
    json:
      model: smollm2
      messages:
      - role: system
        content: |
          You help customers of a shop.
          Look things up before you act.
      - {role: user, content: "Refund order W-1, it arrived broken."}
      temperature: 0
      tools:
      - {type: function, name: orders__get}
  response:
    status: 200
    headers: {content-type: application/json}
    json:
      id: chatcmpl-1
      object: chat.completion
      created: 1795390925
      model: smollm2
      choices:
      - index: 0
        message:
          role: assistant
          content: null
          tool_calls:
          - id: call_7d1
            type: function
            function: {name: orders__get, arguments: "{\\"order_id\\":\\"W-1\\"}"}
        finish_reason: stop
      usage: {prompt_tokens: 41, completion_tokens: 9, total_tokens: 50}
      system_fingerprint: b0-unknown
- request:
    method: POST
    path: /v1/chat/completions
    like: 1
    json:
      messages:
        keep: 2
        add:
        - role: assistant
          content: null
          tool_calls:
          - id: call_7d1
            type: function
            function: {name: orders__get, arguments: "{\\"order_id\\":\\"W-1\\"}"}
        - {role: tool, tool_call_id: call_7d1, content: delivered}
  response:
    status: 200
    headers: {content-type: application/json}
    like: 1
    json:
      id: chatcmpl-2
      created: 1795390926
      choices:
      - index: 0
        message: {role: assistant, content: Refunded.}
        finish_reason: stop
      usage: {change: {prompt_tokens: 42, total_tokens: 51}}
- request:
    method: POST
    path: /v1/chat/completions
    style: spaced
    json: {model: other, stream: true}
  overlap: 1
  response:
    status: 200
    headers: {content-type: text/event-stream}
    events:
    - json:
        id: c3
        choices:
        - delta: {content: Done}
    - {data: "[DONE]"}
- request:
    method: GET
    path: /v1/models
    query: {key: "<<key>>", "n": "1"}
    endpoint: https://elsewhere.example
  response:
    status: 429
    headers: {content-type: text/plain, retry-after: "1"}
    text: |
      slow down
...
"""


def unplaced(cassette: ModelCassette) -> ModelCassette:
    return replace(cassette, file="", exchanges=[replace(e, line=0) for e in cassette.exchanges])


def test_what_is_written(cassette: ModelCassette) -> None:
    assert dump(cassette) == WRITTEN


def test_what_is_read(cassette: ModelCassette) -> None:
    found = loads(WRITTEN, file="model.yaml")
    assert unplaced(found) == cassette
    assert found.file == "model.yaml"
    assert [found.place(e) for e in found.exchanges] == [f"model.yaml:{line}" for line in (6, 40, 67, 82)]


def test_files_of_other_systems_and_without_marks(cassette: ModelCassette) -> None:
    assert unplaced(loads(WRITTEN.replace("\n", "\r\n"), file="")) == cassette
    assert unplaced(loads("\ufeff# by hand\n" + WRITTEN[4:-4], file="")) == cassette


def test_the_example_and_the_words_of_the_docs() -> None:
    docs = (Path(__file__).parents[3] / "docs" / "cassettes-and-modes.md").read_text(encoding="utf-8")
    example = next(block for block in docs.split("```yaml\n") if block.startswith("format: 1\n") and "\nrequests:\n" in block)
    found = loads(example.partition("```")[0], file="")
    assert json.loads(found.exchanges[1].request.body)["messages"][3]["content"] == "W-1"
    assert found.exchanges[1].response.body.endswith(b'{"id":"c2","choices":[{"delta":{"content":"."}}]}\n\ndata: [DONE]\n\n')
    words = (*STYLES, *FORMS, *HOLDS, "like", "drop", "order", "pad")
    assert [word for word in words if f"`{word}" not in docs] == []


def test_a_value_that_yaml_cannot_say_is_kept_as_text() -> None:
    body = compact({"a." * 1100: {"b": {"c": {"d": [[1]]}}}})
    cassette = ModelCassette(case="s/c", exchanges=[exchange(body, body)])
    text = dump(cassette)
    assert '    text: "{\\"a.a.' in text
    assert unplaced(loads(text, file="")).exchanges == cassette.exchanges


def test_names_that_stand_twice_and_other_content_types() -> None:
    request = Request(
        method="PUT", path="/", query=(("a", "1"), ("a", "2")), body=b"--x--", content_type="multipart/form-data; boundary=x"
    )
    response = Response(status=204, headers=(("location", "/1"), ("location", "/2")))
    charset = Request(method="POST", path="/", body=b"{}", content_type="application/json; charset=utf-8")
    bare = Request(method="POST", path="/", body=b"{}")
    cassette = ModelCassette(case="s/c", exchanges=[Exchange(request=r, response=response) for r in (request, charset, bare)])
    text = dump(cassette)
    assert (
        '    query:\n    - [a, "1"]\n    - [a, "2"]\n    content-type: multipart/form-data; boundary=x\n    text: "--x--"\n'
        in text
    )
    assert unplaced(loads(text, file="")) == cassette


METHODS, WORDS = st.sampled_from(["GET", "POST"]), st.text(st.characters(exclude_categories=("Cs",)), max_size=6)
PAIRS = st.lists(st.tuples(WORDS, WORDS), max_size=3).map(sorted).map(tuple)
BODIES = st.binary(max_size=20) | st.dictionaries(
    WORDS, st.lists(WORDS | st.integers() | st.floats(allow_nan=False)), max_size=4
).map(compact)
TYPES = st.sampled_from(["application/json", "text/event-stream", ""])
REQUESTS = st.builds(
    Request, method=METHODS, path=WORDS, query=PAIRS, body=BODIES, content_type=TYPES, endpoint=st.sampled_from([HOST, ""])
)
RESPONSES = st.builds(Response, status=st.integers(100, 599), headers=PAIRS, body=BODIES)


@given(st.lists(st.builds(Exchange, request=REQUESTS, response=RESPONSES), max_size=5), st.sampled_from([None, HOST]))
def test_whatever_was_exchanged_comes_back(exchanges: list[Exchange], endpoint: str | None) -> None:
    if endpoint is None:
        exchanges = [replace(e, request=replace(e.request, endpoint="")) for e in exchanges]
    cassette = ModelCassette(case="s/c", exchanges=exchanges, endpoint=endpoint)
    text = dump(cassette)
    assert unplaced(loads(text, file="")) == cassette
    assert dump(loads(text, file="")) == text


# ---- size

ORDERS, REFUND = ("orders__get", "Look up one order by its number."), ("payments__refund", "Pay money back to the customer.")
MAIL, SEARCH = ("email__send", "Send the customer a message."), ("kb__search", "Search the help pages.")
SHOP = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": description,
            "parameters": {
                "type": "object",
                "properties": {"order_id": {"type": "string", "description": "Like W-1."}, "note": {"type": "string"}},
                "required": ["order_id"],
            },
        },
    }
    for name, description in (ORDERS, REFUND, MAIL, SEARCH)
]


def conversation(turns: int, who: str = "ann") -> list[Exchange]:
    """As api.openai.com answers: a tool call and a text of 200 characters by turns."""
    rnd = random.Random(who)
    messages: list[dict[str, Any]] = [SYSTEM, {"role": "user", "content": f"I am {who}. {USER['content']}"}]
    none = {"reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}
    out: list[Exchange] = []
    for turn in range(turns):
        asked = compact({"messages": messages, "model": "gpt-4o", "temperature": 0, "tools": SHOP})
        said = "".join(rnd.choice("etaoin shrdlu") for _ in range(200))
        told: dict[str, Any] = {"role": "assistant", "content": said}
        if turn % 2 == 0:
            arguments = json.dumps({"order_id": f"W-{turn}", "note": said[:100]})
            call = {
                "id": f"call_{rnd.randbytes(12).hex()}",
                "type": "function",
                "function": {"name": ORDERS[0], "arguments": arguments},
            }
            told = {"role": "assistant", "content": None, "tool_calls": [call]}
            then = {
                "role": "tool",
                "tool_call_id": call["id"],
                "content": json.dumps({"id": f"W-{turn}", "status": "delivered", "note": said[100:]}),
            }
        else:
            then = {"role": "user", "content": f"And what about order W-{turn}?"}
        body = answer(turn, {**told, "refusal": None, "annotations": []})
        body["id"] = f"chatcmpl-{rnd.randbytes(15).hex()}"
        body["usage"] |= {"prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0}, "completion_tokens_details": none}
        out.append(exchange(asked, compact({**body, "service_tier": "default", "system_fingerprint": "fp_50cad350e4"})))
        messages = [*messages, told, then]
    return out


def size(exchanges: list[Exchange]) -> int:
    cassette = ModelCassette(case="s/c", exchanges=exchanges, endpoint=HOST)
    text = dump(cassette)
    assert unplaced(loads(text, file="")) == cassette
    return len(text.encode())


SENT = {
    "accept": ["application/json"],
    "content-type": ["application/json"],
    "user-agent": ["OpenAI/Python 3.54.0"],
    "x-stainless-arch": ["x64"],
    "x-stainless-async": ["false"],
    "x-stainless-lang": ["python"],
    "x-stainless-os": ["Linux"],
    "x-stainless-package-version": ["3.54.0"],
    "x-stainless-retry-count": ["0"],
    "x-stainless-runtime": ["CPython"],
    "x-stainless-runtime-version": ["3.11.7"],
}
GOT = {"content-type": ["application/json"], "date": ["Sun, 22 Nov 2026 09:00:00 GMT"], "server": ["cloudflare"]}


def plain_vcrpy(exchanges: list[Exchange]) -> int:
    """The size of vcrpy's own file for the same exchanges."""
    from vcr.serializers import yamlserializer

    interactions = [
        {
            "request": {"method": "POST", "uri": HOST + e.request.path, "body": e.request.body.decode(), "headers": SENT},
            "response": {"status": {"code": 200, "message": "OK"}, "headers": GOT, "body": {"string": e.response.body.decode()}},
        }
        for e in exchanges
    ]
    return len(yamlserializer.serialize({"version": 1, "interactions": interactions}).encode())


def test_a_long_conversation_stays_small_and_grows_linearly() -> None:
    whole = conversation(80)
    assert size(whole[:40]) < 60_000
    assert plain_vcrpy(whole[:40]) > 400_000
    ten, twenty, forty, eighty = (size(whole[:turns]) for turns in (10, 20, 40, 80))
    per_turn = (twenty - ten) / 10
    assert (forty - twenty) / 20 == pytest.approx(per_turn, rel=0.05)
    assert (eighty - forty) / 40 == pytest.approx(per_turn, rel=0.05)


def test_two_conversations_in_turn_cost_no_more_than_one_after_the_other() -> None:
    ann, bob = conversation(20, "ann"), conversation(20, "bob")
    in_turn = [e for pair in zip(ann, bob, strict=True) for e in pair]
    assert size(in_turn) <= 1.02 * size(ann + bob)


# ---- what is refused

GOOD = "- {request: {method: GET, path: /}, response: {status: 200, text: x}}\n"
BASE = "- {request: {method: POST, path: /, json: {m: [1, 2]}}, response: {status: 200}}\n"


def post(rest: str) -> str:
    return f"{BASE}- {{request: {{method: POST, path: /, {rest}}}, response: {{status: 200}}}}\n"


def get(rest: str) -> str:
    return f"- {{request: {{method: GET, path: /}}, response: {{{rest}}}}}\n"


@pytest.mark.parametrize(
    ("requests", "line", "says"),
    [
        ("- x\n", 4, "found a text; an entry is a mapping with request and response"),
        ("- {request: {method: GET, path: /}}\n", 4, "'response' is missing; every entry needs it"),
        (GOOD + "- {response: {status: 200}}\n", 5, "'request' is missing; every entry needs it"),
        ("- {request: {methd: GET, path: /}, response: {status: 200}}\n", 4, "did you mean 'method'?"),
        ("- {request: {path: /}, response: {status: 200}}\n", 4, "'method' is missing; every request needs it"),
        ("- {request: {method: GET, path: 1}, response: {status: 200}}\n", 4, "path is a whole number; expected a text"),
        (
            "- {request: {method: GET, path: /, query: {a: 1}}, response: {status: 200}}\n",
            4,
            "found 1; expected a text; quote a number",
        ),
        ("- {request: {method: GET, path: /, query: [a]}, response: {status: 200}}\n", 4, "expected a pair of texts"),
        ("- {request: {method: GET, path: /, query: [[a, 1]]}, response: {status: 200}}\n", 4, "found 1; expected a text"),
        (
            "- {overlap: 1, request: {method: GET, path: /}, response: {status: 200}}\n",
            4,
            "overlap is 1; 0 requests stand before",
        ),
        (get("text: x"), 4, "'status' is missing; every response needs it"),
        (get("status: 2"), 4, "status is 2; expected one of HTTP, like 200"),
        (get("status: ok"), 4, "status is a text; expected a whole number"),
        (get("status: 200, text: x, json: {}"), 4, "there are json and text; a body is one of json, events, text, base64"),
        (get("status: 200, json: {}, style: spacd"), 4, "did you mean 'spaced'?"),
        (get("status: 200, base64: a*"), 4, "base64"),
        (get("status: 200, events: [x]"), 4, "found a text; an event is a mapping with one of json, change, data, text, cut"),
        (get("status: 200, events: [{evnt: x, data: y}]"), 4, "did you mean 'event'?"),
        (get("status: 200, events: [{event: x}]"), 4, "none of json, change, data, text, cut is there; an event has one of them"),
        (get("status: 200, events: [{json: {}, data: y}]"), 4, "there are json and data; an event has one of them"),
        (get("status: 200, events: [{cut: x}, {data: y}]"), 4, "cut is not the last event"),
        (get("status: 200, events: [{json: {}, pad: -1}]"), 4, "pad is -1; expected a number of blanks"),
        (get("status: 200, events: [{change: {a: 1}}]"), 4, "change: there is no mapping of JSON before it"),
        (get("status: 200, events: [{json: {}, style: spacd}]"), 4, "unknown style"),
        (get("status: 200, like: 1, json: {}"), 4, "like is 1; none stands before this one"),
        (post("like: 2, json: {}"), 5, "like is 2; 1 to 1 stand before this one"),
        (post("like: 0, json: {}"), 5, "like is 0"),
        (post("like: 1"), 5, "'json' is missing; with like it holds what differs"),
        (post("drop: [a], json: {}"), 5, "drop without like"),
        (post("like: 1, drop: [1], json: {}"), 5, "found [1]; expected a list of keys"),
        (post("like: 1, drop: [x], json: {}"), 5, "drop: 1 has no 'x'"),
        (post("like: 1, json: {m: {keep: 3, add: []}}"), 5, "m: keep is 3, 1 has 2 of them"),
        (post("like: 1, json: {}") + post("x: 1")[len(BASE) :], 6, "unknown key 'x'"),
        (GOOD + post("like: 1, json: {}")[len(BASE) :], 5, "like: 1 is no mapping of JSON that another could be like"),
    ],
)
def test_a_file_that_was_edited_out_of_shape(requests: str, line: int, says: str) -> None:
    with pytest.raises(CassetteError) as caught:
        loads(f"format: 1\ncase: s/c\nrequests:\n{requests}", file="model.yaml", cure="record it again")
    assert caught.value.line == line
    assert says in str(caught.value)
    assert caught.value.cure == "correct the file, or record it again"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 1, "is empty: it was cut off"),
        (WRITTEN[:-4], 92, "is cut off: it starts with --- and its last line is not ..."),
        ("- a\n", 1, "a recording is a mapping with format, case and requests"),
        ("case: s/c\n", 1, "a recording needs format and requests"),
        ("format: 0\nrequests: []\n", 1, "format is 0; expected 1"),
        ("format: 1\ncalls: []\nrequests: []\n", 2, "unknown key 'calls'; expected one of format, case, endpoint, requests"),
        ("format: 2\nwhat: ever\n", 1, "has format 2, this version of pytest-agentops reads format 1"),
        ("format: 1\nrequests: [\n", 3, ""),
        ("format: 1\nformat: 1\nrequests: []\n", 2, "duplicate key 'format'"),
    ],
)
def test_a_file_that_is_damaged(text: str, line: int, says: str) -> None:
    with pytest.raises(CassetteError) as caught:
        loads(text, file="model.yaml", cure="record it again")
    assert caught.value.line == line
    assert says in str(caught.value)


def test_all_mistakes_are_said_at_once() -> None:
    text = "format: 1\nrequests:\n" + get("status: 1") + get("status: 200, base64: a*, text: x") + get("status: 2")
    with pytest.raises(CassetteError) as caught:
        loads(text, file="model.yaml")
    assert [word in str(caught.value) for word in ("status is 1", "there are text and base64", "status is 2")] == [True] * 3


def test_a_cassette_of_vcrpy_says_so() -> None:
    from vcr.serializers import jsonserializer, yamlserializer

    data = {"version": 1, "interactions": [{"request": {"body": b"\xff"}, "response": {}}]}
    for text in (yamlserializer.serialize(data), jsonserializer.serialize({"version": 1, "interactions": []})):
        with pytest.raises(CassetteError, match=r"model\.yaml:1: is a cassette of vcrpy, not a recording of pytest-agentops"):
            loads(text, file="model.yaml")


@pytest.fixture
def path(tmp_path: Path, cassette: ModelCassette) -> Path:
    folder = tmp_path / "cassettes" / "refunds" / "small_refund"
    folder.mkdir(parents=True)
    path = folder / "model.yaml"
    path.write_text(dump(cassette), encoding="utf-8")
    return path


def test_a_recording_of_another_case(path: Path) -> None:
    assert read(path, case="refunds/small_refund").case == "refunds/small_refund"
    with pytest.raises(CassetteError) as caught:
        read(path, case="refunds/other", shown="cassettes/refunds/other/model.yaml")
    assert str(caught.value) == (
        "cassettes/refunds/other/model.yaml:3: is a recording of 'refunds/small_refund', not of 'refunds/other'\n"
        "  cure: pytest --agent-evals --agent-record=all -k small_refund, or take the file back from version control"
    )


def test_a_file_that_is_not_there_or_no_text(path: Path) -> None:
    path.write_bytes(b"---\n\xff")
    with pytest.raises(CassetteError, match=":2: is no UTF-8 text"):
        read(path)
    path.unlink()
    with pytest.raises(MissingCassette, match=r"there is no model\.yaml in the recording's folder"):
        read(path)


@pytest.mark.parametrize("cut", range(5, len(WRITTEN) - 1, 37))
def test_a_file_that_was_cut_anywhere_is_refused(cut: int) -> None:
    with pytest.raises(CassetteError, match="is cut off"):
        loads(WRITTEN[:cut], file="model.yaml")


# ---- the parsed cache


@pytest.fixture
def cache(tmp_path: Path) -> ParsedCache:
    folder = tmp_path / "cache"
    folder.mkdir()
    return ParsedCache(folder)


def test_the_cache_gives_the_same(path: Path, cache: ParsedCache, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = bytes(range(256))
    mixed = replace(loads(WRITTEN, file=""), exchanges=[exchange(raw, raw), *loads(WRITTEN, file="").exchanges])
    path.write_text(dump(mixed), encoding="utf-8")
    cold = read(path, cache=cache)
    monkeypatch.setattr("pytest_agentops.tape.model.file.loads", None)  # not read a second time
    assert read(path, cache=cache) == cold
    assert cold.exchanges[0].response.body == raw


def test_a_wrong_file_is_not_kept(path: Path, cache: ParsedCache) -> None:
    path.write_text("format: 1\nrequests: [1]\n", encoding="utf-8")
    for _ in range(2):
        with pytest.raises(CassetteError):
            read(path, cache=cache)


def test_a_warm_file_is_read_in_no_time(path: Path, cache: ParsedCache) -> None:
    path.write_text(dump(ModelCassette(case="s/c", exchanges=conversation(4))), encoding="utf-8")
    read(path, cache=cache)
    assert best(lambda: read(path, case="s/c", cache=cache)) < 0.0005


def best(act: Callable[[], object]) -> float:
    times = []
    for _ in range(200):
        start = time.process_time()
        act()
        times.append(time.process_time() - start)
    return min(times)
