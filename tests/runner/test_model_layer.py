"""The model layer of a trial, with real clients: recorded from a server, replayed without one."""

from __future__ import annotations

import json
import socket
import threading
from decimal import Decimal

import httpx2
import openai
import pytest

from pytest_agentops.schema.pins import Pins

from ..servers.protocol import ProtocolServer, Usage, call, fail, say, too_many, use_tools

TOOL = {
    "type": "function",
    "function": {
        "name": "orders__get",
        "description": "Look up an order.",
        "parameters": {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]},
    },
}


def client(url: str, **options) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key="k", **options)


def chatting(url: str, *, prompt: str = "Be kind.", model: str = "gpt-4o-mini", **options):
    """An agent with a loop of its own over the openai SDK."""

    def agent(task, tools):
        messages = [{"role": "system", "content": prompt}, {"role": "user", "content": task.text}]
        with client(url) as ai:
            while True:
                answer = ai.chat.completions.create(model=task.model or model, messages=messages, tools=[TOOL], **options)
                message = answer.choices[0].message
                if not message.tool_calls:
                    return message.content
                messages.append(message.model_dump(exclude_none=True))
                for one in message.tool_calls:
                    got = tools.attempt("orders.get", json.loads(one.function.arguments))
                    messages.append({"role": "tool", "tool_call_id": one.id, "content": json.dumps(got.value)})

    return agent


SCRIPT = [use_tools(call("orders__get", order_id="W-1")), say("It is open.")]


@pytest.fixture
def recorded(lab, shop) -> str:
    """A recording of one look-up; gives the address of the server, which is gone."""
    with ProtocolServer(SCRIPT) as server:
        run = lab.record(chatting(server.url), shop)
    assert run.success, run.problems
    assert server.count == 2
    return server.url


def test_a_recorded_run_replays_without_its_server(lab, shop, recorded, tripped) -> None:
    tripped.clear()
    run = lab.run(chatting(recorded), shop)
    assert run.success, run.problems
    assert (run.output, run.mode, run.model_steps, tripped) == ("It is open.", "replay", 2, [])
    assert (run.usage.input, run.usage.output) == (24, 14)
    assert run.cost_usd is None, "a local server has no price"


def test_what_is_recorded(lab, recorded) -> None:
    tape = lab.cassette
    assert tape.layers == ("tools", "model")
    assert tape.endpoint == recorded == lab.model_cassette.endpoint
    assert tape.pins.model == "gpt-4o-mini"
    assert tape.pins.prompt.startswith("sha256:")
    text = (lab.folder / "model.yaml").read_text()
    assert "like: 1" in text
    assert "Bearer" not in text
    assert "user-agent" not in text.lower()


def test_recording_again_with_equal_answers_leaves_the_files(lab, shop, recorded) -> None:
    before = {path.name: path.read_bytes() for path in lab.folder.iterdir()}
    with ProtocolServer(SCRIPT) as server:  # another port
        run = lab.record(chatting(server.url), shop)
    assert run.success
    assert {path.name: path.read_bytes() for path in lab.folder.iterdir()} == before
    assert run.labels == []


@pytest.mark.parametrize("change", ["host", "key", "agent", "order"])
def test_what_does_not_count_replays(lab, shop, recorded, change) -> None:
    def agent(task, tools):
        url = "http://models.example.org:99/v1" if change == "host" else f"{recorded}/v1"
        ai = openai.OpenAI(base_url=url, api_key="another" if change == "key" else "k", default_headers={"user-agent": change})
        messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": task.text}]
        if change == "order":
            messages = [dict(reversed(m.items())) for m in messages]
        ai.chat.completions.create(tools=[TOOL], messages=messages, model="gpt-4o-mini")
        return tools.call("orders.get", order_id="W-1")["status"]

    run = lab.run(agent, shop, replay={"unused": "ignore"})
    assert run.success, run.problems


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"prompt": "Be brief."}, "prompt CHANGED"),
        ({"model": "gpt-5-mini"}, "model CHANGED"),
        ({"temperature": 0.5}, "temperature"),
        ({"stream": True}, "stream"),
    ],
)
def test_what_counts_never_gets_an_old_answer(lab, shop, recorded, change, says) -> None:
    run = lab.run(chatting(recorded, **change), shop)
    assert not run.success
    assert lab.kinds(run) == ["miss"]
    assert says in lab.problem(run, "miss").text
    assert run.outcome == "error"
    assert run.error is None, "the report says all; a traceback would repeat it"
    assert run.miss["layer"] == "model"


