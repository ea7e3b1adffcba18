"""JSON Schema: whether a value fits, and if not, sentences for people (where, what was allowed, what was found).

The only module that imports jsonschema_rs. A redaction placeholder (``<<card_number:1>>``) is accepted anywhere: the schema
cannot know what stands behind it. Nothing is fetched: a reference out of the schema is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from . import paths
from .defaults import fill
from .paths import Concrete
from .sentences import sentence
from .values import Json, JsonObject, dumps

PLACEHOLDER = re.compile(r"<<[A-Za-z][A-Za-z0-9_.-]*:[^<>\s]+>>")
"""What the redaction membrane puts in place of a secret, also inside a longer string."""

_Raw: TypeAlias = Any
"""jsonschema_rs's error object."""

_UNKNOWN_KEY = ("additionalProperties", "unevaluatedProperties")
_WHOLE_VALUE = ("enum", "const", "not", "contains", "uniqueItems", "oneOf", "unevaluatedProperties", "unevaluatedItems")
"""Keywords that look at a whole mapping or list: a placeholder anywhere in it leaves them undecided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One place that does not fit: the sentence for people, and its parts for machines."""

    loc: Concrete
    """The place in the value; for a missing or unknown key that of the mapping around it."""
    keyword: str
    """JSON Schema's word: type, required, additionalProperties, enum, ..."""
    message: str
    """``must be a number, found "30"``; reads on after the path."""
    found: Json = None
    wanted: Json = None
    """The keyword's value: the allowed types, the enum's values, the limit, the pattern."""
    name: str = ""
    """The missing or unknown key."""
    allowed: tuple[str, ...] = ()
    """The keys that are known there (unknown keys only)."""

    @property
    def path(self) -> str:
        return paths.text(self.loc)

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class Schema:
    """A compiled schema; keep it where one schema meets many values."""

    __slots__ = ("_defaults", "_validator", "raw")

    def __init__(self, raw: JsonObject | bool) -> None:
        import jsonschema_rs

        self.raw = raw
        try:
            self._validator: Any = jsonschema_rs.validator_for(raw, retriever=_refuse)
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
            raise ValueError(_why_invalid(error)) from None
        self._defaults = '"default":' in dumps(raw)

    def fits(self, value: Json) -> bool:
        return bool(self._validator.is_valid(value)) or not self.violations(value)

    def violations(self, value: Json, *, placeholders: bool = True) -> list[Violation]:
        """All that does not fit, in the order of the value; `placeholders=False` looks at them as the strings they are."""
        if self._validator.is_valid(value):
            return []
        found = list(self._real(self._validator.iter_errors(value), placeholders))
        return _sorted(found, value)

    def fill(self, value: Json) -> Json:
        """A copy of `value` with the schema's defaults filled in."""
        if not self._defaults or not isinstance(self.raw, dict):
            return value
        return fill(self.raw, value, fits=lambda schema, inner: compiled(schema).fits(inner))

    def _real(self, errors: Iterator[_Raw] | Sequence[_Raw], placeholders: bool) -> Iterator[Violation]:
        dropped = False
        for error in errors:
            if placeholders and _excused(error):
                dropped = True
            elif error.kind.name in ("anyOf", "oneOf") and any(error.kind.context):
                branches = [list(self._real(branch, placeholders)) for branch in error.kind.context]
                if all(branches):
                    yield from _nearest(branches, tuple(error.instance_path), error.instance)
            elif not (dropped and error.kind.name.startswith("unevaluated")):
                yield from self._say(error)

    def _say(self, error: _Raw) -> Iterator[Violation]:
        keyword, wanted, found = error.kind.name, _plain(error.kind.value), error.instance
        loc: Concrete = tuple(error.instance_path)
        if keyword in _UNKNOWN_KEY:
            known = tuple(_properties(self.raw, error.schema_path))
            for name in error.kind.unexpected:
                message = sentence(keyword, wanted=known, found=name)
                yield Violation(loc=loc, keyword="additionalProperties", message=message, found=found, name=name, allowed=known)
            return
        name = error.kind.property if keyword == "required" else ""
        wanted = error.kind.types if keyword == "type" else wanted
        message = sentence(keyword, wanted=wanted, found=found) or str(error.message)
        yield Violation(loc=loc, keyword=keyword, message=message, found=found, wanted=wanted, name=name)


def violations(schema: JsonObject, value: Json, *, placeholders: bool = True) -> list[Violation]:
    """All that does not fit; empty if the value does. Raises ValueError if `schema` is no JSON Schema."""
    return compiled(schema).violations(value, placeholders=placeholders)


