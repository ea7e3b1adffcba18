"""Whether a file has the shape of a suite: the JSON Schema's violations in our words, each at its place in the YAML."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ..errors import Mistake
from ..schema.document import Document
from ..schema.suggest import did_you_mean
from ..schema.validate import Schema, Violation
from ..schema.values import Json, JsonObject
from .schema_file import suite_schemas as suite_schemas
from .unsupported import UNSUPPORTED

MANY_KEYS = 20
"""More allowed keys than this are not listed: the nearest one is."""


def check(document: Document, checks: Collection[str]) -> list[Mistake]:
    """Every mistake of the shape; `checks` are keys under `expect` that packages registered."""
    value = document.value
    if not isinstance(value, dict):
        return [document.mistake((), "a suite file is a mapping with `version` and `cases`")]
    head, case = suite_schemas()
    out = list(_mistakes(document, head, value, (), checks))
    cases = value.get("cases")
    for index, entry in enumerate(cases if isinstance(cases, list) else []):
        out += _mistakes(document, case, entry, ("cases", index), checks)
    out += _unsupported(document)
    return out


def _mistakes(
    document: Document, schema: Schema, value: Json, here: tuple[str | int, ...], checks: Collection[str]
) -> Iterator[Mistake]:
    for violation in schema.violations(value, placeholders=False):
        if violation.keyword == "additionalProperties" and violation.name in checks and violation.loc[-1:] == ("expect",):
            continue
        yield _mistake(document, violation, here)


def _mistake(document: Document, violation: Violation, here: tuple[str | int, ...]) -> Mistake:
    place = (*here, *violation.loc)
    if violation.keyword == "additionalProperties":
        known = [name for name in violation.allowed if name not in UNSUPPORTED]
        allowed = f"expected one of {', '.join(known)}" if len(known) <= MANY_KEYS else ""
        return document.mistake(
            (*place, violation.name), f"unknown key {violation.name!r}", allowed, did_you_mean(violation.name, known)
        )
    if violation.keyword == "required":
        return document.mistake(place, f"the key {violation.name!r} is missing")
    key = _words(place)
    if place[-1:] in (("usd",), ("tokens",)) and "cost" in place and not isinstance(violation.found, dict):
        return document.mistake(
            place, f"{key}: a bare number does not say which bound it is", "", f"write {{max: {violation.found}}}", value=True
        )
    hint = ""
    if violation.keyword == "enum" and isinstance(violation.found, str):
        hint = did_you_mean(violation.found, [w for w in violation.wanted or () if isinstance(w, str)])
    return document.mistake(place, f"{key}: {violation.message}", "", hint, value=True)


def _words(place: tuple[str | int, ...]) -> str:
    """The key's path from its case on: ``expect.calls.order``."""
    trail = place[2:] if place[:1] == ("cases",) and len(place) > 2 else place
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in trail).removeprefix(".") or "the file"


def _unsupported(document: Document) -> list[Mistake]:
    value: JsonObject = document.value
    places: list[tuple[tuple[str | int, ...], Json]] = [((), value), (("defaults",), value.get("defaults"))]
    cases = value.get("cases")
    places += [(("cases", i), entry) for i, entry in enumerate(cases if isinstance(cases, list) else [])]
    out = []
    for place, mapping in places:
        for dotted in UNSUPPORTED:
            node, keys = mapping, dotted.split(".")
            for key in keys:
                node = node.get(key) if isinstance(node, dict) else None
            if node is not None:
                out.append(document.mistake((*place, *keys), f"{dotted}: not supported by this version"))
    return out
