"""Trials: fresh fixtures for each, one set of reports for all, and what other plugins do with them."""

from __future__ import annotations

import re

import pytest

from .conftest import HEAD, Project

TELLING = """
import pytest

@pytest.fixture(scope="session")
def sess():
    print("sess+"); yield; print("sess-")

@pytest.fixture(scope="module")
def mod(sess):
    print("mod+"); yield; print("mod-")

@pytest.fixture(autouse=True)
def auto(request):
    if request.node.name != "plain":
        print("auto+")
    yield
    print("auto-")

@pytest.fixture
def shop(mod):
    print("shop+"); yield; print("shop-")
"""
TALKER = """
def echo(task, tools):
    print("run")
    return task.text

counter = iter(range(1, 100))

def flaky(task, tools):
    return "hello" if next(counter) != 2 else "bye"

def second_time(task, tools):
    return "bye" if next(counter) == 1 else "hello"
"""
RERUNS = ("-p", "pytest_rerunfailures", "--reruns", "1")
HELLO = "expect: {output: {equals: hello}}"


def told(result: pytest.RunResult) -> list[str]:
    """What the fixtures and the agent said, in its order."""
    lines = [line.lstrip(".") for line in result.outlines]
    return [line for line in lines if re.fullmatch(r"(sess|mod|auto|shop)[+-]|run", line)]


def test_every_trial_has_fresh_fixtures(project: Project) -> None:
    project.write("conftest.py", TELLING)
    project.suite(
        """
        - {id: thrice, task: hello, trials: 3, fixtures: [shop]}
        - {id: once, task: hello, fixtures: [shop]}
        """,
        agent=TALKER,
    )
    project.record().assert_outcomes(passed=2)
    one = ["auto+", "shop+", "run", "shop-", "auto-"]
    found = told(project.evals("-s", "-q"))
    assert found == ["sess+", "mod+", *one * 4, "mod-", "sess-"]
    assert [run["trial"] for run in project.results["cases"][1]["trials"]] == [1, 2, 3]
    assert project.results["metrics"]["runs"] == 4
    assert (project.path / "cassettes/demo/thrice.t3/tools.yaml").is_file()


def test_what_an_agent_changes_is_its_own(project: Project) -> None:
    """Two files with one head, as they come from the parsed cache: neither a trial nor a case sees what another left behind."""
    agent = """
def agent(task, tools):
    task.setup["seen"].append("me")
    task.context["seen"].append("me")
    return f"{len(task.setup['seen'])} {len(task.context['seen'])}"
"""
    project.write("cases/agent.py", agent)
    for name in ("one", "two"):
        project.write(
            f"cases/{name}.yaml",
            f"""
version: 1
suite: {name}
agent: ./agent.py:agent
contracts: {{look.up: {{effect: read, tier: 0, answers: [{{result: []}}]}}}}
defaults:
  setup: {{seen: []}}
  context: {{seen: []}}
  trials: 2
  expect: {{output: {{equals: "1 1"}}}}
cases:
  - {{id: a, task: hello}}
  - {{id: b, task: hello}}
""",
        )
    for _ in range(2):
        project.evals().assert_outcomes(passed=4)


def test_trials_are_judged_together(project: Project) -> None:
    project.suite(
        """
        - {id: all, task: hello, trials: 3, agent: ./agent.py:flaky, expect: {output: {equals: hello}}}
        """,
        agent=TALKER,
    )
    result = project.record()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*2 of 3 trials passed, wanted 3 of 3 trials*", "*run it again: pytest --agent-evals*"])
    assert [run["success"] for run in project.results["cases"][0]["trials"]] == [True, False, True]


def test_pass_if(project: Project) -> None:
    project.suite(
        f"""
        - {{id: most, task: hello, trials: 3, pass_if: {{rate: 0.6}}, agent: ./agent.py:flaky, {HELLO}}}
        """,
        agent=TALKER,
    )
    project.record().assert_outcomes(passed=1)
    assert project.results["metrics"]["pass_hat_k"]["1"] == pytest.approx(2 / 3, abs=1e-6)


