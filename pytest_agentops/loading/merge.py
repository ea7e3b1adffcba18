"""Defaults into cases, points of a matrix into variants."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from ..schema.values import Json, JsonObject, canonical

WHOLE = frozenset({"setup", "args", "edit"})
"""Keys whose mappings are values, not settings: they replace what was there whole."""
CALL_LISTS = frozenset({"include", "never", "never_tried"})


def merged(base: JsonObject, over: JsonObject) -> JsonObject:
    """`over` on `base`, key by key: mappings merge, but for setups, operators and call arguments; null removes; tags add up."""
    out = dict(base)
    for key, value in over.items():
        if value is None:
            out.pop(key, None)
        elif key == "tags" and isinstance(out.get(key), list) and isinstance(value, list):
            out[key] = list(dict.fromkeys([*out[key], *value]))
        elif isinstance(value, dict) and isinstance(out.get(key), dict) and key not in WHOLE and not _is_value(value, out[key]):
            out[key] = merged(out[key], value)
        else:
            out[key] = value
    return out


def _is_value(*mappings: JsonObject) -> bool:
    """Operator mappings and one-key names with options replace whole."""
    return any(m and all(k.startswith("$") and not k.startswith(("$.", "$[")) for k in m) for m in mappings)


def points(matrix: JsonObject | None) -> Iterator[tuple[str | None, JsonObject]]:
    """Every point of the full product: the variant's id and the dotted fields it sets; one nameless point without a matrix."""
    if not matrix:
        yield None, {}
        return
    axes = [[(field, *_point(value)) for value in values] for field, values in matrix.items()]
    for combination in itertools.product(*axes):
        yield "-".join(name for _, name, _ in combination), {field: value for field, _, value in combination}


def _point(value: Json) -> tuple[str, Json]:
    if isinstance(value, dict) and set(value) == {"id", "value"}:
        return str(value["id"]), value["value"]
    return slug(value if isinstance(value, str) else canonical(value)), value


def slug(text: str) -> str:
    """A variant's id from a value."""
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-_") or "x"


def with_point(case: JsonObject, fields: JsonObject) -> JsonObject:
    """The case with the point's dotted fields set."""
    out = case
    for dotted, value in fields.items():
        first, *rest = dotted.split(".")
        if not rest:
            out = {**out, first: value}
        else:
            inner = out.get(first) if isinstance(out.get(first), dict) else {}
            out = {**out, first: with_point(inner or {}, {".".join(rest): value})}
    return out