def fill_defaults(schema: JsonObject, value: Json) -> Json:
    """A copy of `value` with the schema's defaults filled in, also in nested mappings; local references are followed."""
    return compiled(schema).fill(value)


def check_schema(schema: Json) -> str | None:
    """Why this is no JSON Schema; None if it is one."""
    if not isinstance(schema, (dict, bool)):
        return f"a JSON Schema is a mapping, found {dumps(schema)}"
    try:
        Schema(schema)
    except ValueError as error:
        return str(error)
    return None


def compiled(schema: JsonObject) -> Schema:
    """The compiled schema; equal texts share one, and one object is written out once."""
    known = _BY_OBJECT.get(id(schema))
    if known is not None and known[0] is schema:
        return known[1]
    made = _compile(dumps(schema), _Holder(schema))
    if len(_BY_OBJECT) >= _MOST:
        _BY_OBJECT.clear()
    _BY_OBJECT[id(schema)] = schema, made
    return made


_BY_OBJECT: dict[int, tuple[JsonObject, Schema]] = {}
"""Schemas by the identity of their mapping, which is kept alive here; a contract's schema does not change once it is made."""
_MOST = 512


class _Holder:
    """Carries the schema past lru_cache, which must look at the text alone."""

    __slots__ = ("schema",)

    def __init__(self, schema: JsonObject) -> None:
        self.schema = schema

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Holder)


@lru_cache(maxsize=2048)
def _compile(text: str, holder: _Holder) -> Schema:
    return Schema(holder.schema)


def _refuse(uri: str) -> Json:
    raise ValueError(f"{uri} is outside of the schema; only '#/...' references are followed")


def _why_invalid(error: Exception) -> str:
    message = str(getattr(error, "message", error))
    outside = re.search(r"(\S+) is outside of the schema; .*", message)
    if outside:
        return outside.group()
    place = tuple(getattr(error, "instance_path", ()))
    return f"{paths.text(place)}: {message}" if place else message


def _excused(error: _Raw) -> bool:
    """Whether a placeholder may be the whole reason for this error."""
    if isinstance(error.instance, str):
        return PLACEHOLDER.search(error.instance) is not None
    return error.kind.name in _WHOLE_VALUE and holds_placeholder(error.instance) and not any(getattr(error.kind, "context", ()))


def holds_placeholder(value: Json) -> bool:
    """Whether a string in `value`, at any depth, holds a redaction placeholder."""
    if isinstance(value, str):
        return PLACEHOLDER.search(value) is not None
    if isinstance(value, dict):
        return any(holds_placeholder(v) for v in value.values())
    return isinstance(value, list) and any(holds_placeholder(v) for v in value)


def _nearest(branches: list[list[Violation]], here: Concrete, found: Json) -> list[Violation]:
    """What the alternative says that the value comes nearest to: its own type, its own tag, fewest mistakes."""
    fitting = [b for b in branches if not any(v.loc == here and v.keyword == "type" for v in b)]
    if fitting:
        return min(fitting, key=lambda b: _distance(b, here))
    types = list(dict.fromkeys(t for b in branches for v in b if v.loc == here and v.keyword == "type" for t in v.wanted))
    return [Violation(loc=here, keyword="type", message=sentence("type", wanted=types, found=found), found=found, wanted=types)]


def _distance(branch: list[Violation], here: Concrete) -> tuple[bool, int]:
    other_tag = any(v.keyword in ("const", "enum") and len(v.loc) <= len(here) + 1 for v in branch)
    return other_tag, len(branch)


def _sorted(found: list[Violation], value: Json) -> list[Violation]:
    """In the order in which the value's keys stand, without what was said twice."""
    unique = {(v.loc, v.message): v for v in found}
    return sorted(unique.values(), key=lambda v: (_position(v.loc, value), v.message))


def _position(loc: Concrete, value: Json) -> tuple[int, ...]:
    out = []
    for key in loc:
        if isinstance(value, Mapping) and key in value:
            out.append(list(value).index(key))
        else:
            out.append(key if isinstance(key, int) else 0)
        value = value[key]
    return tuple(out)


def _plain(value: Any) -> Json:
    value = getattr(value, "message", value)
    return value if isinstance(value, (str, int, float, list, dict, type(None))) else str(value)


def _properties(schema: Json, schema_path: Sequence[str | int]) -> list[str]:
    """The property names of the schema that holds the keyword at `schema_path`."""
    for step in schema_path[:-1]:
        try:
            schema = schema[step]
        except (KeyError, IndexError, TypeError):
            return []
    found = schema.get("properties") if isinstance(schema, dict) else None
    return list(found) if isinstance(found, dict) else []
