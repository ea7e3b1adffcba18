"""The agent `openai` with tools, over chat completions: its loop, and everything that a model or a server may do to it."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from pytest_agentops import Run, Task, Toolbox, tool
from pytest_agentops.agents.openai import Done, Step, openai

from ..runner.conftest import Lab
from ..servers.protocol import Answer, call, fail, html, overflow, raw, say, too_many, use_tools
from .conftest import TIMES, Desk


def chat(finish: str | None = "stop", **message: Any) -> Answer:
    """An answer in the API's own words."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return raw(json.dumps({"id": "c", "object": "chat.completion", "model": "m", "choices": [choice]}))


def asks(name: str, arguments: Any, ident: Any = "c1") -> Answer:
    return chat("tool_calls", content=None, tool_calls=[{"id": ident, "function": {"name": name, "arguments": arguments}}])


def told(desk: Desk, request: int = 1) -> Any:
    """What the model was told of its last call."""
    content = desk.requests[request]["messages"][-1]["content"]
    return json.loads(content)["error"]


def failed(run: Run, says: str) -> None:
    assert run.outcome == "error"
    assert run.stop is not None
    assert says in run.stop


GET = use_tools(call("orders__get", order_id="W-1"))


def test_a_plain_loop(desk: Desk) -> None:
    run = desk.run([GET, "It is delivered."], prompt="Be brief.", task="Where is W-1?")
    assert run.outcome == "completed"
    assert run.output == "It is delivered."
    assert run.said == ["It is delivered."]
    assert [(c.tool, c.args) for c in run.calls] == [("orders.get", {"order_id": "W-1"})]
    first, second = desk.requests
    assert first["model"] == "gpt-4o-mini"
    assert first["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where is W-1?"}]
    assert [t["function"]["name"] for t in first["tools"]] == ["orders__get", "payments__refund", "slow__read", "slow__aread"]
    assert first.keys() == {"model", "messages", "tools"}
    asked = {"id": "call_00000", "type": "function", "function": {"name": "orders__get", "arguments": '{"order_id": "W-1"}'}}
    assert second["messages"][2:] == [
        {"role": "assistant", "content": None, "tool_calls": [asked]},
        {"role": "tool", "tool_call_id": "call_00000", "content": '{"id":"W-1","total_usd":30.5,"status":"delivered"}'},
    ]
    assert {**second, "messages": []} == {**first, "messages": []}


def test_the_conversation_of_the_run_names_tools_by_their_own_names(desk: Desk) -> None:
    run = desk.run([GET, "Done."])
    assert [m["role"] for m in run.messages] == ["user", "assistant", "tool", "assistant"]
    assert run.messages[1]["tool_calls"][0]["function"]["name"] == "orders.get"


def test_a_text_beside_calls_is_said(desk: Desk) -> None:
    run = desk.run([use_tools(call("orders__get", order_id="W-1"), text="One moment."), "Done."])
    assert run.said == ["One moment.", "Done."]
    assert desk.requests[1]["messages"][1]["content"] == "One moment."


def test_a_task_without_tools_is_a_question(desk: Desk) -> None:
    run = desk.run(["Hello."], tools=())
    assert run.output == "Hello."
    assert "tools" not in desk.requests[0]


def overlapping() -> bool:
    return max(began for _, began, _ in TIMES) < min(ended for _, _, ended in TIMES)


@pytest.mark.parametrize(("name", "is_async"), [("slow__read", False), ("slow__aread", False), ("slow__aread", True)])
def test_parallel_calls_run_at_once_and_answer_in_their_order(desk: Desk, name: str, is_async: bool) -> None:
    names = ["c", "a", "b"]
    run = desk.run([use_tools(*(call(name, name=n) for n in names)), "Done."], agent={"async": is_async})
    assert run.output == "Done."
    assert overlapping()
    assert [c.args["name"] for c in run.calls] == names
    assert [m["content"] for m in desk.requests[1]["messages"][-3:]] == names


