"""A recorded conversation as `transcript.yaml` keeps it: an assistant's decisions; the tools' answers stand in `tools.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeAlias, get_args

from . import money, values
from .case import Outcome
from .run import Usage
from .suggest import did_you_mean
from .values import Json, JsonObject

FORMAT = 1
Role: TypeAlias = Literal["system", "developer", "user", "assistant"]
ROLES: tuple[Role, ...] = get_args(Role)
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


class NotATranscript(ValueError):
    """A transcript out of shape; `path` is the place, in keys and indexes."""

    def __init__(self, path: tuple[str | int, ...], message: str) -> None:
        super().__init__(message)
        self.path = path


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One tool call that an assistant message asked for."""

    tool: str
    args: JsonObject
    id: str | None = None
    """The provider's id of the call, where one was given."""

    def as_json(self) -> JsonObject:
        out: JsonObject = {"tool": self.tool, "args": self.args}
        return {"id": self.id, **out} if self.id is not None else out


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message, without the tools' answers; an assistant's is one step."""

    role: Role
    content: str | None = None
    calls: tuple[Asked, ...] = ()
    """Calls of one message were asked for together."""
    usage: Usage | None = None
    cost_usd: Decimal | None = None
    """Stated by the provider; None: not stated."""

    def as_json(self) -> JsonObject:
        out: JsonObject = {"role": self.role, "content": self.content}
        if self.usage is not None:
            out["usage"] = {"input": self.usage.input, "output": self.usage.output}
        if self.cost_usd is not None:
            out["cost_usd"] = plain(self.cost_usd)
        if self.calls:
            out["calls"] = [c.as_json() for c in self.calls]
        return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """One recorded run."""

    messages: tuple[Message, ...]
    case: str = ""
    source_id: str = ""
    """The id and trial that the imported line had."""
    source_trial: int = 1
    model: str | None = None
    outcome: Outcome = "completed"
    """Anything else marks a run that never finished."""
    agent_cost_usd: Decimal | None = None
    """Stated for the whole run; wins over the messages' costs."""

    def as_json(self) -> JsonObject:
        out: JsonObject = {
            "format": FORMAT,
            "case": self.case,
            "source": {"id": self.source_id, "trial": self.source_trial},
            "model": self.model,
            "outcome": self.outcome,
        }
        if self.agent_cost_usd is not None:
            out["agent_cost_usd"] = plain(self.agent_cost_usd)
        return {**out, "messages": [m.as_json() for m in self.messages]}


def plain(cost: Decimal) -> int | float | Decimal:
    """A cost as a JSON number with all its digits."""
    return values.number(money.text(cost) or "0")


START, END = "---\n", "...\n"
"""YAML's marks for the first and last line of a document: a file that has only the first was cut off."""


def transcript_text(body: str) -> str:
    """The file's text around its YAML."""
    return f"{START}{body}{END}"


def is_cut_off(text: str) -> bool:
    """Whether a file that we wrote lost its end; one written by hand needs no marks."""
    return text.startswith(START) and not text.endswith(("\n...\n", "\n..."))


def from_json(document: Json) -> Transcript:
    """A transcript from its file's value; raises `NotATranscript`. Unknown keys are ignored."""
    top = _mapping(document, ())
    if top.get("format") != FORMAT:
        raise NotATranscript(("format",), f"format {top.get('format')!r} is not known; this version reads format {FORMAT}")
    messages = top.get("messages")
    if not isinstance(messages, list):
        raise NotATranscript(("messages",), "`messages` must be a list")
    source = _mapping(top.get("source") or {}, ("source",))
    return Transcript(
        messages=tuple(_message(m, ("messages", i)) for i, m in enumerate(messages)),
        case=str(top.get("case") or ""),
        source_id=str(source.get("id") or ""),
        source_trial=source.get("trial") or 1,
        model=optional_text(top.get("model"), ("model",)),
        outcome=outcome(top.get("outcome"), ("outcome",)),
        agent_cost_usd=cost(top.get("agent_cost_usd"), ("agent_cost_usd",)),
    )


def _message(value: Json, path: tuple[str | int, ...]) -> Message:
    message = _mapping(value, path)
    calls = message.get("calls") or []
    if not isinstance(calls, list):
        raise NotATranscript((*path, "calls"), "`calls` must be a list")
    return Message(
        role=role(message.get("role"), (*path, "role")),
        content=optional_text(message.get("content"), (*path, "content")),
        calls=tuple(_asked(c, (*path, "calls", i)) for i, c in enumerate(calls)),
        usage=_usage(message.get("usage"), (*path, "usage")),
        cost_usd=cost(message.get("cost_usd"), (*path, "cost_usd")),
    )


def _asked(value: Json, path: tuple[str | int, ...]) -> Asked:
    call = _mapping(value, path)
    name = call.get("tool")
    if not isinstance(name, str) or not name:
        raise NotATranscript((*path, "tool"), "`tool` must be a tool's name")
    return Asked(tool=name, args=_mapping(call.get("args", {}), (*path, "args")), id=optional_text(call.get("id"), (*path, "id")))


def _usage(value: Json, path: tuple[str | int, ...]) -> Usage | None:
    if value is None:
        return None
    usage = _mapping(value, path)
    return Usage(input=tokens(usage.get("input"), (*path, "input")), output=tokens(usage.get("output"), (*path, "output")))


def _mapping(value: Json, path: tuple[str | int, ...]) -> JsonObject:
    if not isinstance(value, dict):
        raise NotATranscript(path, f"expected a mapping, found {kind(value)}")
    return value


def optional_text(value: Json, path: tuple[str | int, ...]) -> str | None:
    if value is not None and not isinstance(value, str):
        raise NotATranscript(path, f"expected text or null, found {kind(value)}")
    return value


def tokens(value: Json, path: tuple[str | int, ...]) -> int:
    """A count of tokens."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise NotATranscript(path, f"expected a count of tokens, found {shown(value)}")
    return value


def cost(value: Json, path: tuple[str | int, ...]) -> Decimal | None:
    """Dollars as a JSON number; None where nothing is stated."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)) or value < 0:
        raise NotATranscript(path, f"expected a cost in USD (a number, not below 0), found {shown(value)}")
    return money.usd(value)


def role(value: Json, path: tuple[str | int, ...]) -> Role:
    """One of `ROLES`."""
    for known in ROLES:
        if value == known:
            return known
    hint = did_you_mean(value, ROLES) if isinstance(value, str) else ""
    raise NotATranscript(path, "; ".join(p for p in (f"unknown role {shown(value)}", f"one of {', '.join(ROLES)}", hint) if p))


def outcome(value: Json, path: tuple[str | int, ...]) -> Outcome:
    """One of `OUTCOMES`; nothing stated means completed."""
    if value is None:
        return "completed"
    for known in OUTCOMES:
        if value == known:
            return known
    hint = did_you_mean(value, OUTCOMES) if isinstance(value, str) else ""
    raise NotATranscript(
        path, "; ".join(p for p in (f"unknown outcome {shown(value)}", f"one of {', '.join(OUTCOMES)}", hint) if p)
    )


def kind(value: Json) -> str:
    """The JSON name of a value's type, for messages."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else "a number"


def shown(value: Json, limit: int = 60) -> str:
    """A value for a message, cut."""
    text = repr(value) if isinstance(value, str) else values.dumps(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
