"""Reads the body of a model request as a conversation: chat completions, Responses, Anthropic messages, Gemini, plain prompts.

For people and for pins, not for matching: what is not understood is kept as its JSON text, or among the options.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ...schema.values import Json, JsonObject, dumps, loads
from .exchange import Request

_MODEL_IN_PATH = re.compile(
    r"/(?:models|model|deployments)/([^/:]+)(?::\w+|/(?:chat/|invoke|converse|completions|embeddings|responses))"
)
_TOOL_LISTS = ("tools", "functions")
_SYSTEM_FIELDS = ("instructions", "system", "systemInstruction", "system_instruction")
SYSTEM_ROLES = ("system", "developer")


@dataclass(frozen=True, slots=True)
class Message:
    """One message as a person reads it: tool calls as ``calls name(args)``, their results as ``name answered ...``."""

    role: str
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.role}: {' '.join(self.lines)}"


@dataclass(slots=True, kw_only=True)
class Conversation:
    """What a request asks."""

    model: str | None = None
    messages: list[Message] = field(default_factory=list)
    """System texts first, wherever the API has them."""
    tools: dict[str, JsonObject] = field(default_factory=dict)
    """Name -> its definition, flat."""
    options: JsonObject = field(default_factory=dict)
    """Everything else in the body, the model too."""

    @property
    def system(self) -> list[Message]:
        return [message for message in self.messages if message.role in SYSTEM_ROLES]


def named_model(request: Request) -> str | None:
    """The model that a request names, without a look at what it says."""
    body = _body(request)
    return None if body is None else model_of(request.path, body)


def _body(request: Request) -> JsonObject | None:
    try:
        body = loads(request.body)
    except (ValueError, RecursionError, ArithmeticError):
        return None
    return body if isinstance(body, dict) else None


def read(request: Request) -> Conversation | None:
    """What a request asks; None if its body is no JSON object."""
    body = _body(request)
    if body is None:
        return None
    found = Conversation(model=model_of(request.path, body))
    reader = _Reader()
    rest = dict(body)
    for name in _SYSTEM_FIELDS:
        if body.get(name):
            found.messages.append(Message("system", tuple(reader.content(rest.pop(name)))))
    for name, read_items in (("messages", reader.messages), ("contents", reader.messages), ("input", reader.items)):
        if isinstance(body.get(name), (list, str)) and not _is_numbers(body[name]):
            found.messages += read_items(rest.pop(name))
    if isinstance(body.get("prompt"), str):
        found.messages.append(Message("user", tuple(_lines(rest.pop("prompt")))))
    for name in _TOOL_LISTS:
        if isinstance(body.get(name), list):
            found.tools |= dict(_tools(rest.pop(name)))
    found.options = rest
    return found


def model_of(path: str, body: JsonObject) -> str | None:
    """The model that a request names, in its body or (Gemini, Azure, Bedrock) in its path."""
    named = body.get("model")
    if isinstance(named, str) and named:
        return named
    in_path = _MODEL_IN_PATH.search(path)
    return in_path[1] if in_path else None


class _Reader:
    """Reads messages in order; it knows by then which call each result answers."""

    def __init__(self) -> None:
        self._called: dict[str, str] = {}

    def messages(self, value: Json) -> Iterator[Message]:
        """``messages`` of chat and Anthropic, ``contents`` of Gemini."""
        for item in value if isinstance(value, list) else [value]:
            if not isinstance(item, dict):
                yield Message("user", tuple(self._part(item)))
                continue
            role = item.get("role")
            lines = [*self.content(item.get("content")), *self.content(item.get("parts"))]
            calls = item.get("tool_calls")
            for call in calls if isinstance(calls, list) else ():
                lines += self._call(call)
            if item.get("function_call"):
                lines += self._call({"function": item["function_call"]})
            if isinstance(item.get("refusal"), str):
                lines.append(f"refuses: {item['refusal']}")
            if "tool_call_id" in item:
                lines = self._answered(item["tool_call_id"], lines)
            yield Message(role if isinstance(role, str) else "user", tuple(lines))

    def items(self, value: Json) -> Iterator[Message]:
        """``input`` of Responses and of embeddings."""
        for item in value if isinstance(value, list) else [value]:
            kind = item.get("type") if isinstance(item, dict) else None
            if isinstance(kind, str) and kind.endswith("_call_output"):
                yield Message("tool", tuple(self._answered(item.get("call_id"), self.content(item.get("output")))))
            elif kind in ("function_call", "custom_tool_call"):
                yield Message("assistant", tuple(self._call(item)))
            elif kind == "reasoning":
                yield Message("assistant", ("[reasoning]", *self.content(item.get("summary"))))
            elif isinstance(item, dict) and "role" not in item:
                yield Message("assistant", (_other(item),))
            else:
                yield from self.messages([item])

    def content(self, value: Json) -> list[str]:
        """The lines of a content: text, one part, or a list of them."""
        if value is None:
            return []
        return [line for part in (value if isinstance(value, list) else [value]) for line in self._part(part)]

    def _part(self, part: Json) -> list[str]:
        if isinstance(part, str):
            return _lines(part)
        if not isinstance(part, dict):
            return [dumps(part)]
        kind = str(part.get("type", ""))
        if kind.endswith("tool_use"):  # Anthropic
            return self._call(part)
        if "tool_use_id" in part:
            lines = self._answered(part["tool_use_id"], self.content(part.get("content")))
            return [f"(error) {lines[0]}", *lines[1:]] if part.get("is_error") else lines
        if isinstance(part.get("functionCall"), dict):  # Gemini
            return self._call(part["functionCall"])
        if isinstance(part.get("functionResponse"), dict):
            answer = part["functionResponse"]
            return _after(f"{answer.get('name')} answered", [dumps(answer.get("response"))])
        if isinstance(part.get("text"), str) and kind in ("", "text", "input_text", "output_text", "summary_text"):
            return _lines(part["text"])
        if isinstance(part.get("parts"), list):  # Gemini's systemInstruction
            return self.content(part["parts"])
        return [_other(part)]

    def _call(self, call: Json) -> list[str]:
        """``calls orders.get(order_id="W-1")``; arguments that are no JSON object stay as they were."""
        if not isinstance(call, dict):
            return [dumps(call)]
        inner: JsonObject = call["function"] if isinstance(call.get("function"), dict) else call
        name = str(inner.get("name"))
        args = next((inner[k] for k in ("arguments", "input", "args") if k in inner), None)
        if isinstance(args, str):
            args = _parsed(args)
        for place in ("id", "call_id"):  # in Responses the second is the one that results name
            if isinstance(call.get(place), str):
                self._called[call[place]] = name
        if isinstance(args, dict):
            args = ", ".join(f"{k if k.isidentifier() else dumps(k)}={dumps(v)}" for k, v in args.items())
        return [f"calls {name}({args if isinstance(args, str) else '' if args is None else dumps(args)})"]

    def _answered(self, call: Json, lines: list[str]) -> list[str]:
        name = self._called.get(call) if isinstance(call, str) else None
        return _after(f"{name or 'a call'} answered", lines)


def _parsed(text: str) -> Json:
    try:
        return loads(text)
    except (ValueError, RecursionError, ArithmeticError):
        return text


def _after(head: str, lines: list[str]) -> list[str]:
    return [f"{head} {lines[0]}", *lines[1:]] if lines else [f"{head} nothing"]


def _lines(text: str) -> list[str]:
    return text.split("\n")


def _other(part: JsonObject) -> str:
    """A part that is no text: ``[image_url] {...}``."""
    rest = {k: v for k, v in part.items() if k != "type"}
    return f"[{part.get('type', 'part')}] {dumps(rest)}"


def _is_numbers(value: Json) -> bool:
    """Whether an embedding's input is tokens already."""
    return isinstance(value, list) and bool(value) and not isinstance(value[0], (dict, str))


def _tools(entries: list[Json]) -> Iterator[tuple[str, JsonObject]]:
    """Each tool's name and definition, from whatever form the API has."""
    for entry in entries:
        if not isinstance(entry, dict):
            continue
        declared = entry.get("functionDeclarations", entry.get("function_declarations"))
        if isinstance(declared, list):
            yield from _tools(declared)
            continue
        inner = entry.get("function")
        flat = {**{k: v for k, v in entry.items() if k != "function"}, **inner} if isinstance(inner, dict) else entry
        yield str(flat.get("name") or flat.get("type")), flat
