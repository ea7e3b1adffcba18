"""The suite file of an import: header, contracts, what all cases share, the cases."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from ...schema.case import DEFAULT_STEPS, DEFAULT_TOOL_CALLS
from ...schema.sentences import count
from ...schema.values import Json, JsonObject, canonical
from .grouping import Grouped, Imported

SCHEMA_FILE = "agentops-case.schema.json"
OPEN_HINT = (
    "# The transcripts do not say what the tools do: a tool counts as irreversible until its contract says\n"
    "# `effect: read` (or `write`). --contracts FILE states it at import.\n"
)


def suite_value(name: str, source: str, grouped: Grouped, declared: Mapping[str, JsonObject]) -> JsonObject:
    """The suite as a JSON value; `declared` are fields from a contracts file, which win over the transcripts'."""
    runs = sum(len(case.lines) for case in grouped.cases)
    out: JsonObject = {
        "version": 1,
        "suite": name,
        "description": f"Imported from {source}: {count(len(grouped.cases), 'case')}, {count(runs, 'recorded run')}.",
        "agent": "transcript",
    }
    tools = {**grouped.tools, **{tool: {} for tool in declared if tool not in grouped.tools}}
    if tools:
        out["contracts"] = {tool: {**fields, **declared.get(tool, {})} for tool, fields in tools.items()}
    cases = [_case(case) for case in grouped.cases]
    shared = _shared(cases)
    if shared:
        out["defaults"] = shared
        cases = [{k: v for k, v in case.items() if k not in shared} for case in cases]
    out["cases"] = cases
    return out


def suite_text(value: JsonObject, body: str, suite_file: Path) -> str:
    """The file's text: modeline, a hint where effects are not known, the YAML with a blank line before each part and case."""
    schema = PurePosixPath(Path(os.path.relpath(SCHEMA_FILE, suite_file.parent)).as_posix())
    if suite_file.is_absolute():  # outside of the project: as if the case folder were at its top
        schema = PurePosixPath("../..", SCHEMA_FILE)
    unknown = any("effect" not in fields for fields in value.get("contracts", {}).values())
    # at the left edge stand only top-level keys and cases: texts of several lines are indented
    spaced = re.sub(r"^(?=(?:contracts|defaults|cases):|- \{?id:)", "\n", body, flags=re.MULTILINE).replace(
        "cases:\n\n", "cases:\n", 1
    )
    if unknown:
        spaced = spaced.replace("\ncontracts:", f"\n{OPEN_HINT}contracts:", 1)
    return f"# yaml-language-server: $schema={schema}\n{spaced}"


def _case(case: Imported) -> JsonObject:
    """The line's own `case` fields win over what is taken from its messages."""
    out: JsonObject = {"id": case.id}
    first = case.lines[0].transcript
    if "task" not in case.case and "turns" not in case.case:
        out["task"] = next((m.content for m in first.messages if m.role == "user" and m.content), "(no user message)")
    models = {line.transcript.model for line in case.lines}
    if "model" not in case.case and first.model is not None and len(models) == 1:
        out["model"] = first.model
    budget = _budget(case)
    if budget and "budget" not in case.case:
        out["budget"] = budget
    if len(case.lines) > 1:
        out["trials"] = len(case.lines)
    return {**out, **case.case}


def _budget(case: Imported) -> JsonObject:
    """Room for a recorded run that was longer than the default limits."""
    steps = max(sum(m.role == "assistant" for m in line.transcript.messages) for line in case.lines)
    calls = max(len(line.answered) for line in case.lines)
    out: JsonObject = {}
    if steps > DEFAULT_STEPS:
        out["steps"] = steps
    if calls > DEFAULT_TOOL_CALLS:
        out["tool_calls"] = calls
    return out


def _shared(cases: Sequence[JsonObject]) -> JsonObject:
    """Short fields that every case states alike move to `defaults`."""
    if len(cases) < 2:
        return {}
    return {key: cases[0][key] for key in ("model", "tags", "trials", "budget") if key in cases[0] and _alike(cases, key)}


def _alike(cases: Sequence[JsonObject], key: str) -> bool:
    first: Json = canonical(cases[0][key])
    return all(key in case and canonical(case[key]) == first for case in cases)
