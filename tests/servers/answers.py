"""What the protocol server answers, written once and rendered for the protocol that a request speaks.

An `Answer` says what the model says; the path of the request and its ``stream`` say in which words. Make one with
`say`, `use_tools`, `raw`, `fail`, `too_many`, `overflow`, `html`; make it misbehave with
``.but(delay=, pause=, cut=, drop=, gzip=)``.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

CREATED = 1790000000
Event = tuple[str | None, Any]
"""``(event name or None, JSON value or text)`` of a server-sent event."""


@dataclass(frozen=True, kw_only=True)
class Usage:
    """`input` includes `cached` and `cache_write`, `output` includes `reasoning`, as in our own `Usage`."""

    input: int = 12
    output: int = 7
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0


@dataclass(frozen=True, kw_only=True)
class Call:
    """One tool call; `arguments` may be text that is no JSON."""

    name: str
    arguments: str
    id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer, and how the server misbehaves while it gives it."""

    text: str | None = None
    calls: tuple[Call, ...] = ()
    usage: Usage | None = field(default_factory=Usage)
    """None: the server states no usage."""
    model: str | None = None
    """None: the model that was asked for."""
    vectors: tuple[tuple[float, ...], ...] | None = None
    """Embeddings; None: one vector per input, made of its length."""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    """These very bytes, whatever the protocol."""
    content_type: str = "application/json"
    error: str | None = None
    """A message in the error shape of the protocol; `code` with it."""
    code: str | None = None
    delay: float = 0.0
    """Seconds before the first byte."""
    pause: float = 0.0
    """Seconds between the events of a stream."""
    cut: int | None = None
    """Close the connection after so many events of a stream, or so many bytes of a plain body."""
    drop: bool = False
    """Close the connection without an answer."""
    gzip: bool = False

    def but(self, **changes: Any) -> Answer:
        return replace(self, **changes)


def say(text: str, **more: Any) -> Answer:
    return Answer(text=text, **more)


def call(name: str, /, call_id: str | None = None, **arguments: Any) -> Call:
    return Call(name=name, arguments=json.dumps(arguments), id=call_id)


def use_tools(*calls: Call, text: str | None = None, **more: Any) -> Answer:
    """One tool call, or several in parallel: ``use_tools(call("orders_get", id="A-1"), call("stock", sku="x"))``."""
    return Answer(text=text, calls=calls, **more)


def raw(body: bytes | str, *, status: int = 200, content_type: str = "application/json", **headers: str) -> Answer:
    """These bytes; ``location="/elsewhere"`` and the like become headers."""
    data = body.encode() if isinstance(body, str) else body
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Answer(body=data, status=status, content_type=content_type, headers=pairs)


def fail(status: int = 500, message: str = "the server had an error", *, code: str | None = None, **headers: str) -> Answer:
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Answer(status=status, error=message, code=code, headers=pairs)


def too_many(retry_after: float = 0.01) -> Answer:
    """429; clients read ``retry-after-ms`` first, so a test need not wait a second."""
    return fail(429, "rate limit reached", code="rate_limit_exceeded", retry_after=str(max(1, round(retry_after)))).but(
        headers=(("retry-after", str(max(1, round(retry_after)))), ("retry-after-ms", str(round(retry_after * 1000))))
    )


def overflow() -> Answer:
    return fail(400, "This model's maximum context length is 8192 tokens.", code="context_length_exceeded")


def html(status: int = 200) -> Answer:
    return raw("<html><body><h1>Bad gateway</h1></body></html>", status=status, content_type="text/html; charset=utf-8")


def render(path: str, asked: Mapping[str, Any], answer: Answer, number: int) -> Any | list[Event]:
    """The JSON value, or a list of events where a stream was asked for; `number` makes the ids."""
    if answer.error is not None:
        return _error(path, answer)
    if path.endswith("/embeddings"):
        return _embeddings(asked, answer)
    streamed = asked.get("stream") is True
    if path.endswith("/chat/completions"):
        return list(_chat_events(asked, answer, number)) if streamed else _chat(asked, answer, number)
    if path.endswith("/responses"):
        return list(_responses_events(asked, answer, number)) if streamed else _responses(asked, answer, number)
    if path.endswith("/messages"):
        return list(_messages_events(asked, answer, number)) if streamed else _messages(asked, answer, number)
    return {"path": path, "text": answer.text}


