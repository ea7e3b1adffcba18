"""Whether a file has the shape of a suite: the JSON Schema's violations in our words, each at its place in the YAML.

What has the wrong shape is taken out of a copy, so that the rules of meaning can look at the rest: all mistakes at once.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import Mistake
from ..schema.case import CaseFields
from ..schema.document import Document
from ..schema.paths import Concrete
from ..schema.sentences import sentence
from ..schema.suggest import did_you_mean
from ..schema.validate import Schema, Violation
from ..schema.values import Json, JsonObject, number
from .schema_file import suite_schemas as suite_schemas
from .unsupported import UNSUPPORTED

MANY_KEYS = 12
"""Where more keys are allowed and one is near, only the near one is named."""
_SUITE_ONLY = ("version", "suite", "contracts", "defaults", "cases", "gates", "prices", "runbooks", "slo")
CASE_KEYS = tuple(CaseFields.__dataclass_fields__)
_JSON_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")


@dataclass(slots=True)
class Shape:
    """What is wrong with the shape, and what is left of the file without it."""

    mistakes: list[Mistake] = field(default_factory=list)
    head: JsonObject = field(default_factory=dict)
    """The file's top level without what is wrong."""
    cases: list[tuple[int, JsonObject, bool]] = field(default_factory=list)
    """Index, the case without what is wrong, and whether that is all of it."""


_ROUNDS = 4
"""How deep mappings that need each other may lie in one another."""


def check(document: Document, checks: Collection[str]) -> Shape:
    """Look at the whole file; `checks` are keys under `expect` that packages registered."""
    value = document.value
    if not isinstance(value, dict):
        return Shape([document.mistake((), "a suite file is a mapping with `version` and `cases`")])
    head, one = suite_schemas()
    shape = Shape(head=value)
    wrong = _violations(head, value, checks)
    if wrong:
        shape.mistakes += [_mistake(document, v, ()) for v in wrong]
        shape.head = _pruned(head, value, wrong, checks) or {}
    broken_defaults = any(v.loc[:1] == ("defaults",) for v in wrong)
    cases = value.get("cases")
    for index, entry in enumerate(cases if isinstance(cases, list) else ()):
        wrong = _violations(one, entry, checks)
        if wrong:
            shape.mistakes += [_mistake(document, v, ("cases", index)) for v in wrong]
            entry = _pruned(one, entry, wrong, checks, spare=f"broken-{index}")
        if entry is not None:
            shape.cases.append((index, entry, not wrong and not broken_defaults))
    shape.mistakes += _unsupported(document)
    return shape


def mistakes_of(schema: Schema, document: Document) -> list[Mistake]:
    """What is wrong with the shape of a document that is no suite."""
    return [_mistake(document, violation, ()) for violation in schema.violations(document.value, placeholders=False)]


def _violations(schema: Schema, value: Json, checks: Collection[str]) -> list[Violation]:
    return [
        v
        for v in schema.violations(value, placeholders=False)
        if not (v.keyword == "additionalProperties" and v.name in checks and v.loc[-1:] == ("expect",))
    ]


def _pruned(
    schema: Schema, value: Json, wrong: Sequence[Violation], checks: Collection[str], *, spare: str = ""
) -> JsonObject | None:
    """A copy without the wrong places; None if that is nothing. `spare` stands in for a wrong id."""
    if not isinstance(value, dict):
        return None
    out = copy.deepcopy(value)
    left = list(wrong)
    for _ in range(_ROUNDS):  # what a mapping needed may have been the wrong thing in it: then the mapping goes, too
        for violation in sorted(left, key=lambda v: len(v.loc), reverse=True):
            place = (*violation.loc, violation.name) if violation.keyword == "additionalProperties" else violation.loc
            _remove(out, place)
        if spare:
            out.setdefault("id", spare)
        left = [v for v in _violations(schema, out, checks) if v.keyword != "required" or v.loc]
        if not left:
            return out
    return None


def _remove(value: JsonObject, place: Concrete) -> None:
    """Take out the key at `place`; for a list item the whole list, so that other places stay where they are."""
    last = next((i for i in range(len(place) - 1, -1, -1) if isinstance(place[i], str)), None)
    if last is None:
        return
    node: Json = value
    step: Any
    for step in place[:last]:
        if not (isinstance(node, list) or (isinstance(node, dict) and step in node)):
            return
        node = node[step]
    if isinstance(node, dict):
        node.pop(place[last], None)


