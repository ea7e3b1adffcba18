"""What `output` and `said` share: text expectations."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...schema.case import TextExpect
from ...schema.operators import compare, show
from ...schema.validate import violations
from ...schema.values import Json, JsonObject, canonical, same


def wrong_with(wanted: TextExpect, texts: list[str], value: Json, what: str) -> list[str]:
    """Every expectation that does not hold, a sentence each. Positive ones must hold for one text, `not_contains` for all."""
    out = list(_wrong(wanted, texts, value, what))
    if wanted.any:
        alternatives = [wrong_with(one, texts, value, what) for one in wanted.any]
        if all(alternatives):
            tried = "\n".join(f"  {i}. {'; '.join(why)}" for i, why in enumerate(alternatives, start=1))
            out.append(f"none of the alternatives holds:\n{tried}")
    return out


def _wrong(wanted: TextExpect, texts: list[str], value: Json, what: str) -> Iterator[str]:
    for text in _each(wanted.contains):
        if not any(text in t for t in texts):
            yield f"{what} does not contain {text!r}{_almost(text, texts)}"
    lowered = [t.casefold() for t in texts]
    for text in _each(wanted.icontains):
        if not any(text.casefold() in t for t in lowered):
            yield f"{what} does not contain {text!r} in any letter case"
    for text in _each(wanted.not_contains):
        if any(text in t for t in texts):
            yield f"{what} contains {text!r}, and must not"
    for pattern in _each(wanted.matches):
        if not any(re.search(pattern, t) for t in texts):
            yield f"{what} does not match {pattern!r}"
    if wanted.equals is not None and not any(same(wanted.equals, t) for t in [value, *texts]):
        differences = compare({"$eq": wanted.equals}, value, mode="exact")
        yield f"{what} is not {show(wanted.equals)}" + (f": {differences[0]}" if differences else "")
    if wanted.json_schema is not None:
        for violation in violations(wanted.json_schema, value):
            yield f"{what} does not fit its schema: {violation}"


def _each(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return () if value is None else (value,) if isinstance(value, str) else value


def _almost(text: str, texts: list[str]) -> str:
    found = any(text.casefold() in t.casefold() for t in texts)
    return " (it does in another letter case: icontains)" if found else ""


def as_text(value: Json) -> str:
    """What text checks see of a reply: the text itself, or the canonical JSON of a value."""
    return value if isinstance(value, str) else canonical(value)


def wanted_json(wanted: TextExpect) -> JsonObject:
    """The expectation as YAML writes it."""
    out: JsonObject = {}
    for key in ("contains", "icontains", "not_contains", "matches", "equals", "json_schema"):
        value = getattr(wanted, key)
        if value is not None:
            out[key] = list(value) if isinstance(value, tuple) else value
    if wanted.any:
        out["any"] = [wanted_json(one) for one in wanted.any]
    return out