def _error(path: str, answer: Answer) -> Any:
    if path.endswith("/messages"):
        kinds = {400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error", 529: "overloaded_error"}
        return {"type": "error", "error": {"type": kinds.get(answer.status, "api_error"), "message": answer.error}}
    kind = "invalid_request_error" if answer.status < 500 else "server_error"
    return {"error": {"message": answer.error, "type": kind, "param": None, "code": answer.code}}


def _model(asked: Mapping[str, Any], answer: Answer) -> Any:
    return answer.model or asked.get("model", "local")


def _pieces(text: str, size: int = 6) -> list[str]:
    return [text[i : i + size] for i in range(0, len(text), size)]


# --- chat completions


def _call_id(one: Call, number: int, index: int) -> str:
    return one.id or f"call_{number:04d}{index}"


def _chat_usage(usage: Usage) -> Any:
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning, "audio_tokens": 0},
    }


def _chat(asked: Mapping[str, Any], answer: Answer, number: int) -> Any:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text, "refusal": None}
    if answer.calls:
        message["tool_calls"] = [
            {"id": _call_id(one, number, i), "type": "function", "function": {"name": one.name, "arguments": one.arguments}}
            for i, one in enumerate(answer.calls)
        ]
    value = {
        "id": f"chatcmpl-{number:04d}",
        "object": "chat.completion",
        "created": CREATED + number,
        "model": _model(asked, answer),
        "choices": [
            {"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls" if answer.calls else "stop"}
        ],
        "system_fingerprint": "fp_local",
    }
    return {**value, "usage": _chat_usage(answer.usage)} if answer.usage else value


def _chat_events(asked: Mapping[str, Any], answer: Answer, number: int) -> Iterator[Event]:
    head = {
        "id": f"chatcmpl-{number:04d}",
        "object": "chat.completion.chunk",
        "created": CREATED + number,
        "model": _model(asked, answer),
        "system_fingerprint": "fp_local",
    }
    counted = bool((asked.get("stream_options") or {}).get("include_usage")) and answer.usage is not None

    def chunk(delta: Any, finish: str | None = None) -> Event:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return None, {**head, "choices": [choice], **({"usage": None} if counted else {})}

    yield chunk({"role": "assistant", "content": "" if answer.text is not None else None, "refusal": None})
    for piece in _pieces(answer.text or ""):
        yield chunk({"content": piece})
    for index, one in enumerate(answer.calls):
        start = {"name": one.name, "arguments": ""}
        yield chunk({"tool_calls": [{"index": index, "id": _call_id(one, number, index), "type": "function", "function": start}]})
        for piece in _pieces(one.arguments):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, "tool_calls" if answer.calls else "stop")
    if counted and answer.usage is not None:
        yield None, {**head, "choices": [], "usage": _chat_usage(answer.usage)}
    yield None, "[DONE]"


# --- Responses


