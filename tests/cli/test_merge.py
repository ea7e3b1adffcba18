"""Shards joined: the same numbers, gates and verdict as of one session."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_agentops.cli.main import main
from pytest_agentops.reports.results import Results
from pytest_agentops.schema.values import dumps
from pytest_agentops.scoring.baseline import Baseline
from pytest_agentops.scoring.tried import tried
from tests.doors.conftest import HEAD, Project
from tests.reports import test_markdown as made

GATES = "gates: {task_success_rate: {min: 0.5}}\n"
CASES = """
- {id: ann, task: one}
- {id: bob, task: two, expect: {output: {contains: three}}}
- {id: cyd, task: three}
"""


def sessions(project: Project, *shards: tuple[str, ...]) -> tuple[Path, list[Path]]:
    """The whole session's results, and those of each shard."""
    project.suite(CASES, head=HEAD + GATES)
    project.suite("- {id: eve, task: x}", name="other")
    project.record()
    made = []
    for number, words in enumerate((("",), *shards)):
        path = project.path / f"{number}.json"
        project.evals(f"--agent-report=json:{path}", *filter(None, words))
        made.append(path)
    return made[0], made[1:]


def comparable(path: Path) -> dict[str, Any]:
    """A results file without durations and without the anchor of a session's own log."""
    value: dict[str, Any] = json.loads(path.read_text())
    value.pop("audit", None)
    for case in value["cases"]:
        for run in case["trials"]:
            run.pop("duration_s")
    return value


@pytest.mark.parametrize(
    "shards",
    [(("-k", "ann or eve"), ("-k", "not (ann or eve)")), (("-k", "bob"), ("-k", "cyd"), ("-k", "ann or eve"))],
    ids=["two", "three"],
)
def test_the_whole_is_what_one_session_gives(project: Project, shards: tuple[tuple[str, ...], ...], tmp_path: Path) -> None:
    whole, parts = sessions(project, *shards)
    assert all(json.loads(part.read_text())["selection"] == "partial" for part in parts)
    out = tmp_path / "out" / "whole.json"
    code = main(["merge", *map(str, reversed(parts)), "-o", str(out)])
    assert code == 1, "a case failed"
    assert comparable(out) == comparable(whole)
    assert [gate["result"] for gate in comparable(out)["suites"]["demo"]["gates"]] == ["pass"]


