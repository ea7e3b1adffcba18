"""``strategy: json_schema``: one action an answer, for servers that call no tools but hold their output to a schema.

An answer is ``{"tool": NAME, "arguments": {...}}`` or ``{"reply": TEXT}``; the schema has one branch for each that is allowed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...schema.call import ToolResult
from ...schema.values import Json, JsonObject, dumps, loads
from .reply import Asked, Reply
from .steps import Offer

if TYPE_CHECKING:
    from ...tools.toolbox import Toolbox

HOW = 'Answer with one JSON object. To use a tool: {"tool": NAME, "arguments": {...}}.'
HOW_TO_REPLY = ' To answer the user: {"reply": "..."}.'


@dataclass(frozen=True, slots=True, kw_only=True)
class Final:
    """The reply that ends the turn."""

    value: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """An answer that is no action on offer; `why` goes back to the model."""

    why: str


def schema_of(offer: Offer) -> JsonObject:
    """The schema of one answer: a branch for each tool on offer, and one for the reply."""
    shared: JsonObject = {}
    branches = [_object({"tool": {"const": name}, "arguments": _moved(args, name, shared)}) for name, args in offer.tools.items()]
    if offer.reply:
        told = {"type": "string"} if offer.reply is True else _moved(offer.reply, "reply", shared)
        branches.append(_object({"reply": told}))
    schema = branches[0] if len(branches) == 1 else {"anyOf": branches}
    return {**schema, "$defs": shared} if shared else schema


def _object(properties: JsonObject) -> JsonObject:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _moved(schema: JsonObject, owner: str, shared: JsonObject) -> JsonObject:
    """The schema as a part of another: its definitions move to the root, under names that no other tool has."""
    own = {**schema.get("$defs", {}), **schema.get("definitions", {})}
    if not own:
        return schema

    def rewritten(value: Any) -> Any:
        if isinstance(value, list):
            return [rewritten(inner) for inner in value]
        if not isinstance(value, Mapping):
            return value
        out = {key: rewritten(inner) for key, inner in value.items()}
        reference = value.get("$ref")
        if isinstance(reference, str) and reference.startswith(("#/$defs/", "#/definitions/")):
            out["$ref"] = f"#/$defs/{owner}.{reference.split('/', 2)[2]}"
        return out

    shared.update({f"{owner}.{name}": rewritten(one) for name, one in own.items()})
    moved: JsonObject = rewritten({key: value for key, value in schema.items() if key not in ("$defs", "definitions")})
    return moved


def description(tools: Toolbox, *, reply: bool) -> str:
    """What a model is told that knows nothing of tools: how to answer, and what there is."""
    lines = [HOW + (HOW_TO_REPLY if reply else ""), "Tools:"]
    for name, contract in tools.contracts.items():
        arguments = contract.parameters.get("properties", {})
        needed = contract.parameters.get("required", ())
        listed = ", ".join(f"{key}{'' if key in needed else '?'}: {_kind(value)}" for key, value in arguments.items())
        lines.append(f"- {name}({listed}): {' '.join(contract.description.split())}".removesuffix(": "))
    return "\n".join(lines)


def _kind(schema: Any) -> str:
    """A type in a word or two."""
    if not isinstance(schema, Mapping):
        return "any"
    if "enum" in schema:
        return " | ".join(dumps(value) for value in schema["enum"])
    if isinstance(schema.get("anyOf"), list):
        return " | ".join(_kind(one) for one in schema["anyOf"])
    kind = schema.get("type", "any")
    return " | ".join(kind) if isinstance(kind, list) else str(kind)


def read_action(reply: Reply, offer: Offer, number: int) -> Asked | Final | Wrong:
    """What the model wants; `number` makes the id of a call."""
    try:
        said = loads(reply.text)
    except (ValueError, RecursionError) as error:
        cut = ", it was cut at its length limit" if reply.finish == "length" else ""
        return Wrong(why=f"your answer is no JSON{cut}: {error}; expected {offer}")
    if not isinstance(said, dict):
        return Wrong(why=f"your answer is no JSON object; expected {offer}")
    if isinstance(said.get("tool"), str):
        return Asked(id=f"call_{number}", name=said["tool"], arguments=dumps(said.get("arguments", {})))
    if "reply" in said and offer.reply and (offer.reply is not True or isinstance(said["reply"], str)):
        return Final(value=said["reply"])
    return Wrong(why=f"expected {offer}")


def told(name: str, result: ToolResult) -> str:
    """A tool's answer as a message: such servers know no role for it."""
    return dumps({"tool": name, "result": result.value} if result.ok else {"tool": name, "error": result.error})
