"""Results of another shape: a sentence with the file, the place and the cure, whoever reads them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_agentops import load_results
from pytest_agentops.cli.main import main
from pytest_agentops.reports.results import NoResults, load, stream
from tests.reports.test_markdown import case, results, run, written


def damaged(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    asked = {"suites": {"s": {"file": "s.yaml", "variants": 1, "trials": 1, "gates": {}}}, "gates": [], "whole_folders": True}
    path = written(folder, results(case("s/a", run()), asked=asked))
    value = load(path)
    change(value)
    path.write_text(json.dumps(value))
    return path


def of_run(key: str, value: Any) -> Callable[[dict[str, Any]], object]:
    return lambda found: found["cases"][0]["trials"][0].update({key: value})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: r["cases"][0].pop("trials"), "case s/a: trials is missing, expected a list of mappings"),
        (lambda r: r["cases"][0]["trials"][0].pop("mode"), "case s/a, run 1: mode is missing, expected text"),
        (of_run("cost_usd", 0.1), "case s/a, run 1: cost_usd: expected an amount as text, or null"),
        (of_run("cost_usd", "NaN"), "case s/a, run 1: cost_usd: expected an amount as text, or null"),
        (of_run("cost_usd", "much"), "case s/a, run 1: cost_usd: expected an amount as text, or null"),
        (of_run("tokens", {"input": 1}), "case s/a, run 1: tokens: expected {input, output}, or null"),
        (lambda r: r.pop("verdict"), "verdict is missing, expected text"),
        (lambda r: r["suites"].update(s=[]), "suite s: expected a mapping"),
        (lambda r: r["suites"]["s"].update(gates=[{}]), "suite s: gate: name is missing, expected text"),
        (lambda r: r["metrics"].pop("runs"), "metrics: runs is missing, expected a count"),
        (lambda r: r["asked"]["suites"]["s"].pop("trials"), "asked: suite s: trials is missing, expected a count"),
    ],
)
def test_what_is_missing_is_named(
    change: Callable[[dict[str, Any]], object], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = damaged(tmp_path, change)
    for words in (["compare", str(path), str(path)], ["merge", str(path)]):
        assert main(words) == 1
        assert f"{path}: not a results file: {said}; run pytest --agent-evals once more" in capsys.readouterr().err


@pytest.mark.parametrize("cases", [[1], [{}], [{"id": 1}], [{"id": "s/a", "trials": 1}], [{"id": "s/a", "trials": [1]}]])
def test_cases_that_are_none(cases: list[Any], tmp_path: Path) -> None:
    path = damaged(tmp_path, lambda found: found.update(cases=cases))
    for read in (load, load_results, lambda path: list(stream(path)[1])):
        with pytest.raises(NoResults, match="not a results file"):
            read(path)


def test_what_cannot_be_read_at_all(tmp_path: Path) -> None:
    with pytest.raises(NoResults, match="the results cannot be read"):
        stream(tmp_path)
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(NoResults, match="not a results file"):
        stream(tmp_path / "deep.json")
