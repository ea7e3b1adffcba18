"""Gates and the baseline from the outside: reports, exit codes, results, and what is said."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import scipy.stats  # noqa: F401  (pytester takes modules out that a run imported; compiled ones cannot come twice)

from .conftest import Project

AGENT = """
import os, pathlib

def echo(task, tools):
    return (pathlib.Path(__file__).parent / "reply.txt").read_text() if "reply" in task.text else task.text
"""
GATES = """
gates:
  task_success_rate: {min: 0.9}
  success_regression: {}
  broken_cases: {max: 0}
  cost_regression: {}
"""
HEAD = "version: 1\nagent: ./agent.py:echo\n"
TWO = """
- {id: one, task: hello, expect: {output: {contains: hello}}}
- {id: two, task: hello, expect: {output: {contains: hello}}}
"""
LIVE = ("--agent-mode=live", "--agent-allow-live")


def gated(project: Project, gates: str = GATES, cases: str = TWO, *, name: str = "demo") -> None:
    project.suite(cases, name=name, head=HEAD + gates, agent=AGENT)


def gates_of(project: Project, suite: str = "demo") -> dict[str, dict[str, Any]]:
    return {gate["name"]: gate for gate in project.results["suites"][suite]["gates"]}


def outcomes(project: Project, suite: str = "demo") -> dict[str, str]:
    return {name: gate["result"] for name, gate in gates_of(project, suite).items()}


def baseline(project: Project) -> dict[str, Any]:
    lines = json.loads((project.path / "agentops-baseline.json").read_text())["cases"]
    return {line["id"]: line for line in lines[:-1]}


def test_the_first_run_says_that_there_is_no_baseline_and_how_to_make_one(project: Project) -> None:
    gated(project)
    result = project.evals(*LIVE, "-v")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "gate demo task_success_rate: pass: task_success_rate is 1 (2 of 2 runs), wanted at least 0.9",
            "gates demo success_regression, broken_cases, cost_regression: not_judged: there is no baseline: "
            "make one with pytest --agent-evals --agent-mode=live --agent-baseline=update, and commit it",
        ]
    )
    assert outcomes(project)["task_success_rate"] == "pass"
    assert project.results["verdict"] == "pass"
    result.assert_outcomes(passed=3)


def test_an_update_writes_the_baseline_and_the_next_run_is_compared_with_it(project: Project) -> None:
    gated(project)
    project.record()
    project.evals("--agent-baseline=update").stdout.fnmatch_lines(
        ["baseline: agentops-baseline.json written: 2 records (2 new, 0 changed, 0 removed)"]
    )
    first = (project.path / "agentops-baseline.json").read_bytes()
    assert set(baseline(project)) == {"demo/one", "demo/two"}
    again = project.evals("--agent-baseline=update")
    again.stdout.fnmatch_lines(["baseline: agentops-baseline.json was up to date: 2 records (0 new, 0 changed, 0 removed)"])
    assert (project.path / "agentops-baseline.json").read_bytes() == first
    result = project.evals("-v")
    assert result.ret == 0
    assert set(outcomes(project).values()) == {"pass"}
    result.stdout.fnmatch_lines(["cases/demo/demo.yaml::gate?success_regression? PASSED*"])


def test_a_case_that_fails_now_is_a_regression_of_its_own(project: Project) -> None:
    gated(
        project,
        GATES.replace("0.9", "0.1"),
        TWO + "- {id: three, task: reply, xfail: known, expect: {output: {contains: good}}}\n",
    )
    project.write("cases/demo/reply.txt", "good")
    project.evals(*LIVE, "--agent-baseline=update", "-o", "xfail_strict=false")
    path = project.path / "agentops-baseline.json"
    # recorded answers cannot change: the baseline is told that the case had succeeded
    project.record()
    project.write("cases/demo/reply.txt", "bad")
    path.write_text(path.read_text().replace('"mode":"live"', '"mode":"replay"'))
    result = project.evals("--junit-xml=junit.xml")
    assert result.ret == 1
    assert project.results["verdict"] == "regression"
    assert outcomes(project)["success_regression"] == "fail"
    assert outcomes(project)["broken_cases"] == "fail"
    result.stdout.fnmatch_lines(
        [
            "gate success_regression: fail: success 3/3 → 2/3",
            "cases/demo/demo.yaml:6:3",
            "*worse: demo/three 1/1 → 0/1",
            "rerun: pytest --agent-evals cases/demo/demo.yaml",
            "meant? pytest --agent-evals cases/demo/demo.yaml --agent-baseline=update",
        ]
    )
    properties = project.junit()["gate[success_regression]"]
    assert properties == {"agentops.file": "cases/demo/demo.yaml", "agentops.line": "6", "agentops.gate": "fail"}


def test_an_absolute_gate_fails_the_build_with_all_cases_green(project: Project) -> None:
    gated(project, "gates:\n  runs: {min: 3}\n")
    result = project.evals(*LIVE)
    assert result.ret == 1
    assert project.results["verdict"] == "fail"
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["gate runs: fail: runs is 2, wanted at least 3", "cases/demo/demo.yaml:4:3"])


@pytest.mark.parametrize("part", [["-k", "one"], ["cases/demo/demo.yaml::one"], ["--deselect", "cases/demo/demo.yaml::two"]])
def test_a_part_of_a_suite_is_not_judged(project: Project, part: list[str]) -> None:
    gated(project, "gates:\n  runs: {min: 3}\n")
    result = project.evals(*LIVE, *part)
    assert result.ret == 0
    assert outcomes(project) == {"runs": "not_judged"}
    result.stdout.fnmatch_lines(["gates demo runs: not_judged: 1 of 2 cases of cases/demo/demo.yaml ran"])
    result.assert_outcomes(passed=1, deselected=int("::" not in part[0]))


def test_a_stopped_session_is_not_judged(project: Project) -> None:
    gated(project, "gates:\n  runs: {min: 3}\n", TWO.replace("contains: hello}", "contains: bye}"))
    assert project.evals(*LIVE, "-x").ret != 0
    assert outcomes(project) == {"runs": "not_judged"}
    assert gates_of(project)["runs"]["why"] == "the session was stopped"


def test_collect_only_judges_nothing(project: Project) -> None:
    gated(project, "gates:\n  runs: {min: 3}\n")
    result = project.evals("--collect-only")
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*gate?runs?*")


def test_under_xdist_the_controller_judges_the_same(project: Project) -> None:
    gated(project, "gates:\n  runs: {min: 3}\n  successes: {min: 2}\n")
    result = project.apart("--agent-evals", *LIVE, "-p", "xdist", "-n2", "-q")
    assert result.ret == 1
    assert outcomes(project) == {"runs": "fail", "successes": "pass"}
    result.assert_outcomes(passed=3, failed=1)


def test_another_mode_is_not_comparable_and_fails_unless_it_is_said_to_warn(project: Project) -> None:
    gated(project)
    project.record()
    project.evals("--agent-baseline=update")
    result = project.evals(*LIVE)
    assert result.ret == 1
    assert project.results["verdict"] == "not_comparable"
    assert outcomes(project)["success_regression"] == "not_comparable"
    result.stdout.fnmatch_lines(["*2 cases not comparable: demo/one: mode replay, now live; demo/two: mode replay, now live*"])
    cure = "pytest --agent-evals --agent-mode=live --agent-baseline=update takes the build as it is for the baseline"
    assert gates_of(project)["success_regression"]["details"] == [cure]
    gated(project, GATES + "  on_inconclusive: warn\n")
    result = project.evals(*LIVE)
    assert result.ret == 0
    assert project.results["verdict"] == "not_comparable"
    result.assert_outcomes(passed=3, skipped=3)


def test_a_changed_case_is_not_comparable_and_new_and_removed_ones_are_listed(project: Project) -> None:
    gated(project)
    project.evals(*LIVE, "--agent-baseline=update")
    gated(project, cases=TWO.replace("id: two, task: hello", "id: two, task: hello you").replace("id: one", "id: other"))
    result = project.evals(*LIVE)
    assert result.ret == 1
    assert "1 case not comparable: demo/two: the case was changed" in gates_of(project)["success_regression"]["why"]
    details = gates_of(project)["success_regression"]["details"]
    assert details[:2] == ["1 case new, with absolute gates only: demo/other", "1 case removed since the baseline: demo/one"]
    result.stdout.fnmatch_lines(["baseline: 1 new: demo/other (*update)", "baseline: 1 removed: demo/one (*update)"])


def test_other_trials_are_not_comparable(project: Project) -> None:
    gated(project)
    project.evals(*LIVE, "--agent-baseline=update")
    project.evals(*LIVE, "--agent-trials=2")
    assert "1 trial, now 2" in gates_of(project)["success_regression"]["why"]


def test_an_update_of_a_part_writes_only_what_ran(project: Project) -> None:
    gated(project)
    project.evals(*LIVE, "--agent-baseline=update")
    before = baseline(project)
    project.evals(*LIVE, "--agent-baseline=update", "-k", "one", "--agent-trials=3")
    after = baseline(project)
    assert after["demo/two"] == before["demo/two"]
    assert after["demo/one"]["trials"] == 3


def test_the_command_of_a_failed_gate_works_where_pytest_was_started(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    gated(project, "gates: {runs: {min: 3}}\n")
    monkeypatch.chdir(project.path / "cases")
    project.evals(*LIVE, "--rootdir=..").stdout.fnmatch_lines(["rerun: pytest --agent-evals --agent-mode=live demo/demo.yaml"])


def test_an_update_of_all_drops_cases_and_suites_that_are_gone(project: Project) -> None:
    gated(project)
    gated(project, name="other")
    project.evals(*LIVE, "--agent-baseline=update")
    assert len(baseline(project)) == 4
    (project.path / "cases/other/other.yaml").unlink()
    gated(project, cases=TWO.splitlines()[1] + "\n")
    project.evals(*LIVE, "--agent-baseline=update").stdout.fnmatch_lines(["*: 1 records (0 new, 0 changed, 3 removed)"])
    assert set(baseline(project)) == {"demo/one"}


def test_an_ignored_baseline_is_not_read(project: Project) -> None:
    gated(project)
    project.write("agentops-baseline.json", "<<<<<<< ours\n")
    result = project.evals(*LIVE, "--agent-baseline=ignore")
    assert result.ret == 0
    assert gates_of(project)["broken_cases"]["why"] == "the baseline is ignored"


def test_a_broken_baseline_stops_the_session_before_anything_runs(project: Project) -> None:
    gated(project)
    project.write("agentops-baseline.json", '{"version": 1,\n"cases": [\n<<<<<<< ours\n')
    result = project.evals(*LIVE)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*agentops-baseline.json:3:1: a conflict marker of a merge*", "*cure: *--agent-baseline=update*"]
    )


def test_an_update_writes_a_broken_baseline_anew_but_not_from_a_part(project: Project) -> None:
    gated(project)
    path = project.write("agentops-baseline.json", '{"version": 1,\n"cases": [')
    part = project.evals(*LIVE, "--agent-baseline=update", "-k", "one")
    assert part.ret == 1
    part.stdout.fnmatch_lines(["ERROR: agentops-baseline.json: it cannot be read, and a part of the cases cannot replace it*"])
    assert path.read_text() == '{"version": 1,\n"cases": ['
    whole = project.evals(*LIVE, "--agent-baseline=update")
    assert whole.ret == 0
    whole.stdout.fnmatch_lines(
        [
            "baseline: agentops-baseline.json:2:* it is truncated; it is written anew, with records of the mode live only: "
            "update it in the other modes, too",
            "baseline: agentops-baseline.json written: 2 records",
        ]
    )
    assert len(baseline(project)) == 2


def test_gates_over_the_session_come_from_the_ini_file(project: Project) -> None:
    project.write("pytest.ini", "[pytest]\nagentops_gates =\n    runs: {min: 5}\n    task_success_rate: {min: 1}\n")
    gated(project, "")
    gated(project, "", name="other")
    result = project.evals(*LIVE)
    assert result.ret == 1
    assert [(gate["name"], gate["result"]) for gate in project.results["gates"]] == [
        ("runs", "fail"),
        ("task_success_rate", "pass"),
    ]
    result.stdout.fnmatch_lines(["gate session runs: fail: runs is 4, wanted at least 5"])
    part = project.evals(*LIVE, "cases/demo")
    assert part.ret == 0
    part.stdout.fnmatch_lines(["gates session runs, task_success_rate: not_judged: a part of the case folders was run"])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("task_sucess_rate: {min: 1}", "unknown key 'task_sucess_rate'*did you mean 'task_success_rate'?"),
        ("just words", "a gate a line is wanted*"),
        ("runs: {}", "*a gate that limits nothing*"),
    ],
)
def test_a_mistake_in_the_ini_file_is_a_usage_error(project: Project, line: str, said: str) -> None:
    project.write("pytest.ini", f"[pytest]\nagentops_gates =\n    {line}\n")
    gated(project, "")
    result = project.evals(*LIVE)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*pytest.ini:1:*{said}"])


def test_a_threshold_that_cannot_be_proven_is_told_at_collection(project: Project) -> None:
    gated(project, "gates:\n  task_success_rate: {min: 0.95, confidence: 0.95}\n")
    result = project.evals(*LIVE, "--collect-only")
    result.stdout.fnmatch_lines(
        [
            "*PytestWarning: cases/demo/demo.yaml:4:3: task_success_rate: min 0.95 with 95 % confidence "
            "cannot be proven with 2 runs: 52 would do (raise `trials`*"
        ]
    )


def test_the_end_of_a_range_that_takes_more_runs_is_the_one_told(project: Project) -> None:
    for limits, said in (
        (
            "min: 0.0, max: 0.05",
            "max 0.05 with 95 % confidence cannot be proven with 2 runs: 52 would do (raise `trials`, or raise",
        ),
        (
            "min: 0.9, max: 0.95",
            "min 0.9 with 95 % confidence cannot be proven with 2 runs: 25 would do (raise `trials`, or lower",
        ),
    ):
        gated(project, f"gates:\n  intervention_rate: {{{limits}, confidence: 0.95}}\n")
        project.evals(*LIVE, "--collect-only").stdout.fnmatch_lines([f"*intervention_rate: {said}*"])
    gated(project, "gates:\n  intervention_rate: {min: 0, max: 1, confidence: 0.95}\n")
    assert "confidence" not in project.evals(*LIVE, "--collect-only").stdout.str()


def test_so_is_one_of_the_session(project: Project) -> None:
    project.write(
        "pytest.ini", "[pytest]\nagentops_gates =\n    task_success_rate: {min: 0.9, confidence: 0.95}\n    runs: {min: 1}\n"
    )
    gated(project, "")
    result = project.evals(*LIVE, "--collect-only")
    said = "task_success_rate: min 0.9 with 95 % confidence cannot be proven with 2 runs: 25 would do*"
    result.stdout.fnmatch_lines([f"*PytestWarning: pytest.ini: agentops_gates: {said}"])


def test_a_rate_of_one_is_proven_by_nothing(project: Project) -> None:
    gated(project, "gates:\n  task_success_rate: {min: 1, confidence: 0.95}\n")
    result = project.evals(*LIVE, "--collect-only")
    result.stdout.fnmatch_lines(
        ["*task_success_rate: min 1 with 95 % confidence is proven by no number of runs; leave `confidence` out"]
    )


def test_the_gates_of_a_file_with_mistakes_are_not_judged_and_said_to_be(project: Project) -> None:
    gated(project, GATES, TWO.replace("expect", "expct"))
    gated(project, "", name="other")
    result = project.evals(*LIVE)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["gates of cases/demo/demo.yaml: not_judged: the file has mistakes"])


def test_a_baseline_that_cannot_be_written_fails_the_session(project: Project) -> None:
    gated(project)
    project.write("pytest.ini", "[pytest]\nagentops_baseline_file = taken/base.json\n")
    project.write("taken", "a file, and no folder")
    result = project.evals(*LIVE, "--agent-baseline=update")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["ERROR: taken/base.json: the baseline cannot be written: *"])


def test_a_passed_gate_is_not_kept_as_last_failed(project: Project) -> None:
    gated(project, "gates:\n  runs: {min: 3}\n")
    cached = ("-p", "cacheprovider")
    project.evals(*LIVE, *cached)
    three = project.evals(*LIVE, *cached, "--lf", "--agent-trials=2")  # no case failed: all run, and the gate passes
    assert three.ret == 0
    assert outcomes(project) == {"runs": "pass"}
    project.run("--agent-evals", "--cache-show=cache/lastfailed", *cached).stdout.no_fnmatch_line("*gate?runs?*")


def test_inconclusive_fails_unless_it_is_said_to_warn(project: Project) -> None:
    gates = "gates:\n  success_regression: {}\n"
    cases = "- {id: one, task: reply, trials: 2, xfail: known, expect: {output: {contains: good}}}\n"
    project.write("cases/demo/reply.txt", "good")
    gated(project, gates, cases)
    project.evals(*LIVE, "--agent-baseline=update")
    project.write("cases/demo/reply.txt", "bad")
    result = project.evals(*LIVE)
    assert result.ret == 1
    assert project.results["verdict"] == "inconclusive"
    result.stdout.fnmatch_lines(
        ["gate demo success_regression: inconclusive: success 2/2 → 0/2 (exact stratified p=0.17*not proven"]
    )
    gated(project, gates + "  on_inconclusive: warn\n", cases)
    assert project.evals(*LIVE).ret == 0
    assert project.results["verdict"] == "inconclusive"


def test_a_replay_takes_no_scipy(project: Project) -> None:
    gated(project, GATES.replace("0.9", "0.9, confidence: 0.5"))
    project.record()
    project.evals("--agent-baseline=update")
    project.write(
        "conftest.py", "import sys\ndef pytest_unconfigure():\n    print('scipy' in sys.modules, 'numpy' in sys.modules)\n"
    )
    result = project.apart("--agent-evals", "-s")
    assert result.ret == 0
    assert set(outcomes(project).values()) == {"pass"}
    result.stdout.fnmatch_lines(["False False"])


def test_new_cases_are_judged_by_absolute_gates_only(project: Project) -> None:
    gated(project)
    project.evals(*LIVE, "--agent-baseline=update")
    gated(project, cases=TWO + "- {id: three, task: hello}\n")
    assert project.evals(*LIVE).ret == 0
    assert gates_of(project)["success_regression"]["details"][-1] == "1 case new, with absolute gates only: demo/three"


def test_a_case_that_an_update_does_not_take_in_is_not_new(project: Project) -> None:
    gated(project, cases=TWO + "- {id: three, task: hello, skip: later}\n")
    project.evals(*LIVE, "--agent-baseline=update")
    assert set(baseline(project)) == {"demo/one", "demo/two"}
    assert " new" not in project.evals(*LIVE, "-v").stdout.str()


FAILING = """
- {id: a, task: hello, trials: 4, expect: {output: {contains: bye}}}
- {id: b, task: hello, trials: 4}
- {id: c, task: hello}
"""


def test_a_live_suite_that_has_lost_is_not_paid_for_to_the_end(project: Project) -> None:
    gated(project, "gates:\n  task_success_rate: {min: 0.75}\n  runs: {min: 1}\n", FAILING)
    result = project.evals(*LIVE)
    assert result.ret == 1
    assert [len(case["trials"]) for case in project.results["cases"]] == [3, 0, 0]
    assert project.statuses == {"a": "failed", "b": "skipped", "c": "skipped"}
    assert outcomes(project) == {"task_success_rate": "fail", "runs": "not_judged"}
    why = "task_success_rate can no longer reach 0.75: 3 of 9 runs failed"
    assert gates_of(project)["task_success_rate"]["why"] == f"{why}; stopped after 3"
    assert json.loads((project.path / ".agentops/history.jsonl").read_text())["suites"]["demo"]["whole"] is False
    project.evals(*LIVE, "-k", "b")  # what failed in an earlier session is forgotten
    assert project.statuses == {"b": "passed"}


@pytest.mark.parametrize(
    ("gates", "words"),
    [
        ("gates:\n  task_success_rate: {min: 0.55}\n", []),
        ("gates:\n  task_success_rate: {max: 1}\n", []),
        ("gates:\n  task_success_rate: {min: 0.75}\n", ["--agent-baseline=update"]),
        ("gates:\n  task_success_rate: {min: 0.75}\n", ["--agent-record=once"]),
    ],
)
def test_a_suite_runs_whole_where_it_may_still_win_or_is_to_be_kept(project: Project, gates: str, words: list[str]) -> None:
    gated(project, gates, FAILING)
    project.evals(*LIVE, *words)
    assert [len(case["trials"]) for case in project.results["cases"]] == [4, 4, 1]


def test_workers_share_what_failed(project: Project) -> None:
    gated(
        project,
        "gates:\n  task_success_rate: {min: 1}\n",
        "".join(f"- {{id: c{i}, task: hello, expect: {{output: {{contains: bye}}}}}}\n" for i in range(12)),
    )
    result = project.apart("--agent-evals", *LIVE, "-p", "xdist", "-n2")
    assert result.ret == 1
    ran = sum(len(case["trials"]) for case in project.results["cases"])
    assert 1 <= ran <= 2
    assert outcomes(project) == {"task_success_rate": "fail"}


PAYING = """
from pytest_agentops import tool

