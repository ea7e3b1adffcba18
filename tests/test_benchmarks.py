"""The projects that `make bench` measures do what they are measured for."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import bench, chats, gen, guard
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


def test_the_guard_is_measured_with_a_policy_that_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "CALLS", 3)
    assert guard.guarded(policy=False) > 0
    monkeypatch.setattr(guard, "POLICY", guard.POLICY.replace("allow: true", "deny: true"))
    with pytest.raises(SystemExit, match="the run went wrong"):
        guard.guarded(policy=True)


def test_chats_are_replayed_with_four_requests_each(tmp_path: Path) -> None:
    project = chats.ours(tmp_path, 3)
    run(Job(bench.EVALS, project, "3 passed"))
    results = json.loads((project / ".agentops" / "results.json").read_text())
    trials = [trial for case in results["cases"] for trial in case["trials"]]
    assert [trial["steps"] for trial in trials] == [4, 4, 4]
    assert [trial["mode"] for trial in trials] == ["replay"] * 3
    assert [f"W-{i:05d}" in trial["output"] for i, trial in enumerate(trials)] == [True] * 3


STAND_IN = """
import pytest, vcr

@pytest.fixture(autouse=True)
def cassette(request):
    options = request.node.get_closest_marker("vcr").kwargs
    assert "body" in options["match_on"]
    path = request.path.parent / "cassettes" / request.path.stem / f"{request.node.name}.yaml"
    with vcr.use_cassette(str(path), record_mode="none", **options) as tape:
        yield
    assert tape.play_count == 4
    assert tape.all_played
"""


def test_ordinary_tests_make_the_same_four_requests_from_cassettes_of_vcrpy(tmp_path: Path) -> None:
    """As pytest-recording does it, which is installed for `make bench` only."""
    project = chats.theirs(tmp_path / "theirs", 3)
    (project / "conftest.py").write_text(STAND_IN)
    run(Job((sys.executable, "-m", "pytest", "-q"), project, "3 passed"))
    assert (project / "chat.py").read_text().count("CLIENT.chat.completions.create(") == 1


def test_a_long_talk_is_all_there(tmp_path: Path) -> None:
    mine, plain = chats.ours(tmp_path / "ours", 1, 40), chats.theirs(tmp_path / "theirs", 1, 40)
    (model,) = mine.rglob("model.yaml")
    assert model.read_text().count("- request:") == 40
    assert chats.size(mine) / 1000 < bench.TALK_KB < chats.size(plain) / 1000 / 5


def test_without_pytest_recording_there_is_no_comparison(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "PEERS", tmp_path)
    with pytest.raises(SystemExit, match="`make bench` installs it"):
        bench.chat_calls(tmp_path)


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


def test_what_one_case_more_costs_is_taken_round_by_round() -> None:
    one = Series(Sample(1, 1, 1), [Sample(1, 1, 1), Sample(2, 1, 1)])
    many = Series(Sample(10, 1, 1), [Sample(10, 19, 1), Sample(29, 28, 10)])
    assert many.each(one, 10) == Series(Sample(1, 0, 0), [Sample(1, 2, 0), Sample(3, 3, 1)])


def test_a_job_has_its_own_environment_and_nobody_elses_plugins(tmp_path: Path) -> None:
    code = "import os; print(os.environ['OWN'], os.environ['PYTEST_DISABLE_PLUGIN_AUTOLOAD'])"
    run(Job((sys.executable, "-c", code), tmp_path, "mine 1", {"OWN": "mine"}))
    run(Job((sys.executable, "-c", code), tmp_path, "mine 0", {"OWN": "mine", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "0"}))


def test_contenders_run_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr("benchmarks.measure.run", lambda job: order.append(job.says) or Sample(1, 1, 1))
    in_turn({"a": Job((), Path(), "a"), "b": Job((), Path(), "b")}, 2)
    assert "".join(order) == "ababab"


def test_a_missed_goal_is_missed() -> None:
    assert bench.Goal("", 5.0, 5.0).met
    assert not bench.Goal("", 5.01, 5.0).met
    assert 0 < bench.plugin_import_ms() < 1000
