"""Which two recordings say the same, so that recording again leaves the file alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_agentops.schema.values import Json
from pytest_agentops.tape.model.exchange import Exchange, ModelCassette, Request, Response
from pytest_agentops.tape.model.file import equal_answers


def exchange(asked: Json, answered: Json, *, overlap: int = 0, status: int = 200) -> Exchange:
    body = answered.encode() if isinstance(answered, str) else json.dumps(answered).encode()
    kind = "text/event-stream" if body.startswith((b"data", b"event")) else "application/json"
    return Exchange(
        request=Request(method="POST", path="/v1", body=json.dumps(asked).encode(), content_type="application/json"),
        response=Response(status=status, headers=(("content-type", kind),), body=body),
        overlap=overlap,
    )


def equal(old: list[Exchange], new: list[Exchange]) -> bool:
    first, second = (ModelCassette(case="s/c", exchanges=exchanges) for exchanges in (old, new))
    assert equal_answers(first, second) is equal_answers(second, first)
    return equal_answers(first, second)


def chat(run: str, text: str = "Hi", arguments: str = '{"id": "W-1"}') -> dict[str, Any]:
    call = {"id": f"call_{run}", "type": "function", "function": {"name": "orders__get", "arguments": arguments}}
    message = {"role": "assistant", "content": text, "tool_calls": [call]}
    return {
        "id": f"chatcmpl-{run}",
        "object": "chat.completion",
        "created": len(run),
        "model": "m",
        "system_fingerprint": f"fp_{run}",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "timings": {"prompt_ms": len(run) / 7},
        "usage": {"prompt_tokens": 3},
    }


def talk(run: str, **how: Any) -> list[Exchange]:
    """A tool call, then its result with the id of the call."""
    result = {"role": "tool", "tool_call_id": f"call_{run}", "content": "delivered"}
    said = [{"role": "assistant", "tool_calls": [{"id": f"call_{run}"}]}, result]
    return [exchange({"messages": []}, chat(run, **how)), exchange({"messages": said}, chat(f"{run}2"))]


def test_new_ids_and_times_are_no_other_answer() -> None:
    assert equal(talk("a"), talk("bcd"))


@pytest.mark.parametrize("how", [{"text": "Ho"}, {"arguments": '{"id": "W-2"}'}])
def test_another_text_or_argument_is(how: dict[str, str]) -> None:
    assert not equal(talk("a"), talk("a", **how))


def test_another_prompt_status_usage_or_number_of_answers_is() -> None:
    old = [exchange({"messages": ["a"]}, chat("a"))]
    assert not equal(old, [exchange({"messages": ["b"]}, chat("a"))])
    assert not equal(old, [exchange({"messages": ["a"]}, chat("a"), status=500)])
    assert not equal(old, [exchange({"messages": ["a"]}, {**chat("a"), "usage": {"prompt_tokens": 4}})])
    assert not equal(old, [*old, *old])
    assert not equal_answers(ModelCassette(case="s/a"), ModelCassette(case="s/b"))


def test_a_result_that_names_another_call_is_another_request() -> None:
    first, second = chat("a"), chat("b", text="Ho")
    old = [exchange(1, first), exchange(2, second), exchange({"input": [{"tool_call_id": "x", "about": "call_a"}]}, chat("c"))]
    new = [exchange(1, first), exchange(2, second), exchange({"input": [{"tool_call_id": "x", "about": "call_b"}]}, chat("c"))]
    assert not equal(old, new)


def stream(run: str, text: str = "Hi") -> str:
    chunks = [
        {"id": f"c-{run}", "object": "chat.completion.chunk", "created": len(run), "choices": [{"delta": {"content": part}}]}
        for part in text
    ]
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"


def events(*pairs: tuple[str, str]) -> str:
    return "".join(f"event: {name}\ndata: {data}\n\n" for name, data in pairs)


BLOCK = '{"type":"content_block_start","content_block":{"type":"tool_use","id":"toolu_RUN","name":"t"}}'
SIGNATURE = '{"type":"content_block_delta","delta":{"type":"signature_delta","signature":"RUN"}}PAD'
ANTHROPIC = events(
    ("message_start", '{"type":"message_start","message":{"id":"msg_RUN","type":"message"}}'),
    ("content_block_start", BLOCK),
    ("content_block_delta", SIGNATURE),
)
RESPONSES = events(
    ("response.created", '{"type":"response.created","response":{"id":"resp_RUN","object":"response","created_at":1}}'),
    ("x", '{"type":"response.output_text.delta","item_id":"msg_RUN","delta":"H","obfuscation":"RUN"}'),
)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (stream("a"), stream("bcd")),
        (ANTHROPIC.replace("RUN", "a").replace("PAD", ""), ANTHROPIC.replace("RUN", "b").replace("}PAD", "   }")),
        (RESPONSES.replace("RUN", "a"), RESPONSES.replace("RUN", "b")),
        ({"type": "message", "id": "msg_1", "content": []}, {"type": "message", "id": "msg_2", "content": []}),
        ({"candidates": [], "responseId": "1"}, {"candidates": [], "responseId": "2"}),
        ({"model": "m", "done": True, "total_duration": 12}, {"model": "m", "done": True, "total_duration": 13}),
        ({"error": {"message": "slow down"}, "request_id": "1"}, {"error": {"message": "slow down"}, "request_id": "2"}),
    ],
)
def test_what_other_apis_make_anew(old: Json, new: Json) -> None:
    assert equal([exchange(1, old)], [exchange(1, new)])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (stream("a"), stream("a", "Ho")),
        (stream("a"), stream("a").replace("[DONE]", "[GONE]")),
        (stream("a"), stream("a")[:-20]),
        ({"id": "W-1"}, {"id": "W-2"}),
        ([{"id": "W-1"}], [{"id": "W-2"}]),
        ({"type": "message", "content": [{"input": {"id": "W-1"}}]}, {"type": "message", "content": [{"input": {"id": "W-2"}}]}),
        ({"candidates": [{"args": {"id": "W-1"}}]}, {"candidates": [{"args": {"id": "W-2"}}]}),
        ("<html>502</html>", "<html>503</html>"),
    ],
)
def test_what_the_agent_was_told_counts(old: Json, new: Json) -> None:
    assert not equal([exchange(1, old)], [exchange(1, new)])


def test_an_id_of_the_responses_api_that_a_later_request_names() -> None:
    def runs(run: str) -> list[Exchange]:
        first = {"object": "response", "id": f"resp_{run}", "output": [{"type": "reasoning", "id": f"rs_{run}"}]}
        return [
            exchange({"input": "a"}, first),
            exchange({"input": [{"id": f"rs_{run}"}], "previous_response_id": f"resp_{run}"}, {}),
        ]

    assert equal(runs("a"), runs("b"))


def test_the_order_of_what_was_in_flight_together_does_not_count() -> None:
    def of(run: str, first: str, second: str, overlap: int) -> list[Exchange]:
        then = {"messages": [{"role": "tool", "tool_call_id": f"call_{run}x"}, {"role": "tool", "tool_call_id": f"call_{run}y"}]}
        one, two = ({"messages": [name]} for name in (first, second))
        return [
            exchange(one, chat(run + first, text=first)),
            exchange(two, chat(run + second, text=second), overlap=overlap),
            exchange(then, chat("z")),
        ]

    assert equal(of("a", "x", "y", 1), of("b", "y", "x", 1))
    assert not equal(of("a", "x", "y", 0), of("b", "y", "x", 0))
