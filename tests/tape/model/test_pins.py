"""What the pins of prompt and model look at."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_agentops.tape.model.exchange import Request
from pytest_agentops.tape.model.pins import first_of, models_of, prompt_digest


def ask(body: dict[str, Any], path: str = "/v1/chat/completions") -> Request:
    return Request.of("POST", f"http://h{path}", json.dumps(body).encode())


TOOL = {
    "name": "orders.get",
    "description": "Look up.",
    "parameters": {"properties": {"id": {"type": "string", "description": "Ours."}}},
}
SYSTEM = {"role": "system", "content": "Be brief."}
USER = {"role": "user", "content": "Refund W-1."}
BODY = {"model": "m", "messages": [SYSTEM, USER], "tools": [{"type": "function", "function": TOOL}]}
EMBEDDING = ask({"model": "e", "input": "x"}, "/v1/embeddings")
LIST = Request.of("GET", "http://h/v1/models", b"")


def test_the_models_that_were_named() -> None:
    assert models_of([ask(BODY), ask(BODY)]) == "m"
    assert models_of([ask(BODY), EMBEDDING, LIST]) == ["e", "m"]
    assert models_of([LIST]) is None
    assert models_of([]) is None


SAME_PROMPT: dict[str, Any] = {
    "another task": {"messages": [SYSTEM, {"role": "user", "content": "Where is W-2?"}]},
    "another model": {"model": "n", "temperature": 1},
    "another type": {"tools": [{"type": "function", "function": {**TOOL, "strict": True}}]},
}
OTHER_PROMPT: dict[str, Any] = {
    "system": {"messages": [{"role": "system", "content": "Be very brief."}, USER]},
    "no system": {"messages": [USER]},
    "developer too": {"messages": [SYSTEM, {"role": "developer", "content": "Now."}, USER]},
    "description": {"tools": [{"type": "function", "function": {**TOOL, "description": "Find."}}]},
    "argument": {"tools": [{"type": "function", "function": {**TOOL, "parameters": {}}}]},
    "no tools": {"tools": []},
}


@pytest.mark.parametrize("change", SAME_PROMPT.values(), ids=SAME_PROMPT)
def test_the_prompt_is_the_same(change: dict[str, Any]) -> None:
    assert prompt_digest(ask({**BODY, **change})) == prompt_digest(ask(BODY))


@pytest.mark.parametrize("change", OTHER_PROMPT.values(), ids=OTHER_PROMPT)
def test_the_prompt_is_another(change: dict[str, Any]) -> None:
    assert prompt_digest(ask({**BODY, **change})) != prompt_digest(ask(BODY))


def test_the_pin_is_the_same_for_every_api() -> None:
    responses = {"model": "m", "instructions": "Be brief.", "input": "Refund W-1.", "tools": [{"type": "function", **TOOL}]}
    anthropic_tool = {"name": "orders.get", "description": "Look up.", "input_schema": TOOL["parameters"]}
    anthropic = {"model": "m", "system": "Be brief.", "messages": [USER], "tools": [anthropic_tool]}
    digests = {prompt_digest(ask(BODY)), prompt_digest(ask(responses, "/v1/responses"))}
    assert len(digests) == 1
    assert digests.pop() == prompt_digest(ask({**anthropic}, "/v1/messages"))


def test_a_property_that_is_called_description_is_no_prose() -> None:
    def tool(kind: str) -> dict[str, Any]:
        return {**BODY, "tools": [{"name": "t", "parameters": {"properties": {"description": {"type": kind}}}}]}

    assert prompt_digest(ask(tool("string"))) == prompt_digest(ask(tool("integer")))


def test_the_first_request_that_has_a_prompt() -> None:
    assert first_of([LIST, EMBEDDING, ask(BODY)]) == ask(BODY)
    assert first_of([LIST, EMBEDDING]) is None
    assert [prompt_digest(request) for request in (LIST, EMBEDDING)] == [None, None]
