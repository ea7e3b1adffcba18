"""Usage from answers as the providers send them: one body or a stream, whole, cut off, refused, out of shape."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agentops.cost.prices import cost
from pytest_agentops.cost.usage import Answer, read_answer
from pytest_agentops.schema.run import Usage

CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1780000000,
    "model": "gpt-4o-mini-2024-07-18",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi.", "refusal": None}, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 1200,
        "completion_tokens": 340,
        "total_tokens": 1540,
        "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 128, "audio_tokens": 0, "accepted_prediction_tokens": 0},
    },
    "service_tier": "default",
    "system_fingerprint": "fp_1",
}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "model": "gpt-5-mini-2025-08-07",
    "output": [
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi."}]},
    ],
    "usage": {
        "input_tokens": 900,
        "input_tokens_details": {"cached_tokens": 512},
        "output_tokens": 200,
        "output_tokens_details": {"reasoning_tokens": 150},
        "total_tokens": 1100,
    },
}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5-20250929",
    "content": [{"type": "text", "text": "Hi."}],
    "stop_reason": "end_turn",
    "usage": {
        "input_tokens": 50,
        "cache_creation_input_tokens": 2000,
        "cache_read_input_tokens": 8000,
        "cache_creation": {"ephemeral_5m_input_tokens": 1500, "ephemeral_1h_input_tokens": 500},
        "output_tokens": 300,
        "service_tier": "standard",
        "server_tool_use": {"web_search_requests": 2},
    },
}
GEMINI = {
    "candidates": [{"content": {"parts": [{"text": "Hi."}], "role": "model"}, "finishReason": "STOP"}],
    "usageMetadata": {
        "promptTokenCount": 700,
        "candidatesTokenCount": 40,
        "thoughtsTokenCount": 160,
        "cachedContentTokenCount": 300,
        "toolUsePromptTokenCount": 20,
        "totalTokenCount": 920,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 600}, {"modality": "AUDIO", "tokenCount": 100}],
    },
    "modelVersion": "gemini-2.5-flash",
}


def answer(
    body: object, *, model: str | None = "gpt-4o-mini", path: str = "/v1/chat/completions", status: int = 200
) -> Answer | None:
    """`body`: JSON, a list of events, or bytes as they are."""
    kind, data = "application/json", b""
    if isinstance(body, bytes):
        data = body
    elif isinstance(body, list):
        kind, data = "text/event-stream; charset=utf-8", stream(body)
    else:
        data = json.dumps(body).encode()
    request = json.dumps({"messages": []} | ({"model": model} if model else {})).encode()
    return read_answer(path=path, request=request, status=status, content_type=kind, body=data)


def stream(events: list[Any], newline: str = "\n") -> bytes:
    """Server-sent events; a pair is (event name, data)."""
    out = ""
    for event in events:
        name, data = event if isinstance(event, tuple) else ("", event)
        out += (f"event: {name}{newline}" if name else "") + f"data: {data if isinstance(data, str) else json.dumps(data)}"
        out += newline * 2
    return out.encode()


def usage(body: object, **more: Any) -> Usage | None:
    found = answer(body, **more)
    assert found is not None
    return found.usage


def chunk(**more: Any) -> dict[str, Any]:
    return {"id": "c", "object": "chat.completion.chunk", "model": "gpt-4o-mini-2024-07-18", "choices": [], **more}


TEXT = chunk(choices=[{"index": 0, "delta": {"role": "assistant", "content": "Hi."}, "finish_reason": None}], usage=None)
STOP = chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}], usage=None)
TOTALS = chunk(usage=CHAT["usage"])


def test_chat() -> None:
    assert answer(CHAT) == Answer(
        model="gpt-4o-mini-2024-07-18",
        asked="gpt-4o-mini",
        usage=Usage(input=1200, output=340, cached=1024, reasoning=128),
        tier="default",
    )


def test_a_server_that_says_the_least() -> None:
    assert usage({"model": "m", "usage": {"prompt_tokens": 7, "completion_tokens": 2}}) == Usage(input=7, output=2)
    assert usage({"usage": {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": None}}) == Usage(
        input=7, output=2
    )


def test_reasoning_that_is_left_out_of_the_completion_is_output_all_the_same() -> None:
    grok = {
        "prompt_tokens": 32,
        "completion_tokens": 9,
        "total_tokens": 135,
        "completion_tokens_details": {"reasoning_tokens": 94},
    }
    assert usage({"usage": grok}) == Usage(input=32, output=103, reasoning=94)
    gemini = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 115}
    assert usage({"usage": gemini}) == Usage(input=10, output=105, reasoning=100)


def test_deepseek_counts_hits_at_the_top() -> None:
    found = usage({"usage": {"prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 105, "prompt_cache_hit_tokens": 64}})
    assert found == Usage(input=100, output=5, cached=64)


def test_a_stream_with_its_totals() -> None:
    found = answer([TEXT, STOP, TOTALS, "[DONE]"])
    assert found is not None
    assert found.usage == Usage(input=1200, output=340, cached=1024, reasoning=128)
    assert found.model == "gpt-4o-mini-2024-07-18"


def test_a_stream_with_running_totals_counts_the_last() -> None:
    running = [chunk(usage={"prompt_tokens": 7, "completion_tokens": n, "total_tokens": 7 + n}) for n in (1, 2, 3)]
    assert usage([*running, "[DONE]"]) == Usage(input=7, output=3)


def test_a_stream_in_which_groq_hides_its_totals() -> None:
    last = chunk(x_groq={"id": "req_1", "usage": {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}})
    assert usage([TEXT, last, "[DONE]"]) == Usage(input=5, output=1)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_line_end_of_the_event_format(newline: str) -> None:
    data = stream([TEXT, TOTALS, "[DONE]"], newline)
    found = read_answer(
        path="/v1/chat/completions", request=b'{"model":"m"}', status=200, content_type="text/event-stream", body=data
    )
    assert found is not None
    assert found.usage == Usage(input=1200, output=340, cached=1024, reasoning=128)


def test_a_stream_that_nobody_labels_is_read_as_one() -> None:
    assert usage(stream([TEXT, TOTALS, "[DONE]"])) == Usage(input=1200, output=340, cached=1024, reasoning=128)


def test_a_stream_without_totals_is_unknown() -> None:
    found = answer([TEXT, STOP, "[DONE]"])
    assert found is not None
    assert found.billed
    assert found.usage is None


def test_a_stream_that_is_cut_off_is_unknown() -> None:
    whole = stream([TEXT, STOP, TOTALS])
    for end in (len(stream([TEXT])), len(whole) - 1, len(whole) - 30):  # between events, before the last line end, in the totals
        found = read_answer(
            path="/v1/chat/completions", request=b'{"model":"m"}', status=200, content_type="text/event-stream", body=whole[:end]
        )
        assert found is not None
        assert found.usage is None


def test_responses() -> None:
    found = answer(RESPONSE, model="gpt-5-mini", path="/v1/responses")
    assert found is not None
    assert found.usage == Usage(input=900, output=200, cached=512, reasoning=150)
    assert found.model == "gpt-5-mini-2025-08-07"
    assert found.extras == {"web_searches": 1}


@pytest.mark.parametrize("end", ["response.completed", "response.incomplete"])
def test_a_stream_of_responses(end: str) -> None:
    begun = {**RESPONSE, "status": "in_progress", "output": [], "usage": None}
    events = [
        ("response.created", {"type": "response.created", "response": begun}),
        ("response.output_text.delta", {"type": "response.output_text.delta", "delta": "Hi."}),
        (end, {"type": end, "response": RESPONSE}),
    ]
    found = answer(events, path="/v1/responses")
    assert found is not None
    assert found.usage == Usage(input=900, output=200, cached=512, reasoning=150)
    assert found.model == "gpt-5-mini-2025-08-07"
    assert found.extras == {"web_searches": 1}
    assert usage(events[:2], path="/v1/responses") is None


def test_anthropic_counts_cached_tokens_apart() -> None:
    found = answer(MESSAGE, model="claude-sonnet-4-5", path="/v1/messages")
    assert found is not None
    assert found.usage == Usage(input=10050, output=300, cached=8000, cache_write=2000)
    assert found.extras == {"cache_write_1h_tokens": 500, "web_searches": 2}
    assert found.tier == "standard"


MESSAGE_START = {
    "type": "message_start",
    "message": {
        **MESSAGE,
        "content": [],
        "usage": {"input_tokens": 50, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 8000, "output_tokens": 1},
    },
}
MESSAGE_DELTA = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 15}}


def test_a_stream_of_anthropic_tells_its_usage_in_two_parts() -> None:
    events = [
        ("message_start", MESSAGE_START),
        ("content_block_delta", {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi."}}),
        ("message_delta", MESSAGE_DELTA),
        ("message_stop", {"type": "message_stop"}),
    ]
    found = answer(events, path="/v1/messages")
    assert found is not None
    assert found.usage == Usage(input=8050, output=15, cached=8000)
    assert found.model == "claude-sonnet-4-5-20250929"


def test_a_stream_of_anthropic_that_is_cut_off_is_unknown() -> None:
    assert usage([("message_start", MESSAGE_START)], path="/v1/messages") is None


def test_gemini() -> None:
    path = "/v1beta/models/gemini-2.5-flash:generateContent"
    found = answer(GEMINI, model=None, path=path)
    assert found is not None
    assert found.usage == Usage(input=720, output=200, cached=300, reasoning=160)
    assert (found.model, found.asked) == ("gemini-2.5-flash", "gemini-2.5-flash")
    assert found.extras == {"input_audio_tokens": 100}


def test_gemini_streams_events_or_a_list() -> None:
    path = "/v1beta/models/gemini-2.5-flash:streamGenerateContent"
    begun = {**GEMINI, "usageMetadata": {"promptTokenCount": 700, "totalTokenCount": 700}}
    for body in ([begun, GEMINI], json.dumps([begun, GEMINI]).encode()):
        assert usage(body, model=None, path=path) == Usage(input=720, output=200, cached=300, reasoning=160)


def test_bedrock_names_its_model_in_the_path() -> None:
    body = {"output": {}, "usage": {"inputTokens": 30, "outputTokens": 4, "totalTokens": 34, "cacheReadInputTokens": 10}}
    found = answer(body, model=None, path="/model/anthropic.claude-haiku-4-5-20251001-v1%3A0/converse")
    assert found is not None
    assert found.usage == Usage(input=40, output=4, cached=10)
    assert found.model == "anthropic.claude-haiku-4-5-20251001-v1:0"


def test_azure_names_its_deployment_in_the_path_and_its_model_in_the_answer() -> None:
    found = answer(CHAT, model=None, path="/openai/deployments/our-bot/chat/completions")
    assert found is not None
    assert (found.model, found.asked) == ("gpt-4o-mini-2024-07-18", "our-bot")


def test_embeddings_are_billed_and_no_step() -> None:
    body = {"object": "list", "data": [], "model": "text-embedding-3-small", "usage": {"prompt_tokens": 8, "total_tokens": 8}}
    found = answer(body, model="text-embedding-3-small", path="/v1/embeddings")
    assert found is not None
    assert found.usage == Usage(input=8, output=0)
    assert not found.step


def test_a_form_names_its_model_too() -> None:
    form = b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\ngpt-transcribe\r\n--x--\r\n'
    found = read_answer(
        path="/v1/audio/transcriptions", request=form, status=200, content_type="application/json", body=b'{"text":"Hi"}'
    )
    assert found is not None
    assert (found.model, found.usage) == ("gpt-transcribe", None)


@pytest.mark.parametrize(
    ("stated", "dollars"),
    [
        ({"cost": 0.00011475}, "0.00011475"),  # OpenRouter
        ({"cost": 0}, "0"),  # OpenRouter, a free model
        ({"cost": {"input_tokens_cost": 0.001, "total_cost": 0.0063}}, "0.0063"),  # Perplexity
        ({"cost": 0.0001, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.002}}, "0.0021"),
        ({"cost": 0.0001, "is_byok": False, "cost_details": {"upstream_inference_cost": None}}, "0.0001"),
        ({"cost": 0.0001, "is_byok": True}, None),  # the larger part of the bill is not told
        ({"cost": -1}, None),
        ({"cost": "0.1"}, None),
        ({"cost": True}, None),
        ({}, None),
    ],
)
def test_the_cost_that_a_provider_states(stated: dict[str, Any], dollars: str | None) -> None:
    tokens = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    for body in ({"model": "m", "usage": tokens | stated}, [chunk(usage=tokens | stated), "[DONE]"]):
        found = answer(body)
        assert found is not None
        assert found.stated_cost == (None if dollars is None else Decimal(dollars))
        assert found.usage == Usage(input=3, output=2)


@pytest.mark.parametrize("status", [400, 401, 429, 500, 529])
def test_a_refused_request_is_not_billed(status: int) -> None:
    found = answer({"error": {"message": "no", "type": "x"}}, status=status)
    assert found == Answer(model="gpt-4o-mini", asked="gpt-4o-mini", billed=False)


def test_an_answer_that_is_no_json_is_unknown() -> None:
    assert answer(b"<html>Bad gateway</html>") == Answer(model="gpt-4o-mini", asked="gpt-4o-mini")
    assert answer(b"") == Answer(model="gpt-4o-mini", asked="gpt-4o-mini")
    assert answer(b"[" * 100_000) == Answer(model="gpt-4o-mini", asked="gpt-4o-mini")


@pytest.mark.parametrize("wrong", [-1, 2.5, "7", True, [7], {"n": 7}])
def test_a_number_that_is_no_count_is_unknown(wrong: object) -> None:
    assert usage({"usage": {"prompt_tokens": wrong, "completion_tokens": 2}}) is None
    assert usage({"usage": {"prompt_tokens": 2, "completion_tokens": wrong}}) is None
    assert usage({"usage": {"input_tokens": 2, "output_tokens": wrong}}) is None


@pytest.mark.parametrize("wrong", [-4, 2.5, "4", True, [4]])
def test_a_count_of_what_is_billed_apart_is_a_count_or_all_is_unknown(wrong: object) -> None:
    tokens = {"prompt_tokens": 10, "completion_tokens": 5}
    for kind in ("prompt_tokens_details", "completion_tokens_details"):
        assert usage({"usage": {**tokens, kind: {"audio_tokens": wrong}}}) is None
    assert usage({"usage": {**tokens, "prompt_tokens_details": wrong}}) is None
    rows = [{"modality": "AUDIO", "tokenCount": wrong}]
    assert usage({"usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 1, "promptTokensDetails": rows}}) is None
    assert usage({"usage": {"input_tokens": 7, "output_tokens": 1, "server_tool_use": {"web_search_requests": wrong}}}) is None


def test_an_answer_of_a_chat_that_tells_no_output_is_unknown() -> None:
    assert usage({"usage": {"prompt_tokens": 7}}) is None
    assert usage({"usage": {"prompt_tokens": 7, "total_tokens": 5}}) is None
    assert usage({"usage": {"prompt_tokens": 7, "total_tokens": 9}}) == Usage(input=7, output=2, reasoning=0)
    assert usage({"usage": {"prompt_tokens": 7}}, path="/v1/embeddings") == Usage(input=7, output=0)


def test_a_part_is_not_more_than_its_whole() -> None:
    for details in ({"reasoning_tokens": 200}, {"reasoning_tokens": 101}):
        assert usage({"usage": {"input_tokens": 10, "output_tokens": 100, "output_tokens_details": details}}) is None
    chat = {"prompt_tokens": 10, "completion_tokens": 100, "completion_tokens_details": {"reasoning_tokens": 200}}
    assert usage({"usage": chat}) is None
    assert usage({"usage": {"input_tokens": 10, "output_tokens": 1, "input_tokens_details": {"cached_tokens": 11}}}) is None


@pytest.mark.parametrize("kind", ["image_generation_call", "a_tool_of_tomorrow_call"])
def test_a_tool_of_the_provider_that_has_no_price_here_is_counted(kind: str) -> None:
    found = answer({**RESPONSE, "output": [{"type": kind}, {"type": "function_call"}]}, path="/v1/responses")
    assert found is not None
    assert found.extras == {"tools_without_a_price": 1}
    assert cost(found, url="https://api.openai.com/v1/responses") is None


def test_running_totals_of_a_stream_that_is_cut_off_are_unknown() -> None:
    said = {"index": 0, "delta": {"content": "Hi."}, "finish_reason": None}
    running = [chunk(choices=[said], usage={"prompt_tokens": 7, "completion_tokens": n}) for n in (1, 2)]
    assert usage(running) is None
    assert usage(running[:1]) is None
    assert usage([*running, STOP]) == usage([*running, "[DONE]"]) == Usage(input=7, output=2)
    begun = {"candidates": [{"content": {}}], "usageMetadata": {"promptTokenCount": 700, "totalTokenCount": 700}}
    path = "/v1beta/models/gemini-2.5-flash:streamGenerateContent"
    assert usage([begun], model=None, path=path) is None
    assert usage([begun, begun], model=None, path=path) is None
    assert usage([begun, GEMINI], model=None, path=path) is not None


def test_what_asks_no_model() -> None:
    assert answer({"data": [{"id": "m"}]}, model=None, path="/v1/models") is None
    assert read_answer(path="/v1/models/gpt-4o", request=b"", status=200, content_type="", body=b'{"model":"gpt-4o"}') is None
    assert answer({"results": []}, model="omni-moderation-latest", path="/v1/moderations") is None
    assert answer({"input_tokens": 9}, model="claude-haiku-4-5", path="/v1/messages/count_tokens") is None
    assert answer(b"", status=307) is None


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["usage", "usageMetadata", "response", "message", "model", "type", "output", "cost", "x_groq"])
            | st.sampled_from(["prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "candidates"])
            | st.sampled_from(["promptTokenCount", "promptTokensDetails", "prompt_tokens_details", "service_tier"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values, st.booleans())
def test_no_answer_breaks_the_reader(value: Any, streamed: bool) -> None:
    found = answer([value, value] if streamed else json.dumps(value).encode())
    assert found is not None
    assert found.usage is None or min(found.usage.input, found.usage.output) >= 0