def test_calls_that_are_not_parallel_run_one_after_the_other_in_the_agents_thread(desk: Desk) -> None:
    threads: list[threading.Thread] = []

    @tool("where", effect="read")
    def where() -> str:
        threads.append(threading.current_thread())
        return "here"

    for is_async in (False, True):
        options = {"parallel_tool_calls": False, "async": is_async}
        desk.run([use_tools(call("where"), call("where"), call("where")), "Done."], tools=[where], agent=options)
        assert desk.requests[0]["parallel_tool_calls"] is False
    assert len(threads) == 6
    assert set(threads) == {threading.main_thread()}


def test_a_tool_that_ends_the_run_does_so_from_its_thread(desk: Desk) -> None:
    calls = [call("orders__get", order_id="W-1")] * 3
    run = desk.run([use_tools(*calls), "Done."], budget={"tool_calls": 2})
    assert run.outcome == "budget_exceeded"
    assert len(desk.requests) == 1


def test_a_tool_that_leaves_python_does_so_from_its_thread_too(desk: Desk) -> None:
    @tool("leave", effect="read")
    def leave(code: int) -> None:
        raise SystemExit(code)

    run = desk.run([use_tools(call("leave", code=3), call("leave", code=4)), "Done."], tools=[leave])
    failed(run, "the agent raised SystemExit: 3")
    assert len(desk.requests) == 1


def test_the_time_that_is_over_is_over_for_calls_in_parallel(desk: Desk) -> None:
    @tool("sleep", effect="read")
    def sleep() -> None:
        time.sleep(3)

    began = time.monotonic()
    run = desk.run([use_tools(call("sleep"), call("sleep")), "Done."], tools=[sleep], budget={"seconds": 0.5})
    assert run.outcome == "timed_out"
    assert time.monotonic() - began < 2.5


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ('{"order_id": "W-1"', "orders.get: $: the arguments are no JSON: Expecting ',' delimiter"),
        ("W-1", "orders.get: $: the arguments are no JSON: Expecting value"),
        ('["W-1"]', "orders.get: $: the arguments are no JSON object"),
        ('"{}"', "orders.get: $: the arguments are no JSON object"),
        ('{"order_id": NaN}', "orders.get: $: the arguments are no JSON: NaN is not JSON"),
    ],
)
def test_malformed_arguments_go_back_to_the_model(desk: Desk, arguments: str, says: str) -> None:
    run = desk.run([asks("orders__get", arguments), GET, "Done."])
    assert run.outcome == "completed"
    error = told(desk)
    assert (error["tool"], error["reason"]) == ("orders.get", "schema_invalid")
    assert error["message"].startswith(says)
    assert [(c.tool, c.decision, c.reached) for c in run.calls] == [
        ("orders.get", "invalid", False),
        ("orders.get", "allow", True),
    ]
    assert desk.requests[1]["messages"][1]["tool_calls"][0]["function"]["arguments"] == arguments


def test_arguments_that_do_not_fit_go_back_to_the_model(desk: Desk) -> None:
    run = desk.run([use_tools(call("orders__get", order="W-1")), "Sorry."])
    assert run.output == "Sorry."
    assert told(desk)["reason"] == "schema_invalid"
    assert "order_id" in told(desk)["message"]


def test_an_unknown_tool_goes_back_to_the_model(desk: Desk) -> None:
    run = desk.run([use_tools(call("orders__gte", order_id="W-1")), "Sorry."])
    assert told(desk)["reason"] == "tool_unknown"
    assert [(c.tool, c.reached) for c in run.calls] == [("orders__gte", False)]


def test_an_error_of_a_tool_goes_back_to_the_model(desk: Desk) -> None:
    run = desk.run([use_tools(call("orders__get", order_id="W-9")), "There is none."])
    assert run.output == "There is none."
    assert told(desk) == {
        "tool": "orders.get",
        "reason": "tool_failed",
        "message": "'W-9'",
        "error": {"type": "KeyError", "message": "'W-9'"},
    }


@pytest.mark.parametrize(("arguments", "ident"), [("", "c1"), (None, "c1"), ({}, "c1"), ("{}", None), ("{}", "")])
def test_servers_are_lax_with_arguments_and_ids(desk: Desk, arguments: Any, ident: Any) -> None:
    @tool("ping", effect="read")
    def ping() -> str:
        return "pong"

    run = desk.run([asks("ping", arguments, ident), "Done."], tools=[ping])
    assert run.output == "Done."
    asked, answered = desk.requests[1]["messages"][-2:]
    assert answered["content"] == "pong"
    assert answered["tool_call_id"] == asked["tool_calls"][0]["id"] == (ident or "call_1")


