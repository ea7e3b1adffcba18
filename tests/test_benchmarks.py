"""The projects that `make bench` measures do what they are measured for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import bench, gen
from benchmarks.measure import Job, Sample, Series, in_turn, run


@pytest.mark.parametrize("layout", gen.LAYOUTS)
def test_generated_cases_replay_three_calls_and_four_checks_each(layout: gen.Layout, tmp_path: Path) -> None:
    project = gen.cases(tmp_path, 3, layout)
    run(Job(bench.EVALS, project, "3 passed"))
    results = json.loads((project / ".agentops" / "results.json").read_text())
    trials = [trial for case in results["cases"] for trial in case["trials"]]
    assert len(trials) == 3
    for trial in trials:
        assert [call["source"] for call in trial["calls"]] == ["replay"] * 3
        assert {check["name"] for check in trial["checks"]} >= {"calls", "output", "steps", "cost"}
    assert len({json.dumps(trial["calls"]) for trial in trials}) == 3


def test_a_job_that_does_not_do_its_work_is_no_measurement(tmp_path: Path) -> None:
    project = gen.noop(tmp_path / "noop", 2)
    assert run(Job(bench.BARE, project, "2 passed")).cpu > 0
    with pytest.raises(SystemExit, match="wanted '3 passed'"):
        run(Job(bench.BARE, project, "3 passed"))


def test_ratios_are_taken_round_by_round() -> None:
    def series(*cpu: float) -> Series:
        return Series(Sample(9, 9, 9), [Sample(c, 1, 1) for c in cpu])

    assert series(2, 30, 8).ratio(series(1, 10, 2), "cpu") == 3
    assert series(2, 30, 8).median("cpu") == 8


def test_contenders_run_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr("benchmarks.measure.run", lambda job: order.append(job.says) or Sample(1, 1, 1))
    in_turn({"a": Job((), Path(), "a"), "b": Job((), Path(), "b")}, 2)
    assert "".join(order) == "ababab"


def test_a_missed_goal_is_missed() -> None:
    assert bench.Goal("", 5.0, 5.0).met
    assert not bench.Goal("", 5.01, 5.0).met
    assert 0 < bench.plugin_import_ms() < 1000