def test_a_part_is_judged_as_one(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    _, (one, _) = sessions(project, ("-k", "cyd"), ("-k", "bob"))
    assert main(["merge", "--partial", str(one)]) == 0
    out = capsys.readouterr().out
    assert "not_judged: 1 of 3 cases of cases/demo/demo.yaml ran" in out
    assert out.endswith("verdict: pass (1 cases of 1 files, mode replay, not all cases ran)\n")


def test_a_shard_that_was_lost_is_no_pass(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    _, (one, _) = sessions(project, ("-k", "cyd"), ("-k", "bob"))
    assert main(["merge", str(one)]) == 1
    out = capsys.readouterr().out
    assert "a shard is missing: 1 of 3 cases of cases/demo/demo.yaml are there\n" in out
    assert "a shard is missing: 0 of 1 cases of cases/other/other.yaml are there\n" in out
    assert out.endswith("verdict: fail (1 cases of 1 files, mode replay, not all cases ran)\n")


def test_a_gate_that_failed_in_a_shard_does_not_pass_for_want_of_a_baseline(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    agent = "def echo(task, tools):\n    return open('said.txt').read()\n"
    head = HEAD + "gates: {success_regression: {}}\n"
    project.write("said.txt", "hello")
    project.suite("- {id: one, task: hello, xfail: known, expect: {output: {equals: hello}}}", head=head, agent=agent)
    project.record()
    project.evals("--agent-baseline=update")
    project.write("said.txt", "bye")
    shard = project.path / "shard.json"
    assert project.evals(f"--agent-report=json:{shard}").ret == 1
    assert main(["merge", str(shard)]) == 1
    assert "gate demo success_regression: fail" in capsys.readouterr().out
    (project.path / "agentops-baseline.json").unlink()
    assert main(["merge", str(shard)]) == 1
    out = capsys.readouterr().out
    assert f"{shard}: gate demo success_regression: " in out
    assert "verdict: fail" in out
    assert main(["merge", str(shard), "--baseline", str(tmp_path / "none.json")]) == 1
    assert "none.json: there is no such baseline" in capsys.readouterr().err


def test_the_report_of_the_whole(project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, parts = sessions(project, ("-k", "ann"), ("-k", "not ann"))
    words = ["merge", *map(str, parts), "--md", str(tmp_path / "w.md")]
    assert main(words) == 1
    assert "name a file for them with --output" in capsys.readouterr().err
    assert main([*words, "-o", str(tmp_path / "w.json")]) == 1
    assert (tmp_path / "w.md").read_text().startswith("## ❌ agent evals: fail\n\n4 cases, 4 runs, mode replay. 1 case failed.")


def test_the_report_of_the_whole_is_that_of_a_session(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it is written: its links and its baseline are those of the project."""
    _, parts = sessions(project, ("-k", "ann"), ("-k", "not ann"))
    project.evals("--agent-baseline=update")
    for name, value in (("SERVER_URL", "https://github.com"), ("REPOSITORY", "our/bot"), ("SHA", "abc")):
        monkeypatch.setenv(f"GITHUB_{name}", value)
    monkeypatch.setenv("GITHUB_WORKSPACE", str(project.path))
    monkeypatch.chdir(project.path)
    main(["merge", *map(str, parts), "-o", "out/r.json", "--md", "out/m.md"])
    shown = (project.path / "out" / "m.md").read_text()
    assert "Baseline: `agentops-baseline.json`" in shown
    assert "https://github.com/our/bot/blob/abc/cases/demo/demo.yaml#L" in shown


def test_the_whole_is_a_session_of_the_history(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Of shards no suite is whole; of the merge that writes results all are, where all shards are there."""
    _, parts = sessions(project, ("-k", "ann"), ("-k", "not ann"))
    history = project.path / ".agentops" / "history.jsonl"
    before = history.read_text().splitlines()
    main(["merge", *map(str, parts)])
    assert history.read_text().splitlines() == before, "only looked at"
    main(["merge", *map(str, parts), "-o", "out/r.json"])
    *old, new = history.read_text().splitlines()
    assert old == before
    suites = json.loads(new)["suites"]
    assert {name: suite["whole"] for name, suite in suites.items()} == {"demo": True, "other": True}
    assert not json.loads(before[-1])["suites"]["demo"]["whole"]
    assert suites["demo"]["metrics"]["runs"] == 3
    history.unlink()
    history.mkdir()
    capsys.readouterr()
    assert main(["merge", *map(str, parts), "-o", "out/r.json"]) == 1
    assert "the history cannot be written" in capsys.readouterr().err


def test_results_that_cannot_be_written_are_told(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    _, (part,) = sessions(project, ("-k", "ann"))
    project.write("taken", "")
    assert main(["merge", str(part), "-o", "taken/r.json"]) == 1
    assert "pytest-agentops merge: taken: " in capsys.readouterr().err


def edited(path: Path, **change: Any) -> str:
    value = json.loads(path.read_text())
    for key, new in change.items():
        value[key] = new(value[key]) if callable(new) else new
    path.write_text(json.dumps(value))
    return str(path)


def test_a_case_of_two_shards_is_an_error(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    whole, (part,) = sessions(project, ("-k", "cyd"))
    assert main(["merge", str(whole), str(part)]) == 1
    assert f"{part}: demo/cyd is in {whole}, too; each case belongs to one shard" in capsys.readouterr().err


def test_shards_that_were_judged_by_two_baselines(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    _, (one, two) = sessions(project, ("-k", "cyd"), ("-k", "bob"))
    other = edited(two, asked=lambda known: {**known, "baseline": "own.json"})
    assert main(["merge", str(one), other]) == 1
    said = "it was judged by another baseline (own.json) than the shards before (agentops-baseline.json)"
    assert said in capsys.readouterr().err


def test_what_is_no_shard_of_the_same_session(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    _, (one, two) = sessions(project, ("-k", "cyd"), ("-k", "bob"))
    known = json.loads(two.read_text())["asked"]
    for change, said in (
        ({"asked": {**known, "suites": {**known["suites"], "demo": {**known["suites"]["demo"], "variants": 9}}}}, "another one"),
        ({"asked": {**known, "gates": ["task_success_rate: {min: 1}"]}}, "other gates over the session"),
        ({"asked": None}, "what it was to run"),
    ):
        assert main(["merge", str(one), edited(two, **change)]) == 1
        assert said in capsys.readouterr().err


def test_costs_of_two_price_tables_are_not_added(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    _, (one, two) = sessions(project, ("-k", "cyd"), ("-k", "bob"))
    files = []
    for path, version in ((one, "1"), (two, "2")):
        files.append(edited(path, version=1))
        value = json.loads(path.read_text())
        path.write_text(json.dumps({**value, "prices": {"source": "genai-prices", "version": version, "as_of": None}}))
    assert main(["merge", *files]) == 1
    assert "its costs are of another price table" in capsys.readouterr().err


def test_a_shard_that_failed_without_a_failing_case_fails_the_whole(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    _, (one, two) = sessions(project, ("-k", "ann"), ("-k", "cyd"))
    assert main(["merge", str(one), edited(two, verdict="fail")]) == 1
    assert "it failed for another reason than a case" in capsys.readouterr().out


def test_a_baseline_that_the_shards_had_may_not_be_missing(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A shard judges no gate of a suite that it ran in part: without the baseline nobody would."""
    project.suite("- {id: ann, task: one}\n- {id: bob, task: two}\n", head=HEAD + "gates: {success_regression: {}}\n")
    project.record()
    project.evals("--agent-baseline=update")
    parts = [str(project.path / f"{name}.json") for name in ("ann", "bob")]
    for part in parts:
        project.evals(f"--agent-report=json:{part}", "-k", Path(part).stem)
    assert main(["merge", *parts]) == 0
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    assert main(["merge", *parts]) == 1
    assert f"{tmp_path / 'agentops-baseline.json'}: the baseline that the shards had is not here: run" in capsys.readouterr().out
    assert main(["merge", *parts, "--baseline", str(project.path / "agentops-baseline.json")]) == 0


def test_the_price_table_of_the_baseline_may_be_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paid = {**made.run(mode="live"), "costs": {"models": {"m": "0.1"}}}
    cases = [{**made.case(f"s/c{i}", paid), "digest": "d", "status": "passed"} for i in range(2)]
    tables = [{"source": "genai-prices", "version": version, "as_of": None} for version in ("1", "2")]
    Baseline(tried(one, tables[0]) for one in cases).write(tmp_path / "b.json")
    suite = {
        "file": "s.yaml",
        "gates": {"cost_regression": {}},
        "places": {"cost_regression": [3, 1]},
        "variants": 2,
        "trials": 2,
    }
    head = made.results(*cases, mode="live")
    with Results() as file:
        for one in head.pop("cases"):
            file.add(dumps(one))
        asked = {"suites": {"s": suite}, "gates": [], "whole_folders": True}
        file.write(tmp_path / "r.json", **{**head, "prices": tables[1]}, asked=asked)
    main(["merge", str(tmp_path / "r.json"), "--baseline", str(tmp_path / "b.json")])
    assert (
        "cost_regression: pass: cost $0.2 → $0.2 (of two price tables: genai-prices 1 → genai-prices 2)"
        in capsys.readouterr().out
    )


def test_a_file_that_is_none(project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["merge", str(tmp_path / "no.json")]) == 1
    assert "there is no results file" in capsys.readouterr().err


def test_a_suite_over_its_budget_is_over_in_the_whole(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    _, parts = sessions(project, ("-k", "cyd"), ("-k", "ann"))

    def dear(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for case in cases:
            case["suite_budget"] = {"usd": 1.0}
            case["trials"][0]["cost_usd"] = "0.75"
        return cases

    assert main(["merge", "--partial", edited(parts[0], cases=dear)]) == 0
    assert main(["merge", "--partial", *(edited(part, cases=dear) for part in parts)]) == 1
    out = capsys.readouterr().out
    assert "suite demo: " in out
    assert "verdict: budget_exceeded (2 cases of 2 files" in out


def test_a_merge_confirms_nothing_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = ([made.run(mode="live", success=success)] * 5 for success in (True, False))
    before, after = ([made.case(f"s/c{i}", *runs) for i in range(8)] for runs in (good, bad))
    for one in (*before, *after):
        one["digest"] = "d"
        one["status"] = "passed"
    Baseline(map(tried, before)).write(tmp_path / "b.json")
    gates = {"success_regression": {}, "confirm": True}
    suite = {"file": "cases/s/s.yaml", "gates": gates, "places": {key: [3, 1] for key in gates}, "variants": 8, "trials": 40}
    head = made.results(*after, mode="live")
    with Results() as file:
        for one in head.pop("cases"):
            file.add(dumps(one))
        file.write(tmp_path / "r.json", **head, asked={"suites": {"s": suite}, "gates": [], "whole_folders": True})
    assert main(["merge", str(tmp_path / "r.json"), "--baseline", str(tmp_path / "b.json")]) == 1
    out = capsys.readouterr().out
    assert "not confirmed, since a merge runs nothing: s success_regression" in out
    assert "verdict: regression" in out