def test_the_number_of_trials_from_the_command_line(project: Project) -> None:
    project.suite("- {id: one, task: hello}\n- {id: two, task: hello, trials: 2}")
    project.record("--agent-trials=3").assert_outcomes(passed=2)
    assert [len(case["trials"]) for case in project.results["cases"]] == [3, 3]
    project.evals("--agent-trials=1").assert_outcomes(passed=2)
    assert [len(case["trials"]) for case in project.results["cases"]] == [1, 1]
    project.write("pytest.ini", "[pytest]\nagentops_trials = 2\n")
    project.evals().assert_outcomes(passed=2)
    assert project.results["metrics"]["runs"] == 4


@pytest.mark.parametrize(("phase", "when"), [("before", "setup"), ("after", "teardown")])
def test_an_error_around_the_second_trial_ends_the_case(project: Project, phase: str, when: str) -> None:
    project.write(
        "conftest.py",
        f"""
        import pytest
        count = iter(range(1, 10))

        @pytest.fixture
        def db():
            number, phase = next(count), {phase!r}
            if number == 2 and phase == "before":
                raise OSError("no database")
            yield
            if number == 2:
                raise OSError("no database")
        """,
    )
    project.suite("- {id: thrice, task: hello, trials: 3, fixtures: [db]}")
    result = project.record()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*ERROR at {when} of thrice*", "*OSError: no database"])
    case = project.results["cases"][0]
    assert case["status"] == "error"
    assert [run["trial"] for run in case["trials"]] == ([1] if phase == "before" else [1, 2])
    assert project.results["verdict"] == "fail"


def test_a_teardown_error_after_a_pass(project: Project) -> None:
    project.write("conftest.py", "import pytest\n@pytest.fixture\ndef db():\n    yield\n    raise OSError('gone')\n")
    project.suite("- {id: one, task: hello, fixtures: [db]}")
    result = project.record()
    result.assert_outcomes(passed=1, errors=1)
    assert project.statuses == {"one": "error"}
    assert project.results["metrics"]["runs"] == 1
    assert project.results["cases"][0]["trials"][0]["success"], "the agent did its part"
    result.stdout.re_match_lines([r"suite +success +errors ", r"demo +100 % \(1/1\) +1 ", r"error: 1 case\(s\) .*: demo/one"])


@pytest.mark.parametrize("trials", [1, 2])
def test_statuses(project: Project, trials: int) -> None:
    wrong = "expect: {output: {equals: bye}}"
    project.suite(f"""
        - {{id: bad, task: hello, trials: {trials}, {wrong}}}
        - {{id: good, task: hello, trials: {trials}}}
        - {{id: known, task: hello, trials: {trials}, xfail: "not yet", {wrong}}}
        - {{id: later, task: hello, trials: {trials}, skip: "not now"}}
        - {{id: lost, task: hello, trials: {trials}, fixtures: [nothing]}}
        - {{id: solved, task: hello, trials: {trials}, xfail: "not yet"}}
    """)
    result = project.record("-rsxX")
    result.assert_outcomes(passed=1, failed=1, errors=1, skipped=1, xfailed=1, xpassed=1)
    result.stdout.fnmatch_lines(["SKIPPED*not now*", "XFAIL*known - not yet*", "XPASS*solved - not yet*"], consecutive=False)
    assert project.statuses == {
        "bad": "failed",
        "good": "passed",
        "known": "xfailed",
        "later": "skipped",
        "lost": "error",
        "solved": "xpassed",
    }
    runs = {case["id"]: len(case["trials"]) for case in project.results["cases"]}
    assert runs == {f"demo/{name}": trials for name in ("bad", "good", "known", "solved")} | {"demo/later": 0, "demo/lost": 0}
    assert project.results["metrics"]["successes"] == 2 * trials


@pytest.mark.parametrize("trials", [1, 2])
def test_set_up_only(project: Project, trials: int) -> None:
    project.write("conftest.py", "import pytest\n@pytest.fixture\ndef db():\n    return 1\n")
    project.suite(f"- {{id: one, task: hello, trials: {trials}, fixtures: [db]}}", agent=TALKER)
    for option in ("--setup-only", "--setup-plan"):
        result = project.evals(option)
        result.stdout.fnmatch_lines(["*SETUP    F db*", "*TEARDOWN F db*"])
        result.stdout.no_fnmatch_line("run")
    assert not (project.path / ".agentops/results.json").exists()
    project.record()
    project.evals("--setup-show").stdout.fnmatch_lines(["*SETUP    F db*"])


