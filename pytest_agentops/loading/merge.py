"""Defaults into cases, points of a matrix into variants."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

from ..schema.operators import is_operators
from ..schema.paths import is_path
from ..schema.values import Json, JsonObject, canonical

WHOLE = frozenset({"setup", "args", "edit", "equals", "json_schema", "result"})
"""Keys whose mappings are values, not settings: they replace what was there whole."""
NAMED = frozenset({"agent", "tools"})
"""A name with its options: options of one name merge, another name replaces."""
DATA = frozenset({"context", "state"})
"""Mappings of a person's own keys, where null is a value too; it still removes a default of the same key."""


def merged(base: JsonObject, over: JsonObject, *, data: bool = False) -> JsonObject:
    """`over` on `base`, key by key: mappings merge, but for setups, operators and call arguments; null removes; tags add up."""
    out = dict(base)
    for key, value in over.items():
        before = out.get(key)
        if value is None:
            if key in out or not data:
                out.pop(key, None)
            else:
                out[key] = None
        elif isinstance(value, dict) and isinstance(before, dict) and _merges(key, before, value):
            out[key] = merged(before, value, data=data or key in DATA)
        elif key == "tags" and isinstance(before, list) and isinstance(value, list) and not data:
            out[key] = list(dict.fromkeys([*before, *value]))
        elif isinstance(value, dict) and key not in WHOLE and not data and None in value.values():
            out[key] = merged({}, value, data=key in DATA)
        else:
            out[key] = value
    return out


def _merges(key: str, before: JsonObject, value: JsonObject) -> bool:
    if key in WHOLE or _is_value(before) or _is_value(value):
        return False
    return key not in NAMED or before.keys() == value.keys()


def _is_value(mapping: JsonObject) -> bool:
    """Whether a mapping is operators, and not JSON paths to expected values."""
    return is_operators({k: v for k, v in mapping.items() if not is_path(k)})


def points(matrix: JsonObject | None) -> Iterator[tuple[str | None, JsonObject]]:
    """Every point of the full product: the variant's id and the dotted fields it sets; one nameless point without a matrix."""
    if not matrix:
        yield None, {}
        return
    axes = [[(field, point_id(value), point_value(value)) for value in values] for field, values in matrix.items()]
    for combination in itertools.product(*axes):
        yield "-".join(name for _, name, _ in combination), {field: value for field, _, value in combination}


def is_named(value: Json) -> bool:
    """Whether a point of a matrix has the form ``{id: x, value: ...}``."""
    return isinstance(value, dict) and value.keys() == {"id", "value"}


def point_id(value: Json) -> str:
    """What a point of a matrix is called in the variant's id."""
    if is_named(value):
        return str(value["id"])
    return slug(value if isinstance(value, str) else canonical(value))


def point_value(value: Json) -> Json:
    """What a point of a matrix sets."""
    return value["value"] if is_named(value) else value


def slug(text: str) -> str:
    """A variant's id from a value."""
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-_") or "x"


def with_point(case: JsonObject, fields: JsonObject) -> JsonObject:
    """The case with the point's dotted fields set; null removes."""
    out = case
    for dotted, value in fields.items():
        out = _set(out, dotted.split("."), value)
    return out


def _set(mapping: JsonObject, keys: Sequence[str], value: Json) -> JsonObject:
    first, *rest = keys
    if rest:
        inner = mapping.get(first)
        return {**mapping, first: _set(inner if isinstance(inner, dict) else {}, rest, value)}
    if value is None:
        return {k: v for k, v in mapping.items() if k != first}
    return {**mapping, first: value}
