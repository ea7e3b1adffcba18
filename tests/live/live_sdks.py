"""The SDKs of openai and anthropic, plain and streamed, against a server that speaks their protocols: record, stop it, replay.

Part of ``make test-live``; not collected by name.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.project import comparable, evals
from tests.servers.protocol import ProtocolServer, call, say, use_tools

AGENTS = """
import asyncio
import json

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
PROMPT = "You know the weather by asking."


def weather(tools, arguments):
    return json.dumps(tools.attempt("weather", arguments).value)


def chat(task, tools, *, stream=False):
    import openai

    function = {"name": "weather", "description": "The weather.", "parameters": SCHEMA}
    messages = [{"role": "system", "content": PROMPT}, {"role": "user", "content": task.text}]
    with openai.OpenAI() as ai:
        while True:
            asked = dict(model=task.model, messages=messages, tools=[{"type": "function", "function": function}])
            if stream:
                with ai.chat.completions.stream(**asked, stream_options={"include_usage": True}) as events:
                    message = events.get_final_completion().choices[0].message
            else:
                message = ai.chat.completions.create(**asked).choices[0].message
            if not message.tool_calls:
                return message.content
            calls = [
                {"id": c.id, "type": "function", "function": {"name": c.function.name, "arguments": c.function.arguments}}
                for c in message.tool_calls
            ]
            messages.append({"role": "assistant", "content": message.content, "tool_calls": calls})
            for one in calls:
                content = weather(tools, json.loads(one["function"]["arguments"]))
                messages.append({"role": "tool", "tool_call_id": one["id"], "content": content})


def chat_stream(task, tools):
    return chat(task, tools, stream=True)


async def chat_async(task, tools):
    import openai

    async with openai.AsyncOpenAI() as ai:
        asked = [ai.chat.completions.create(model=task.model, messages=[{"role": "user", "content": f"{i}"}]) for i in range(3)]
        return [answer.choices[0].message.content for answer in await asyncio.gather(*asked)]


def responses(task, tools, *, stream=False):
    import openai

    function = {"type": "function", "name": "weather", "description": "The weather.", "parameters": SCHEMA, "strict": False}
    given = [{"role": "user", "content": task.text}]
    with openai.OpenAI() as ai:
        while True:
            asked = dict(model=task.model, instructions=PROMPT, input=given, tools=[function])
            if stream:
                with ai.responses.stream(**asked) as events:
                    answer = events.get_final_response()
            else:
                answer = ai.responses.create(**asked)
            calls = [item for item in answer.output if item.type == "function_call"]
            if not calls:
                return answer.output_text
            for one in calls:
                given.append({"type": "function_call", "call_id": one.call_id, "name": one.name, "arguments": one.arguments})
                output = weather(tools, json.loads(one.arguments))
                given.append({"type": "function_call_output", "call_id": one.call_id, "output": output})


def responses_stream(task, tools):
    return responses(task, tools, stream=True)


def claude(task, tools, *, stream=False):
    import anthropic

    messages = [{"role": "user", "content": task.text}]
    with anthropic.Anthropic() as ai:
        while True:
            offered = [{"name": "weather", "description": "The weather.", "input_schema": SCHEMA}]
            asked = dict(model=task.model, max_tokens=200, system=PROMPT, messages=messages, tools=offered)
            if stream:
                with ai.messages.stream(**asked) as events:
                    answer = events.get_final_message()
            else:
                answer = ai.messages.create(**asked)
            calls = [block for block in answer.content if block.type == "tool_use"]
            if not calls:
                return "".join(block.text for block in answer.content if block.type == "text")
            messages.append({"role": "assistant", "content": [block.model_dump(mode="json") for block in answer.content]})
            results = [
                {"type": "tool_result", "tool_use_id": one.id, "content": weather(tools, one.input)} for one in calls
            ]
            messages.append({"role": "user", "content": results})


def claude_stream(task, tools):
    return claude(task, tools, stream=True)
"""

TOOLS = '''
from pytest_agentops import tool


@tool("weather", effect="read")
def weather(city: str) -> dict[str, str]:
    """The weather in a city."""
    return {"city": city, "sky": "clear"}


TOOLS = [weather]
'''

SUITE = """\
version: 1
suite: sdks
agent: ./agents.py:{agent}
tools: ./tools.py:TOOLS
defaults: {{model: {model}}}
cases:
  - id: weather
    task: "What is the weather in Oslo?"
    expect: {expect}
"""

ASKS = [use_tools(call("weather", city="Oslo")), say("Clear, in Oslo.")]
LOOKS_UP = "{calls: {include: [{weather: {city: Oslo}}]}, output: {contains: Clear}, steps: 2}"


@pytest.mark.parametrize(
    ("agent", "model", "script", "expect"),
    [
        ("chat", "gpt-4o-mini", ASKS, LOOKS_UP),
        ("chat_stream", "gpt-4o-mini", ASKS, LOOKS_UP),
        ("chat_async", "gpt-4o-mini", [say("Yes.")] * 3, "{steps: 3}"),
        ("responses", "gpt-5-mini", ASKS, LOOKS_UP),
        ("responses_stream", "gpt-5-mini", ASKS, LOOKS_UP),
        ("claude", "claude-sonnet-4-5", ASKS, LOOKS_UP),
        ("claude_stream", "claude-sonnet-4-5", ASKS, LOOKS_UP),
    ],
)
def test_record_and_replay(agent: str, model: str, script: list[object], expect: str, tmp_path: Path) -> None:
    cases = tmp_path / "cases"
    cases.mkdir()
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (cases / "agents.py").write_text(AGENTS)
    (cases / "tools.py").write_text(TOOLS)
    (cases / "sdks.yaml").write_text(SUITE.format(agent=agent, model=model, expect=expect))
    with ProtocolServer(script) as server:  # type: ignore[arg-type]
        where = {"OPENAI_BASE_URL": f"{server.url}/v1", "ANTHROPIC_BASE_URL": server.url}
        keys = {"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k"}
        live = evals(tmp_path, "--agent-record=once", **where, **keys)
        assert live.code == 0, live.text
        asked = server.count
        held = evals(tmp_path, **where)
        assert held.code == 0, held.text
        assert server.count == asked, "a request left in replay"
    replayed = evals(tmp_path)
    assert replayed.code == 0, replayed.text
    for session in (held, replayed):
        assert {name: comparable(run) for name, run in session.runs.items()} == {
            name: comparable(run) for name, run in live.runs.items()
        }
    assert live.runs["sdks/weather"]["tokens"] is not None
    assert (live.results["mode"], replayed.results["mode"]) == ("live", "replay")
