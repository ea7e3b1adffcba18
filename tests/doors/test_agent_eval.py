"""The fixture and the marker `agent_eval`: a case from Python, inside an ordinary test."""

from __future__ import annotations

import shutil

import pytest

from pytest_agentops.fixtures import slug

from .conftest import Project

TEST = """
import pytest
from pytest_agentops import tool

calls = []

@tool("sums.add", effect="read", tier=0)
def add(a: int, b: int) -> int:
    calls.append((a, b))
    return a + b

def adder(task, tools):
    return tools.call("sums.add", a=1, b=2)

def echo(task, tools):
    return task.text
"""


def write(project: Project, body: str, name: str = "test_eval.py") -> None:
    project.write(name, TEST + body)


def failing(project: Project, said: str) -> None:
    result = project.run("--agent-record=once")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"E *{said}*"])


def test_recorded_once_then_replayed(project: Project) -> None:
    write(
        project,
        """
def test_sum(agent_eval):
    run = agent_eval("add", agent=adder, tools=add, expect={"output": {"equals": 3}})
    assert run.success and run.mode == ("live" if calls else "replay")
    assert [call.source for call in run.calls] == [run.mode]
""",
    )
    project.run().assert_outcomes(failed=1)
    project.run("--agent-record=once").assert_outcomes(passed=1)
    assert (project.path / "cassettes/test_eval/test_sum/tools.yaml").is_file()
    assert (project.path / ".agentops/runs/test_eval/test_sum.jsonl").is_file()
    project.run().assert_outcomes(passed=1)
    shutil.rmtree(project.path / "cassettes/test_eval/test_sum")
    result = project.run()
    result.stdout.fnmatch_lines(
        ["E *test_sum*there is no recording", "E *cure: pytest --agent-record=once test_eval.py::test_sum"]
    )
    result.stdout.no_fnmatch_line("*def __call__*")


def test_the_marker_and_the_call_say_it_together(project: Project) -> None:
    write(
        project,
        """
pytestmark = pytest.mark.agent_eval(agent=echo, task="from the module", expect={"output": {"equals": "hello"}})

@pytest.mark.agent_eval("hello")
def test_marker(agent_eval):
    assert agent_eval().output == "hello"

@pytest.mark.agent_eval(check=False)
class TestMore:
    def test_module(self, agent_eval):
        assert not agent_eval().success

    def test_call(self, agent_eval):
        assert agent_eval("hello", check=True).success
        with pytest.raises(Exception, match="check output failed"):
            agent_eval("bye", check=True, id="second")
""",
    )
    project.run("--agent-record=once", "--strict-markers").assert_outcomes(passed=3)
    assert sorted(p.name for p in (project.path / "cassettes/test_eval").iterdir()) == [
        "second",
        "test_marker",
        "testmore-test_call",
        "testmore-test_module",
    ]


def test_a_failed_run_fails_the_test_with_its_report(project: Project) -> None:
    write(
        project,
        """
def test_sum(agent_eval):
    agent_eval("add", agent=adder, tools=[add], expect={"output": {"equals": 4}})
""",
    )
    result = project.run("--agent-record=once")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*check output failed*", "*test_eval.py:*", "*run it again: pytest test_eval.py::test_sum"])


def test_python_checks_beside_the_test(project: Project) -> None:
    project.write("checks.py", "def short(run):\n    assert len(run.output) < 4\n")
    write(
        project,
        """
@pytest.mark.parametrize("text", ["ok", "too long"])
def test_short(agent_eval, text):
    run = agent_eval(text, agent=echo, id=text, check=False, expect={"python": "./checks.py:short"})
    assert run.success == (text == "ok")
""",
    )
    project.run("--agent-record=once").assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("def test_x(agent_eval):\n    agent_eval('x')\n", "agent_eval needs agent=, a callable agent(task, tools)"),
        ("def test_x(agent_eval):\n    agent_eval('x', agent=5)\n", "agent_eval needs agent=, a callable"),
        ("def test_x(agent_eval):\n    agent_eval('x', agent=echo, expct={})\n", "test_eval.py:*expct*"),
        ("def test_x(agent_eval):\n    agent_eval('x', agent=echo, trials=3)\n", "agent_eval takes no trials: it runs once"),
        ("def test_x(agent_eval):\n    agent_eval('x', agent=echo, tools=5)\n", "tools: expected tools, found a int"),
        (
            "@pytest.mark.parametrize('n', [1])\ndef test_x(agent_eval, n):\n    agent_eval('x', agent=echo)\n",
            "a parametrized test has to name its recording: agent_eval(id='...')",
        ),
        (
            "def test_x(agent_eval):\n    agent_eval('x', agent=echo)\n    agent_eval('y', agent=echo)\n",
            "agent_eval: this test has recorded a run as test_eval/test_x already: give this one its own id=",
        ),
    ],
)
def test_what_cannot_be_run(project: Project, body: str, said: str) -> None:
    write(project, body)
    failing(project, said)


