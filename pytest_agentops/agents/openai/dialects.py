"""The two APIs: how a conversation is written in each, and how an answer is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ...schema.values import JsonObject, dumps
from .options import Options
from .reply import Asked, Reply, no_answer


class Dialect(Protocol):
    """One API. A conversation is a list of its own items; nothing is kept on the server."""

    def body(self, items: Sequence[JsonObject], options: Options) -> JsonObject:
        """The request without tools and output format."""

    def tools(self, schemas: Sequence[JsonObject], *, required: bool) -> JsonObject:
        """The part of a request that offers tools; `schemas` in the shape of chat completions."""

    def output(self, schema: JsonObject) -> JsonObject:
        """The part of a request that holds the answer to a schema."""

    def read(self, answer: Any) -> Reply:
        """The answer; raises `ModelError` for what is none."""

    def result(self, asked: Asked, text: str) -> JsonObject:
        """The item that gives a tool's result back."""


def message(role: str, content: Any) -> JsonObject:
    """An item that both APIs know; content that is no text is written as JSON."""
    return {"role": role, "content": content if content is None or isinstance(content, (str, list)) else dumps(content)}


class Chat:
    """POST /chat/completions."""

    def body(self, items: Sequence[JsonObject], options: Options) -> JsonObject:
        out: JsonObject = {"messages": list(items), **options.sampling}
        if options.stream:
            out["stream"] = True
            if options.include_usage:
                out["stream_options"] = {"include_usage": True}
        return out

    def tools(self, schemas: Sequence[JsonObject], *, required: bool) -> JsonObject:
        if not schemas:
            return {}
        return {"tools": list(schemas), **({"tool_choice": "required"} if required else {})}

    def output(self, schema: JsonObject) -> JsonObject:
        return {"response_format": {"type": "json_schema", "json_schema": {"name": "step", "schema": schema}}}

    def read(self, answer: Any) -> Reply:
        choices = answer.get("choices") if isinstance(answer, dict) else None
        choice = choices[0] if isinstance(choices, list) and choices else None
        said = choice.get("message") if isinstance(choice, dict) else None
        if not isinstance(choice, dict) or not isinstance(said, dict):
            raise no_answer("chat completion", answer)
        calls = tuple(_chat_call(call, n) for n, call in enumerate(said.get("tool_calls") or (), start=1))
        text = _text(said.get("content"))
        back: JsonObject = {"role": "assistant", "content": text or None}
        if calls:
            back["tool_calls"] = [chat_call(call) for call in calls]
        return Reply(
            text=text,
            refusal=_text(said.get("refusal")),
            calls=calls,
            finish=choice.get("finish_reason"),
            items=[back if calls or text else {**back, "content": ""}],
            complete=not answer.get("broken_off"),
        )

    def result(self, asked: Asked, text: str) -> JsonObject:
        return {"role": "tool", "tool_call_id": asked.id, "content": text}


def chat_call(asked: Asked) -> JsonObject:
    """A tool call in the shape of chat completions."""
    return {"id": asked.id, "type": "function", "function": {"name": asked.name, "arguments": asked.arguments}}


def _chat_call(call: Any, number: int) -> Asked:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        raise no_answer("chat completion (a tool call without a function)", call)
    return _asked(call.get("id"), function.get("name"), function.get("arguments"), number)


def _asked(ident: Any, name: Any, arguments: Any, number: int) -> Asked:
    """Some servers give no ids, or arguments that are a mapping already."""
    text = arguments if isinstance(arguments, str) else "" if arguments is None else dumps(arguments)
    return Asked(id=str(ident) if ident else f"call_{number}", name=str(name or ""), arguments=text)


def _text(content: Any) -> str:
    """The text of a content, which may be a list of parts."""
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


class Responses:
    """POST /responses, with the whole conversation in every request."""

    def body(self, items: Sequence[JsonObject], options: Options) -> JsonObject:
        sampling = {("max_output_tokens" if name == "max_tokens" else name): value for name, value in options.sampling.items()}
        head = items[0] if items and items[0].get("role") == "system" else None
        out: JsonObject = {"input": [_input(item) for item in (items[1:] if head else items)], **sampling}
        if head:
            out["instructions"] = head["content"]
        return {**out, "stream": True} if options.stream else out

    def tools(self, schemas: Sequence[JsonObject], *, required: bool) -> JsonObject:
        if not schemas:
            return {}
        # strict is this API's default, and refuses most schemas that were written for people
        each = [{"type": "function", **schema["function"], "strict": False} for schema in schemas]
        return {"tools": each, **({"tool_choice": "required"} if required else {})}

    def output(self, schema: JsonObject) -> JsonObject:
        return {"text": {"format": {"type": "json_schema", "name": "step", "schema": schema, "strict": False}}}

    def read(self, answer: Any) -> Reply:
        output = answer.get("output") if isinstance(answer, dict) else None
        if not isinstance(output, list) or answer.get("status") == "failed":
            raise no_answer("response", answer)
        items = [item for item in output if isinstance(item, dict)]
        parts = [part for item in items if item.get("type") == "message" for part in item.get("content") or ()]
        calls = [item for item in items if item.get("type") == "function_call"]
        return Reply(
            text="".join(_text([part]) for part in parts if part.get("type") == "output_text"),
            refusal="".join(str(part.get("refusal") or "") for part in parts if part.get("type") == "refusal"),
            calls=tuple(_asked(c.get("call_id"), c.get("name"), c.get("arguments"), n) for n, c in enumerate(calls, start=1)),
            finish=_finish(answer),
            items=items,
            complete=not answer.get("broken_off"),
        )

    def result(self, asked: Asked, text: str) -> JsonObject:
        return {"type": "function_call_output", "call_id": asked.id, "output": text}


def _input(item: JsonObject) -> JsonObject:
    """A text of the assistant as the API itself writes it, which is the only form that llama.cpp takes."""
    if item.get("role") != "assistant" or not isinstance(item.get("content"), str):
        return item
    return {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": item["content"], "annotations": []}],
    }


def _finish(answer: JsonObject) -> str | None:
    """In the words of chat completions."""
    if answer.get("status") != "incomplete":
        return "stop" if answer.get("status") == "completed" else None
    reason = (answer.get("incomplete_details") or {}).get("reason")
    return "length" if reason == "max_output_tokens" else reason
