"""The commands that failures print: exact, complete, and a cure when they are run."""

from __future__ import annotations

import re
import shlex

import pytest

from .conftest import Project

ADDS = "agent: ./agent.py:adder, tools: ./tools.py:add"
ONE = f"- {{id: one, task: add, {ADDS}, matrix: {{model: [small, large]}}}}\n- {{id: one_more, task: add, {ADDS}}}"
OTHER_ADDER = "def adder(task, tools):\n    return tools.call('sums.add', a=1, b=5)\n"


def printed(result: pytest.RunResult, start: str) -> list[str]:
    """The words of the first command behind `start`, without ``pytest``."""
    found = re.search(rf"{re.escape(start)}\s*pytest (.*)", result.stdout.str())
    assert found, result.stdout.str()
    return shlex.split(found[1])


def test_the_cure_of_a_missing_trial_cures(project: Project) -> None:
    project.suite(ONE)
    project.record("--agent-cassettes=tapes").assert_outcomes(passed=3)
    asked = ("--agent-trials=2", "--agent-cassettes=tapes", "cases/demo/demo.yaml::one~large")
    result = project.evals(*asked)
    result.assert_outcomes(failed=1)
    cure = printed(result, "cure:")
    assert cure == [
        "--agent-evals",
        "--agent-trials=2",
        "--agent-cassettes=tapes",
        "--agent-record=once",
        "cases/demo/demo.yaml::one~large",
    ]
    assert printed(result, "run it again:") == [word for word in cure if "record" not in word]
    project.run(*cure).assert_outcomes(passed=1)
    assert sorted(path.name for path in (project.path / "tapes/demo").iterdir()) == [
        "one_more",
        "one~large",
        "one~large.t2",
        "one~small",
    ], "nothing else is recorded"
    project.evals(*asked).assert_outcomes(passed=1)


def test_a_node_id_is_quoted_for_the_shell_where_it_must_be(project: Project) -> None:
    project.suite(ONE)
    text = project.evals().stdout.str()
    assert "once 'cases/demo/demo.yaml::one~small'" in text
    assert "once cases/demo/demo.yaml::one_more\n" in text


def test_the_cure_of_a_changed_call_records_that_case_alone(project: Project) -> None:
    project.suite(ONE)
    project.record().assert_outcomes(passed=3)
    project.suite(ONE, agent=OTHER_ADDER)
    result = project.evals()
    result.assert_outcomes(failed=3)
    cure = printed(result, "the change is intended ->")
    project.run(*cure).assert_outcomes(passed=1)
    project.evals().assert_outcomes(passed=1, failed=2)
    fixes = project.results["cases"][0]["trials"][0]["miss"]["fixes"]
    assert fixes[1]["do"].startswith("pytest --agent-evals --agent-record=all ")
    assert " -k " not in project.pytester.path.joinpath(".agentops/results.json").read_text()


def test_the_cure_for_an_extra_call_adds_it(project: Project) -> None:
    twice = "def adder(task, tools):\n    return [tools.call('sums.add', a=1, b=2) for _ in range(2)]\n"
    project.suite(ONE)
    project.record()
    project.suite(ONE, agent=twice)
    cure = printed(project.evals("-k", "one_more"), "keep what is recorded and add to it:")
    project.run(*cure).assert_outcomes(passed=1)
    project.evals("cases/demo/demo.yaml::one_more").assert_outcomes(passed=1)


def test_from_a_folder_below_the_root(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.suite(ONE)
    monkeypatch.chdir(project.path / "cases")
    cure = printed(project.evals(), "cure:")
    assert cure[-1].startswith("demo/demo.yaml::")
    project.run(*cure).assert_outcomes(passed=1)


def test_other_settings_of_the_command_line_are_repeated(project: Project) -> None:
    project.suite(ONE)
    project.write("other.ini", "[pytest]\n")
    (project.path / "cases").rename(project.path / "evals")
    args = (
        "-c",
        "other.ini",
        "--rootdir=.",
        "-o",
        "agentops_cases=evals",
        "-o",
        "agentops_trials=2",
        "-o",
        "console_output_style=count",
    )
    cure = printed(project.evals(*args), "cure:")
    assert cure[1:-2] == ["-o", "agentops_cases=evals", "-o", "agentops_trials=2", "-c", "other.ini", "--rootdir", "."]
    project.run(*cure).assert_outcomes(passed=1)


def test_running_again_what_was_not_recorded_records(project: Project) -> None:
    project.suite(
        "- {id: one, task: hello, agent: ./agent.py:lost}\n- {id: two, task: hello, expect: {output: {equals: bye}}}",
        agent="def echo(task, tools):\n    return task.text\ndef lost(task, tools):\n    raise OSError\n",
    )
    text = project.evals("--agent-record=once", "--agent-allow-live").stdout.str()
    assert not (project.path / "cassettes/demo/one/tools.yaml").exists(), "an agent that crashed did not end by itself"
    again = "--agent-record=once --agent-allow-live"
    assert f"run it again: pytest --agent-evals {again} cases/demo/demo.yaml::one\n" in text
    assert "run it again: pytest --agent-evals cases/demo/demo.yaml::two\n" in text, "its recording was kept"


def test_an_ordinary_test_needs_no_flag(project: Project) -> None:
    project.write(
        "test_eval.py",
        """
        import pytest

        @pytest.mark.parametrize("text", ["a b"])
        def test_one(agent_eval, text):
            agent_eval(text, agent=lambda task, tools: task.text, id=text)
        """,
    )
    result = project.run()
    cure = printed(result, "cure:")
    assert cure == ["--agent-record=once", "test_eval.py::test_one[a b]"]
    assert printed(result, "run it again:") == ["test_eval.py::test_one[a b]"]
    project.run(*cure).assert_outcomes(passed=1)
    project.run().assert_outcomes(passed=1)
