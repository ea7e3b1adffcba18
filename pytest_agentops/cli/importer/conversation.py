"""Chat messages become an assistant's decisions and the answers that its tools gave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ...errors import LoadError
from ...schema import values
from ...schema.call import ErrorInfo
from ...schema.run import Usage
from ...schema.transcript import ROLES, Asked, Message, NotATranscript, cost, kind, role, shown, tokens
from ...schema.values import Json, JsonObject
from ...tools.tool import checked_name

ERROR_TYPE = "ToolError"
"""The type of a recorded tool error: the format states only that it was one."""
UNANSWERED = ErrorInfo(type="Unanswered", message="the recorded run ended before the tool answered")

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One tool call and what came back: the text as it was, or an error."""

    asked: Asked
    result: str | None = None
    error: ErrorInfo | None = None
    overlap: int = 0
    """How many calls of the same message were asked before it: they were in flight together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A run's messages without the tools' answers, and these in the order of issue."""

    messages: tuple[Message, ...]
    answered: tuple[Answered, ...]
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Open:
    """A call that waits for its answer."""

    asked: Asked
    overlap: int
    answer: Answered | None = None


@dataclass(slots=True)
class _Reader:
    messages: list[Message] = field(default_factory=list)
    calls: list[_Open] = field(default_factory=list)
    waiting: list[_Open] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def conversation(value: Json) -> Conversation:
    """The conversation of a line; raises `NotATranscript` with the place of what is out of shape."""
    if not isinstance(value, list) or not value:
        found = "an empty list" if value == [] else "nothing" if value is None else kind(value)
        raise NotATranscript(("messages",), f"expected a list of messages, found {found}")
    reader = _Reader()
    for i, item in enumerate(value):
        path: Path = ("messages", i)
        if not isinstance(item, dict):
            raise NotATranscript(path, f"expected a message, found {kind(item)}")
        if item.get("role") == "tool":
            _answer(reader, item, path)
        else:
            _said(reader, item, path)
    for still in reader.waiting:
        reader.notes.append(f"{still.asked.tool} has no answer: the run is replayed with an error there ({UNANSWERED.message})")
    return Conversation(messages=tuple(reader.messages), answered=tuple(map(_settled, reader.calls)), notes=tuple(reader.notes))


def _settled(call: _Open) -> Answered:
    return call.answer or Answered(asked=call.asked, error=UNANSWERED, overlap=call.overlap)


def _said(reader: _Reader, item: JsonObject, path: Path) -> None:
    if item.get("role") not in ROLES:
        role(item.get("role"), (*path, "role"))  # raises, with the roles there are
    asked = tuple(_asked(item.get("tool_calls"), (*path, "tool_calls")))
    if asked and item["role"] != "assistant":
        raise NotATranscript((*path, "tool_calls"), f"only an assistant calls tools, not {item['role']!r}")
    reader.messages.append(
        Message(
            role=item["role"],
            content=_content(item.get("content"), (*path, "content")),
            calls=asked,
            usage=_usage(item.get("usage"), (*path, "usage")),
            cost_usd=cost(item.get("cost_usd"), (*path, "cost_usd")),
        )
    )
    for overlap, call in enumerate(asked):
        opened = _Open(call, overlap)
        reader.calls.append(opened)
        reader.waiting.append(opened)


def _answer(reader: _Reader, item: JsonObject, path: Path) -> None:
    call_id = item.get("tool_call_id")
    # the last call of that id: some servers count their ids anew in every message
    found = next((c for c in reversed(reader.waiting) if c.asked.id == call_id), None) if call_id is not None else None
    if call_id is None and reader.waiting:
        found = reader.waiting[0]
    if found is None:
        what = (
            "answers no call that waits for one"
            if call_id is None
            else f"answers the call {shown(call_id)}, which waits for none"
        )
        raise NotATranscript((*path, "tool_call_id"), what)
    flag = item.get("error", False)
    if flag is not None and not isinstance(flag, bool):
        raise NotATranscript((*path, "error"), f"expected true or false, found {shown(flag)}")
    text = _content(item.get("content"), (*path, "content")) or ""
    reader.waiting.remove(found)
    error = ErrorInfo(type=ERROR_TYPE, message=text) if flag else None
    found.answer = Answered(asked=found.asked, result=None if flag else text, error=error, overlap=found.overlap)


def _asked(value: Json, path: Path) -> Iterator[Asked]:
    if value is None:
        return
    if not isinstance(value, list):
        raise NotATranscript(path, f"expected a list of calls, found {kind(value)}")
    for i, item in enumerate(value):
        function = item.get("function") if isinstance(item, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str) or not function["name"]:
            raise NotATranscript((*path, i), "expected {id, type: function, function: {name, arguments}}")
        call_id = item.get("id")
        if call_id is not None and not isinstance(call_id, str):
            raise NotATranscript((*path, i, "id"), f"expected text, found {shown(call_id)}")
        yield Asked(
            tool=tool_name(function["name"], (*path, i, "function", "name")),
            args=_arguments(function.get("arguments"), (*path, i, "function", "arguments")),
            id=call_id,
        )


def tool_name(name: str, path: Path) -> str:
    """A name that a contract can have."""
    try:
        return checked_name(name)
    except LoadError as problem:
        raise NotATranscript(path, str(problem)) from None


def _arguments(value: Json, path: Path) -> JsonObject:
    """Arguments are JSON in a string; an object as it stands and nothing at all are taken too."""
    if value is None or value == "":
        return {}
    if isinstance(value, str):
        try:
            value = values.loads(value)
            values.dumps(value).encode("utf-8")
        except (ValueError, RecursionError) as problem:
            raise NotATranscript(path, f"not JSON: {problem}") from None
    if not isinstance(value, dict):
        raise NotATranscript(path, f"expected a JSON object, found {kind(value)}")
    return value


def _content(value: Json, path: Path) -> str | None:
    """A text, or the texts of content parts; a part that is no text leaves its type in brackets."""
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise NotATranscript(path, f"expected text, null or content parts, found {kind(value)}")
    texts: list[str] = []
    for i, part in enumerate(value):
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict) and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif isinstance(part, dict) and isinstance(part.get("type"), str):
            texts.append(f"[{part['type']}]")
        else:
            raise NotATranscript((*path, i), f"expected a content part, found {kind(part)}")
    return "\n".join(texts)


def _usage(value: Json, path: Path) -> Usage | None:
    """Tokens under the names of chat completions or of responses; None where a message states none."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise NotATranscript(path, f"expected {{prompt_tokens, completion_tokens}}, found {kind(value)}")
    read = _first(value, "prompt_tokens", "input_tokens")
    written = _first(value, "completion_tokens", "output_tokens")
    if read is None and written is None:
        return None
    return Usage(
        input=tokens(0 if read is None else read, (*path, "prompt_tokens")),
        output=tokens(0 if written is None else written, (*path, "completion_tokens")),
    )


def _first(value: JsonObject, *keys: str) -> Json:
    return next((value[k] for k in keys if value.get(k) is not None), None)
