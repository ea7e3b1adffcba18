"""Attacks on the model layer: tools that ask in threads, keys that servers send back, models that nobody recorded."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import openai
import pytest
import requests

from pytest_agentops import Toolbox, tool
from pytest_agentops.runner import prepare

from ..servers.protocol import ProtocolServer, raw, say
from .test_model_layer import client

THREADED = ["thread", "pool", "agents-pool", "executor", "to_thread"]


def searching(url: str, how: str, pool: ThreadPoolExecutor) -> Toolbox:
    """A tool that asks its server from a thread: its own, one of a pool, one that the agent has used already."""

    def ask() -> str:
        return requests.post(f"{url}/search", json={"q": "x"}).text

    def in_thread() -> str:
        found: list[str] = []
        thread = threading.Thread(target=lambda: found.append(ask()))
        thread.start()
        thread.join()
        return found[0]

    @tool("kb.search", effect="read")
    def search() -> str:
        if how == "thread":
            return in_thread()
        if how == "agents-pool":
            return pool.submit(ask).result()
        with ThreadPoolExecutor() as own:
            return own.submit(ask).result()

    @tool("kb.asearch", effect="read")
    async def asearch() -> str:
        return await (asyncio.to_thread(ask) if how == "to_thread" else asyncio.get_running_loop().run_in_executor(None, ask))

    return Toolbox([search, asearch])


@pytest.mark.parametrize("how", THREADED)
def test_a_request_from_a_tools_thread_is_the_tools(lab, how) -> None:
    answers = iter(range(1000))

    def script(asked):
        return say(f"answer {next(answers)}") if "messages" in asked else raw(f"page {next(answers)}")

    with ProtocolServer(script) as server, ThreadPoolExecutor(1) as pool, client(server.url) as ai:

        def ask(text: str) -> str:
            answer = ai.chat.completions.create(model="m", messages=[{"role": "user", "content": text}])
            return answer.choices[0].message.content

        async def agent(task, tools):
            loop = asyncio.get_running_loop()
            if how == "agents-pool":
                pool.submit(ask, "before").result()
            page = await tools.acall("kb.asearch" if how in ("executor", "to_thread") else "kb.search")
            # the worker that ran the tool's job, now for the agent
            return f"{page}, {await loop.run_in_executor(pool if how == 'agents-pool' else None, ask, 'after')}"

        def toolbox() -> Toolbox:
            return searching(server.url, how, pool)

        recorded = lab.record(agent, toolbox)
        assert recorded.success, recorded.problems
        assert {exchange.request.path for exchange in lab.model_cassette.exchanges} == {"/v1/chat/completions"}
        sent = server.count
        replayed = lab.run(agent, toolbox)
        assert replayed.success, replayed.problems
        assert (replayed.output, server.count) == (recorded.output, sent)
        live = lab.run(agent, toolbox, mode="tools-live")
        assert live.success, live.problems
        assert server.count == sent + 1, "the tool asked for real, the model did not"
        assert server.requests[-1].path == "/search"
        page, answer = live.output.split(", ")
        assert page not in recorded.output
        assert answer in recorded.output


def test_threads_start_as_before_when_the_run_is_over(lab, shop) -> None:
    before = threading.Thread.start, ThreadPoolExecutor.submit
    seen = []

    def agent(task, tools):
        seen.append(threading.Thread.start is before[0])

    lab.record(agent, shop)
    lab.run(agent, shop)
    assert seen == [False, True], "only where tools are live"
    assert (threading.Thread.start, ThreadPoolExecutor.submit) == before


def test_a_key_in_a_redirect_is_not_kept(lab, shop) -> None:
    there = "/there?X-Amz-Signature=SIGNED-1&client_secret=SIGNED-2&page=2"
    with ProtocolServer([raw(b"", status=302, location=there), raw(b"found")]) as server:

        def agent(task, tools):
            return requests.get(f"{server.url}/here").text

        assert lab.record(agent, shop).output == "found"
    text = (lab.folder / "model.yaml").read_text()
    assert "SIGNED" not in text
    assert "page=2" in text
    run = lab.run(agent, shop)
    assert run.success, run.problems
    assert run.output == "found"


def test_what_to_do_about_a_secret_in_the_model_layer(lab, shop, monkeypatch) -> None:
    monkeypatch.setenv("SHOP_API_KEY", "kd83jHs92ksQpz71")
    with ProtocolServer([say("hi")]) as server:

        def agent(task, tools):
            with client(server.url) as ai:
                ai.chat.completions.create(model="m", messages=[{"role": "user", "content": "my key is kd83jHs92ksQpz71"}])

        text = lab.problem(lab.record(agent, shop), "secret").text
    assert "secret:SHOP_API_KEY" in text
    assert "kd83" not in text
    assert "inside a tool" in text
    assert "sensitive" not in text, "that is a word of tools' contracts"


def test_a_model_that_the_recorded_run_did_not_ask(lab, shop, monkeypatch) -> None:
    monkeypatch.setattr(prepare, "_CLIENTS", ())  # as where the agent imports its SDK late
    lab.record(lambda task, tools: "done", shop)
    with ProtocolServer([say("hi")], process=True) as server:

        def agent(task, tools):
            with client(server.url, max_retries=0) as ai:
                return ai.chat.completions.create(model="m", messages=[{"role": "user", "content": "?"}])

        run = lab.run(agent, shop)
        assert server.count == 0
    text = lab.problem(run, "network").text
    assert "if that is its model, which the recorded run did not ask: pytest --agent-evals --agent-record=all -k one" in text


def test_a_server_that_never_answers_is_said_once_and_without_the_machines_paths(lab, shop) -> None:
    with ProtocolServer([say("").but(drop=True)] * 3) as server:

        def agent(task, tools):
            with client(server.url, max_retries=2) as ai, suppress(openai.APIConnectionError):
                ai.chat.completions.create(model="m", messages=[{"role": "user", "content": "?"}])

        text = lab.problem(lab.record(agent, shop), "cassette").text
    assert text.startswith("cassettes/lab/one/model.yaml: not written: no answer came for POST /v1/chat/completions (3 times)\n")
    assert not lab.folder.exists() or not list(lab.folder.iterdir())
