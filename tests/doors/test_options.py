"""Options and their ini twins, and what is said of wrong ones; what a plain run costs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_agentops.settings import Settings, under_ci

from .conftest import Project

ONE = "- {id: one, task: hello}"
USAGE = pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--agent-mode=relpay", "--agent-mode=relpay: expected one of replay, hybrid, tools-live, live; did you mean 'replay'*"),
        ("--agent-record=onec", "--agent-record=onec: expected one of none, once, new_episodes, all, stale; did you *"),
        ("--agent-trials=0", "--agent-trials=0: expected a whole number from 1"),
        ("--agent-trials=²", "--agent-trials=²: expected a whole number from 1"),
        ("--agent-report=json", "--agent-report=json: expected NAME:PATH, such as json:out/results.json"),
        ("--agent-report=jsno:x.json", "--agent-report=jsno: expected one of csv, json, md, parquet; did you mean 'json'*"),
        ("--agent-cassettes=/elsewhere", "--agent-cassettes=/elsewhere: * under the rootdir*"),
    ],
)
def test_wrong_options(project: Project, option: str, said: str) -> None:
    project.suite(ONE)
    result = project.evals(option)
    assert result.ret == USAGE
    result.stderr.fnmatch_lines([f"ERROR: {said}"])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("agentops_mode = relpay", "*relpay: expected one of replay, hybrid, tools-live, live*"),
        ("agentops_record = onec", "*onec: expected one of*"),
        ("agentops_trials = many", "*many: expected a whole number*"),
        ("agentops_report = json", "*expected NAME:PATH*"),
    ],
)
def test_wrong_ini_values(project: Project, line: str, said: str) -> None:
    project.suite(ONE)
    project.write("pytest.ini", f"[pytest]\n{line}\n")
    result = project.evals()
    assert result.ret == USAGE
    result.stderr.fnmatch_lines([said])


def test_wrong_options_are_told_without_the_flag_too(project: Project) -> None:
    project.write("test_plain.py", "def test_plain(): pass")
    assert project.run("--agent-record=onec").ret == USAGE
    project.run("--agent-record=once").assert_outcomes(passed=1)


@pytest.mark.parametrize("workers", [True, False], ids=["xdist", "one process"])
@pytest.mark.parametrize("option", ["--agent-record=once", "--agent-mode=live", "--agent-report=json:x.json", "--agent-trials=2"])
def test_options_that_do_nothing_without_the_flag_say_so(project: Project, option: str, workers: bool) -> None:
    project.suite(ONE)
    project.write("test_plain.py", "def test_plain(): pass")
    result = project.apart(option, "-p", "xdist.plugin", "-n", "1") if workers else project.run(option)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([f"WARNING: {option} does nothing here: no case was collected, add --agent-evals"])


@pytest.mark.parametrize("workers", [True, False], ids=["xdist", "one process"])
def test_options_that_a_test_uses_are_fine_without_the_flag(project: Project, workers: bool) -> None:
    project.write("test_eval.py", "def test_one(agent_eval):\n    agent_eval('hello', agent=lambda task, tools: task.text)\n")
    option = "--agent-record=once"
    result = project.apart(option, "-p", "xdist.plugin", "-n", "1") if workers else project.run(option)
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*does nothing*")


def test_options_of_an_ini_are_no_surprise(project: Project) -> None:
    project.write("pytest.ini", "[pytest]\naddopts = --agent-cassettes=tapes\nagentops_record = once\n")
    project.write("test_plain.py", "def test_plain(): pass")
    project.run().stdout.no_fnmatch_line("*nothing here*")


@pytest.mark.parametrize("option", ["--agent-mode=live", "--agent-record=once", "--agent-record=all"])
def test_under_ci_nothing_goes_live_by_accident(project: Project, monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    project.suite(ONE)
    monkeypatch.setenv("CI", "true")
    result = project.evals(option)
    assert result.ret == USAGE
    result.stderr.fnmatch_lines(["*CI is set: add --agent-allow-live if that is meant"])
    assert not (project.path / "cassettes").exists()
    project.evals(option, "--agent-allow-live").assert_outcomes(passed=1)
    project.write("pytest.ini", "[pytest]\nagentops_allow_live = true\n")
    project.evals(option).assert_outcomes(passed=1)


def test_under_ci_a_replay_runs(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.suite(ONE)
    project.record()
    monkeypatch.setenv("CI", "1")
    project.evals().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("value", "on"), [("", False), ("0", False), ("false", False), ("FALSE", False), ("1", True), ("x", True)]
)
def test_what_ci_means(monkeypatch: pytest.MonkeyPatch, value: str, on: bool) -> None:
    monkeypatch.setenv("CI", value)
    assert under_ci() is on


def test_the_command_line_wins_over_the_ini(project: Project) -> None:
    project.suite(ONE)
    project.write(
        "pytest.ini", "[pytest]\nagentops_record = once\nagentops_cassettes = tapes\nagentops_report = json:first.json\n"
    )
    project.evals("--agent-record=none").assert_outcomes(failed=1)
    project.evals("--agent-report=json:out/second.json").assert_outcomes(passed=1)
    assert (project.path / "tapes/demo/one/tools.yaml").is_file()
    reports = [json.loads((project.path / name).read_text()) for name in ("first.json", "out/second.json")]
    assert reports[0] == reports[1] == project.results
    assert project.results["mode"] == "live"
    project.evals("--agent-cassettes=others", "--agent-record=none").assert_outcomes(failed=1)


def test_a_missing_recording_names_the_cure(project: Project) -> None:
    project.suite(ONE)
    result = project.evals()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*cure: pytest --agent-evals --agent-record=once cases/demo/demo.yaml::one"])
    assert project.results["verdict"] == "fail"


def test_live_runs_are_called_live(project: Project) -> None:
    project.suite(ONE)
    result = project.evals("--agent-mode=live")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*= agent evals (live) =*"])
    assert project.results["mode"] == "live"
    assert not (project.path / "cassettes").exists()
    project.suite("- {id: one, task: hello, expect: {output: {equals: bye}}}")
    project.evals("--agent-mode=live").stdout.fnmatch_lines(["*pytest --agent-evals --agent-mode=live cases/demo/demo.yaml::one"])


def test_a_case_that_expects_nothing_is_named(project: Project) -> None:
    project.suite("- {id: one, task: hello}\n- {id: two, task: hello, expect: {output: {equals: hello}}}")
    project.record().stdout.fnmatch_lines(["no expect: 1 case(s) expect nothing but to complete: demo/one"])


def test_a_report_that_cannot_be_written_fails_the_session(project: Project) -> None:
    project.suite(ONE)
    project.record()
    project.write("taken", "a file")
    result = project.evals("--agent-report=json:taken/results.json")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["ERROR: *taken/results.json: the report cannot be written: *"])


def test_results_that_cannot_be_written_fail_the_session(project: Project) -> None:
    project.suite(ONE)
    project.record()
    (project.path / ".agentops/results.json").unlink()
    (project.path / ".agentops/results.json").mkdir()
    result = project.evals()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["ERROR: *results.json: the results cannot be written: *"])


def test_an_interrupted_session_keeps_its_results(project: Project) -> None:
    project.suite(
        "- {id: one, task: hello}\n- {id: two, task: hello, agent: './agent.py:stops'}",
        agent="def echo(t, b): pass\ndef stops(t, b):\n    raise KeyboardInterrupt\n",
    )
    result = project.apart("--agent-evals", "--agent-mode=live")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert project.statuses == {"one": "passed"}
    assert project.results["selection"] == "partial"


HEAVY = {"yaml", "pydantic", "vcr", "openai", "pandas", "numpy", "tabulate", "scipy", "jsonschema_rs", "jinja2", "asyncio"}


def test_a_plain_run_imports_next_to_nothing(project: Project) -> None:
    project.write("test_plain.py", "def test_plain(): pass")
    project.write(
        "conftest.py",
        "import json, sys\ndef pytest_unconfigure(config):\n    open('modules.json', 'w').write(json.dumps(list(sys.modules)))\n",
    )
    project.apart().assert_outcomes(passed=1)
    modules = set(json.loads((project.path / "modules.json").read_text()))
    assert {name for name in modules if name.startswith("pytest_agentops")} == {
        "pytest_agentops",
        "pytest_agentops.hookspecs",
        "pytest_agentops.plugin",
    }
    assert not modules & HEAVY


CRASH = ("-p", "xdist.plugin", "-n", "1", "--max-worker-restart=0")
DIES = "import os\ndef echo(t, b): pass\ndef dies(t, b):\n    os._exit(1)\n"


def test_a_worker_that_dies_takes_the_build_with_it(project: Project) -> None:
    project.suite(
        "- {id: one, task: hello}\n- {id: two, task: hello, agent: './agent.py:dies', matrix: {model: [small]}, tags: [x]}",
        agent=DIES,
    )
    result = project.apart("--agent-evals", "--agent-mode=live", *CRASH)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    results = project.results
    assert results["verdict"] == "fail"
    assert results["selection"] == "partial"
    assert project.statuses == {"one": "passed", "two~small": "error"}
    lost = results["cases"][1]
    assert (lost["file"], lost["line"], lost["tags"]) == ("cases/demo/demo.yaml", 5, ["x"])
    (run,) = lost["trials"]
    assert (run["success"], run["outcome"], run["mode"], run["cost_usd"]) == (False, "error", "live", None)
    assert "the worker process died while it ran this case: worker 'gw0' crashed" in run["problems"][0]["text"]
    assert (results["metrics"]["runs"], results["metrics"]["successes"]) == (2, 1)
    assert results["metrics"]["cost_usd"] is None
    result.stdout.fnmatch_lines(["error: 1 case(s) went wrong around *: demo/two~small"])


def test_a_worker_that_dies_at_the_tear_down_keeps_the_run(project: Project) -> None:
    project.suite("- {id: one, task: hello, fixtures: [deadly]}")
    project.record()
    project.write("conftest.py", "import os, pytest\n@pytest.fixture\ndef deadly():\n    yield\n    os._exit(1)\n")
    project.apart("--agent-evals", "--agent-mode=live", *CRASH)
    assert project.statuses == {"one": "error"}
    assert [run["outcome"] for run in project.results["cases"][0]["trials"]] == ["completed"]


def test_a_worker_that_dies_in_an_ordinary_test_fails_the_build(project: Project) -> None:
    project.suite("- {id: one, task: hello}")
    project.write("test_plain.py", "import os\ndef test_plain(agent_eval):\n    os._exit(1)\n")
    project.apart("--agent-evals", "--agent-mode=live", *CRASH, "cases", "test_plain.py")
    assert project.statuses == {"one": "passed"}
    assert project.results["verdict"] == "fail"


@pytest.mark.parametrize(
    ("glob", "path", "ignored"),
    [
        ("compose.yaml", "cases/a/b/compose.yaml", True),
        ("compose.*", "cases/compose.yml", True),
        ("cases/*.yaml", "cases/compose.yaml", True),
        ("cases/*.yaml", "cases/a/compose.yaml", False),
        ("cases/**/*.yaml", "cases/a/b/compose.yaml", True),
        ("cases/**/*.yaml", "cases/compose.yaml", True),
        ("cases/a/**", "cases/a/b/compose.yaml", True),
        ("cases/a", "cases/a/compose.yaml", False),
        ("other/**/*.yaml", "cases/compose.yaml", False),
    ],
)
def test_what_a_glob_ignores(glob: str, path: str, ignored: bool) -> None:
    root = Path("/project")
    settings = Settings(
        rootdir=root,
        mode="replay",
        record="none",
        model=None,
        cassettes=root / "cassettes",
        case_folders=(root / "cases",),
        ignore=(glob,),
        trials=None,
        reports=(),
        allow_live=False,
        budget_usd=None,
        audit="policies",
    )
    assert settings.ignores(root / path) is ignored