def _mistake(document: Document, violation: Violation, here: Concrete) -> Mistake:
    place = (*here, *violation.loc)
    if violation.keyword == "additionalProperties":
        return _unknown(document, violation, place)
    if violation.keyword == "required":
        return document.mistake(place, *_missing(violation.name, place))
    key = words(place)
    if "cost" in place and place[-1] in ("usd", "tokens") and isinstance(violation.found, (int, float)):
        found = f"{key}: a bare number does not say which bound it is"
        return document.mistake(place, found, "", f"write {{max: {violation.found}}}", value=True)
    message, hint = describe(violation, place)
    return document.mistake(place, f"{key}: {message}", "", hint, value=True)


def describe(violation: Violation, place: Concrete) -> tuple[str, str]:
    """What was allowed and found, and a hint; without the null that only means "not given"."""
    found, wanted = violation.found, violation.wanted
    if violation.keyword == "type":
        names = [n for n in ([wanted] if isinstance(wanted, str) else wanted) if n != "null"]
        return sentence("type", wanted=names, found=found), _type_hint(names, found)
    if violation.keyword == "enum":
        message = sentence("enum", wanted=[w for w in wanted if w is not None], found=found)
        return message, ""
    if violation.keyword == "pattern" and isinstance(found, str):
        tag = "tags" in place
        first = "a letter" if tag else "a letter or digit"
        message = f"{found!r} is no safe name; lower-case letters, digits, _ and -, beginning with {first}" + (
            "" if tag else ", at most 80"
        )
        near = re.sub(r"[^a-z0-9_-]+", "_", found.lower()).strip("_-")[:80].lstrip("0123456789" if tag else "")
        return message, f"did you mean {near!r}?" if near and near != found else ""
    return violation.message, ""


def _type_hint(names: Sequence[str], found: Json) -> str:
    if "string" in names and isinstance(found, (bool, int, float)):
        return f"quote it if it is a text: {str(found).lower()!r}"
    if isinstance(found, str):
        plain = found.replace("_", "")
        if ("integer" in names or "number" in names) and _JSON_NUMBER.fullmatch(plain):
            return f"write {number(plain)}, without quotes or underscores"
        if "boolean" in names and found.lower() in ("true", "false", "yes", "no", "on", "off"):
            return f"write {'true' if found.lower() in ('true', 'yes', 'on') else 'false'}"
        if "array" in names:
            return f"write [{found}]"
    return ""


def _unknown(document: Document, violation: Violation, place: Concrete) -> Mistake:
    name = violation.name
    dotted = [p for p in (place[2:] if place[:1] == ("cases",) else place) if p != "defaults"]
    known = [n for n in violation.allowed if ".".join(map(str, [*dotted, n])) not in UNSUPPORTED]
    near = did_you_mean(name, known)
    if not dotted and place and name in _SUITE_ONLY:
        near = f"{name!r} stands at the top of the file, beside `cases`"
    elif not place and name in CASE_KEYS:
        near = f"{name!r} belongs in a case or in `defaults`"
    allowed = f"expected one of {', '.join(known)}" if known and (len(known) <= MANY_KEYS or not near) else ""
    return document.mistake((*place, name), f"unknown key {name!r}", allowed, near)


def _missing(name: str, place: Concrete) -> tuple[str, str, str]:
    found = f"{words(place)}: the key {name!r} is missing" if place else f"the key {name!r} is missing"
    if not place and name == "version":
        return found, "", "write `version: 1`"
    return found, "", "name it: a slug such as small_refund" if name == "id" else ""


def words(place: Concrete) -> str:
    """The key's path from its case on: ``expect.calls.order``."""
    trail = place[2:] if place[:1] == ("cases",) and len(place) > 2 else place
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in trail).removeprefix(".")


def _unsupported(document: Document) -> list[Mistake]:
    value: JsonObject = document.value
    places: list[tuple[Concrete, Json]] = [((), value), (("defaults",), value.get("defaults"))]
    cases = value.get("cases")
    places += [(("cases", i), entry) for i, entry in enumerate(cases if isinstance(cases, list) else ())]
    return [
        document.mistake((*place, *keys), f"{words(keys)}: not supported by this version")
        for place, mapping in places
        if isinstance(mapping, dict)
        for keys in unsupported_in(mapping)
    ]


def unsupported_in(mapping: JsonObject) -> Iterator[Concrete]:
    """The places of keys that this version does not do yet, also as an axis of the matrix."""
    yield from ((key,) for key in UNSUPPORTED if mapping.get(key) is not None)
    matrix = mapping.get("matrix")
    if isinstance(matrix, dict):
        for axis in matrix:
            if axis.partition(".")[0] in UNSUPPORTED:
                yield "matrix", axis
