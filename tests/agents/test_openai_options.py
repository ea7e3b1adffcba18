"""What YAML may say of the agent `openai`: every mistake is told when cases are collected, with a cure."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from pytest_agentops.agents.openai import openai
from pytest_agentops.agents.openai.options import NAMES, read
from pytest_agentops.errors import LoadError

from ..doors.conftest import Project, project  # noqa: F401  a fixture
from .conftest import Desk

EXTRA = {"extra_body": {"cache_prompt": False}}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"temprature": 0}, "unknown option 'temprature'; did you mean 'temperature'?"),
        ({"zzz": 0}, "unknown option 'zzz'; expected one of strategy, api, base_url, async, "),
        ({"model": "m"}, "unknown option 'model'; it is a field of the case: `model: gpt-4o-mini`"),
        ({"system": "x"}, "unknown option 'system'; the system message is the case's `prompt:`"),
        ({"max_steps": 3}, "unknown option 'max_steps'; it is a limit of the case: `budget: {steps: 8}`"),
        ({"api_key": "sk"}, "unknown option 'api_key'; set OPENAI_API_KEY in the environment; a key never stands in a file"),
        ({"strategy": "tool"}, "strategy: expected one of tools, json_schema, found 'tool'"),
        ({"api": "messages"}, "api: expected one of chat, responses, found 'messages'"),
        ({"temperature": "0"}, "temperature: expected a number from 0 to 2, found '0'"),
        ({"temperature": True}, "temperature: expected a number from 0 to 2, found True"),
        ({"temperature": 3}, "temperature: expected a number from 0 to 2, found 3"),
        ({"top_p": 1.5}, "top_p: expected a number from 0 to 1, found 1.5"),
        ({"seed": 1.5}, "seed: expected a whole number, found 1.5"),
        ({"max_tokens": 0}, "max_tokens: expected a whole number from 1 on, found 0"),
        ({"max_retries": -1}, "max_retries: expected a whole number from 0 on, found -1"),
        ({"timeout": 0}, "timeout: expected seconds over 0, found 0"),
        ({"stream": "yes"}, "stream: expected true or false, found 'yes'"),
        ({"base_url": "localhost:8080"}, "base_url: expected a URL, found 'localhost:8080'"),
        ({"extra_body": [1]}, "extra_body: expected a mapping, found [1]"),
        ({"extra_body": {"messages": []}}, "extra_body: 'messages' is set by the agent itself"),
        ({"examples": {"role": "user"}}, "examples: expected a list of messages, found a mapping"),
        ({"examples": ["x"]}, "examples: message 1: expected a mapping with role and content, found 'x'"),
        (
            {"examples": [{"role": "usr", "content": "x"}]},
            "message 1: expected a role, one of system, developer, user, assistant",
        ),
        ({"examples": [{"role": "user"}]}, "examples: message 1: it has no content"),
        (
            {"api": "responses", "examples": [{"role": "assistant", "content": None, "tool_calls": []}]},
            "examples: message 1: with `api: responses` an example has role and content only",
        ),
        ({"api": "responses", "seed": 1}, "seed: the Responses API has none; leave it out, or use `api: chat`"),
        ({"strategy": "json_schema", "parallel_tool_calls": False}, "the model takes one action at a time"),
        ({"describe": False}, "describe: it is for `strategy: json_schema`"),
        ({"reply": False}, "reply: it is for `strategy: json_schema`"),
        ({"strategy": "json_schema", "reply": "yes"}, "reply: expected true, false or a JSON Schema, found 'yes'"),
        ({"step": "./agent.py:step"}, "step: expected a function, given in Python: openai(step=...), found './agent.py:step'"),
    ],
)
def test_mistakes(options: dict[str, Any], says: str) -> None:
    with pytest.raises(LoadError) as error:
        openai(**options)
    assert str(error.value).startswith("agent openai: ")
    assert says in str(error.value)


def test_all_mistakes_at_once() -> None:
    with pytest.raises(LoadError) as error:
        openai(temprature=0, seed="x", stream=1)
    assert str(error.value).splitlines() == [
        "agent openai: unknown option 'temprature'; did you mean 'temperature'?",
        "agent openai: seed: expected a whole number, found 'x'",
        "agent openai: stream: expected true or false, found 1",
    ]


def test_what_is_right() -> None:
    found = read({"temperature": Decimal("0.30000000000000000001"), "async": True, "seed": None, **EXTRA})
    assert found.sampling == {"temperature": 0.3}
    assert type(found.sampling["temperature"]) is float
    assert found.is_async
    assert found.extra_body == {"cache_prompt": False}
    assert (found.timeout, found.max_retries, found.strategy, found.api) == (120, 2, "tools", "chat")
    assert read({"async_": True}).is_async, "async is a keyword of Python"


def test_every_option_is_told() -> None:
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs" / "models-and-providers.md").read_text(encoding="utf-8")
    assert [name for name in NAMES if f"| `{name}` |" not in page] == []


def test_mistakes_are_shown_where_the_agent_is_named(project: Project) -> None:  # noqa: F811
    path = project.write("cases/demo/demo.yaml", SUITE.replace("temperature: 0", "temprature: 0, seed: x"))
    result = project.evals()
    result.stdout.fnmatch_lines(
        [
            f"*{path.name}:2:1: agent openai: unknown option 'temprature'; did you mean 'temperature'?",
            "*agent openai: seed: expected a whole number, found 'x'",
        ]
    )
    assert result.ret == 1


SUITE = """version: 1
agent: {openai: {strategy: tools, temperature: 0}}
defaults: {model: gpt-4o-mini}
contracts:
  orders.get:
    parameters: {type: object, properties: {id: {type: string}}, required: [id]}
    effect: read
    answers: [{result: delivered}]
cases:
  - id: one
    task: Where is W-1?
    expect: {calls: {include: [{orders.get: {id: W-1}}]}, output: {contains: delivered}, steps: 2}
"""


def test_yaml_is_all_it_takes(project: Project, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    from ..servers.protocol import call, use_tools

    project.write("cases/demo/demo.yaml", SUITE)
    with desk.served([use_tools(call("orders__get", id="W-1")), "It is delivered."]) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{url}/v1")
        result = project.evals("--agent-record=once")
    assert result.ret == 0, result.stdout.str()
    assert desk.requests[0]["temperature"] == 0
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("OPENAI_BASE_URL")
    result = project.evals()
    assert result.ret == 0, result.stdout.str()
    assert project.statuses == {"one": "passed"}


def test_the_agents_of_the_documentation_can_be_made() -> None:
    import re
    from pathlib import Path

    from pytest_agentops.schema.document import read as read_yaml

    page = (Path(__file__).parents[2] / "docs" / "models-and-providers.md").read_text(encoding="utf-8")
    values: list[Any] = [read_yaml(text, file="page").value for text in re.findall(r"^```yaml\n(.*?)^```$", page, re.M | re.S)]
    agents = [value["agent"]["openai"] for value in values if isinstance(value.get("agent"), dict)]
    assert len(agents) == 3
    assert all(callable(openai(**options)) for options in agents)
