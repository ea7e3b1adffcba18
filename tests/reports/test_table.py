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
