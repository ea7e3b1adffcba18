"""What a suite is called and which policy files its cases name, of any version of its file: nothing beside it is read."""

from __future__ import annotations

import posixpath

from ..schema.document import Document
from ..schema.values import JsonObject
from .merge import merged, points, slug, with_point
from .shape import check

_CASE_KEYS_OF_SUITE = ("agent", "tools", "policies")
"""Keys of the file's top level that are fields of every case."""


def name_of(head: JsonObject, stem: str) -> str:
    """The suite's name: what it says, else what its file is called."""
    return str(head.get("suite") or slug(stem))


def defaults_of(head: JsonObject) -> JsonObject:
    """What every case starts from."""
    return merged({k: head[k] for k in _CASE_KEYS_OF_SUITE if k in head}, head.get("defaults") or {})


def policies_named(document: Document) -> dict[str, tuple[str, ...]]:
    """The policy files that each case names, by the id of its runs; what is wrong in the file is left out."""
    shape = check(document, ())
    head = shape.head
    name, defaults = name_of(head, posixpath.splitext(posixpath.basename(document.file))[0]), defaults_of(head)
    found: dict[str, tuple[str, ...]] = {}
    for _, entry, _ in shape.cases:
        case = merged(defaults, entry)
        for variant, fields in points(case.pop("matrix", None)):
            ident = f"{name}/{entry['id']}" + (f"~{variant}" if variant else "")
            found[ident] = tuple(with_point(case, fields).get("policies") or ())
    return found