def test_a_swallowed_miss_still_fails(lab, shop, recorded) -> None:
    def agent(task, tools):
        try:
            client(recorded).chat.completions.create(model="other", messages=[{"role": "user", "content": "?"}])
        except BaseException:
            return "fine"

    run = lab.run(agent, shop)
    assert run.output == "fine"
    assert not run.success
    assert lab.kinds(run) == ["miss"]


def test_unused_requests_fail(lab, shop, recorded) -> None:
    def agent(task, tools):
        return tools.call("orders.get", order_id="W-1")["status"]

    assert lab.kinds(lab.run(agent, shop)) == ["unused"]
    assert lab.kinds(lab.run(agent, shop, replay={"unused": "warn"})) == ["unused_warning"]


def test_no_request_where_the_recording_has_no_model_layer(lab, shop) -> None:
    lab.record(lambda task, tools: tools.call("orders.get", order_id="W-1")["status"], shop)
    with ProtocolServer(SCRIPT, process=True) as server:
        run = lab.run(chatting(server.url), shop)
        assert server.count == 0
    assert lab.kinds(run) == ["miss"]
    assert (run.miss["reason"], run.success) == ("no-model-layer", False)
    assert run.outcome == "error"


def test_a_header_that_speaks_of_a_layer_that_is_gone(lab, shop, recorded) -> None:
    (lab.folder / "model.yaml").unlink()
    run = lab.run(chatting(recorded), shop)
    assert lab.kinds(run) == ["cassette"]
    assert "model.yaml" in run.problems[0].text
    assert "--agent-record=all" in run.problems[0].text


def test_stale_is_recorded_again_and_fresh_is_not(lab, shop, recorded, tripped) -> None:
    with ProtocolServer(SCRIPT) as server:
        same = lab.run(chatting(server.url), shop, record="stale")
        assert (same.success, same.mode, server.count) == (True, "replay", 0)
        changed = lab.run(chatting(server.url, prompt="Be brief."), shop, record="stale")
        assert (changed.success, changed.mode, server.count) == (True, "live", 2)
    assert "recorded" in changed.labels
    again = lab.run(chatting(recorded, prompt="Be brief."), shop)
    assert again.success
    assert again.stale == []


def test_a_changed_prompt_is_named_as_stale(lab, shop, recorded) -> None:
    run = lab.run(chatting(recorded, prompt="Be brief.", model="gpt-5-mini"), shop)
    assert [sentence.partition(" since")[0] for sentence in run.stale] == ["the prompt changed", "the model changed"]


def test_hybrid_asks_the_model_and_replays_the_tools(lab, shop, recorded, tripped) -> None:
    before = {path.name: path.read_bytes() for path in lab.folder.iterdir()}
    tripped.clear()
    with ProtocolServer([use_tools(call("orders__get", order_id="W-1")), say("Open, it is.")]) as server:
        run = lab.run(chatting(server.url, prompt="Talk like a sage."), shop, mode="hybrid", model="gpt-5-mini")
    assert run.success, run.problems
    assert (run.mode, run.output, tripped) == ("hybrid", "Open, it is.", [])
    assert (run.pins.model, run.recorded_model) == ("gpt-5-mini", "gpt-4o-mini")
    assert run.stale == []
    assert {path.name: path.read_bytes() for path in lab.folder.iterdir()} == before


def test_hybrid_with_another_call_is_unanswerable(lab, shop, recorded) -> None:
    with ProtocolServer([use_tools(call("orders__get", order_id="W-2")), say("Done.")]) as server:
        run = lab.run(chatting(server.url), shop, mode="hybrid")
    assert (run.outcome, run.success) == ("unanswerable", False)
    assert lab.kinds(run) == ["miss"]


