"""One answer of a model, whichever API it came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...errors import AgentOpsError
from ...schema.values import Json, JsonObject, NotJson, loads


class ModelError(AgentOpsError):
    """The model, or the server in front of it, gave no answer that can be used; it ends the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A tool call as the model wrote it; `arguments` is its text, which may be no JSON."""

    id: str
    name: str
    arguments: str

    def read(self) -> JsonObject:
        """The arguments; what is no JSON object is kept as a value that the guard refuses, so that the log has the call."""
        try:
            value: Json = loads(self.arguments) if self.arguments.strip() else {}
        except (ValueError, RecursionError) as error:
            return {"arguments": Malformed(f"the arguments are no JSON: {error}")}
        return value if isinstance(value, dict) else {"arguments": Malformed("the arguments are no JSON object")}


class Malformed:
    """Stands for arguments that JSON cannot say."""

    def __init__(self, why: str) -> None:
        self.why = why

    def model_dump(self, mode: str) -> JsonObject:
        """Asked when the guard turns arguments into JSON."""
        raise NotJson("$", "str", self.why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the model said, and what of it goes back with the next request."""

    text: str = ""
    refusal: str = ""
    calls: tuple[Asked, ...] = ()
    finish: str | None = None
    """``stop``, ``tool_calls``, ``length``, ``content_filter``, the server's own word, or None where it says none."""
    items: list[JsonObject] = field(default_factory=list)
    complete: bool = True
    """False for a stream that broke off."""


def usable(reply: Reply) -> Reply:
    """The answer, if it is one; raises `ModelError` for one that broke off or that the provider took back."""
    if not reply.complete:
        raise ModelError(f"the model's stream ended before its answer did{_after(reply.text)}")
    if reply.finish == "content_filter":
        raise ModelError("the provider's content filter stopped the answer (finish_reason: content_filter)")
    if reply.finish == "error":
        raise ModelError(f"the server broke the answer off (finish_reason: error){_after(reply.text)}")
    return reply


def final(reply: Reply) -> str:
    """The text of an answer that calls no tool; raises `ModelError` where there is none that a user could be given."""
    if reply.finish == "length":
        raise ModelError(
            f"the model's answer was cut at its length limit (finish_reason: length; option max_tokens){_after(reply.text)}"
        )
    text = reply.text if reply.text.strip() else reply.refusal
    if not text.strip():
        raise ModelError(f"the model answered nothing: no text and no tool call (finish_reason: {reply.finish or 'none'})")
    return text


def _after(text: str) -> str:
    return f", after: {_short(text)}" if text else ""


def _short(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= 200 else f"{one_line[:200]}..."


def no_answer(kind: str, value: object) -> ModelError:
    """The error for something that is no answer of this API."""
    told: Any = value.get("error") if isinstance(value, dict) else None
    if isinstance(told, dict) and told.get("message"):
        return ModelError(f"the server answered with an error: {_short(str(told['message']))}")
    return ModelError(f"the server's answer is no {kind}: {_short(str(value)) or 'it is empty'}")