def _responses_items(answer: Answer, number: int) -> list[Any]:
    items: list[Any] = []
    if answer.text is not None:
        part = {"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}
        items.append(
            {"id": f"msg_{number:04d}", "type": "message", "status": "completed", "role": "assistant", "content": [part]}
        )
    for index, one in enumerate(answer.calls):
        items.append(
            {
                "id": f"fc_{number:04d}{index}",
                "type": "function_call",
                "status": "completed",
                "call_id": _call_id(one, number, index),
                "name": one.name,
                "arguments": one.arguments,
            }
        )
    return items


def _responses(asked: Mapping[str, Any], answer: Answer, number: int) -> Any:
    usage = answer.usage
    return {
        "id": f"resp_{number:04d}",
        "object": "response",
        "created_at": CREATED + number,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": asked.get("instructions"),
        "metadata": {},
        "model": _model(asked, answer),
        "output": _responses_items(answer, number),
        "parallel_tool_calls": True,
        "temperature": asked.get("temperature", 1.0),
        "tool_choice": "auto",
        "tools": asked.get("tools", []),
        "top_p": 1.0,
        "usage": usage
        and {
            "input_tokens": usage.input,
            "input_tokens_details": {"cached_tokens": usage.cached},
            "output_tokens": usage.output,
            "output_tokens_details": {"reasoning_tokens": usage.reasoning},
            "total_tokens": usage.input + usage.output,
        },
    }


def _responses_events(asked: Mapping[str, Any], answer: Answer, number: int) -> Iterator[Event]:
    whole = _responses(asked, answer, number)
    open_ = {**whole, "status": "in_progress", "output": [], "usage": None}
    count = iter(range(10_000))

    def event(kind: str, **more: Any) -> Event:
        return kind, {"type": kind, "sequence_number": next(count), **more}

    yield event("response.created", response=open_)
    yield event("response.in_progress", response=open_)
    for index, item in enumerate(whole["output"]):
        where = {"item_id": item["id"], "output_index": index}
        if item["type"] == "message":
            part = item["content"][0]
            empty = {**part, "text": ""}
            at = {**where, "content_index": 0}
            yield event("response.output_item.added", output_index=index, item={**item, "status": "in_progress", "content": []})
            yield event("response.content_part.added", **at, part=empty)
            for piece in _pieces(part["text"]):
                yield event("response.output_text.delta", **at, delta=piece, logprobs=[])
            yield event("response.output_text.done", **at, text=part["text"], logprobs=[])
            yield event("response.content_part.done", **at, part=part)
        else:
            started = {**item, "status": "in_progress", "arguments": ""}
            yield event("response.output_item.added", output_index=index, item=started)
            for piece in _pieces(item["arguments"]):
                yield event("response.function_call_arguments.delta", **where, delta=piece)
            yield event("response.function_call_arguments.done", **where, name=item["name"], arguments=item["arguments"])
        yield event("response.output_item.done", output_index=index, item=item)
    yield event("response.completed", response=whole)


# --- Anthropic messages


def _anthropic_input(usage: Usage) -> dict[str, int]:
    return {
        "input_tokens": usage.input - usage.cached - usage.cache_write,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cached,
    }


def _messages(asked: Mapping[str, Any], answer: Answer, number: int) -> Any:
    content: list[Any] = [] if answer.text is None else [{"type": "text", "text": answer.text}]
    for index, one in enumerate(answer.calls):
        made = json.loads(one.arguments)
        content.append({"type": "tool_use", "id": one.id or f"toolu_{number:04d}{index}", "name": one.name, "input": made})
    return {
        "id": f"msg_{number:04d}",
        "type": "message",
        "role": "assistant",
        "model": _model(asked, answer),
        "content": content,
        "stop_reason": "tool_use" if answer.calls else "end_turn",
        "stop_sequence": None,
        "usage": answer.usage and {**_anthropic_input(answer.usage), "output_tokens": answer.usage.output},
    }


def _messages_events(asked: Mapping[str, Any], answer: Answer, number: int) -> Iterator[Event]:
    whole = _messages(asked, answer, number)
    usage = answer.usage
    started = {**whole, "content": [], "stop_reason": None, "usage": usage and {**_anthropic_input(usage), "output_tokens": 1}}

    def event(kind: str, **more: Any) -> Event:
        return kind, {"type": kind, **more}

    yield event("message_start", message=started)
    for index, block in enumerate(whole["content"]):
        if block["type"] == "text":
            empty, deltas = {**block, "text": ""}, [{"type": "text_delta", "text": piece} for piece in _pieces(block["text"])]
        else:
            empty = {**block, "input": {}}
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in _pieces(json.dumps(block["input"]))]
        yield event("content_block_start", index=index, content_block=empty)
        if index == 0:
            yield event("ping")
        for delta in deltas:
            yield event("content_block_delta", index=index, delta=delta)
        yield event("content_block_stop", index=index)
    told = {"usage": {"output_tokens": usage.output}} if usage else {}
    yield event("message_delta", delta={"stop_reason": whole["stop_reason"], "stop_sequence": None}, **told)
    yield event("message_stop")


# --- embeddings


def _embeddings(asked: Mapping[str, Any], answer: Answer) -> Any:
    given = asked.get("input", "")
    texts = given if isinstance(given, list) and not all(isinstance(one, int) for one in given) else [given]
    vectors = answer.vectors or tuple((len(text) / 8, 0.5, -0.25) for text in texts)

    def shown(vector: tuple[float, ...]) -> Any:
        if asked.get("encoding_format") == "base64":
            return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
        return list(vector)

    used = answer.usage.input if answer.usage else 0
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": i, "embedding": shown(vector)} for i, vector in enumerate(vectors)],
        "model": _model(asked, answer),
        **({"usage": {"prompt_tokens": used, "total_tokens": used}} if answer.usage else {}),
    }
