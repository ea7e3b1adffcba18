"""The loop, without waiting: it yields requests and batches of tool calls, and is sent their answers.

What ends it is a final text, an error, or the trial's budget; it has no limit of its own.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from ...errors import ToolError
from ...schema.call import ToolResult
from ...schema.values import Json, JsonObject, dumps
from .actions import Final, Wrong, description, read_action, schema_of, told
from .dialects import Chat, Dialect, Responses, chat_call, message
from .options import Options, no_model
from .reply import Asked, Reply, final, usable
from .steps import Done, Offer, function_schemas, offered

if TYPE_CHECKING:
    from ...runner.task import Task
    from ...tools.toolbox import Toolbox


@dataclass(frozen=True, slots=True)
class Request:
    """Ask the model: the body of a request."""

    body: JsonObject


@dataclass(frozen=True, slots=True)
class Batch:
    """Call these tools, at once where the options allow it; the results are sent back in their order."""

    calls: tuple[Asked, ...]


Turn: TypeAlias = Generator[Request | Batch, Any, Json]


@dataclass(slots=True)
class Memory:
    """The conversation of one trial in the words of its API, tool exchanges included."""

    items: list[JsonObject] = field(default_factory=list)


def turn(options: Options, task: Task, tools: Toolbox, memory: Memory) -> Turn:
    """One turn, to its final reply."""
    if not task.model:
        raise no_model()
    dialect: Dialect = Responses() if options.api == "responses" else Chat()
    _hear(options, task, tools, memory)
    done: list[Done] = []
    while True:
        offer = offered(options, task, tools, done)
        if isinstance(offer, str):
            memory.items.append(message("assistant", offer))
            return offer
        shown = memory.items if offer.messages is None else _written(offer.messages)
        asked = {"model": task.model, **dialect.body(shown, options), **_format(options, dialect, offer, tools)}
        reply = usable(dialect.read((yield Request(asked))))
        memory.items += reply.items
        wanted = _wanted(options, reply, offer, len(done))
        if isinstance(wanted, Final):
            return wanted.value
        if isinstance(wanted, Wrong):
            task.session.record_message(message("assistant", reply.text))
            memory.items.append(message("user", {"error": wanted.why}))
            done.append(Done(tool=None, arguments={}, result=ToolResult(False, error={"message": wanted.why})))
            continue
        if options.strategy == "tools" and reply.text.strip():
            task.say(reply.text)
        results = yield from _carried_out(wanted, offer, task, tools)
        for call, result in zip(wanted, results, strict=True):
            memory.items.append(_back(options, dialect, call, tools.resolve(call.name), result))
            done.append(Done(tool=tools.resolve(call.name), arguments=_plain(call), result=result))


def _carried_out(
    calls: tuple[Asked, ...], offer: Offer, task: Task, tools: Toolbox
) -> Generator[Batch, list[ToolResult], list[ToolResult]]:
    """The results of the calls, in their order. A tool that is there but not on offer now is not called."""
    names = [tools.resolve(call.name) for call in calls]
    logged = [chat_call(Asked(id=c.id, name=name, arguments=c.arguments)) for c, name in zip(calls, names, strict=True)]
    task.session.record_message({"role": "assistant", "content": None, "tool_calls": logged})
    barred = [name in tools and name not in offer.tools for name in names]
    results = iter((yield Batch(tuple(call for call, no in zip(calls, barred, strict=True) if not no))))
    out = []
    for name, no in zip(names, barred, strict=True):
        if no:
            error = {"tool": name, "reason": "not_offered", "message": f"{name} cannot be used now; expected {offer}"}
            task.session.record_message({"role": "tool", "name": name, "content": error})
            out.append(ToolResult(False, error=error))
        else:
            out.append(next(results))
            _raise_what_ends_the_run(out[-1])
    return out


def _hear(options: Options, task: Task, tools: Toolbox, memory: Memory) -> None:
    """What the user says now; before the first turn the system message and the examples."""
    if memory.items:
        memory.items.append(message("user", task.text))
        return
    system = [task.prompt] if task.prompt else []
    if options.strategy == "json_schema" and options.describe and len(tools):
        system.append(description(tools, reply=bool(options.reply)))
    if system:
        memory.items.append(message("system", "\n\n".join(system)))
    memory.items += _written(options.examples)
    # a text of the assistant was said before by somebody else; its tool calls are not repeated without their results
    memory.items += [message(m["role"], m["content"]) for m in task.messages if m.get("content") is not None]


def _written(messages: Iterable[JsonObject]) -> list[JsonObject]:
    """Messages as a person wrote them, whose content may be JSON."""
    return [{**m, **message(m["role"], m["content"])} if "content" in m else m for m in messages]


def _format(options: Options, dialect: Dialect, offer: Offer, tools: Toolbox) -> JsonObject:
    if options.strategy == "json_schema":
        return dialect.output(schema_of(offer))
    return dialect.tools(function_schemas(offer, tools), required=not offer.reply)


def _wanted(options: Options, reply: Reply, offer: Offer, number: int) -> tuple[Asked, ...] | Wrong | Final:
    """The calls that the model wants, the reply that ends the turn, or what is wrong with its answer."""
    if options.strategy == "json_schema":
        action = read_action(reply, offer, number + 1)
        return (action,) if isinstance(action, Asked) else action
    if reply.calls:
        return reply.calls
    return Final(value=final(reply)) if offer.reply else Wrong(why=f"expected {offer}")


def _raise_what_ends_the_run(result: ToolResult) -> None:
    """A tool's error is for the model; a miss, a spent budget or a tool that cannot be called is not."""
    if result.exception is not None and not isinstance(result.exception, ToolError):
        raise result.exception


def _back(options: Options, dialect: Dialect, asked: Asked, name: str, result: ToolResult) -> JsonObject:
    if options.strategy == "json_schema":
        return message("user", told(name, result))
    if not result.ok:
        return dialect.result(asked, dumps({"error": result.error}))
    return dialect.result(asked, result.value if isinstance(result.value, str) else dumps(result.value))


def _plain(asked: Asked) -> JsonObject:
    """The arguments, for the author's `step`; none where they are malformed."""
    read = asked.read()
    return {} if any(hasattr(value, "model_dump") for value in read.values()) else read
