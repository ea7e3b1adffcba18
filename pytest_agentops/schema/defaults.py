"""The defaults of a JSON Schema, filled into a value: two calls that mean the same become equal."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TypeAlias

from .values import Json, JsonObject

Fits: TypeAlias = Callable[[JsonObject, Json], bool]

_DEEPEST = 100
"""A schema may refer to itself; so far down no person writes arguments."""


def fill(schema: JsonObject, value: Json, *, fits: Fits) -> Json:
    """A copy of `value` with the schema's defaults filled in, also in nested mappings; local references are followed.

    Of alternatives (`anyOf`, `oneOf`) the first that the value fits counts; `fits` says so.
    """
    return _Filler(schema, fits).fill(schema, value, 0)


class _Filler:
    def __init__(self, root: JsonObject, fits: Fits) -> None:
        self.root = root
        self.fits = fits
        self.shared: JsonObject = {k: root[k] for k in ("$defs", "definitions", "$schema") if k in root}

    def fill(self, schema: Json, value: Json, depth: int) -> Json:
        schema = self.resolved(schema)
        if not isinstance(schema, dict) or not isinstance(value, (dict, list)) or depth > _DEEPEST:
            return value
        for part in schema.get("allOf", ()):
            value = self.fill(part, value, depth + 1)
        for word in ("anyOf", "oneOf"):
            branch = self.branch(schema.get(word, ()), value)
            if branch is not None:
                value = self.fill(branch, value, depth + 1)
        return self.items(schema, value, depth) if isinstance(value, list) else self.mapping(schema, value, depth)

    def mapping(self, schema: JsonObject, value: JsonObject, depth: int) -> JsonObject:
        properties = schema.get("properties")
        properties = properties if isinstance(properties, dict) else {}
        other = schema.get("additionalProperties")
        out = {k: self.fill(properties.get(k, other), v, depth + 1) for k, v in value.items()}
        for key, inner in properties.items():
            resolved = self.resolved(inner)
            if key not in out and isinstance(resolved, dict) and "default" in resolved:
                out[key] = self.fill(resolved, copy.deepcopy(resolved["default"]), depth + 1)
        return out

    def items(self, schema: JsonObject, value: list[Json], depth: int) -> list[Json]:
        first = schema.get("prefixItems", [])
        rest = schema.get("items")
        return [self.fill(first[i] if i < len(first) else rest, v, depth + 1) for i, v in enumerate(value)]

    def resolved(self, schema: Json) -> Json:
        """The schema that a local reference names; keywords beside the reference win."""
        for _ in range(_DEEPEST):
            if not isinstance(schema, dict) or not isinstance(schema.get("$ref"), str):
                break
            target: Json = self.root
            for step in schema["$ref"].removeprefix("#").split("/")[1:]:
                step = step.replace("~1", "/").replace("~0", "~")
                target = target.get(step) if isinstance(target, dict) else None
            beside = {k: v for k, v in schema.items() if k != "$ref"}
            schema = {**target, **beside} if isinstance(target, dict) else beside
        return schema

    def branch(self, branches: Json, value: Json) -> Json:
        """The first alternative that the value fits."""
        for one in branches:
            resolved = self.resolved(one)
            if isinstance(resolved, dict) and self.fits({**self.shared, **resolved}, value):
                return resolved
        return None