def test_modules_of_one_name_are_suites_of_their_own(project: Project) -> None:
    body = "def test_x(agent_eval):\n    assert agent_eval('x', agent=echo).output == 'x'\n"
    project.write("pytest.ini", "[pytest]\naddopts = --import-mode=importlib\n")
    write(project, body, "a/test_eval.py")
    write(project, body, "b/test_eval.py")
    project.evals("--agent-record=once", "a", "b").assert_outcomes(passed=2)
    assert (project.path / "cassettes/a-test_eval/test_x/tools.yaml").is_file()
    assert (project.path / "cassettes/b-test_eval/test_x/tools.yaml").is_file()
    assert set(project.results["suites"]) == {"a-test_eval", "b-test_eval"}
    project.run("b").assert_outcomes(passed=1)


def test_two_modules_whose_paths_read_alike_are_told_apart_by_an_error(project: Project) -> None:
    body = "def test_x(agent_eval):\n    agent_eval('x', agent=echo)\n"
    write(project, body, "a/test_eval.py")
    write(project, body, "test_a.py")
    (project.path / "test_a.py").rename(project.path / "a-test_eval.py")
    result = project.run("--agent-record=once", "--import-mode=importlib", "a/test_eval.py", "a-test_eval.py")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["*agent_eval: the suite of a-test_eval.py is called a-test_eval, and so is that of a/test_eval.py: rename one of them"]
    )


def test_a_suite_file_of_the_same_name_is_an_error(project: Project) -> None:
    project.suite("- {id: one, task: hello}", name="test_eval")
    write(project, "def test_x(agent_eval):\n    agent_eval('x', agent=echo)\n")
    result = project.record("cases", "test_eval.py")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["*the suite of test_eval.py is called test_eval, and so is that of cases/test_eval/test_eval.yaml*"]
    )


def test_a_long_path_is_cut_and_stays_one_of_a_kind(project: Project) -> None:
    body = "def test_x(agent_eval):\n    agent_eval('x', agent=echo)\n"
    deep = "d" * 60
    for name in ("test_ends_in_one_way", "test_ends_in_another"):
        write(project, body, f"{deep}/{deep}/{name}.py")
    project.evals("--agent-record=once", deep).assert_outcomes(passed=2)
    names = list(project.results["suites"])
    assert len(names) == 2
    assert all(len(name) == 80 for name in names)


def test_it_counts_as_a_case_under_the_flag(project: Project) -> None:
    write(project, "def test_x(agent_eval):\n    agent_eval('x', agent=echo)\n")
    project.evals("--agent-record=once", "test_eval.py").assert_outcomes(passed=1)


RESULTS = """
def test_good(agent_eval):
    agent_eval("add", agent=adder, tools=add)
    agent_eval("bye", agent=echo, id="second")

def test_bad(agent_eval):
    agent_eval("bye", agent=echo, expect={"output": {"equals": "hello"}})

def test_own_judgement(agent_eval):
    assert not agent_eval("bye", agent=echo, check=False, expect={"output": {"equals": "hello"}}).success

@pytest.fixture
def broken():
    yield
    raise OSError("gone")

def test_torn_down(agent_eval, broken):
    agent_eval("bye", agent=echo)

def test_nothing(agent_eval):
    pass
"""


@pytest.mark.parametrize("workers", [True, False], ids=["xdist", "one process"])
def test_runs_are_in_the_results_like_cases(project: Project, workers: bool) -> None:
    write(project, RESULTS)
    project.suite("- {id: one, task: hello}")
    args = ("--agent-record=once", "cases", "test_eval.py")
    found = project.apart("--agent-evals", "-p", "xdist.plugin", "-n", "2", *args) if workers else project.evals(*args)
    found.assert_outcomes(passed=5, failed=1, errors=1)
    assert project.statuses == {
        "one": "passed",
        "test_good": "passed",
        "second": "passed",
        "test_bad": "failed",
        "test_own_judgement": "passed",
        "test_torn_down": "error",
    }
    results = project.results
    assert results["verdict"] == "fail"
    assert results["selection"] == "all"
    assert [len(case["trials"]) for case in results["cases"]] == [1] * 6
    assert results["suites"]["test_eval"]["metrics"]["runs"] == 5
    assert results["suites"]["test_eval"]["metrics"]["successes"] == 3
    good = next(case for case in results["cases"] if case["id"] == "test_eval/test_good")
    assert good["file"] == "test_eval.py"
    assert good["trials"][0]["output"] == 3