@tool("sums.add", effect="read", tier=0, cost_usd="0.25")
def add(a: int, b: int) -> int:
    return a + b
"""


@pytest.mark.parametrize(("words", "said"), [([], "$0.25"), (["--agent-budget-usd=2"], "$0.25 of $2")])
def test_a_live_run_says_what_it_has_spent(project: Project, words: list[str], said: str) -> None:
    head = "version: 1\nagent: ./agent.py:adder\ntools: ./tools.py:add\n"
    project.suite("- {id: one, task: hello}\n- {id: two, task: hello}\n", head=head, tools=PAYING)
    result = project.evals(*LIVE, *words)
    result.stdout.fnmatch_lines([f"cases/demo/demo.yaml . {said} . {said.replace('0.25', '0.5')} *"])
    assert "$" not in project.evals(*LIVE, "-q").stdout.lines[0]


def test_a_replay_spends_nothing_and_says_nothing(project: Project) -> None:
    project.suite("- {id: one, task: hello}\n", head="version: 1\nagent: ./agent.py:adder\ntools: ./tools.py:add\n", tools=PAYING)
    project.record()
    project.evals().stdout.fnmatch_lines(["cases/demo/demo.yaml . *100%*"])


COUNTED = """
import pathlib

COUNT = pathlib.Path(__file__).parent / "count"

