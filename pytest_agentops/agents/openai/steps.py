"""What the model may do next: every tool and a reply, unless the author of the agent says less."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import LoadError
from ...schema.call import ToolResult
from ...schema.suggest import did_you_mean
from ...schema.values import JsonObject
from .options import Options

if TYPE_CHECKING:
    from ...runner.task import Task
    from ...tools.toolbox import Toolbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One thing that the model did in this turn."""

    tool: str | None
    """None: an answer that was neither a call nor a reply."""
    arguments: JsonObject
    result: ToolResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What the model may do next; given by a function ``step(task, done)``, which may also give a text: the final reply."""

    tools: Sequence[str] | Mapping[str, JsonObject | None] | None = None
    """Names of tools, each with a narrower schema for its arguments or None; None: all tools."""
    reply: bool | JsonObject | None = None
    """Whether it may end with a reply (json_schema: or that reply's schema); None: as the option says."""
    messages: Sequence[JsonObject] | None = None
    """What the model is shown in place of the conversation so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A step as it is carried out."""

    tools: Mapping[str, JsonObject]
    """The tools' own names with the schemas of their arguments."""
    reply: bool | JsonObject
    messages: Sequence[JsonObject] | None = None

    def __str__(self) -> str:
        """The choices, for a model that took none of them."""
        names = ", ".join(self.tools)
        if not names:
            return "a reply"
        return f"one of the tools {names}" + (", or a reply" if self.reply else "")


def offered(options: Options, task: Task, tools: Toolbox, done: Sequence[Done]) -> Offer | str:
    """What the next request offers; a text is the final reply. Raises `LoadError` for a step that names what is not there."""
    step = options.step(task, tuple(done)) if options.step is not None else None
    if isinstance(step, str):
        return step
    if step is None:
        step = Step()
    if not isinstance(step, Step):
        raise LoadError(f"agent openai: step gave a {type(step).__name__}; expected a Step, a text or None")
    names = tools.names if step.tools is None else step.tools
    narrower = step.tools if isinstance(step.tools, Mapping) else {}
    for name in names:
        if name not in tools:
            raise LoadError(
                f"agent openai: step names the tool {name!r}, which is not there", hint=did_you_mean(name, tools.names)
            )
    reply = options.reply if step.reply is None else step.reply
    if not names and not reply:
        raise LoadError("agent openai: step offers neither a tool nor a reply")
    schemas = {name: narrower.get(name) or tools.contracts[name].parameters for name in names}
    return Offer(tools=schemas, reply=reply, messages=step.messages)


def function_schemas(offer: Offer, tools: Toolbox) -> list[JsonObject]:
    """The function schemas of the tools on offer, as chat completions takes them."""
    out = []
    for schema in tools.openai():
        function = schema["function"]
        name = tools.resolve(function["name"])
        if name in offer.tools:
            own = offer.tools[name] is tools.contracts[name].parameters
            out.append(schema if own else {**schema, "function": {**function, "parameters": offer.tools[name]}})
    return out