def test_without_the_flag_no_results_are_written(project: Project) -> None:
    write(project, "def test_x(agent_eval):\n    agent_eval('x', agent=echo)\n")
    project.run("--agent-record=once").assert_outcomes(passed=1)
    assert not (project.path / ".agentops/results.json").exists()


def test_an_attempt_that_is_made_again_is_a_run_of_its_own(project: Project) -> None:
    write(
        project,
        """
counter = iter([1, 2])

def test_x(agent_eval):
    agent_eval("x", agent=lambda task, tools: next(counter), expect={"output": {"equals": 2}})
""",
    )
    args = ("-p", "pytest_rerunfailures", "--reruns", "1", "--agent-mode=live", "test_eval.py")
    project.evals(*args).stdout.fnmatch_lines(["*1 passed, 1 rerun*"])
    assert project.statuses == {"test_x": "passed"}
    assert [(run["trial"], run["success"]) for run in project.results["cases"][0]["trials"]] == [(1, False), (2, True)]


@pytest.mark.parametrize("flag", [True, False])
def test_checks_registered_from_outside(project: Project, flag: bool) -> None:
    project.write(
        "conftest.py",
        """
        def polite(wanted, run, context):
            return context.result(("please" in run.output) == wanted, measured=run.output, wanted=wanted)

        def pytest_agentops_checks(config):
            return {"polite": polite}
        """,
    )
    write(
        project,
        """
@pytest.mark.parametrize("text", ["please", "now"])
def test_x(agent_eval, text):
    run = agent_eval(text, agent=echo, id=text, check=False, expect={"polite": True, "output": {"equals": text}})
    assert run.success == (text == "please")
    assert [check.name for check in run.checks if not check.passed] == ([] if text == "please" else ["polite"])
""",
    )
    args = ("--agent-record=once", "test_eval.py")
    (project.evals(*args) if flag else project.run(*args)).assert_outcomes(passed=2)


LATE = """
import threading, time

def leaves_a_thread(task, tools):
    def later():
        time.sleep(SECONDS)
        tools.attempt("sums.add", {"a": 1, "b": 2})
    threading.Thread(target=later, daemon=True).start()
    return "done"

@pytest.fixture
def waits():
    yield
    time.sleep(WAIT)

def test_x(agent_eval, waits):
    agent_eval("x", agent=leaves_a_thread, tools=add)

def test_y():
    time.sleep(0.8)
"""


@pytest.mark.parametrize("flag", [True, False])
@pytest.mark.parametrize(("seconds", "wait"), [("0.2", "0.5"), ("0.5", "0")], ids=["at the tear-down", "at the end"])
def test_calls_after_the_end(project: Project, monkeypatch: pytest.MonkeyPatch, flag: bool, seconds: str, wait: str) -> None:
    monkeypatch.setattr("pytest_agentops.runner.invoke.GRACE", 0.0)
    write(project, LATE.replace("SECONDS", seconds).replace("WAIT", wait))
    args = ("--agent-mode=live", "test_eval.py")
    result = project.evals(*args) if flag else project.run(*args)
    result.assert_outcomes(passed=2, errors=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["sums.add was called after the agent had returned*"])
    result.stdout.no_fnmatch_line("*late.py*")
    if flag:
        assert project.statuses == {"test_x": "error"}
        assert project.results["metrics"]["successes"] == 0
        (run,) = project.results["cases"][0]["trials"]
        assert not run["success"]
        assert [problem["kind"] for problem in run["problems"]] == ["closed"]


def test_under_ci_it_does_not_record(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    write(project, "def test_x(agent_eval):\n    agent_eval('x', agent=echo)\n")
    monkeypatch.setenv("CI", "1")
    assert project.run("--agent-record=once").ret == pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize(("text", "wanted"), [("test_A b", "test_a-b"), ("--", "x"), ("x" * 99, "x" * 80)])
def test_slugs(text: str, wanted: str) -> None:
    assert slug(text) == wanted