def test_hybrid_may_read_again_but_not_leave_out_a_write(lab, shop) -> None:
    def closes(task, tools):
        tools.call("orders.get", order_id="W-1")
        return tools.call("orders.set", order_id="W-1")

    lab.record(closes, shop)

    def reads_twice(task, tools):
        tools.call("orders.get", order_id="W-1")
        tools.call("orders.get", order_id="W-1")
        return tools.call("orders.set", order_id="W-1")

    assert lab.run(reads_twice, shop, mode="hybrid").success
    assert lab.run(lambda task, tools: tools.call("orders.set", order_id="W-1"), shop, mode="hybrid").success
    too_late = lab.run(
        lambda task, tools: [tools.call(name, order_id="W-1") for name in ("orders.set", "orders.get")], shop, mode="hybrid"
    )
    assert too_late.outcome == "unanswerable", "the recorded read is from before the write"
    only_reads = lab.run(lambda task, tools: tools.call("orders.get", order_id="W-1")["id"], shop, mode="hybrid")
    assert lab.kinds(only_reads) == ["unused"]


def test_hybrid_may_leave_out_a_read(lab, shop, recorded) -> None:
    with ProtocolServer([say("I know it by heart.")]) as server:
        assert lab.run(chatting(server.url), shop, mode="hybrid").success


def test_a_new_model_layer_is_kept_only_if_the_pair_would_replay(lab, shop, recorded) -> None:
    before = (lab.folder / "model.yaml").read_bytes()
    with ProtocolServer([say("I know it by heart.")]) as server:
        run = lab.run(chatting(server.url), shop, mode="hybrid", record="all")
    assert run.success
    assert "not_recorded" in run.labels
    assert (lab.folder / "model.yaml").read_bytes() == before
    with ProtocolServer([use_tools(call("orders__get", order_id="W-1")), say("Open, it is.")]) as server:
        run = lab.run(chatting(server.url, prompt="Sage."), shop, mode="hybrid", record="all")
    assert "recorded" in run.labels
    again = lab.run(chatting(recorded, prompt="Sage."), shop)
    assert (again.success, again.output) == (True, "Open, it is.")


def test_tools_live_replays_the_model(lab, shop, recorded, tripped) -> None:
    tripped.clear()
    with ProtocolServer(SCRIPT) as server:
        run = lab.run(chatting(server.url), shop, mode="tools-live")
        assert server.count == 0
    assert run.success, run.problems
    assert (run.mode, tripped, run.output) == ("tools-live", ["get W-1"], "It is open.")


def test_tools_live_lets_tools_out_and_nothing_else(lab) -> None:
    with ProtocolServer(["from the tool"] * 3, process=True) as server:
        port = int(server.url.rpartition(":")[2])

        def ask() -> str:
            with socket.create_connection(("127.0.0.1", port), timeout=5):
                return "connected"

        from pytest_agentops import tool

        asks = tool("ask", effect="read")(ask)
        through_tool = lambda task, tools: tools.call("ask")  # noqa: E731
        lab.record(through_tool, [asks])
        assert lab.run(through_tool, [asks], mode="tools-live").success
        beside = lab.run(lambda task, tools: tools.call("ask") + ask(), [asks], mode="tools-live")
        assert "network" in lab.kinds(beside)


def test_a_request_inside_a_tool_is_the_tools(lab) -> None:
    from pytest_agentops import tool

    with ProtocolServer(lambda body: "weather" if body.get("model") == "w" else "the answer") as server:

        def ask(model: str) -> str:
            body = {"model": model, "messages": [{"role": "user", "content": "?"}]}
            answer = httpx2.post(f"{server.url}/v1/chat/completions", json=body)
            return answer.json()["choices"][0]["message"]["content"]

        @tool("weather", effect="read")
        def weather() -> str:
            """Ask a server about the weather."""
            return ask("w")

        def agent(task, tools):
            return [tools.call("weather"), ask("m")]

        run = lab.record(agent, [weather])
    assert run.output == ["weather", "the answer"]
    assert [e.request.path for e in lab.model_cassette.exchanges] == ["/v1/chat/completions"]
    assert run.model_steps == 1
    again = lab.run(agent, [weather])
    assert again.success, again.problems
    assert again.output == run.output