def echo(task, tools):
    seen = len(COUNT.read_text()) if COUNT.exists() else 0
    COUNT.write_text("x" * (seen + 1))
    return GOOD
"""
MANY = "- {id: one, task: hello, trials: 10, xfail: known, expect: {output: {contains: good}}}\n"


@pytest.mark.parametrize(
    ("good", "result", "said"),
    [
        ("'bad'", "fail", "confirmed by a second run: success 10/10 → 0/10*"),
        ("'good' if seen >= 10 else 'bad'", "inconclusive", "not confirmed by a second run: success 10/10 → 10/10*"),
    ],
)
def test_a_proven_regression_is_confirmed_by_fresh_trials(project: Project, good: str, result: str, said: str) -> None:
    gates = "gates:\n  success_regression: {}\n  confirm: true\n"
    project.suite(MANY, head=HEAD + gates, agent=COUNTED.replace("GOOD", "'good'"))
    project.evals(*LIVE, "--agent-baseline=update")
    (project.path / "cases/demo/count").unlink()
    project.suite(MANY, head=HEAD + gates, agent=COUNTED.replace("GOOD", good))
    done = project.evals(*LIVE)
    assert outcomes(project) == {"success_regression": result}
    assert len((project.path / "cases/demo/count").read_text()) == 20
    assert len(project.results["cases"][0]["trials"]) == 10
    assert done.ret == (1 if result == "fail" else 0)
    line = "confirmation run: 10 runs, $0, beside the numbers above: .agentops/confirm/results.json"
    done.stdout.fnmatch_lines([f"gate demo success_regression: {result}: success 10/10 → 0/10 (*; {said}", line])


def test_without_money_nothing_is_confirmed_and_the_fail_stays(project: Project) -> None:
    gates = "gates:\n  success_regression: {}\n  confirm: true\n"
    project.suite(MANY, head=HEAD + gates, agent=COUNTED.replace("GOOD", "'good'"))
    project.evals(*LIVE, "--agent-baseline=update")
    project.suite(MANY, head=HEAD + gates, agent=COUNTED.replace("GOOD", "'bad'"))
    done = project.evals(*LIVE, "--agent-budget-usd=0")
    assert done.ret == 1
    assert outcomes(project) == {"success_regression": "fail"}
    done.stdout.fnmatch_lines(
        ["*the confirmation run says nothing: no money is left for it*", "confirmation run: no money is left*"]
    )


PAID = """
import os
from pytest_agentops import tool

