"""A loaded suite as JSON and back, for the parsed cache: what was right is not checked again while its text is the same."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from ..schema.values import Json, JsonObject, dumps, loads
from .variant import LoadedSuite, SuiteHead, Variant

Value = TypeVar("Value")

_HEAD = ("contracts", "budget", "runbooks", "prices", "slo", "defaults", "lines", "places", "gates", "gate_places")
"""What files of one project often say alike, so it is one text, read once, and one object in memory."""
_FIELDS = ("id", "variant", "line", "skip", "xfail", "trials", "agent", "asks", "payload")
_LISTS = ("tags", "fixtures", "python", "policies")


def to_json(suite: LoadedSuite) -> JsonObject | None:
    """The suite, or None where it depends on more than its own text (prompt files, checks from outside)."""
    head = suite.variants[0].head
    if head.prompts or head.checks:
        return None
    return {
        "name": suite.name,
        "description": suite.description,
        "digest": suite.digest,
        "head": dumps({name: getattr(head, name) for name in _HEAD}),
        "variants": [
            {
                **{name: getattr(v, name) for name in _FIELDS},
                **{name: list(getattr(v, name)) for name in _LISTS},
                "tools": list(v.tools) if isinstance(v.tools, tuple) else v.tools,
            }
            for v in suite.variants
        ],
    }


def from_json(kept: Json, path: Path, file: str, digest: str) -> LoadedSuite | None:
    """The same suite again; None if this is none of ours, or of another text than the one with this digest."""
    try:
        return _suite(kept, path, file) if kept["digest"] == digest else None
    except (KeyError, TypeError, AttributeError, ValueError):
        return None


def _suite(kept: JsonObject, path: Path, file: str) -> LoadedSuite:
    head = SuiteHead(name=kept["name"], file=file, base_dir=_shared(str(path.parent)), checks=frozenset(), **_head(kept["head"]))
    variants = []
    for given in kept["variants"]:
        for name in _LISTS:
            given[name] = _shared(tuple(given[name]))
        tools = given["tools"]
        if isinstance(tools, list):  # a reference may have its own arguments, and is no key of a memory then
            tools = tuple(tools)
            given["tools"] = _shared(tools) if all(isinstance(ref, str) for ref in tools) else tools
        variants.append(Variant(head=head, **given))
    if not variants:
        raise ValueError("a suite has cases")
    return LoadedSuite(kept["name"], file, path, kept["description"], variants, kept["digest"])


@lru_cache(maxsize=64)
def _head(text: str) -> JsonObject:
    """Shared by all files that have it: nobody changes what a head holds."""
    read: JsonObject = loads(text)
    if tuple(read) != _HEAD:
        raise ValueError("no head of a suite")
    return read


@lru_cache(maxsize=1024)
def _shared(value: Value) -> Value:
    """One object for equal values, of which thousands of files have one each."""
    return value
