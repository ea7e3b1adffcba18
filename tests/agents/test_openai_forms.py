"""The agent `openai` in its other forms: streamed, over the Responses API, and where only the output's shape is held."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, Literal

import pytest

from pytest_agentops import Run, Task, Toolbox, tool
from pytest_agentops.agents.openai import Done, ModelError, Step
from pytest_agentops.agents.openai.actions import schema_of
from pytest_agentops.agents.openai.client import _told
from pytest_agentops.agents.openai.steps import Offer
from pytest_agentops.errors import BudgetExceeded, CassetteMiss
from pytest_agentops.schema.validate import check_schema, violations

from ..servers.protocol import Answer, call, fail, html, raw, say, use_tools
from .conftest import Desk

GET = use_tools(call("orders__get", order_id="W-1"), text="One moment.")


SDK = SimpleNamespace(base_url="http://x/v1")


def failed(run: Run, says: str) -> None:
    assert run.outcome == "error"
    assert run.stop is not None
    assert says in run.stop


def sse(*events: Any) -> Answer:
    data = "".join(f"data: {e if isinstance(e, str) else json.dumps(e)}\n\n" for e in events)
    return raw(data, content_type="text/event-stream")


# ---- streams


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("is_async", [False, True])
def test_a_stream_is_put_together(desk: Desk, api: str, is_async: bool) -> None:
    both = use_tools(
        call("orders__get", order_id="W-1"), call("payments__refund", order_id="W-1", amount_usd=2.5), text="One moment."
    )
    run = desk.run([both, "It is refunded."], agent={"stream": True, "api": api, "async": is_async})
    assert run.output == "It is refunded."
    assert run.said == ["One moment.", "It is refunded."]
    assert [(c.tool, c.args) for c in run.calls] == [
        ("orders.get", {"order_id": "W-1"}),
        ("payments.refund", {"order_id": "W-1", "amount_usd": 2.5}),
    ]
    assert all(request["stream"] is True for request in desk.requests)
    assert run.usage is not None
    assert (run.usage.input, run.usage.output) == (24, 14)


def test_a_stream_asks_for_its_usage_unless_it_is_told_not_to(desk: Desk) -> None:
    desk.run(["Hello."], agent={"stream": True})
    assert desk.requests[0]["stream_options"] == {"include_usage": True}
    run = desk.run(["Hello."], agent={"stream": True, "include_usage": False})
    assert "stream_options" not in desk.requests[0]
    assert (run.output, run.usage) == ("Hello.", None)
    desk.run(["Hello."], agent={"stream": True, "api": "responses"})
    assert "stream_options" not in desk.requests[0]


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("cut", [0, 1, 3])
def test_a_stream_that_is_cut_ends_the_run(desk: Desk, api: str, cut: int) -> None:
    run = desk.run([say("It is delivered.").but(cut=cut)], agent={"stream": True, "api": api, "max_retries": 0})
    failed(run, "ModelError: no answer from http://127.0.0.1:")
    failed(run, "(RemoteProtocolError: ")
    assert run.output is None


class ReadError(Exception):
    """Stands for an error of the HTTP library, which some versions of the SDK let through."""

    __module__ = "httpx"


def test_an_error_of_the_http_library_is_told_in_our_words() -> None:
    with pytest.raises(ModelError, match=r"the answer of http://x/v1 broke off: ReadError: gone"), _told(SDK):
        raise ReadError("gone")


def test_what_the_guard_raised_inside_the_client_is_what_ends_the_run() -> None:
    """Some versions of the SDK take any exception for one of the connection."""
    import openai

    miss = CassetteMiss("the report", data={})
    with pytest.raises(CassetteMiss) as caught, _told(SDK):
        raise openai.APIConnectionError(request=None) from miss  # type: ignore[arg-type]
    assert caught.value is miss
    with pytest.raises(BudgetExceeded), _told(SDK):
        raise BudgetExceeded("steps", 1, 2)
    with pytest.raises(ZeroDivisionError), _told(SDK):
        raise ZeroDivisionError


CHUNK = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}


def delta(finish: str | None = None, **said: Any) -> dict[str, Any]:
    return {**CHUNK, "choices": [{"index": 0, "delta": said, "finish_reason": finish}]}


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (sse(delta(content="It is"), "[DONE]"), "the model's stream ended before its answer did, after: It is"),
        (sse(delta(tool_calls=[{"index": 0, "id": "c", "function": {"name": "orders__get", "arguments": "{"}}])), "ended before"),
        (sse("[DONE]"), "the model's stream ended before its answer did"),
        (sse(), "the model's stream ended before its answer did"),
        (sse(delta("length", content="It is")), "cut at its length limit"),
        (sse(delta("content_filter", content="It")), "content filter"),
        (sse(delta(content="It"), {"error": {"message": "overloaded"}}), "APIError: overloaded"),
        (html(), "the model's stream ended before its answer did"),
    ],
)
def test_a_stream_that_does_not_end_well(desk: Desk, answer: Answer, says: str) -> None:
    run = desk.run([answer], agent={"stream": True})
    failed(run, says)
    assert run.calls == []


def test_azure_streams_results_of_its_filter_between_the_chunks(desk: Desk) -> None:
    first = {**CHUNK, "choices": [], "prompt_filter_results": [{"prompt_index": 0}]}
    late = {"id": "", "object": "", "created": 0, "model": "", "choices": []}
    run = desk.run(
        [sse(first, delta(content="Hel"), late, delta(content="lo."), delta("stop"), "[DONE]")], agent={"stream": True}
    )
    assert run.output == "Hello."


# ---- the Responses API


def test_responses(desk: Desk) -> None:
    options = {"api": "responses", "max_tokens": 50, "parallel_tool_calls": True}
    run = desk.run([GET, "It is delivered.", "30.5."], agent=options, prompt="Be brief.", turns=["Where is W-1?", "Its total?"])
    assert run.output == "30.5."
    assert desk.paths == ["/v1/responses"] * 3
    first, second, third = desk.requests
    assert first["instructions"] == "Be brief."
    assert first["input"] == [{"role": "user", "content": "Where is W-1?"}]
    assert first["max_output_tokens"] == 50
    assert first.keys() == {"model", "instructions", "input", "tools", "max_output_tokens", "parallel_tool_calls"}
    assert first["tools"][0]["type"] == "function"
    assert first["tools"][0]["name"] == "orders__get"
    assert first["tools"][0]["strict"] is False
    assert [item.get("type", item.get("role")) for item in second["input"]] == [
        "user",
        "message",
        "function_call",
        "function_call_output",
    ]
    assert second["input"][2]["call_id"] == second["input"][3]["call_id"]
    assert json.loads(second["input"][3]["output"])["status"] == "delivered"
    assert third["input"][:4] == second["input"]
    assert third["input"][4]["content"][0]["text"] == "It is delivered."
    assert third["input"][5] == {"role": "user", "content": "Its total?"}


def test_texts_of_the_assistant_are_written_as_the_api_writes_them(desk: Desk) -> None:
    """OpenAI takes the short form too; llama.cpp refuses it."""
    examples = [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]
    desk.run(["6"], agent={"api": "responses", "examples": examples}, task="3+3?")
    assert desk.requests[0]["input"] == [
        {"role": "user", "content": "2+2?"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "4", "annotations": []}]},
        {"role": "user", "content": "3+3?"},
    ]


def response(**more: Any) -> Answer:
    return raw(json.dumps({"id": "r", "object": "response", "model": "m", "output": [], "status": "completed", **more}))


def said(kind: str, **more: Any) -> list[dict[str, Any]]:
    return [
        {"type": "reasoning", "id": "rs", "summary": []},
        {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [{"type": kind, **more}]},
    ]


def test_responses_may_reason_and_refuse(desk: Desk) -> None:
    assert desk.run([response(output=said("refusal", refusal="No."))], agent={"api": "responses"}).output == "No."
    thinking = [{"type": "reasoning", "id": "rs", "summary": []}]
    asked = {"type": "function_call", "id": "f", "call_id": "c", "name": "orders__get", "arguments": '{"order_id": "W-1"}'}
    run = desk.run([response(output=[*thinking, asked]), "Done."], agent={"api": "responses"})
    assert run.output == "Done."
    assert desk.requests[1]["input"][1] == thinking[0]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (response(), "the model answered nothing"),
        (
            response(
                output=said("output_text", text="It"), status="incomplete", incomplete_details={"reason": "max_output_tokens"}
            ),
            "cut at its length limit",
        ),
        (response(status="incomplete", incomplete_details={"reason": "content_filter"}), "content filter"),
        (response(status="failed", error={"code": "server_error", "message": "no luck"}), "answered with an error: no luck"),
        (raw(b'{"object": "response"}'), "the server's answer is no response"),
        (fail(404, "no such path"), "NotFoundError"),
    ],
)
def test_a_response_that_is_none(desk: Desk, answer: Answer, says: str) -> None:
    failed(desk.run([answer], agent={"api": "responses"}), says)


# ---- strategy: json_schema

JSON = {"strategy": "json_schema"}


def act(name: str, **arguments: Any) -> str:
    return json.dumps({"tool": name, "arguments": arguments})


def reply(value: Any) -> str:
    return json.dumps({"reply": value})


def test_actions_need_no_tool_calls_of_the_server(desk: Desk) -> None:
    run = desk.run([act("orders.get", order_id="W-1"), reply("It is delivered.")], agent=JSON, prompt="Be brief.", task="W-1?")
    assert run.output == "It is delivered."
    assert run.said == ["It is delivered."]
    assert [(c.tool, c.args) for c in run.calls] == [("orders.get", {"order_id": "W-1"})]
    assert run.messages[1]["tool_calls"][0]["function"]["name"] == "orders.get"
    first, second = desk.requests
    assert first.keys() == {"model", "messages", "response_format"}
    assert first["messages"][0]["content"] == (
        'Be brief.\n\nAnswer with one JSON object. To use a tool: {"tool": NAME, "arguments": {...}}. '
        'To answer the user: {"reply": "..."}.\nTools:\n'
        "- orders.get(order_id: string): Look an order up.\n"
        "- payments.refund(order_id: string, amount_usd: number): Pay back.\n"
        "- slow.read(name: string): Wait.\n"
        "- slow.aread(name: string): Wait, without blocking."
    )
    assert second["messages"][2:] == [
        {"role": "assistant", "content": act("orders.get", order_id="W-1")},
        {"role": "user", "content": '{"tool":"orders.get","result":{"id":"W-1","total_usd":30.5,"status":"delivered"}}'},
    ]


def form(desk: Desk, request: int = 0) -> Any:
    return desk.requests[request]["response_format"]["json_schema"]["schema"]


def test_the_schema_has_a_branch_for_every_action(desk: Desk) -> None:
    desk.run([reply("Done.")], agent=JSON)
    assert desk.requests[0]["response_format"]["type"] == "json_schema"
    assert desk.requests[0]["response_format"]["json_schema"]["name"] == "step"
    branches = form(desk)["anyOf"]
    assert [b["properties"].get("tool", {}).get("const") for b in branches] == [
        "orders.get",
        "payments.refund",
        "slow.read",
        "slow.aread",
        None,
    ]
    for good in (act("orders.get", order_id="W-1"), reply("Hello.")):
        assert violations(form(desk), json.loads(good)) == []
    for bad in (act("orders.gte", order_id="W-1"), act("orders.get"), reply(3), "{}", '{"reply": "x", "tool": "orders.get"}'):
        assert violations(form(desk), json.loads(bad))


def test_the_same_over_responses_and_streamed(desk: Desk) -> None:
    script = [act("orders.get", order_id="W-1"), reply("Done.")]
    run = desk.run(script, agent={**JSON, "api": "responses", "stream": True})
    assert run.output == "Done."
    held = desk.requests[0]["text"]["format"]
    assert (held["type"], held["name"], held["strict"]) == ("json_schema", "step", False)
    assert "anyOf" in held["schema"]
    assert desk.requests[1]["input"][-1]["content"].startswith('{"tool":"orders.get","result":')


def test_errors_of_tools_go_back(desk: Desk) -> None:
    script = [act("orders.get", order_id="W-9"), act("orders.gte"), act("orders.get", order="W-1"), reply("Sorry.")]
    run = desk.run(script, agent=JSON)
    assert run.output == "Sorry."
    errors = [json.loads(r["messages"][-1]["content"]) for r in desk.requests[1:]]
    assert [(e["tool"], e["error"]["reason"]) for e in errors] == [
        ("orders.get", "tool_failed"),
        ("orders.gte", "tool_unknown"),
        ("orders.get", "schema_invalid"),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "It is delivered.",
            "your answer is no JSON: Expecting value: line 1 column 1 (char 0); expected one of the tools orders",
        ),
        ('{"tool": "orders.get", "argu', "your answer is no JSON: Unterminated string"),
        ('["orders.get"]', "your answer is no JSON object; expected one of the tools"),
        ('{"order_id": "W-1"}', "expected one of the tools orders.get, payments.refund, slow.read, slow.aread, or a reply"),
        ('{"reply": 3}', "expected one of the tools"),
        ('{"tool": 3}', "expected one of the tools"),
        ("", "your answer is no JSON"),
    ],
)
def test_an_answer_that_is_no_action_goes_back(desk: Desk, text: str, says: str) -> None:
    run = desk.run([say(text), reply("Done.")], agent=JSON)
    assert run.output == "Done."
    assert run.said == ["Done."]
    assert json.loads(desk.requests[1]["messages"][-1]["content"])["error"].startswith(says)
    assert {"role": "assistant", "content": text} in run.messages


def test_an_answer_that_was_cut_says_so(desk: Desk) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": '{"tool": "ord'}, "finish_reason": "length"}
    run = desk.run([raw(json.dumps({"choices": [choice]})), reply("Done.")], agent=JSON)
    assert run.output == "Done."
    assert "no JSON, it was cut at its length limit" in desk.requests[1]["messages"][-1]["content"]


def test_the_author_describes_the_tools_and_shows_examples(desk: Desk) -> None:
    examples = [{"role": "user", "content": "Z-1?"}, {"role": "assistant", "content": {"tool": "orders.get", "arguments": {}}}]
    desk.run([reply("Done.")], agent={**JSON, "describe": False, "examples": examples}, prompt="Be brief.", task="W-1?")
    assert [m["content"] for m in desk.requests[0]["messages"]] == [
        "Be brief.",
        "Z-1?",
        '{"tool":"orders.get","arguments":{}}',
        "W-1?",
    ]


def test_a_reply_may_have_a_schema_of_its_own(desk: Desk) -> None:
    schema = {"type": "object", "properties": {"outcome": {"enum": ["refunded", "declined"]}}, "required": ["outcome"]}
    run = desk.run([reply({"outcome": "declined"})], agent={**JSON, "reply": schema}, tools=())
    assert run.output == {"outcome": "declined"}
    assert form(desk)["properties"] == {"reply": schema}
    assert "messages" in desk.requests[0]
    assert [m["role"] for m in desk.requests[0]["messages"]] == ["user"]


def test_a_reply_may_be_forbidden(desk: Desk) -> None:
    def step(task: Task, done: list[Done]) -> Step | str:
        return "Done." if len(done) == 2 else Step()

    script = [reply("I am done."), act("orders.get", order_id="W-1")]
    run = desk.run(script, agent={**JSON, "reply": False, "step": step})
    assert run.output == "Done."
    assert [c.tool for c in run.calls] == ["orders.get"]
    assert len(form(desk)["anyOf"]) == 4
    assert 'To answer the user: {"reply"' not in desk.requests[0]["messages"][0]["content"]


def test_steps_lead_a_small_model_by_the_hand(desk: Desk) -> None:
    """Plan and execute: every step has its own messages and offers only what is legal next."""
    seen: list[tuple[str | None, bool]] = []

    def step(task: Task, done: list[Done]) -> Step | str:
        seen[:] = [(d.tool, d.result.ok) for d in done]
        if not done:
            return Step(tools=["orders.get"], reply=False, messages=[{"role": "user", "content": task.text}])
        if done[-1].tool == "orders.get":
            record = done[-1].result.value
            narrow = {
                "type": "object",
                "properties": {"order_id": {"const": record["id"]}, "amount_usd": {"const": record["total_usd"]}},
                "required": ["order_id", "amount_usd"],
            }
            return Step(tools={"payments.refund": narrow}, reply=False, messages=[{"role": "user", "content": record}])
        return Step(tools=[], reply={"enum": ["refunded", "declined"]})

    script = [
        act("payments.refund", order_id="W-1", amount_usd=1),
        act("orders.get", order_id="W-1"),
        act("payments.refund", order_id="W-1", amount_usd=30.5),
        reply("refunded"),
    ]
    turned = iter([act("orders.get", order_id="W-1"), *script[2:]])
    run = desk.run(lambda asked: next(turned), agent={**JSON, "step": step}, task="Refund W-1.")
    assert run.output == "refunded"
    assert [c.tool for c in run.calls] == ["orders.get", "payments.refund"]
    assert seen == [("orders.get", True), ("payments.refund", True)]
    assert desk.requests[0]["messages"] == [{"role": "user", "content": "Refund W-1."}]
    assert form(desk)["properties"]["tool"] == {"const": "orders.get"}
    assert form(desk, 1)["properties"]["arguments"]["properties"]["amount_usd"] == {"const": 30.5}
    assert form(desk, 2)["properties"] == {"reply": {"enum": ["refunded", "declined"]}}
    assert [m["role"] for m in desk.requests[2]["messages"]] == ["system", "user", "assistant", "user", "assistant", "user"]


def test_a_server_that_holds_nothing_cannot_leave_the_steps(desk: Desk) -> None:
    script = [act("payments.refund", order_id="W-1", amount_usd=1), reply("Done.")]
    run = desk.run(script, agent={**JSON, "step": lambda task, done: Step(tools=["orders.get"])})
    assert run.calls == []
    assert json.loads(desk.requests[1]["messages"][-1]["content"])["error"]["reason"] == "not_offered"


def test_definitions_of_two_tools_do_not_mix() -> None:
    point = {"$defs": {"P": {"type": "object", "properties": {"next": {"$ref": "#/$defs/P"}, "x": {"type": "integer"}}}}}
    word = {"definitions": {"P": {"type": "string", "enum": ["a"]}}}
    a = {"type": "object", "properties": {"p": {"$ref": "#/$defs/P"}}, "required": ["p"], **point}
    b = {"type": "object", "properties": {"p": {"type": "array", "items": {"$ref": "#/definitions/P"}}}, **word}
    schema = schema_of(Offer(tools={"a": a, "b": b}, reply=True))
    assert check_schema(schema) is None
    assert violations(schema, {"tool": "a", "arguments": {"p": {"x": 1, "next": {"x": 2}}}}) == []
    assert violations(schema, {"tool": "b", "arguments": {"p": ["a"]}}) == []
    assert violations(schema, {"tool": "a", "arguments": {"p": {"x": 1, "next": {"x": "2"}}}})
    assert violations(schema, {"tool": "b", "arguments": {"p": [{"x": 1}]}})
    assert "$defs" in a, "the contract itself is left alone"


def test_optional_and_enumerated_arguments_are_described(desk: Desk) -> None:
    @tool("rate", effect="read")
    def rate(stars: Literal[1, 2], note: str | None = None, both: int | str = 3, more: Any = None) -> str:
        return "ok"

    desk.run([reply("Done.")], agent=JSON, tools=Toolbox([rate]))
    assert desk.requests[0]["messages"][0]["content"].endswith(
        "- rate(stars: 1 | 2, note?: string | null, both?: integer | string, more?: any)"
    )
