"""Fixtures as agents, tools and surroundings of a case: pytest's own, of every scope."""

from __future__ import annotations

import pytest

from .conftest import HEAD, Project

FIXTURES = """
import pytest
from pytest_agentops import Toolbox, tool

made = []

@tool("sums.add", effect="read", tier=0)
def add(a: int, b: int) -> int:
    return a + b

@pytest.fixture(scope="SCOPE")
def my_agent():
    made.append("agent")
    return lambda task, tools: tools.call("sums.add", a=1, b=2)

@pytest.fixture(scope="SCOPE")
def my_tools():
    yield KIND

@pytest.fixture(scope="session", autouse=True)
def tell():
    yield
    print("made", len(made))
"""
CASES = """
- {id: one, task: add, expect: {output: {equals: 3}}}
- {id: two, task: add, trials: 2, expect: {output: {equals: 3}}}
"""


@pytest.mark.parametrize(("scope", "made"), [("function", 3), ("class", 3), ("module", 1), ("package", 1), ("session", 1)])
def test_agent_and_tools_of_every_scope(project: Project, scope: str, made: int) -> None:
    project.write("conftest.py", FIXTURES.replace("SCOPE", scope).replace("KIND", "add"))
    project.suite(CASES, head="version: 1\nagent: my_agent\ntools: my_tools\n")
    result = project.record("-s")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines([f"*made {made}"])


@pytest.mark.parametrize("kind", ["[add]", "Toolbox([add])", "lambda: Toolbox([add])", "lambda setup: [add]"])
def test_what_a_fixture_of_tools_may_give(project: Project, kind: str) -> None:
    project.write("conftest.py", FIXTURES.replace("SCOPE", "session").replace("KIND", kind))
    project.suite(CASES, head="version: 1\nagent: my_agent\ntools: [my_tools]\n")
    project.record().assert_outcomes(passed=2)
    project.evals().assert_outcomes(passed=2)


def test_a_conftest_beside_the_suite(project: Project) -> None:
    project.suite("- {id: one, task: add}", head="version: 1\nagent: my_agent\ntools: my_tools\n")
    project.write("cases/demo/conftest.py", FIXTURES.replace("SCOPE", "module").replace("KIND", "add"))
    project.record().assert_outcomes(passed=1)


def test_a_name_that_is_no_fixture_is_pytests_own_error(project: Project) -> None:
    project.write("conftest.py", "import pytest\n@pytest.fixture\ndef support_agent():\n    pass\n")
    project.suite("- {id: one, task: hello, agent: suport_agent}\n- {id: two, task: hello, fixtures: [nothing]}")
    result = project.evals()
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(
        [
            "file *cases/demo/demo.yaml, line 4*",
            "E       fixture 'suport_agent' not found",
            ">       available fixtures:*support_agent*",
            "E       fixture 'nothing' not found",
        ]
    )
    result.stdout.no_fnmatch_line("*run_case*")
    result.stdout.no_fnmatch_line("*collect.py*")


@pytest.mark.parametrize(
    ("head", "says"),
    [
        ("agent: openal\n", "agent: 'openal' is neither a registered agent (*openai*) nor a fixture; did you mean 'openai'?; *"),
        ("agent: ./agent.py:echo\ntools: shop\n", "tools: 'shop' is no fixture; tools in a file are named ./tools.py:my_tools"),
    ],
)  # fmt: skip
def test_a_name_that_is_no_fixture_may_have_meant_something_else(head: str, says: str, project: Project) -> None:
    project.suite("- {id: one, task: hello}", head=f"version: 1\n{head}")
    result = project.evals()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([says])


def test_the_built_in_agent_needs_a_model_before_anything_runs(project: Project) -> None:
    cases = "- {id: one, task: hello}\n- {id: two, task: hello, model: gpt-5-mini}\n"
    project.suite(cases, head="version: 1\nagent: openai\n")
    result = project.evals()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["cases/demo/demo.yaml:2:1: case one: agent openai: no model is named; say `model:` in the case*"]
    )
    assert project.evals("--agent-model=gpt-5-nano").parseoutcomes() == {"failed": 2}, (
        "it has one: only the recordings are missing"
    )


def test_a_parametrized_fixture_is_for_a_matrix(project: Project) -> None:
    project.write(
        "conftest.py", "import pytest\n@pytest.fixture(params=[1, 2], autouse=True)\ndef db(request):\n    return request.param\n"
    )
    project.suite("- {id: one, task: hello}")
    result = project.evals()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*a parametrized fixture cannot reach a case: write its values as `matrix:` in demo.yaml"])


def test_agent_case_gives_the_case_or_none(project: Project) -> None:
    project.write(
        "conftest.py",
        """
        import pytest

        @pytest.fixture(autouse=True)
        def look(agent_case):
            print("case", None if agent_case is None else (agent_case.name, agent_case.trials, agent_case.fields.context))
        """,
    )
    project.suite("- {id: one, task: hello, context: {tier: gold}}")
    project.write("cases/demo/test_plain.py", "def test_plain(): pass")
    result = project.record("-s", "cases/demo", "--agent-trials=2")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*case ('one', 2, {'tier': 'gold'})", "*case None"])


