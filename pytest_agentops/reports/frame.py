"""Results as a pandas frame, a row a trial; the reports ``csv`` and ``parquet``. The only module that imports pandas."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..schema.disk import replacing
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
    "eval_cost_usd": "Float64",
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


def csv(results: Path, path: Path) -> None:
    """The report ``csv``: a head, then a line a run; unknown is empty, true and false are ``True`` and ``False``."""
    frame = load_results(results)
    with replacing(path) as temp:
        frame.to_csv(temp, index=False, lineterminator="\n")


def parquet(results: Path, path: Path) -> None:
    """The report ``parquet``: the same table with its types; pyarrow writes it."""
    from importlib.util import find_spec

    if find_spec("pyarrow") is None:
        raise OSError("pyarrow is not installed: pip install pyarrow")
    frame = load_results(results)
    with replacing(path) as temp:
        frame.to_parquet(temp, index=False, engine="pyarrow")


def _rows(results: JsonObject) -> Iterator[JsonObject]:
    for case in results["cases"]:
        for run in case.get("trials", ()):
            yield {**dict.fromkeys(COLUMNS), **_case(case), **_run(run)}


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
    calls = run.get("calls")
    cost, evals = run.get("cost_usd"), run.get("eval_cost_usd", "0")
    return {
        "trial": run.get("trial"),
        "success": run.get("success"),
        "outcome": run.get("outcome"),
        "mode": run.get("mode"),
        "cost_usd": None if cost is None else float(cost),
        "eval_cost_usd": None if evals is None else float(evals),
        "tokens_input": tokens.get("input"),
        "tokens_output": tokens.get("output"),
        "steps": run.get("steps"),
        "tool_calls": None if calls is None else len(calls),
        "policy_blocks": run.get("policy_blocks"),
        "interventions": None if run.get("interventions") is None else len(run["interventions"]),
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
