"""Attacks on the model layer through pytest: nothing turns green that must not, and what is printed is what helps."""

from __future__ import annotations

import httpx2
import openai  # noqa: F401
import pytest
import requests  # noqa: F401

from pytest_agentops.tape.model.tap import tapped

from ..servers.protocol import ProtocolServer, call, say, use_tools

ASKING = """
messages = [{{"role": "system", "content": "{prompt}"}}, {{"role": "user", "content": task.text}}]
with openai.OpenAI(base_url="{url}/v1", api_key="k", max_retries=0) as ai:
    while True:
        answer = ai.chat.completions.create(model=task.model or "gpt-4o-mini", messages=messages).choices[0].message
        if not answer.tool_calls:
            return answer.content
        messages.append(answer.model_dump(exclude_none=True))
        for one in answer.tool_calls:
            got = tools.attempt("orders.get", json.loads(one.function.arguments))
            messages.append({{"role": "tool", "tool_call_id": one.id, "content": json.dumps(got.value)}})
"""


@pytest.fixture(autouse=True)
def loaded() -> None:
    """What a pytest inside this process is the first to import, it drops: so the clients and the tap are loaded before it."""
    httpx2.HTTPTransport().close()
    with tapped(None):  # type: ignore[arg-type]
        pass


def ask(place, url: str, prompt: str = "Be kind.") -> None:
    place.agent(ASKING.format(url=url, prompt=prompt), "import json, openai")


def looks_up(order: str):
    return lambda asked: (
        say("It is open.") if asked["messages"][-1]["role"] == "tool" else use_tools(call("orders__get", order_id=order))
    )


@pytest.fixture
def recorded(place) -> str:
    with ProtocolServer(looks_up("W-1")) as server:
        ask(place, server.url)
        place.record().assert_outcomes(passed=1)
    place.run().assert_outcomes(passed=1)
    return server.url


def test_the_printed_hybrid_command_runs_what_was_run(place, recorded) -> None:
    result = place.run("--agent-model=gpt-5-mini")
    result.assert_outcomes(failed=1)
    command = "pytest --agent-evals --agent-model=gpt-5-mini --agent-mode=hybrid cases/s.yaml::one"
    keep = command.replace("--agent-mode=hybrid", "--agent-mode=hybrid --agent-record=all")
    result.stdout.fnmatch_lines(
        [
            f"*the change is intended -> {keep}   (no tool is called)",
            f"*to judge it first      -> {command}   (no tool is called, nothing is kept)",
            f"*other calls follow     -> {command.replace('mode=hybrid', 'record=all')}   (tools are called for real)",
        ]
    )
    assert "-k one" not in result.stdout.str()
    with ProtocolServer(looks_up("W-1")) as server:
        ask(place, server.url)
        place.run(*command.split()[2:]).assert_outcomes(passed=1)
        assert {seen.json["model"] for seen in server.requests} == {"gpt-5-mini"}
    assert (place.trial["pins"]["model"], place.trial["recorded_model"]) == ("gpt-5-mini", "gpt-4o-mini")
    with ProtocolServer(looks_up("W-1")) as server:
        ask(place, server.url)
        place.run(*keep.split()[2:]).assert_outcomes(passed=1)
    place.run("--agent-model=gpt-5-mini").assert_outcomes(passed=1)


def test_an_expected_failure_does_not_hide_an_unanswerable_run(place, recorded) -> None:
    place.suite("xfail: a weak model")
    with ProtocolServer(looks_up("W-2")) as server:
        ask(place, server.url)
        result = place.run("--agent-mode=hybrid")
    result.assert_outcomes(xfailed=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["1 run not counted (unanswerable: s/one): *: not comparable (exit code 1)"])
    assert place.results["verdict"] == "not_comparable"
    assert place.results["metrics"]["task_success_rate"] is None


def test_the_cure_for_a_model_that_was_not_asked_when_it_was_recorded(place) -> None:
    place.record().assert_outcomes(passed=1)
    with ProtocolServer([say("hi")], process=True) as server:
        ask(place, server.url)
        result = place.run()
        result.assert_outcomes(failed=1)
        assert server.count == 0
    result.stdout.fnmatch_lines(
        [
            "*the recording has no model layer*",
            "*the change is intended -> pytest --agent-evals --agent-record=all cases/s.yaml::one",
        ]
    )


def test_a_place_with_six_groups_may_be_allowed(place) -> None:
    """An allowed place is reached for real in every mode, and is no part of the recording."""
    place.suite('network: {allow: ["[::1]:9"]}')
    with ProtocolServer(looks_up("W-1")) as server:
        place.agent(
            "try:\n    requests.get('http://[::1]:9/')\nexcept requests.ConnectionError:\n    pass\n"
            + ASKING.format(url=server.url, prompt="Be kind."),
            "import json, openai, requests",
        )
        place.record().assert_outcomes(passed=1)
    place.run().assert_outcomes(passed=1)
    assert "/v1/chat" in (place.tape.parent / "model.yaml").read_text()
