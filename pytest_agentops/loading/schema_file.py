"""The JSON Schema of suite files: made from the dataclasses of `schema.case`, shipped beside this module, printed for editors.

Making it takes pydantic and a fifth of a second, so it is made when the format changes
(``python -m pytest_agentops.loading.schema_file``) and only read when a suite is loaded.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..schema.case import ID_PATTERN, TAG_PATTERN, SuiteFile
from ..schema.validate import Schema
from ..schema.values import JsonObject

SHIPPED = Path(__file__).with_name("suite.schema.json")


def generate() -> JsonObject:
    """The schema as the dataclasses say it today."""
    from pydantic import TypeAdapter

    schema: JsonObject = _tidy(TypeAdapter(SuiteFile).json_schema())
    schema["$defs"]["CaseEntry"]["properties"]["id"]["pattern"] = f"^{ID_PATTERN}$"
    for fields in (schema, *(schema["$defs"][name] for name in ("CaseFields", "CaseEntry"))):
        if "suite" in fields["properties"]:
            fields["properties"]["suite"]["pattern"] = f"^{ID_PATTERN}$"
        if "tags" in fields["properties"]:
            fields["properties"]["tags"]["items"]["pattern"] = f"^{TAG_PATTERN}$"
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "pytest-agentops suite",
        **{k: v for k, v in schema.items() if k != "title"},
    }


def _tidy(schema: Any, names: bool = False) -> Any:
    """Without what only repeats a key's name, and with ``X or null`` as one type where it can be."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if names:
        return {name: _tidy(inner) for name, inner in schema.items()}
    out = {
        key: _tidy(inner, names=key in ("properties", "$defs"))
        for key, inner in schema.items()
        if key != "title" and not (key == "default" and inner in (None, []))
    }
    branches = out.get("anyOf", [])
    if len(branches) == 2 and branches[1] == {"type": "null"} and isinstance(branches[0].get("type"), str):
        only = dict(branches[0])
        if "enum" in only:
            only["enum"] = [*only["enum"], None]
        out = {**only, "type": [only["type"], "null"], **{k: v for k, v in out.items() if k != "anyOf"}}
    return out


def text() -> str:
    """What `SHIPPED` must hold."""
    return json.dumps(generate(), indent=1, ensure_ascii=False) + "\n"


def print_schema() -> str:
    """The JSON Schema of suite files, for editors (``pytest-agentops schema``)."""
    return SHIPPED.read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def suite_schemas() -> tuple[Schema, Schema]:
    """Compiled: the file without what its cases say, and one case (so that a large file is looked at case by case)."""
    whole = json.loads(print_schema())
    head = {**whole, "properties": {**whole["properties"], "cases": {"type": "array", "minItems": 1}}}
    return Schema(head), Schema({"$defs": whole["$defs"], "$ref": "#/$defs/CaseEntry"})


if __name__ == "__main__":
    SHIPPED.write_text(text(), encoding="utf-8")