def test_calls_count_whatever_the_server_says_it_finished_with(desk: Desk) -> None:
    function = {"name": "orders__get", "arguments": '{"order_id": "W-1"}'}
    for finish in ("stop", None, "length"):
        run = desk.run([chat(finish, content="", tool_calls=[{"id": "c", "function": function}]), "Done."])
        assert run.output == "Done."


def test_content_in_parts_is_text(desk: Desk) -> None:
    run = desk.run([chat(content=[{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo."}])])
    assert run.output == "Hello."


def test_a_refusal_is_a_reply(desk: Desk) -> None:
    assert desk.run([chat(content=None, refusal="I cannot help with that.")]).output == "I cannot help with that."


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (chat(content=None), "ModelError: the model answered nothing: no text and no tool call (finish_reason: stop)"),
        (chat(content=" \n", tool_calls=[]), "the model answered nothing"),
        (chat(None, content=""), "the model answered nothing: no text and no tool call (finish_reason: none)"),
        (
            chat("length", content="It was a dark and"),
            "cut at its length limit (finish_reason: length; option max_tokens), after: It was",
        ),
        (chat("content_filter", content="It"), "the provider's content filter stopped the answer"),
        (chat("error", content="It"), "the server broke the answer off (finish_reason: error), after: It"),
        (raw(b'{"error": {"message": "no credits", "code": 402}}'), "the server answered with an error: no credits"),
        (raw(b'{"choices": []}'), "the server's answer is no chat completion"),
        (raw(b'{"choices": [{"index": 0}]}'), "the server's answer is no chat completion"),
        (raw(b'{"choices": [{"message": {"tool_calls": ["x"]}}]}'), "a tool call without a function"),
        (raw(b'["x"]'), "the server's answer is no chat completion"),
        (raw(b'{"choices": [{"mess'), "is no JSON: Unterminated string"),
        (html(), "the server's answer is no chat completion: <html><body><h1>Bad gateway"),
        (raw(b"", content_type="text/plain"), "the server's answer is no chat completion: it is empty"),
        (overflow(), "BadRequestError: Error code: 400 - *This model's maximum context length"),
        (fail(401, "wrong key"), "AuthenticationError: Error code: 401"),
    ],
)
def test_an_answer_that_is_none_ends_the_run_and_says_why(desk: Desk, answer: Answer, says: str) -> None:
    run = desk.run([answer], agent={"max_retries": 0})
    for part in says.split("*"):
        failed(run, part)
    assert run.output is None
    assert len(desk.requests) == 1


def test_an_endless_loop_ends_by_the_budget(desk: Desk) -> None:
    run = desk.run(lambda asked: GET, budget={"steps": 7})
    assert run.outcome == "budget_exceeded"
    assert run.stop == "budget exceeded: 8 steps, the limit is 7 (budget.steps)"


def test_endless_malformed_calls_end_by_the_budget(desk: Desk) -> None:
    run = desk.run(lambda asked: asks("orders__get", "{"), budget={"tool_calls": 5})
    assert run.outcome == "budget_exceeded"
    assert len(run.calls) == 6


def test_no_model_is_an_error_that_says_where_to_name_it(desk: Desk) -> None:
    run = desk.run(["Hello."], model=None)
    failed(run, "agent openai: no model is named; say `model:` in the case or under `defaults`")
    assert desk.requests == []


def test_no_key_is_an_error_that_says_what_to_set(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    failed(desk.run(["Hello."]), "agent openai: there is no key; set OPENAI_API_KEY; for a server that wants none, to any word")


def test_a_server_that_is_down(desk: Desk) -> None:
    with desk.served([]) as url:
        pass
    run = desk.run([], agent=openai(base_url=f"{url}/v1", max_retries=0))
    failed(run, f"ModelError: no answer from {url}/v1/ (ConnectError: ")
    failed(run, "is the server up, and OPENAI_BASE_URL (or the option base_url) right?")


def test_a_server_that_hangs_up(desk: Desk) -> None:
    failed(desk.run([say("x").but(drop=True)], agent={"max_retries": 0}), "no answer from http://127.0.0.1:")
    failed(desk.run([say("x").but(cut=20)], agent={"max_retries": 0}), "no answer from http://127.0.0.1:")


def test_a_server_that_is_slow(desk: Desk) -> None:
    run = desk.run([say("x").but(delay=5)], agent={"max_retries": 0, "timeout": 0.2})
    failed(run, "it took longer than the option `timeout` allows")


def test_refused_requests_are_tried_again_as_the_sdk_does(desk: Desk) -> None:
    run = desk.run([too_many(), fail(500).but(headers=(("retry-after-ms", "5"),)), "Hello."])
    assert run.output == "Hello."
    assert len(desk.requests) == 3
    again = fail(500).but(headers=(("retry-after-ms", "5"),))
    run = desk.run([again] * 4)
    failed(run, "InternalServerError: Error code: 500")
    assert len(desk.requests) == 3
    desk.run([again] * 4, agent={"max_retries": 0})
    assert len(desk.requests) == 1


def test_the_address_and_the_key_are_the_sdks_own(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with desk.served(["Hello."]) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{url}/v1")
        run = desk.lab.run(openai(), mode="live", model="m")
    assert run.output == "Hello."
    assert desk.paths == ["/v1/chat/completions"]
    assert desk.headers[0]["authorization"] == "Bearer sk-test-of-the-desk"


def test_options_are_sent(desk: Desk) -> None:
    options = {"temperature": 0, "top_p": 0.5, "seed": 1, "max_tokens": 9, "extra_body": {"cache_prompt": False}}
    desk.run(["Hello."], agent=options, tools=())
    sent = desk.requests[0]
    sent.pop("messages")
    assert sent == {
        "model": "gpt-4o-mini",
        "temperature": 0,
        "top_p": 0.5,
        "seed": 1,
        "max_tokens": 9,
        "cache_prompt": False,
    }


def test_examples_stand_between_the_system_message_and_the_task(desk: Desk) -> None:
    examples = [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": {"n": 4}}]
    desk.run(["Hello."], agent={"examples": examples}, prompt="Count.", task="3+3?")
    assert [(m["role"], m["content"]) for m in desk.requests[0]["messages"]] == [
        ("system", "Count."),
        ("user", "2+2?"),
        ("assistant", '{"n":4}'),
        ("user", "3+3?"),
    ]


# ---- turns and trials


def test_a_later_turn_remembers_the_tools_answers(desk: Desk) -> None:
    run = desk.run([GET, "It is delivered.", "30.5."], turns=["Where is W-1?", "And its total?"])
    assert run.output == "30.5."
    roles = [m["role"] for m in desk.requests[2]["messages"]]
    assert roles == ["user", "assistant", "tool", "assistant", "user"]
    assert desk.requests[2]["messages"][:3] == desk.requests[1]["messages"]
    assert desk.requests[2]["messages"][3]["content"] == "It is delivered."


def test_trials_share_nothing(desk: Desk) -> None:
    with desk.served([GET, "One.", "Two."]) as url:
        agent = openai(base_url=f"{url}/v1")
        for task in ("first", "second"):
            desk.lab.run(agent, Toolbox([order]), mode="live", model="m", task=task)
    assert desk.requests[2]["messages"] == [{"role": "user", "content": "second"}]


def test_an_agent_that_is_made_anew_each_turn_knows_what_was_said(desk: Desk) -> None:
    with desk.served([GET, "It is delivered.", "You are welcome."]) as url:

        def agent(task: Task, tools: Toolbox) -> Any:
            return openai(base_url=f"{url}/v1")(task, tools)

        desk.lab.run(agent, Toolbox([order]), mode="live", model="m", turns=["Where is W-1?", "Thanks."])
    assert [(m["role"], m["content"]) for m in desk.requests[2]["messages"]] == [
        ("user", "Where is W-1?"),
        ("assistant", "It is delivered."),
        ("user", "Thanks."),
    ]


@tool("orders.get", effect="read")
def order(order_id: str) -> str:
    return "delivered"


# ---- steps


def test_a_step_narrows_what_is_on_offer(desk: Desk) -> None:
    seen: list[list[Done]] = []

    def step(task: Task, done: list[Done]) -> Step | str | None:
        seen.append(list(done))
        if not done:
            return Step(tools=["orders.get"], reply=False)
        if len(done) == 1:
            return Step(tools={"payments.refund": {"type": "object", "properties": {"order_id": {"const": "W-1"}}}})
        return "That is all."

    script = [GET, use_tools(call("payments__refund", order_id="W-1", amount_usd=2))]
    run = desk.run(script, agent={"step": step})
    assert run.output == "That is all."
    first, second = desk.requests
    assert [t["function"]["name"] for t in first["tools"]] == ["orders__get"]
    assert first["tool_choice"] == "required"
    assert [t["function"]["name"] for t in second["tools"]] == ["payments__refund"]
    assert second["tools"][0]["function"]["parameters"]["properties"] == {"order_id": {"const": "W-1"}}
    assert "tool_choice" not in second
    assert [(d.tool, d.arguments, d.result.value) for d in seen[2]] == [
        ("orders.get", {"order_id": "W-1"}, {"id": "W-1", "total_usd": 30.5, "status": "delivered"}),
        ("payments.refund", {"order_id": "W-1", "amount_usd": 2}, "paid 2.0"),
    ]


def test_a_tool_that_is_not_on_offer_is_not_called(desk: Desk) -> None:
    refund = call("payments__refund", order_id="W-1", amount_usd=2)
    script = [use_tools(call("orders__get", order_id="W-1"), refund), "Done."]
    run = desk.run(script, agent={"step": lambda task, done: Step(tools=["orders.get"])})
    assert [c.tool for c in run.calls] == ["orders.get"]
    assert told(desk) == {
        "tool": "payments.refund",
        "reason": "not_offered",
        "message": "payments.refund cannot be used now; expected one of the tools orders.get, or a reply",
    }
    assert [m["name"] for m in run.messages if m["role"] == "tool"] == ["orders.get", "payments.refund"]


def test_a_text_where_a_tool_is_expected_goes_back(desk: Desk) -> None:
    def step(task: Task, done: list[Done]) -> Step:
        return Step(tools=["orders.get"], reply=len(done) == 2)

    run = desk.run(["I think so.", GET, "Done."], agent={"step": step})
    assert run.output == "Done."
    assert run.said == ["Done."]
    assert desk.requests[1]["messages"][-2:] == [
        {"role": "assistant", "content": "I think so."},
        {"role": "user", "content": '{"error":"expected one of the tools orders.get"}'},
    ]


def test_a_step_may_show_other_messages(desk: Desk) -> None:
    shown = [{"role": "user", "content": {"order": "W-1"}}]
    desk.run(["Done."], agent={"step": lambda task, done: Step(messages=shown)}, prompt="x")
    assert desk.requests[0]["messages"] == [{"role": "user", "content": '{"order":"W-1"}'}]


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (Step(tools=["orders.gte"]), "step names the tool 'orders.gte', which is not there; did you mean 'orders.get'?"),
        (Step(tools=[], reply=False), "step offers neither a tool nor a reply"),
        ({"tools": []}, "step gave a dict; expected a Step, a text or None"),
    ],
)
def test_a_step_that_is_wrong(desk: Desk, step: Any, says: str) -> None:
    failed(desk.run(["Done."], agent={"step": lambda task, done: step}), f"agent openai: {says}")


# ---- recordings


@pytest.mark.parametrize("options", [{}, {"stream": True}, {"async": True}, {"api": "responses"}])
def test_a_recorded_run_replays_without_a_server(tmp_path: Path, desk: Desk, options: dict[str, Any]) -> None:
    lab = Lab(tmp_path / "kept")
    script = [use_tools(call("orders__get", order_id="W-1"), call("orders__get", order_id="W-2")), "It is delivered."]
    with desk.served(script) as url:
        agent = openai(base_url=f"{url}/v1", **options)
        recorded = lab.run(agent, Toolbox([order]), mode="live", record="all", model="gpt-4o-mini")
    assert not recorded.problems
    replayed = lab.run(agent, Toolbox([order]), model="gpt-4o-mini")
    assert replayed.problems == []
    assert replayed.messages == recorded.messages
    assert replayed.output == "It is delivered."
    assert replayed.model_steps == recorded.model_steps == 2
    assert replayed.usage == recorded.usage
    assert replayed.usage is not None
