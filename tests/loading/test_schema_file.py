"""The JSON Schema that editors use and files are checked with."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_agentops.loading import schema_file
from pytest_agentops.loading.build import build
from pytest_agentops.loading.kinds import kind_of
from pytest_agentops.loading.unsupported import UNSUPPORTED
from pytest_agentops.schema import case as format_
from pytest_agentops.schema import gates, governed
from pytest_agentops.schema.document import read


def test_the_shipped_file_is_what_the_types_say() -> None:
    assert schema_file.print_schema() == schema_file.text(), "run: python -m pytest_agentops.loading.schema_file"


def test_it_is_a_json_schema_that_knows_every_key_of_the_format() -> None:
    schema = json.loads(schema_file.print_schema())
    assert schema["$schema"].endswith("2020-12/schema")
    for name, definition in (("SuiteFile", schema), *schema["$defs"].items()):
        home = next(module for module in (format_, gates, governed) if hasattr(module, name))
        wanted = {f.name for f in dataclasses.fields(getattr(home, name))}
        assert set(definition["properties"]) == wanted
        assert definition["additionalProperties"] is False


def test_keys_that_are_refused_are_keys_of_the_format() -> None:
    schema = json.loads(schema_file.print_schema())
    assert {*UNSUPPORTED} <= {*schema["properties"], *schema["$defs"]["CaseFields"]["properties"]}


def test_loading_takes_neither_pydantic_nor_the_libraries_of_other_rooms(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("version: 1\ncases: [{id: a, task: t}]\n")
    code = (
        "import sys; from pathlib import Path; from pytest_agentops.loading.suite import load_suite\n"
        "assert not {'yaml', 'jsonschema_rs'} & set(sys.modules), 'imported before a file is read'\n"
        f"load_suite(Path({str(tmp_path / 's.yaml')!r}), Path({str(tmp_path)!r})).variants[0].case()\n"
        "print(sorted({'pydantic', 'vcr', 'openai', 'pandas', 'tabulate', 'asyncio'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


FULL: dict[str, Any] = {
    "id": "x",
    "task": "t",
    "turns": ["a", {"user": "b", "expect": {"calls": {"count": {"a": 1, "*": {"max": 2}}}, "state": {"$.a": 1}}}],
    "agent": {"openai": {"seed": 1}},
    "tools": ["a", {"b": {}}],
    "principal": {"id": "p", "roles": ["r"], "scopes": []},
    "budget": {"steps": 3, "seconds": 1.5, "degrade": [{"at": 0.8}]},
    "approvals": [{"tool": "t", "args": {"a": {"$le": 1}}, "decision": "edit", "edit": {"a": 1}}],
    "replay": {"order": "strict"},
    "network": {"allow": ["h:1"]},
    "matrix": {"model": ["a", {"id": "b", "value": [1]}]},
    "expect": {
        "outcome": "blocked",
        "calls": {"include": ["a", {"b": {"c": {"$gt": 1}}}, {"d": None}], "never": [], "like": "strict"},
        "output": {"contains": "a", "any": [{"matches": ["b"]}, {"equals": {"a": [1]}}]},
        "cost": {"usd": {"max": 1}, "tokens": {"min": 1}},
        "steps": 3,
        "interventions": {"min": 0},
        "detectors": {"loop": "fail"},
        "python": ["./a.py:b"],
        "any": [{"steps": {"max": 1}}],
    },
}


def test_the_builder_agrees_with_pydantic() -> None:
    from pydantic import TypeAdapter

    assert build(format_.CaseEntry, FULL) == TypeAdapter(format_.CaseEntry).validate_python(FULL)
    contract = {
        "effect": "read",
        "tier": 1,
        "match": {"ignore": ["a"]},
        "answers": [{"args": {}, "result": [1]}, {"error": {"type": "x"}}],
    }
    assert build(format_.ContractSpec, contract) == TypeAdapter(format_.ContractSpec).validate_python(contract)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("cases: []", "suite"),
        ("policy: {}", "policy"),
        ("policies: []", "policy"),
        ("policies: [a]\ncases: []", "suite"),
        ("a: 1", None),
        ("[cases]", None),
        ("", None),
    ],
)
def test_the_kind_of_a_file(text: str, kind: str | None) -> None:
    assert kind_of(read(text, file="f")) == kind
