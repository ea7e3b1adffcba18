"""Defaults into cases, points of a matrix into variants."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

from ..schema.operators import is_operators
from ..schema.paths import is_path
from ..schema.values import Json, JsonObject, canonical

WHOLE = frozenset({"setup", "args", "edit", "equals", "json_schema", "result"})
"""Keys whose mappings are values, not settings: they replace what was there whole."""
NAMED = frozenset({"agent", "tools"})
"""A name with its options: options of one name merge, another name replaces."""
Nulls: TypeAlias = Literal["remove", "data", "keep"]
"""What null is: no value at all, but what removes a default; a value, which still removes a default; a value."""
_BELOW: dict[str, Nulls] = {"context": "data", "agent": "data", "tools": "data", "state": "keep"}
"""Mappings of a person's own keys. A wanted null must not quietly become no check at all."""


def merged(base: JsonObject, over: JsonObject, *, nulls: Nulls = "remove") -> JsonObject:
    """`over` on `base`, key by key: mappings merge, but for setups, operators and call arguments; null removes; tags add up."""
    out = dict(base)
    for key, value in over.items():
        before = out.get(key)
        below = _below(key, nulls)
        if value is None:
            if nulls == "keep" or (nulls == "data" and key not in out) or (nulls == "remove" and key == "equals"):
                out[key] = None
            else:
                out.pop(key, None)
        elif isinstance(value, dict) and isinstance(before, dict) and _merges(key, before, value):
            out[key] = merged(before, value, nulls=below)
        elif key == "tags" and isinstance(before, list) and isinstance(value, list) and nulls == "remove":
            out[key] = list(dict.fromkeys([*before, *value]))
        elif nulls == "remove" and isinstance(value, dict) and None in value.values() and not _stays(key, value):
            out[key] = merged({}, value, nulls=below)
        else:
            out[key] = value
    return out


def _below(key: str, nulls: Nulls) -> Nulls:
    return _BELOW.get(key, "remove") if nulls == "remove" else nulls


def _stays(key: str, value: JsonObject) -> bool:
    """Whether a mapping is a value, and a null in it too."""
    return key in WHOLE or _is_value(value)


def _merges(key: str, before: JsonObject, value: JsonObject) -> bool:
    if _stays(key, value) or _is_value(before):
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
    """The case with the point's dotted fields on top of it; they merge as a case does with its defaults."""
    out = case
    for dotted, value in fields.items():
        out = _set(out, dotted.split("."), value, "remove")
    return out


def _set(mapping: JsonObject, keys: Sequence[str], value: Json, nulls: Nulls | None) -> JsonObject:
    """`nulls` None says that this is inside of a value, where nothing merges."""
    first, *rest = keys
    if not rest:
        return {**mapping, first: value} if nulls is None else merged(mapping, {first: value}, nulls=nulls)
    inner = mapping.get(first)
    below = None if nulls is None or first in WHOLE else _below(first, nulls)
    return {**mapping, first: _set(inner if isinstance(inner, dict) else {}, rest, value, below)}
