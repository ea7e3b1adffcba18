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
        ["E *test_sum*there is no recording", "E *cure: pytest 'test_eval.py::test_sum' --agent-record=once"]
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
    result.stdout.fnmatch_lines(["*check output failed*", "*test_eval.py:*", "*run it again: pytest 'test_eval.py::test_sum'"])


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


def test_two_tests_may_not_share_a_recording(project: Project) -> None:
    body = "def test_x(agent_eval):\n    agent_eval('x', agent=echo)\n"
    project.write("pytest.ini", "[pytest]\naddopts = --import-mode=importlib\n")
    write(project, body, "a/test_eval.py")
    write(project, body, "b/test_eval.py")
    result = project.run("--agent-record=once")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*a/test_eval.py::test_x has recorded a run as test_eval/test_x already*"])


def test_it_counts_as_a_case_under_the_flag(project: Project) -> None:
    write(project, "def test_x(agent_eval):\n    agent_eval('x', agent=echo)\n")
    project.evals("--agent-record=once", "test_eval.py").assert_outcomes(passed=1)


def test_under_ci_it_does_not_record(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    write(project, "def test_x(agent_eval):\n    agent_eval('x', agent=echo)\n")
    monkeypatch.setenv("CI", "1")
    assert project.run("--agent-record=once").ret == pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize(("text", "wanted"), [("test_A b", "test_a-b"), ("--", "x"), ("x" * 99, "x" * 80)])
def test_slugs(text: str, wanted: str) -> None:
    assert slug(text) == wanted
