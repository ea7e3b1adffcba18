"""The summary table of sessions with very many suites."""

from __future__ import annotations

from pytest_agentops.reports.table import table
from pytest_agentops.schema.verdict import Metrics


def test_of_very_many_suites_the_worst_are_listed() -> None:
    def metrics(rate: float) -> dict[str, object]:
        return {**Metrics(runs=1, successes=int(rate), task_success_rate=rate).as_json()}

    suites = {f"suite_{i:03d}": metrics(0.0 if i == 77 else 1.0) for i in range(80)}
    text = table(suites, metrics(1.0))
    assert "suite_077" in text
    assert "suite_079" not in text
    assert text.endswith("and 30 more suites, none of them worse; .agentops/results.json has them all")


def test_cases_that_ended_as_an_error_have_a_column() -> None:
    one = Metrics(runs=2, successes=2, task_success_rate=1.0).as_json()
    assert "errors" not in table({"a": one}, one, errors={"a": 0})
    lines = table({"a": one, "b": one}, one, errors={"b": 2}).splitlines()
    assert lines[0].split()[:3] == ["suite", "success", "errors"]
    assert [line.split("(2/2)")[1].split()[0] for line in lines[2:]] == ["0", "2", "2"]


def test_of_very_many_suites_those_with_errors_are_listed() -> None:
    one = Metrics(runs=1, successes=1, task_success_rate=1.0).as_json()
    text = table({f"suite_{i:03d}": one for i in range(80)}, one, errors={"suite_077": 1})
    assert "suite_077" in text
