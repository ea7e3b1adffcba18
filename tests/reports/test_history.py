"""The history, and the scorecard that is made from it."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agentops.cli.main import main
from pytest_agentops.reports.history import NoHistory, Seen, Session, is_whole, read, remember
from pytest_agentops.reports.results import NoResults, load, stream
from pytest_agentops.reports.scorecard import meets, missed, scorecard
from tests.reports.test_markdown import case, results, run, written

DAY = dt.datetime(2026, 11, 1, 12, 30, tzinfo=dt.UTC)


def session(days: int = 0, **metrics: Any) -> Session:
    known = {"runs": 10, "successes": 9, "task_success_rate": 0.9, "cost_usd": "1", "cost_per_success_usd": "0.111"}
    known |= {"intervention_rate": 0.2, "policy_blocks": 3}
    return Session(at=DAY + dt.timedelta(days), commit="abcdef0123", mode="live", file=None, metrics={**known, **metrics})


def test_a_session_is_a_line(tmp_path: Path) -> None:
    pins = {"model": "m", "prompt": "p"}
    path = written(tmp_path, results(case("s/a", run(pins=pins), run(pins={"model": ["m", "n"]})), case("t/a", run())))
    assert remember(path, now=DAY) == remember(path, now=DAY + dt.timedelta(1)) == []
    first, second = (json.loads(line) for line in (path.parent / "history.jsonl").read_text().splitlines())
    assert (first["at"], second["at"]) == ("2026-11-01T12:30:00Z", "2026-11-02T12:30:00Z")
    assert first["suites"]["s"]["pins"] == {"model": ["m", ["m", "n"]], "prompt": ["p"]}
    assert first["suites"]["s"]["metrics"]["successes"] == 2
    assert (first["commit"], first["mode"], first["verdict"], first["selection"]) == (None, "replay", "pass", "all")
    history, bad = read(path.parent / "history.jsonl")
    assert bad == 0
    assert [one.at.day for one in history["s"]] == [1, 2]
    assert history["t"][0].file == "cases/t/t.yaml"


def test_lines_that_are_none_are_counted_and_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, results(case("s/a", run())))
    remember(path, now=DAY)
    file = path.parent / "history.jsonl"
    good = file.read_text()
    others = good.replace('"version":1', '"version":2') + good.replace("00Z", "00")
    file.write_text("[]\n" + good + good[:40] + "\n" + others + "<<<<<<< HEAD\n")
    history, bad = read(file)
    assert (len(history["s"]), bad) == (1, 5)
    with pytest.raises(NoHistory, match="no history yet"):
        read(tmp_path / "none.jsonl")
    with pytest.raises(NoHistory, match="cannot be read"):
        read(tmp_path)


def test_a_suite_that_ran_in_part_is_no_point_of_its_history(tmp_path: Path) -> None:
    path = written(tmp_path, {**results(case("s/a", run())), "selection": "partial"})
    remember(path, now=DAY)
    assert read(path.parent / "history.jsonl") == ({}, 0)
    asked = {"selection": "partial", "asked": {"suites": {"s": {"file": "s.yaml", "variants": 2, "trials": 6}}}}
    counts = [(1, 6), (2, 5), (2, 6)]
    assert [is_whole(asked, "s", Seen(cases=cases, trials=trials)) for cases, trials in counts] == [False, False, True]
    assert not is_whole(asked, "s", Seen(cases=2, trials=6, unpaid=True))
    assert not is_whole({"selection": "all"}, "s", Seen(cases=2, trials=6, unpaid=True))


def test_runs_that_were_left_without_money_make_no_point(tmp_path: Path) -> None:
    path = written(tmp_path, results(case("s/a", run()), case("s/b", run(success=False, labels=["unpaid"])), case("t/a", run())))
    remember(path, now=DAY)
    assert list(read(path.parent / "history.jsonl")[0]) == ["t"]


def test_a_history_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, results(case("s/a", run())))
    (path.parent / "history.jsonl").mkdir()
    (problem,) = remember(path)
    assert "the history cannot be written" in problem


def test_results_are_read_case_by_case(tmp_path: Path) -> None:
    path = written(tmp_path, results(case("s/a", run()), case("s/b", run())))
    head, cases = stream(path)
    assert {**head, "cases": list(cases)} == load(path)
    path.write_text(json.dumps(load(path)))  # laid out in another way
    head, cases = stream(path)
    assert {**head, "cases": list(cases)} == load(path)


@pytest.mark.parametrize("damage", [lambda t: t[: len(t) // 2], lambda t: t[:-4], lambda t: t[:200], lambda t: ""])
def test_damaged_results_are_refused(tmp_path: Path, damage: Any) -> None:
    path = written(tmp_path, results(*(case(f"s/c{i}", run()) for i in range(20))))
    path.write_text(damage(path.read_text()))
    with pytest.raises(NoResults, match="not a results file"):
        list(stream(path)[1])


def test_results_of_a_newer_version_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, results(case("s/a", run())))
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(NoResults, match="version 2"):
        stream(path)


@pytest.mark.parametrize(
    ("key", "target", "value", "met"),
    [
        ("success_rate", 0.9, 0.9, True),
        ("success_rate", 0.333333, 0.333333, True),
        ("success_rate", 0.9, 0.899, False),
        ("cost_per_success_usd", "0.10", "0.1", True),
        ("cost_per_success_usd", "0.10", "0.1001", False),
        ("intervention_rate", 0, 0.0, True),
        ("policy_blocks", 0, 1, False),
        ("policy_blocks", 0, None, None),
    ],
)
def test_targets(key: str, target: Any, value: Any, met: bool | None) -> None:
    assert meets(key, target, value) is met


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_target_that_is_met_is_met_by_all_that_is_better(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert meets("success_rate", low, high)
    assert meets("intervention_rate", high, low)


def test_the_card() -> None:
    slo = {"success_rate": 0.9, "cost_per_success_usd": "0.10", "policy_blocks": 5}
    history = {"shop": [session(-5), session(0, cost_per_success_usd="0.05"), session(1, successes=0, cost_per_success_usd=None)]}
    assert "\n".join(scorecard(history, {"shop": slo}, last=2, volume=(10000, "month"))) == (
        "shop\n"
        "when              commit    mode      success    cost/success    interventions    policy blocks\n"
        "----------------  --------  ------  ---------  --------------  ---------------  ---------------\n"
        "target                                >= 90 %      <= $0.1000                              <= 5\n"
        "2026-11-01 12:30  abcdef01  live         90 %        $0.05000             20 %                3\n"
        "2026-11-02 12:30  abcdef01  live         90 %             - !             20 %                3\n"
        "service level: reached in 1 of 2 sessions, missed now: cost_per_success_usd\n"
        "at 10 000 tasks a month, as in the 10 runs of 2026-11-02: $1000.00, 9 000 successes, a human in 2 000\n"
    )


def test_what_is_unknown_is_neither_reached_nor_forecast() -> None:
    unknown = session(cost_usd=None, cost_per_success_usd=None, intervention_rate=None)
    assert missed({"cost_per_success_usd": 1, "intervention_rate": 1, "success_rate": 0.1}, unknown.metrics) == [
        "cost_per_success_usd",
        "intervention_rate",
    ]
    text = "\n".join(scorecard({"s": [unknown]}, {}, last=1, volume=(5, "day")))
    assert "unknown, 4 successes, a human in unknown" in text
    assert "service level" not in text


def project(tmp_path: Path, slo: str = "slo: {success_rate: 0.99}") -> Path:
    path = written(tmp_path, results(case("s/a", run(), run(success=False)), case("t/a", run())))
    (tmp_path / "cases" / "s").mkdir(parents=True)
    (tmp_path / "cases/s/s.yaml").write_text(f"version: 1\nagent: x:y\n{slo}\ncases: [{{id: a, task: t, expect: {{mine: 1}}}}]\n")
    remember(path, now=DAY)
    return path.parent / "history.jsonl"


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history = project(tmp_path)
    assert main(["scorecard", "s", "--history", str(history), "--volume", "1_000/week"]) == 0
    out = capsys.readouterr().out
    assert ">= 99 %" in out
    assert "reached in 0 of 1 sessions, missed now: success_rate" in out
    assert "at 1 000 tasks a week, as in the 2 runs of 2026-11-01: $100.00, 500 successes, a human in 0" in out
    assert "\nt\n" not in out


def test_a_suite_of_ordinary_tests_has_no_service_levels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, results(case("s/a", run(), file="tests/test_s.py")))
    remember(path, now=DAY)
    assert main(["scorecard", "--history", str(path.parent / "history.jsonl"), "--last", "3"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "target" not in captured.out


def test_a_suite_file_that_cannot_be_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history = project(tmp_path, slo="slo: {succes_rate: 1}")
    with history.open("a") as file:
        file.write("not a line\n")
    assert main(["scorecard", "--history", str(history)]) == 0
    captured = capsys.readouterr()
    assert "s: no service levels: " in captured.err
    assert "t: no service levels: " in captured.err, "its file is gone"
    assert "1 lines cannot be read" in captured.err
    assert "success" in captured.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--volume", "10000"], "expected tasks a period"),
        (["--volume", "1/months"], "did you mean 'month'"),
        (["--last", "0"], "a whole number from 1"),
    ],
)
def test_wrong_options(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["scorecard", *words])
    assert said in capsys.readouterr().err


def test_nothing_to_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scorecard", "--history", str(tmp_path / "h.jsonl")]) == 1
    (tmp_path / "h.jsonl").write_text("")
    assert main(["scorecard", "--history", str(tmp_path / "h.jsonl")]) == 1
    assert main(["scorecard", "shop", "--history", str(project(tmp_path))]) == 1
    err = capsys.readouterr().err
    assert all(words in err for words in ("no history yet", "no session ran a whole suite", "no session of a whole suite 'shop'"))


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_the_picture(tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    history = project(tmp_path)
    made = []
    for name in ("a", "b"):
        path = tmp_path / "out" / f"{name}.{suffix}"
        assert main(["scorecard", "--history", str(history), "--plot", str(path)]) == 0
        made.append(path.read_bytes())
    assert made[0] == made[1], "equal numbers give an equal file"
    assert made[0].startswith(b"<?xml" if suffix == "svg" else b"\x89PNG")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"a.{suffix}", f"b.{suffix}"]


def test_a_picture_that_cannot_be_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    history = project(tmp_path)
    assert main(["scorecard", "--history", str(history), "--plot", str(tmp_path / "a.pdf")]) == 1
    (tmp_path / "a.svg").mkdir()
    assert main(["scorecard", "--history", str(history), "--plot", str(tmp_path / "a.svg")]) == 1
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    assert main(["scorecard", "--history", str(history), "--plot", str(tmp_path / "b.svg")]) == 1
    err = capsys.readouterr().err
    for words in ("ends in .svg or .png", "cannot be written", "pip install matplotlib"):
        assert words in err