@tool("look", effect="read", tier=0, cost_usd="0.01")
def look(n: int) -> int:
    return n

def echo(task, tools):
    for n in range(TIMES):
        tools.call("look", n=n)
    return task.text
"""
PAID_HEAD = HEAD + "tools: ./agent.py:look\n"
SIX = "".join(f"- {{id: c{n}, task: hello, trials: 5, expect: {{output: {{equals: hello}}}}}}\n" for n in range(6))


def test_a_confirmation_run_whose_money_runs_out_says_nothing(project: Project) -> None:
    head = PAID_HEAD + "gates:\n  cost_regression: {tolerance: 0.1}\n  confirm: true\n"
    project.suite(SIX, head=head, agent=PAID.replace("TIMES", "1"))
    project.evals(*LIVE, "--agent-baseline=update")
    project.suite(SIX, head=head, agent=PAID.replace("TIMES", "3"))
    done = project.evals(*LIVE, "--agent-budget-usd=1")
    assert done.ret == 1
    assert outcomes(project) == {"cost_regression": "fail"}
    done.stdout.fnmatch_lines(
        ["*the confirmation run says nothing: the budget was used up before or in * of cases/demo/demo.yaml*"]
    )


def test_what_the_budget_left_out_is_no_regression_and_no_baseline(project: Project) -> None:
    gates = "gates:\n  task_success_rate: {min: 0.9}\n  success_regression: {}\n  broken_cases: {}\n  cost_regression: {}\n"
    project.suite(SIX, head=PAID_HEAD + gates, agent=PAID.replace("TIMES", "1"))
    assert project.evals(*LIVE, "--agent-baseline=update").ret == 0
    before = baseline(project)
    done = project.evals(*LIVE, "--agent-budget-usd=0.12")
    assert done.ret == 1
    assert set(outcomes(project).values()) == {"not_judged"}
    assert project.results["verdict"] == "fail", "the runs that were not paid for have failed"
    why = "not_judged: the budget was used up before or in 18 runs of cases/demo/demo.yaml"
    done.stdout.fnmatch_lines(
        ["ERROR: suite demo: the budget was used up before or in 18 runs: raise it, or run less", f"gates demo *: {why}"]
    )
    again = project.evals(*LIVE, "--agent-budget-usd=0.12", "--agent-baseline=update")
    assert again.ret == 1
    assert baseline(project) == before
    again.stdout.fnmatch_lines(["baseline: 4 for which the budget was used up; not taken in: *"])


def test_a_run_that_was_not_paid_for_is_no_pass_even_where_it_was_to_fail(project: Project) -> None:
    cases = SIX.replace("trials: 5", "xfail: known")
    project.suite(cases, head=PAID_HEAD + "gates: {task_success_rate: {min: 0.1}}\n", agent=PAID.replace("TIMES", "1"))
    done = project.evals(*LIVE, "--agent-budget-usd=0.02")
    assert done.ret == 1
    assert project.results["verdict"] == "budget_exceeded"


def test_a_confirmation_run_that_dies_confirms_nothing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    gates = "gates:\n  success_regression: {}\n  confirm: true\n"
    project.suite(MANY, head=HEAD + gates, agent=COUNTED.replace("GOOD", "'good'"))
    project.evals(*LIVE, "--agent-baseline=update")
    project.suite(MANY, head=HEAD + gates, agent=COUNTED.replace("GOOD", "'bad'"))
    project.write("conftest.py", "import os\nif 'PYTEST_AGENTOPS_CONFIRM' in os.environ:\n    os._exit(7)\n")
    done = project.evals(*LIVE)
    assert outcomes(project) == {"success_regression": "fail"}
    done.stdout.fnmatch_lines(["confirmation run: it ended with exit code 7 and no results*"])


def test_a_gate_of_the_session_is_confirmed_over_all_suites(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    page = project.path / "page.md"
    project.write("pytest.ini", "[pytest]\nagentops_gates =\n    broken_cases: {max: 0}\n    confirm: true\n")
    project.suite(MANY, head=HEAD, agent=COUNTED.replace("GOOD", "'good'"))
    project.evals(*LIVE, "--agent-baseline=update")
    (project.path / "cases/demo/count").unlink()
    project.suite(MANY, head=HEAD, agent=COUNTED.replace("GOOD", "'bad'"))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    done = project.evals(*LIVE)
    assert page.read_text().count("## ") - page.read_text().count("### ") == 1, "the confirmation run has no report of its own"
    assert [(gate["name"], gate["result"]) for gate in project.results["gates"]] == [("broken_cases", "fail")]
    assert len((project.path / "cases/demo/count").read_text()) == 20
    done.stdout.fnmatch_lines(["gate session broken_cases: fail: *; confirmed by a second run: broken: demo/one (10/10 → 0/10)*"])


# ---- pytest's figure of progress


def figures(result: pytest.RunResult) -> list[int]:
    return [int(share) for share in re.findall(r"\[ *(\d+)%\]", result.stdout.str())]


@pytest.mark.parametrize("words", [(), ("-q",), ("-v",), ("-v", "-k", "one"), ("-v", "--agent-baseline=ignore")])
def test_progress_counts_the_gates_and_ends_at_100(project: Project, words: tuple[str, ...]) -> None:
    gated(project)
    gated(project, name="other")
    project.record()
    project.evals("--agent-baseline=update")
    result = project.evals(*words)
    assert result.ret == 0
    shares = figures(result)
    assert shares[-1] == 100
    assert "-k" in words or shares == sorted(shares), "it does not run backwards"
    assert shares.count(100) == 1


def test_progress_of_gates_under_xdist_ends_at_100(project: Project) -> None:
    gated(project)
    project.record()
    project.evals("--agent-baseline=update")
    result = project.apart("-p", "xdist", "-n2", "--agent-evals")
    result.assert_outcomes(passed=6)
    assert figures(result)[-1] == 100


def test_gates_are_no_tests_where_nothing_is_run(project: Project) -> None:
    """A count of gates that are only announced must not hide that no case was chosen."""
    gated(project)
    project.record()
    assert project.evals("-k", "nothing").ret == pytest.ExitCode.NO_TESTS_COLLECTED
    project.evals("--collect-only").stdout.fnmatch_lines(["*2 tests collected*"])
