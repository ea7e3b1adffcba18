"""What a miss of the model layer says, to the letter: one file a situation in golden/."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agentops.errors import CassetteMiss
from pytest_agentops.schema.pins import Pins
from pytest_agentops.tape.model.exchange import Exchange, ModelCassette, Request, Response
from pytest_agentops.tape.model.match import key
from pytest_agentops.tape.model.pins import first_of, models_of, prompt_digest
from pytest_agentops.tape.model.player import ModelPlayer
from pytest_agentops.tape.model.report import no_layer_report

GOLDEN = Path(__file__).parent / "golden"
HOST = "http://127.0.0.1:8080"

RULES = "You are the support agent of a small shop.\nLook an order up before you refund it.\nBe brief."
SYSTEM = {"role": "system", "content": RULES}
USER = {"role": "user", "content": "Refund order W-1, it arrived broken."}
CALL = {"id": "call_1", "type": "function", "function": {"name": "orders.get", "arguments": '{"order_id": "W-1"}'}}
CALLS = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": '{"id": "W-1", "status": "delivered", "total_usd": 30}'}
GET = {
    "name": "orders.get",
    "description": "Look an order up.",
    "parameters": {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]},
}


def post(path: str, body: dict[str, Any] | bytes) -> Request:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Request.of("POST", HOST + path, text, "application/json")


def chat(*messages: dict[str, Any], **options: Any) -> Request:
    tools = [{"type": "function", "function": GET}]
    body = {"model": "smollm2-135m", "temperature": 0, "seed": 1, "messages": list(messages), "tools": tools, **options}
    return post("/v1/chat/completions", body)


def recorded(*requests: Request, folder: str = "small_refund") -> ModelCassette:
    answer = Response(status=200, body=b"{}")
    exchanges = [Exchange(request=request, response=answer, line=4 + 15 * i) for i, request in enumerate(requests)]
    return ModelCassette(case="refunds/small_refund", exchanges=exchanges, file=f"cassettes/refunds/{folder}/model.yaml")


def pinned(cassette: ModelCassette) -> Pins:
    requests = [exchange.request for exchange in cassette.exchanges]
    first = first_of(requests)
    return Pins(model=models_of(requests), prompt=prompt_digest(first) if first else None)


def miss(cassette: ModelCassette, *requests: Request) -> CassetteMiss:
    """The miss of the last request, after all others were played."""
    player = ModelPlayer(cassette, pins=pinned(cassette))
    for request in requests[:-1]:
        player.take(request)
    with pytest.raises(CassetteMiss) as caught:
        player.take(requests[-1])
    return caught.value


@dataclass(frozen=True)
class Situation:
    """A recording, the requests of this run (the last one is the miss), and what the data says of it."""

    recorded: ModelCassette
    requests: Sequence[Request]
    differs: list[str] = field(default_factory=list)
    reason: str = "changed-request"
    line: int | None = 4
    pins: list[str] = field(default_factory=list)


FIRST, SECOND = chat(SYSTEM, USER), chat(SYSTEM, USER, CALLS, RESULT)
LOOP = recorded(FIRST, SECOND)
RENAMED = {**GET, "parameters": {"type": "object", "properties": {"order_id": {"type": "integer"}, "full": {"type": "boolean"}}}}

RESPONSES = {
    "model": "gpt-x",
    "instructions": RULES,
    "input": [
        {"role": "user", "content": "Refund order W-1."},
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "orders.get", "arguments": '{"order_id": "W-1"}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "delivered\n30 USD"},
    ],
}
ANTHROPIC = {
    "model": "claude-x",
    "max_tokens": 256,
    "system": RULES,
    "messages": [
        {"role": "user", "content": "Refund order W-1."},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "toolu_1", "name": "orders.get", "input": {"order_id": "W-1"}}],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "delivered, 30 USD"}]},
    ],
}
GEMINI = {
    "contents": [{"role": "user", "parts": [{"text": "Refund order W-1."}]}],
    "generationConfig": {"temperature": 0},
}
LONG = "Our return rules in full. " * 40


def changed(body: dict[str, Any], text: str, other: str) -> dict[str, Any]:
    """`body` with one text of it replaced."""
    found: dict[str, Any] = json.loads(json.dumps(body).replace(text, other))
    return found


SITUATIONS = {
    "chat": Situation(
        LOOP,
        [FIRST, chat(SYSTEM, USER, CALLS, {**RESULT, "content": RESULT["content"].replace("30", "45")})],
        ["message 4 of 4 (tool)"],
        line=19,
    ),
    "responses": Situation(
        recorded(post("/v1/responses", RESPONSES)),
        [post("/v1/responses", changed(RESPONSES, "30 USD", "45 USD"))],
        ["message 4 of 4 (tool)"],
    ),
    "anthropic": Situation(
        recorded(post("/v1/messages", ANTHROPIC)),
        [post("/v1/messages", changed(ANTHROPIC, '"order_id": "W-1"', '"order_id": "W-7"'))],
        ["message 3 of 4 (assistant)"],
    ),
    "gemini": Situation(
        recorded(post("/v1beta/models/gemini-x:generateContent", GEMINI)),
        [post("/v1beta/models/gemini-x:generateContent", changed(GEMINI, "W-1", "W-2"))],
        ["message 1 of 1 (user)"],
    ),
    "system-prompt": Situation(
        LOOP,
        [chat({**SYSTEM, "content": RULES.replace("Be brief.", "Be brief and kind.\nNever promise anything.")}, USER)],
        ["message 1 of 2 (system)"],
        pins=["prompt"],
    ),
    "model": Situation(LOOP, [chat(SYSTEM, USER, model="gpt-x")], ["model"], pins=["model"]),
    "model-in-the-path": Situation(
        recorded(post("/v1beta/models/gemini-x:generateContent", GEMINI)),
        [post("/v1beta/models/gemini-y:generateContent", GEMINI)],
        ["path"],
        pins=["model"],
    ),
    "temperature": Situation(
        LOOP, [FIRST, chat(SYSTEM, USER, CALLS, RESULT, temperature=0.7, seed=None)], ["seed", "temperature"], line=19
    ),
    "tool-schema": Situation(
        LOOP,
        [
            chat(
                SYSTEM,
                USER,
                tools=[{"type": "function", "function": RENAMED}, {"type": "function", "function": {"name": "ping"}}],
            )
        ],
        [
            "tool orders.get parameters.properties.full",
            "tool orders.get parameters.properties.order_id.type",
            "tool orders.get parameters.required",
            "tool ping",
        ],
        pins=["prompt"],
    ),
    "extra-message": Situation(
        LOOP,
        [FIRST, SECOND, chat(SYSTEM, USER, CALLS, RESULT, {"role": "user", "content": "Are you sure?"})],
        ["message 5 of 5 is new (user)"],
        line=19,
    ),
    "missing-messages": Situation(recorded(SECOND), [FIRST], ["messages 3-4 of 4 are gone"]),
    "several-messages": Situation(
        LOOP,
        [FIRST, chat(SYSTEM, changed(USER, "W-1", "W-2"), changed(CALLS, "W-1", "W-2"), changed(RESULT, "W-1", "W-2"))],
        ["message 2 of 4 (user)"],
        line=19,
    ),
    "far-into-a-long-line": Situation(
        recorded(chat({"role": "system", "content": f"{LONG}Refund up to 50 USD. {LONG}"}, USER)),
        [chat({"role": "system", "content": f"{LONG}Refund up to 90 USD. {LONG}"}, USER)],
        ["message 1 of 2 (system)"],
        pins=["prompt"],
    ),
    "not-to-be-seen": Situation(
        recorded(chat(SYSTEM, {"role": "user", "content": "Refund W-1."})),
        [chat(SYSTEM, {"role": "user", "content": "Refund W-1. "})],
        ["message 2 of 2 (user)"],
    ),
    "date-in-the-prompt": Situation(
        recorded(chat({"role": "system", "content": "Be brief.\nToday is 2026-11-22, 09:30."}, USER)),
        [chat({"role": "system", "content": "Be brief.\nToday is 2026-11-23, 12:01."}, USER)],
        ["message 1 of 2 (system)"],
        pins=["prompt"],
    ),
    "no-message-differs": Situation(
        recorded(chat(SYSTEM, {**USER, "name": "ann"})),
        [chat(SYSTEM, {**USER, "name": "bob"})],
        ["$.messages[1].name"],
    ),
    "exhausted": Situation(LOOP, [FIRST, FIRST], [], reason="exhausted"),
    "nothing-similar": Situation(LOOP, [Request.of("GET", f"{HOST}/v1/models", b"")], [], line=None),
    "text": Situation(recorded(post("/search", b"q=orders\nlimit=5")), [post("/search", b"q=orders\nlimit=6")], ["body"]),
    "bytes": Situation(recorded(post("/audio", b"RIFF\xff\x01\x02")), [post("/audio", b"RIFF\xff\x01\x03\x04")], ["body"]),
    "query": Situation(
        recorded(post("/v1/chat/completions?api-version=1", json.loads(FIRST.body))),
        [post("/v1/chat/completions?api-version=2", json.loads(FIRST.body))],
        ["query api-version"],
    ),
    "trial-and-variant": Situation(recorded(FIRST, folder="small_refund~gpt.t2"), [chat(SYSTEM, USER, seed=2)], ["seed"]),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_report_of_a_miss(name: str) -> None:
    situation = SITUATIONS[name]
    found = miss(situation.recorded, *situation.requests)
    assert f"{found.report}\n" == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")
    assert str(found) == found.report
    data = found.data
    assert (data["reason"], data["differs"], data["line"]) == (situation.reason, situation.differs, situation.line)
    assert sorted(data["pins"]) == situation.pins
    assert data["file"] == (situation.recorded.file if situation.line else None)
    assert len(data["fixes"]) == found.report.count(" -> ", found.report.index("  fix  ")) >= 3
    json.dumps(data)


def test_where_the_recording_has_no_model_layer() -> None:
    report, data = no_layer_report(FIRST, "refunds/small_refund", folder="small_refund.t3", number=2)
    assert f"{report}\n" == (GOLDEN / "no-model-layer.txt").read_text(encoding="utf-8")
    assert (data["reason"], data["method"], data["path"]) == ("no-model-layer", "POST", "/v1/chat/completions")
    alone, _ = no_layer_report(FIRST, "refunds/small_refund")
    assert alone.startswith("CassetteMiss [no-model-layer] refunds/small_refund, trial 1, request 1: POST /v1/chat/completions\n")
    assert "-k small_refund" in alone


def test_every_golden_file_belongs_to_a_test() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == {*SITUATIONS, "no-model-layer"}


# ---- the nearest request


def nearest(cassette: ModelCassette, *requests: Request) -> int:
    closest: int = miss(cassette, *requests).data["closest"]
    return closest


def test_the_nearest_request_is_that_of_the_same_turn() -> None:
    cassette = recorded(FIRST, SECOND, chat(SYSTEM, USER, CALLS, RESULT, USER))
    kind = {"role": "system", "content": "Be kind."}
    assert nearest(cassette, chat(kind, USER)) == 1
    assert nearest(cassette, chat(kind, USER, CALLS, RESULT)) == 2
    assert nearest(cassette, chat(kind, USER, CALLS, RESULT, USER)) == 3
    assert nearest(cassette, chat(SYSTEM, USER, CALLS, RESULT, RESULT)) == 3


def test_of_equally_near_requests_one_that_was_not_played_is_taken() -> None:
    twice = recorded(FIRST, SECOND, FIRST)
    assert nearest(twice, chat(SYSTEM, USER, seed=2)) == 1
    assert nearest(twice, FIRST, chat(SYSTEM, USER, seed=2)) == 3


def test_another_path_is_near_only_if_it_says_something_alike() -> None:
    moved = post("/openai/v1/chat/completions", json.loads(FIRST.body))
    assert nearest(LOOP, moved) == 1
    assert "closest" not in miss(LOOP, post("/v1/embeddings", {"model": "e", "input": "x"})).data


# ---- pins


def test_a_model_of_several_that_were_recorded_has_not_changed() -> None:
    cassette = recorded(FIRST, chat(SYSTEM, USER, model="big"))
    assert "model ok" in miss(cassette, chat(SYSTEM, USER, model="big", seed=3)).report
    assert "model CHANGED (big, smollm2-135m -> gpt-x)" in miss(cassette, chat(SYSTEM, USER, model="gpt-x")).report


def test_the_prompt_is_that_of_the_first_request_of_the_run() -> None:
    """A later request with another prompt (a second agent, a summary) says nothing about the pin."""
    report = miss(LOOP, FIRST, chat({"role": "system", "content": "Sum up."}, USER)).report
    assert "pins      prompt ok | model ok\n" in report


def test_without_recorded_pins_none_is_said_to_have_changed() -> None:
    player = ModelPlayer(LOOP)
    with pytest.raises(CassetteMiss, match="pins      none recorded"):
        player.take(chat(SYSTEM, USER, model="gpt-x"))


# ---- what holds for every report

texts = st.text(max_size=300) | st.sampled_from(["x" * 5000, "line\n" * 400, "\x1b[31mred", "a\rb", ""])
messages = st.builds(lambda role, text: {"role": role, "content": text}, st.sampled_from(["system", "user", "tool"]), texts)
options = st.dictionaries(st.sampled_from(list("abcdefghij")), st.integers() | texts, max_size=10)
bodies = st.builds(
    lambda said, more, tools: json.dumps({"model": "m", "messages": said, **more, "tools": tools}).encode(),
    st.lists(messages, max_size=6),
    options,
    st.lists(st.builds(lambda name, text: {"name": name, "description": text}, st.sampled_from("xyz"), texts), max_size=3),
)
requests = st.builds(
    lambda body, path: post(path, body), bodies | st.binary(max_size=200), st.sampled_from(["/v1/chat", "/v1/x?a=b"])
)


@given(st.lists(requests, min_size=1, max_size=5), requests)
def test_a_report_is_short_and_plain_and_names_what_differs(was: list[Request], now: Request) -> None:
    cassette = recorded(*was)
    player = ModelPlayer(cassette, pins=pinned(cassette))
    if key(now) in {key(request) for request in was}:
        player.take(now)
        return
    with pytest.raises(CassetteMiss) as caught:
        player.take(now)
    lines = caught.value.report.split("\n")
    assert len(lines) <= 25
    assert all(line.isprintable() and len(line) <= 260 for line in lines)
    assert caught.value.data["differs"] or "closest" not in caught.value.data
