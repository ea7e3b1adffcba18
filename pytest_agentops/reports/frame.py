"""Results as a pandas frame, a row a trial. The only module that imports pandas."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..schema.values import Json, JsonObject, dumps
from .results import load

if TYPE_CHECKING:
    import pandas as pd

COLUMNS: dict[str, str] = {
    "case": "string",
    "suite": "string",
    "variant": "string",
    "status": "string",
    "trial": "Int64",
    "success": "boolean",
    "outcome": "string",
    "mode": "string",
    "cost_usd": "Float64",
    "tokens_input": "Int64",
    "tokens_output": "Int64",
    "steps": "Int64",
    "tool_calls": "Int64",
    "policy_blocks": "Int64",
    "interventions": "Int64",
    "failed_checks": "string",
    "missed": "boolean",
    "duration_s": "Float64",
    "output": "string",
    "error": "string",
    "labels": "string",
    "file": "string",
    "line": "Int64",
    "tags": "string",
    "cassette": "string",
    "events": "string",
}
"""Every column and its type; what is unknown is NA, never 0."""


def load_results(path: str | os.PathLike[str] = ".agentops/results.json") -> pd.DataFrame:
    """The runs of a results file; skipped cases have no trial and so no row. Costs are floats here: sum money from the file."""
    import pandas as pd

    rows = list(_rows(load(path)))
    return pd.DataFrame({name: pd.array([row[name] for row in rows], dtype=kind) for name, kind in COLUMNS.items()})  # type: ignore[call-overload]


def _rows(results: JsonObject) -> Iterator[JsonObject]:
    metrics = results.get("metrics") or {}
    for case in results["cases"]:
        for run in case.get("trials", ()):
            yield {**dict.fromkeys(COLUMNS), **_case(case), **_run(run), **_counted(run, metrics)}


def _counted(run: JsonObject, metrics: JsonObject) -> JsonObject:
    """What a session without the stage that would count it does not know: then nothing seen is unknown, not 0."""
    counts = {
        "policy_blocks": sum(c.get("decision") == "deny" for c in run.get("calls") or ()),
        "interventions": len(run.get("interventions") or ()),
    }
    return {name: count or (None if metrics.get(name) is None else 0) for name, count in counts.items()}


def _case(case: JsonObject) -> JsonObject:
    return {
        "case": case["id"],
        "suite": case.get("suite"),
        "variant": case.get("variant"),
        "status": case.get("status"),
        "file": case.get("file"),
        "line": case.get("line"),
        "tags": " ".join(case.get("tags") or ()),
    }


def _run(run: JsonObject) -> JsonObject:
    tokens = run.get("tokens") or {}
    calls = run.get("calls") or []
    cost = run.get("cost_usd")
    return {
        "trial": run.get("trial"),
        "success": run.get("success"),
        "outcome": run.get("outcome"),
        "mode": run.get("mode"),
        "cost_usd": None if cost is None else float(cost),
        "tokens_input": tokens.get("input"),
        "tokens_output": tokens.get("output"),
        "steps": run.get("steps"),
        "tool_calls": len(calls),
        "failed_checks": " ".join(c["name"] for c in run.get("checks") or () if not c.get("passed")),
        "missed": run.get("miss") is not None,
        "duration_s": run.get("duration_s"),
        "output": _text(run.get("output")),
        "error": run.get("error"),
        "labels": " ".join(run.get("labels") or ()),
        "cassette": run.get("cassette"),
        "events": run.get("events"),
    }


def _text(value: Json) -> str | None:
    return value if value is None or isinstance(value, str) else dumps(value)
