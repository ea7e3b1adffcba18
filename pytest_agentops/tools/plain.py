"""JSON Schemas of plain type hints, without pydantic (its import and its adapters cost more than a whole replayed case).

What this module knows it says exactly as `signature` would say it (a test compares them); for the rest it gives up.
"""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from decimal import Decimal
from typing import Any

from ..schema.values import Json, JsonObject, NotJson, jsonable

_SCALARS: dict[Any, JsonObject] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    Decimal: {"type": "number"},
    bool: {"type": "boolean"},
    None: {"type": "null"},
    type(None): {"type": "null"},
    Any: {},
    object: {},
    list: {"type": "array", "items": {}},
    dict: {"type": "object"},
}


class NotPlain(Exception):
    """A hint that needs pydantic."""


def schema(hint: Any, defs: JsonObject) -> JsonObject:
    """The schema of one hint; types with a name are added to `defs`. Raises `NotPlain`."""
    try:
        if hint in _SCALARS:
            return dict(_SCALARS[hint])
    except TypeError:
        raise NotPlain from None
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": _distinct([schema(a, defs) for a in args])}
    if origin is typing.Literal:
        return _literal(args)
    if origin is list:
        return {"type": "array", "items": schema(args[0], defs)}
    if origin is dict and args[0] is str:
        inner = schema(args[1], defs)
        return {"type": "object", "additionalProperties": inner} if inner else {"type": "object"}
    if inspect.isclass(hint) and type(hint) is type and dataclasses.is_dataclass(hint):
        return _dataclass(hint, defs)
    raise NotPlain


def _distinct(schemas: list[JsonObject]) -> list[JsonObject]:
    if any("$ref" in s or not s for s in schemas) and len({str(s) for s in schemas}) != len(schemas):
        raise NotPlain
    out: list[JsonObject] = []
    for one in schemas:
        if one not in out:
            out.append(one)
    if len(out) == 1:
        raise NotPlain
    return out


def _literal(values: tuple[Any, ...]) -> JsonObject:
    kinds = {type(v) for v in values}
    if len(kinds) != 1 or not kinds <= {str, int, bool}:
        raise NotPlain
    kind = _SCALARS[kinds.pop()]
    return {"const": values[0], **kind} if len(values) == 1 else {"enum": list(values), **kind}


def _dataclass(cls: Any, defs: JsonObject) -> JsonObject:
    """A dataclass of plain fields; anything that pydantic would treat in a way of its own is left to it."""
    name = cls.__name__
    ref = {"$ref": f"#/$defs/{name}"}
    if name in defs:
        if defs[name].get("$python") is not cls:
            raise NotPlain  # two types of one name
        return ref
    if any(a.startswith(("__pydantic", "__get_pydantic")) for a in dir(cls)) or cls.__bases__ != (object,):
        raise NotPlain
    defs[name] = {"$python": cls}
    hints = typing.get_type_hints(cls, include_extras=True)
    properties: JsonObject = {}
    required: list[str] = []
    for field in dataclasses.fields(cls):
        if not field.init or field.metadata or field.name.startswith("_"):
            raise NotPlain
        properties[field.name] = schema(hints[field.name], defs)
        if field.default is not dataclasses.MISSING:
            properties[field.name] = with_default(properties[field.name], field.default)
        elif field.default_factory is dataclasses.MISSING:
            required.append(field.name)
    doc = cls.__doc__ or ""
    described = {} if doc.startswith(f"{name}(") or not doc else {"description": inspect.cleandoc(doc)}
    defs[name] = {"$python": cls, **described, "type": "object", "properties": properties}
    if required:
        defs[name]["required"] = required
    return ref


def with_default(prop: JsonObject, default: object) -> JsonObject:
    """The schema with the default as JSON; one that JSON cannot say is the function's own secret."""
    try:
        value: Json = jsonable(default)
    except NotJson:
        return prop
    return {**prop, "default": value}


def finished(defs: JsonObject) -> JsonObject:
    """The definitions without this module's own marks."""
    return {name: {k: v for k, v in one.items() if k != "$python"} for name, one in defs.items()}
