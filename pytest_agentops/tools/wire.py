"""Names on the wire: models' APIs take letters, digits, ``_`` and ``-`` only."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..errors import LoadError
from ..schema.contract import Contract
from ..schema.values import JsonObject

_OTHER = re.compile(r"[^A-Za-z0-9_-]")


def wire_name(name: str) -> str:
    """``payments.refund`` as ``payments__refund``; any other sign that an API would refuse as one underscore."""
    return _OTHER.sub("_", name.replace(".", "__"))


def names(tools: Iterable[str]) -> dict[str, str]:
    """Wire name to name; two tools with one wire name are an error."""
    out: dict[str, str] = {}
    for name in tools:
        other = out.setdefault(wire_name(name), name)
        if other != name:
            raise LoadError(f"the tools {other!r} and {name!r} would both be {wire_name(name)!r} to a model", hint="rename one")
    return out


def function_schema(contract: Contract) -> JsonObject:
    """The function schema of a tool, in the shape of the chat completions API."""
    parameters = contract.parameters
    if "properties" not in parameters:  # some servers insist on it
        parameters = {**parameters, "type": "object", "properties": {}}
    return {
        "type": "function",
        "function": {"name": wire_name(contract.name), "description": contract.description, "parameters": parameters},
    }