def test_errors_and_retries_are_recorded_as_they_came(lab, shop) -> None:
    with ProtocolServer([too_many(), fail(500), say("At last.")]) as server:
        run = lab.record(chatting(server.url), shop)
        assert server.count == 3
    assert [e.response.status for e in lab.model_cassette.exchanges] == [429, 500, 200]
    assert run.model_steps == 1, "what was refused is no answer"
    again = lab.run(chatting(server.url), shop)
    assert (again.success, again.output) == (True, "At last.")


def test_a_server_that_is_down(lab, shop) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"

    def agent(task, tools):
        return client(url, max_retries=0).chat.completions.create(model="m", messages=[]).id

    run = lab.record(agent, shop)
    assert run.outcome == "error"
    assert "APIConnectionError" in run.stop
    assert not lab.tape.exists()


def test_costs_are_those_of_every_billed_attempt(lab, shop) -> None:
    with ProtocolServer(
        [say("One.").but(usage=Usage(input=1000, output=200, cached=400)), say("Two.").but(usage=None)]
    ) as server:

        def agent(task, tools):
            with httpx2.Client(mounts={"https://api.openai.com": httpx2.HTTPTransport()}) as http:
                for _ in range(rounds):
                    http.post(f"{server.url}/v1/chat/completions", json={"model": "gpt-4o-mini", "messages": []})
            return "done"

        rounds = 1
        one = lab.run(agent, shop, mode="live")
        assert (one.usage.input, one.usage.output, one.usage.cached) == (1000, 200, 400)
        assert one.cost_usd is None
        rounds = 2
        server_says_nothing = lab.run(agent, shop, mode="live")
    assert server_says_nothing.usage is None or server_says_nothing.cost_usd is None


def test_a_stated_cost_wins(lab, shop) -> None:
    body = json.dumps(
        {
            "model": "m",
            "choices": [{"message": {"content": "x"}}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 1, "cost": 0.0125},
        }
    )
    from ..servers.protocol import raw

    with ProtocolServer([raw(body.encode())]) as server:
        run = lab.record(lambda task, tools: client(server.url).chat.completions.create(model="m", messages=[]).model, shop)
    assert run.cost_usd == Decimal("0.0125")
    assert lab.run(
        lambda task, tools: client(server.url).chat.completions.create(model="m", messages=[]).model, shop
    ).cost_usd == Decimal("0.0125")


def test_a_model_that_never_stops_is_stopped(lab, shop) -> None:
    with ProtocolServer(lambda body: use_tools(call("orders__get", order_id="W-1"))) as server:
        run = lab.record(chatting(server.url), shop, budget={"steps": 5})
        assert run.outcome == "budget_exceeded"
        assert server.count == 6, "the answer that went over was paid, and is counted"
    assert run.model_steps == 6
    again = lab.run(chatting(server.url), shop, budget={"steps": 5}, expect={"outcome": "budget_exceeded"})
    assert (again.outcome, again.success) == ("budget_exceeded", True), again.problems