def test_use_fixtures_and_their_set_up_order(project: Project) -> None:
    project.write(
        "conftest.py",
        """
        import os
        import pytest

        @pytest.fixture
        def db():
            os.environ["DB"] = "up"
            yield
            del os.environ["DB"]
        """,
    )
    project.suite(
        "- {id: one, task: hello, fixtures: [db, tmp_path], expect: {output: {equals: up}}}",
        agent="import os\ndef echo(task, tools):\n    return os.environ.get('DB')\n",
    )
    project.record().assert_outcomes(passed=1)
    project.evals("--fixtures-per-test").stdout.fnmatch_lines(["*fixtures used by one*", "db*"])


def test_hooks_of_a_conftest_add_an_agent_a_check_and_a_report(project: Project) -> None:
    hooks = """
    from pytest_agentops import CheckResult

    def shouter(loud=False):
        return lambda task, tools: task.text.upper() + "!" * loud

    def length(wanted, run, context):
        return context.result(len(run.output) <= wanted["max"], measured=len(run.output), wanted=wanted, why="too long")

    def count(results, path):
        path.write_text(str(results.read_text().count('"id"')))

    def pytest_agentops_agents(config):
        return {"shouter": shouter}

    def pytest_agentops_checks(config):
        return {"length": length}

    def pytest_agentops_reports(config):
        return {"count": count}
    """
    project.write("conftest.py", hooks)
    project.suite(
        """
        - {id: one, task: hello, expect: {length: {max: 5}, output: {equals: HELLO}}}
        - {id: loud, task: hello, agent: {shouter: {loud: true}}, expect: {length: {max: 5}}}
        """,
        head="version: 1\nagent: shouter\n",
    )
    result = project.record("--agent-report=count:count.txt")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*check length failed*", "*too long*"])
    assert (project.path / "count.txt").read_text() == "2"
    project.suite("- {id: one, task: hello, agent: {shouter: {quiet: true}}}")
    project.evals().stdout.fnmatch_lines(["*demo.yaml:4:26: agent shouter: it cannot be made of these options: *quiet*"])


def test_hooks_of_a_conftest_beside_the_suite(project: Project) -> None:
    project.suite("- {id: one, task: hello}", name="afirst")
    project.suite("- {id: one, task: hello, expect: {output: {equals: X}}}", head="version: 1\nagent: shouter\n")
    project.write(
        "cases/demo/conftest.py", "def pytest_agentops_agents(config):\n    return {'shouter': lambda: lambda t, b: 'X'}\n"
    )
    project.write("pytest.ini", "[pytest]\ntestpaths = nowhere\n")
    project.record("-W", "ignore").assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("{'transcript': dict}", "two agents are registered as 'transcript': rename one of them"),
        ("{'shouter': lambda: 5}", "agent shouter: its factory gave a int, no callable agent(task, tools)"),
    ],
)
def test_agents_that_cannot_be_registered(project: Project, made: str, said: str) -> None:
    project.write("conftest.py", f"def pytest_agentops_agents(config):\n    return {made}\n")
    project.suite("- {id: one, task: hello, agent: shouter}")
    result = project.evals()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*{said}*"])


def package(project: Project, entry: str) -> None:
    """An installed package with one entry point."""
    project.write("site/extra-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: extra\nVersion: 1.0\n")
    project.write("site/extra-1.0.dist-info/entry_points.txt", entry)
    project.write("site/extra.py", "def shouter():\n    return lambda task, tools: task.text.upper()\n")
    project.pytester.syspathinsert(project.path / "site")


def test_entry_points_add_agents(project: Project) -> None:
    package(project, "[pytest_agentops.agents]\nshouter = extra:shouter\n")
    project.suite("- {id: one, task: hello, agent: shouter, expect: {output: {equals: HELLO}}}")
    project.record().assert_outcomes(passed=1)


def test_an_entry_point_that_does_not_load(project: Project) -> None:
    package(project, "[pytest_agentops.checks]\nlength = extra:nothing\n")
    project.suite("- {id: one, task: hello}")
    result = project.evals()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["length of the entry points pytest_agentops.checks cannot be loaded (extra:nothing): AttributeError*"]
    )


def test_a_call_that_comes_too_late_is_in_the_results(project: Project) -> None:
    agent = """
import threading, time

def echo(task, tools):
    def later():
        time.sleep(0.6)
        try:
            tools.call("sums.add", a=1, b=2)
        except Exception:
            pass
    threading.Thread(target=later).start()
    return "done"

def waits(task, tools):
    time.sleep(0.8)
"""
    project.suite(
        "- {id: one, task: x}\n- {id: two, task: x, agent: './agent.py:waits'}",
        head=HEAD + "tools: ./tools.py:add\n",
        agent=agent,
    )
    result = project.evals("--agent-mode=live")
    result.assert_outcomes(passed=2, errors=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert project.statuses == {"one": "error", "two": "passed"}
    assert project.results["verdict"] == "fail"