def test_exit_first_after_several_trials(project: Project) -> None:
    project.suite("- {id: one, task: hello, trials: 2, expect: {output: {equals: bye}}}\n- {id: two, task: hello}")
    project.record().assert_outcomes(failed=1, passed=1)
    project.evals("-x").assert_outcomes(failed=1)


def test_reruns_of_a_single_trial_are_runs_of_their_own(project: Project) -> None:
    project.suite(
        f"- {{id: one, task: hello, agent: ./agent.py:second_time, {HELLO}}}\n- {{id: two, task: hello, agent: ./agent.py:echo}}",
        agent=TALKER,
    )
    result = project.evals(*RERUNS, "--agent-record=all")
    result.stdout.fnmatch_lines(["*2 passed, 1 rerun*"])
    case = project.results["cases"][0]
    assert case["status"] == "passed"
    assert [(run["trial"], run["success"]) for run in case["trials"]] == [(1, False), (2, True)]
    assert project.results["metrics"]["runs"] == 3
    assert project.results["verdict"] == "pass"


def test_reruns_leave_several_trials_alone_and_it_is_said(project: Project) -> None:
    project.suite(
        f"- {{id: one, task: hello, trials: 3, agent: ./agent.py:flaky, {HELLO}}}",
        agent=TALKER,
    )
    result = project.evals(*RERUNS, "--agent-record=all")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["reruns: 1 case(s) have trials of their own, which --reruns leaves alone: demo/one"])
    project.write("pytest.ini", "[pytest]\nreruns = 1\n")
    project.evals("-p", "pytest_rerunfailures").stdout.fnmatch_lines(["reruns: 1 case(s)*"])


def test_a_rerun_after_an_error_of_setup(project: Project) -> None:
    project.write(
        "conftest.py",
        """
        import pytest
        count = iter(range(1, 10))

        @pytest.fixture
        def db():
            if next(count) == 1:
                raise OSError("no database")
        """,
    )
    project.suite("- {id: one, task: hello, fixtures: [db]}")
    project.evals(*RERUNS, "--agent-record=all").assert_outcomes(passed=1)
    assert project.statuses == {"one": "passed"}
    assert project.results["metrics"]["runs"] == 1


def test_an_agent_of_no_use_in_every_trial(project: Project) -> None:
    project.write("conftest.py", "import pytest\n@pytest.fixture\ndef odd():\n    return 5\n")
    project.suite("- {id: one, task: hello, agent: odd, trials: 2}")
    result = project.record()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*the fixture 'odd' gave a int, no callable agent(task, tools)*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_junit_says_what_a_case_is(project: Project) -> None:
    project.suite("- {id: one, task: hello, trials: 2}\n- {id: bad, task: hello, expect: {output: {equals: bye}}}")
    project.record("--junit-xml=junit.xml")
    found = project.junit()
    assert found["one"]["agentops.file"] == "cases/demo/demo.yaml"
    assert found["one"]["agentops.line"] == str(len(HEAD.splitlines()) + 2)
    assert found["one"]["agentops.trials"] == "2"
    assert found["bad"]["agentops.failed_checks"] == "output"


def test_an_agent_cannot_end_the_session(project: Project) -> None:
    project.suite(
        "- {id: one, task: hello, trials: 2}\n- {id: two, task: hello}",
        agent="import pytest\ndef echo(task, tools):\n    pytest.exit('enough')\n",
    )
    result = project.record()
    result.assert_outcomes(failed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*the agent raised Exit: enough*"])
    assert [len(case["trials"]) for case in project.results["cases"]] == [2, 1]


def test_leaving_the_debugger_in_an_agent_ends_the_session(project: Project) -> None:
    project.suite(
        "- {id: one, task: hello, trials: 2}\n- {id: two, task: hello}",
        agent="import pytest\ndef echo(task, tools):\n    pytest.exit('Quitting debugger')\n",
    )
    result = project.record()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*Quitting debugger*"])
