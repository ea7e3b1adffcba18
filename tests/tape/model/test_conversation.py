"""What is read from a request's body, by API."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agentops.tape.model.conversation import Conversation, read
from pytest_agentops.tape.model.exchange import Request


def of(body: Any, path: str = "/v1/chat/completions") -> Conversation:
    found = read(Request.of("POST", f"http://h{path}", body if isinstance(body, bytes) else json.dumps(body).encode()))
    assert found is not None
    return found


def said(conversation: Conversation) -> list[tuple[str, str]]:
    return [(message.role, "\n".join(message.lines)) for message in conversation.messages]


def test_chat() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "orders.get", "arguments": '{"order_id": "W-1", "n": 1.50}'}}
    broken = {"id": "call_2", "type": "function", "function": {"name": "orders.get", "arguments": '{"order_id": '}}
    picture = {"type": "image_url", "image_url": {"url": "data:x"}}
    body = {
        "model": "m",
        "temperature": 0,
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Refund\nW-1."}, picture]},
            {"role": "assistant", "content": "Let me look.", "tool_calls": [call, broken]},
            {"role": "tool", "tool_call_id": "call_1", "content": '{"total": 30}'},
            {"role": "tool", "tool_call_id": "call_9", "content": None},
            {"role": "assistant", "content": None, "refusal": "No."},
            {"role": "assistant", "content": None, "function_call": {"name": "old", "arguments": "{}"}},
        ],
        "tools": [{"type": "function", "function": {"name": "orders.get", "description": "Look up.", "parameters": {}}}],
    }
    found = of(body)
    assert said(found) == [
        ("developer", "Be brief."),
        ("user", 'Refund\nW-1.\n[image_url] {"image_url":{"url":"data:x"}}'),
        ("assistant", 'Let me look.\ncalls orders.get(order_id="W-1", n=1.5)\ncalls orders.get({"order_id": )'),
        ("tool", 'orders.get answered {"total": 30}'),
        ("tool", "a call answered nothing"),
        ("assistant", "refuses: No."),
        ("assistant", "calls old()"),
    ]
    assert (found.model, found.options) == ("m", {"model": "m", "temperature": 0})
    assert found.tools == {"orders.get": {"type": "function", "name": "orders.get", "description": "Look up.", "parameters": {}}}
    assert [message.lines for message in found.system] == [("Be brief.",)]


def test_responses() -> None:
    body = {
        "model": "m",
        "instructions": "Be brief.",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Refund W-1."}]},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Look first."}]},
            {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "orders.get", "arguments": '{"id": "W-1"}'},
            {"type": "function_call_output", "call_id": "call_1", "output": "30"},
            {"type": "item_reference", "id": "msg_1"},
        ],
        "tools": [{"type": "function", "name": "orders.get", "parameters": {}}, {"type": "web_search"}],
    }
    found = of(body, "/v1/responses")
    assert said(found) == [
        ("system", "Be brief."),
        ("user", "Refund W-1."),
        ("assistant", "[reasoning]\nLook first."),
        ("assistant", 'calls orders.get(id="W-1")'),
        ("tool", "orders.get answered 30"),
        ("assistant", '[item_reference] {"id":"msg_1"}'),
    ]
    assert list(found.tools) == ["orders.get", "web_search"]
    assert said(of({"model": "m", "input": "hi"}, "/v1/responses")) == [("user", "hi")]


def test_anthropic() -> None:
    body = {
        "model": "claude",
        "max_tokens": 10,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": "Refund W-1."},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "orders.get", "input": {"id": "W-1"}}]},
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "gone"}], "is_error": True}
                ],
            },
        ],
        "tools": [{"name": "orders.get", "description": "Look up.", "input_schema": {"type": "object"}}],
    }
    found = of(body, "/v1/messages")
    assert said(found) == [
        ("system", "Be brief."),
        ("user", "Refund W-1."),
        ("assistant", 'calls orders.get(id="W-1")'),
        ("user", "(error) orders.get answered gone"),
    ]
    assert found.options == {"model": "claude", "max_tokens": 10}
    assert found.tools["orders.get"]["input_schema"] == {"type": "object"}


def test_gemini() -> None:
    body = {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Refund W-1."}]},
            {"role": "model", "parts": [{"functionCall": {"name": "orders_get", "args": {"id": "W-1"}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "orders_get", "response": {"total": 30}}}]},
        ],
        "tools": [{"functionDeclarations": [{"name": "orders_get", "description": "Look up."}]}],
        "generationConfig": {"temperature": 0},
    }
    found = of(body, "/v1beta/models/gemini-x:generateContent")
    assert said(found) == [
        ("system", "Be brief."),
        ("user", "Refund W-1."),
        ("model", 'calls orders_get(id="W-1")'),
        ("user", 'orders_get answered {"total":30}'),
    ]
    assert (found.model, list(found.tools)) == ("gemini-x", ["orders_get"])
    assert found.options == {"generationConfig": {"temperature": 0}}


def test_prompts_and_embeddings() -> None:
    assert said(of({"model": "m", "prompt": "Once"}, "/v1/completions")) == [("user", "Once")]
    assert said(of({"model": "m", "input": ["a", "b"]}, "/v1/embeddings")) == [("user", "a"), ("user", "b")]
    tokens = of({"model": "m", "input": [1, 2]}, "/v1/embeddings")
    assert (tokens.messages, tokens.options["input"]) == ([], [1, 2])


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/openai/deployments/gpt-x/chat/completions", "gpt-x"),
        ("/v1beta/models/gemini-x:streamGenerateContent", "gemini-x"),
        ("/model/anthropic.claude/invoke", "anthropic.claude"),
        ("/v1/models", None),
        ("/v1/models/gpt-x", None),
        ("/v1/chat/completions", None),
    ],
)
def test_a_model_that_only_the_path_names(path: str, model: str | None) -> None:
    assert of({"messages": []}, path).model == model


@pytest.mark.parametrize("body", [b"", b"[1]", b'"x"', b"{", b"\xff", b"a=b", b'{"x": NaN}', b"[" * 100_000])
def test_other_bodies_are_no_conversation(body: bytes) -> None:
    assert read(Request.of("POST", "http://h/x", body)) is None


WORDS = """
messages input contents role content type parts tool_calls function name arguments id tool_use tool_use_id tool_result text
functionCall functionResponse call_id output summary function_call_output reasoning tools functions functionDeclarations system
instructions prompt model
"""
words = st.sampled_from(WORDS.split())
shapes = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4),
    max_leaves=15,
)


@given(st.dictionaries(words, shapes, max_size=5))
def test_no_shape_is_too_strange_to_be_read(body: dict[str, Any]) -> None:
    found = of(body)
    assert all(isinstance(line, str) for message in found.messages for line in message.lines)
