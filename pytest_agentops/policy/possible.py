"""Which values an attribute can have when a policy is asked: what the tool's schema lets through, what a principal always has.

Only what a schema says of type, values and bounds is used; its patterns and lengths are not, so that more may be thought possible
than is, never less.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from ..schema.contract import Contract
from ..schema.values import Json, decimal
from .attributes import Path, prepare
from .domain import MISSING, Candidate, Wants

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float, Decimal),
    "integer": (int, float, Decimal),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}
_BOUNDS: Mapping[str, Callable[[Any, Any], bool]] = {
    "minimum": operator.ge,
    "maximum": operator.le,
    "exclusiveMinimum": operator.gt,
    "exclusiveMaximum": operator.lt,
}
_COMPOSED = ("allOf", "anyOf", "oneOf", "if", "$dynamicRef", "patternProperties", "dependentSchemas")
_DEEP = 8


def widened(contract: Contract, path: Path, wants: Wants) -> Wants:
    """With the values and bounds that the tool's contract names, so that a candidate lies in each of its parts."""
    if path == ("principal", "scopes"):
        wants.always = contract.scopes
    elif path[0] == "session":
        wants.numbers.add(Decimal(0))  # what was used up is never less
    schema, _ = schema_of(contract, path)
    for part in parts(schema, contract.parameters, 0):
        wants.integer |= part.get("type") == "integer"
        for value in (*(part.get("enum") or ()), *((part["const"],) if "const" in part else ())):
            wants.named(value)
        wants.numbers.update(decimal(part[word]) for word in _BOUNDS if _is_number(part.get(word)))
    return wants


def may_be(contract: Contract, path: Path, candidate: Candidate) -> bool:
    """Whether the attribute can have this value."""
    value: Any = candidate.value
    if path[0] == "args":
        schema, required = schema_of(contract, path)
        if value is MISSING:
            return not required
        return schema is None or _fits(schema, contract.parameters, value, 0)
    if path[0] == "principal":
        if path[1] in ("roles", "scopes"):
            texts = isinstance(value, list) and all(isinstance(item, str) for item in value)
            return texts and (path[1] == "roles" or set(contract.scopes) <= set(value))
        return value is MISSING or isinstance(value, str)
    if path[0] == "session":
        return value is MISSING or (candidate.sort == "number" and value >= 0)
    return True


def fact(facts: Mapping[str, Json], path: Path) -> Json:
    """What ``tool.*`` is: the same for every call."""
    return facts[path[1]]


def schema_of(contract: Contract, path: Path) -> tuple[Json, bool]:
    """The schema of an argument (None: nothing is known), and whether it is always there."""
    if path[0] != "args" or contract.open:
        return None, False
    schema: Json = contract.parameters
    required = True
    for step in path[1:]:
        schema = _resolved(schema, contract.parameters)
        if not isinstance(schema, dict) or not isinstance(schema.get("properties"), dict) or step not in schema["properties"]:
            return None, False
        required = required and step in (schema.get("required") or ())
        schema = schema["properties"][step]
    return schema, required


def lacks(contract: Contract, path: Path) -> tuple[str, tuple[str, ...]] | None:
    """The step inside of an argument that its schema rules out, with those that it names; None where it may be there."""
    if path[0] != "args" or contract.open:
        return None
    schema: Json = contract.parameters
    for n, step in enumerate(path[1:]):
        schema = _resolved(schema, contract.parameters)
        if not isinstance(schema, dict) or any(word in schema for word in _COMPOSED):
            return None
        properties = schema.get("properties")
        named: dict[str, Any] = properties if isinstance(properties, dict) else {}
        if step not in named:
            closed = schema.get("additionalProperties") is False or not _may_be_object(schema)
            return (step, tuple(sorted(named))) if n and closed else None  # what the top has is the linter's own question
        schema = named[step]
    return None


def is_open_number(contract: Contract, path: Path) -> bool:
    """Whether it is always given and a number of which the schema does not say both ends, nor the values."""
    schema, required = schema_of(contract, path)
    schema = _resolved(schema, contract.parameters)
    if not required or not isinstance(schema, dict) or schema.get("type") not in ("number", "integer"):
        return False
    low, high = ("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")
    whole = all(any(_is_number(schema.get(word)) for word in end) for end in (low, high))
    return not whole and "enum" not in schema and "const" not in schema


def _may_be_object(schema: Mapping[str, Json]) -> bool:
    types = schema.get("type")
    return types is None or "object" in ([types] if isinstance(types, str) else types)


def _resolved(schema: Json, top: Json) -> Json:
    for _ in range(_DEEP):
        ref = schema.get("$ref") if isinstance(schema, dict) else None
        if not isinstance(ref, str) or not ref.startswith("#/"):
            return schema
        node: Json = top
        for step in ref[2:].split("/"):
            node = node.get(step) if isinstance(node, dict) else None
        schema = node
    return schema


def parts(schema: Json, top: Json, depth: int) -> Iterator[dict[str, Any]]:
    """The schema with its references followed, and what it is put together of."""
    schema = _resolved(schema, top)
    if not isinstance(schema, dict) or depth > _DEEP:
        return
    yield schema
    for word in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(word) or ():
            yield from parts(part, top, depth + 1)


def _fits(schema: Json, top: Json, value: Json, depth: int) -> bool:
    schema = _resolved(schema, top)
    if not isinstance(schema, dict) or depth > _DEEP:
        return schema is not False
    types = schema.get("type")
    named = [types] if isinstance(types, str) else types if isinstance(types, list) else []
    if named and not any(_is_a(value, name) for name in named):
        return False
    if "enum" in schema and not any(_same(value, known) for known in schema["enum"]):
        return False
    if "const" in schema and not _same(value, schema["const"]):
        return False
    if _is_number(value):
        for word, good in _BOUNDS.items():
            if _is_number(schema.get(word)) and not good(decimal(value), decimal(schema[word])):
                return False
    for word, enough in (("allOf", all), ("anyOf", any), ("oneOf", any)):
        parts = schema.get(word)
        if parts and not enough(_fits(part, top, value, depth + 1) for part in parts):
            return False
    return True


def _is_a(value: Any, name: str) -> bool:
    if name not in _TYPES:
        return True
    if isinstance(value, bool):
        return name == "boolean"
    if not isinstance(value, _TYPES[name]):
        return False
    number: Any = value
    return name != "integer" or bool(number == int(number))


def _is_number(value: Json) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def _same(value: Json, known: Json) -> bool:
    return prepare(value) == prepare(known)