def test_requests_from_threads_and_a_client_made_before(lab, shop) -> None:
    with ProtocolServer(lambda body: f"to {body['messages'][0]['content']}") as server:
        early = client(server.url)

        def agent(task, tools):
            got: dict[int, str] = {}

            def ask(i: int) -> None:
                answer = early.chat.completions.create(model="m", messages=[{"role": "user", "content": str(i)}])
                got[i] = answer.choices[0].message.content

            threads = [threading.Thread(target=ask, args=(i,)) for i in range(16)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return [got[i] for i in range(16)]

        run = lab.record(agent, shop)
    assert run.output == [f"to {i}" for i in range(16)]
    again = lab.run(agent, shop)
    assert again.success, again.problems
    assert again.output == run.output


def test_uuids_of_the_task_in_a_prompt(lab, shop) -> None:
    with ProtocolServer(lambda body: f"You said {body['messages'][0]['content']}") as server:

        def agent(task, tools):
            mine = str(task.uuid4())
            answer = client(server.url).chat.completions.create(model="m", messages=[{"role": "user", "content": mine}])
            return answer.choices[0].message.content == f"You said {mine}"

        assert lab.record(agent, shop).output is True
    assert "<<uuid:1>>" in (lab.folder / "model.yaml").read_text()
    again = lab.run(agent, shop)
    assert again.success, again.problems
    assert again.output is True


def test_a_secret_in_an_answer_is_not_kept(lab, shop) -> None:
    key = "sk-" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6"
    with ProtocolServer([say(f"Your key is {key}")]) as server:
        run = lab.record(chatting(server.url), shop)
    assert "secret" in lab.kinds(run)
    assert not lab.tape.exists()
    assert not list(lab.folder.glob("*")) if lab.folder.exists() else True


def test_a_key_in_the_address_is_neither_kept_nor_matched(lab, shop) -> None:
    def agent(key: str):
        def ask(task, tools):
            return httpx2.post(f"{server.url}/v1/chat/completions?key={key}", json={"model": "m", "messages": []}).status_code

        return ask

    with ProtocolServer([say("Hi.")]) as server:
        assert lab.record(agent("hidden-1"), shop).success
    text = (lab.folder / "model.yaml").read_text()
    assert "hidden-1" not in text
    assert "<<key>>" in text
    assert lab.run(agent("hidden-2"), shop).success


def test_pins_of_a_run_without_a_model(lab, shop) -> None:
    run = lab.record(lambda task, tools: "nothing", shop)
    assert run.pins == Pins()
    assert lab.cassette.layers == ("tools",)
    assert not (lab.folder / "model.yaml").exists()


def test_a_model_layer_that_is_no_more_is_removed(lab, shop, recorded) -> None:
    lab.record(lambda task, tools: "nothing", shop)
    assert not (lab.folder / "model.yaml").exists()
    assert lab.run(lambda task, tools: "nothing", shop).success


def test_an_agent_that_crashed_leaves_no_recording_for_once_to_keep(lab, shop) -> None:
    def crashes(task, tools):
        tools.call("orders.get", order_id="W-1")
        raise KeyError("a slip")

    first = lab.run(crashes, shop, record="once")
    assert (first.outcome, first.labels) == ("error", ["not_recorded"])
    assert not lab.tape.exists()
    with ProtocolServer(SCRIPT) as server:
        assert lab.run(chatting(server.url), shop, record="once").success
    wanted = lab.run(crashes, shop, record="all", expect={"outcome": "error"})
    assert "recorded" in wanted.labels, "a case that wants the error records it"


def test_stale_in_hybrid_keeps_the_new_answers_and_calls_no_tool(lab, shop, recorded, tripped) -> None:
    tripped.clear()
    script = [use_tools(call("orders__get", order_id="W-1")), say("Open, it is.")]
    with ProtocolServer(script * 2) as server:
        run = lab.run(chatting(server.url, prompt="Sage."), shop, mode="hybrid", record="stale")
        assert server.count == 4
    assert (run.success, run.mode, tripped) == (True, "hybrid", [])
    assert "recorded" in run.labels
    assert (run.usage.input, run.usage.output) == (48, 28), "both passes were paid"
    again = lab.run(chatting(recorded, prompt="Sage."), shop)
    assert (again.success, again.output) == (True, "Open, it is.")


def test_the_cost_of_a_run_that_broke_off_at_the_model_is_unknown(lab, shop, recorded) -> None:
    run = lab.run(chatting(recorded, prompt="Be brief."), shop)
    assert (run.cost_usd, run.usage) == (None, None)


def test_canned_answers_need_no_recording_but_a_model_does(lab) -> None:
    contracts = {"orders.get": {"effect": "read", "answers": [{"result": "open"}]}}
    assert lab.run(lambda task, tools: tools.call("orders.get"), contracts=contracts).success
    with ProtocolServer(SCRIPT) as server:
        run = lab.run(chatting(server.url), contracts=contracts)
        assert server.count == 0
    assert lab.kinds(run) == ["cassette"]
    assert "there is no recording" in run.problems[0].text
    assert "--agent-record=once" in run.problems[0].text
