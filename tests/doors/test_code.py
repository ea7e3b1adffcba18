"""The code that suites name: where it is found, what of it is shared, and what is said when it cannot be had."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pytest_agentops import code
from pytest_agentops.errors import LoadError

from .conftest import HEAD, Project

ONE = "- {id: one, task: hello}"


def failing(project: Project, *lines: str) -> pytest.RunResult:
    """Collection fails with these lines, exit code 1."""
    result = project.evals()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"*{line}*" for line in lines])
    return result


def test_two_suites_with_files_of_one_name_that_import_each_other(project: Project) -> None:
    agent = """
from tools import NAME
from . import tools as same
import tools

def echo(task, box):
    assert same is tools
    return NAME
"""
    for name in ("first", "second"):
        project.suite(
            f"- {{id: one, task: hello, expect: {{output: {{equals: {name}}}, python: ./checks.py:ok}}}}",
            name=name,
            agent=agent,
            tools=f"NAME = {name!r}\n",
        )
        project.write(f"cases/{name}/checks.py", f"from .tools import NAME\ndef ok(run):\n    return NAME == {name!r}\n")
    before = set(sys.modules)
    project.record().assert_outcomes(passed=2)
    assert not {"tools", "agent", "checks"} & (set(sys.modules) - before)


def test_asserts_of_checks_are_rewritten(project: Project) -> None:
    project.suite("- {id: one, task: hello, expect: {python: './checks.py:wrong'}}")
    project.write("cases/demo/checks.py", "def wrong(run):\n    assert run.output == 'bye'\n")
    result = project.record()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*assert 'hello' == 'bye'*"])


def test_a_broken_file_beside_a_good_one(project: Project) -> None:
    project.suite(ONE)
    project.record().assert_outcomes(passed=1)
    project.suite("- {id: one, tsk: hello, expct: {}}", name="broken")
    result = failing(project, "broken.yaml:4:*'tsk'; did you mean 'task'", "broken.yaml:4:*'expct'; did you mean 'expect'")
    result.assert_outcomes(passed=1, errors=1)
    assert project.results["verdict"] == "fail"
    assert project.results["selection"] == "partial"


def test_two_suites_of_one_name(project: Project) -> None:
    project.suite(ONE)
    project.record()
    project.suite(ONE, name="other", head=HEAD + "suite: demo\n")
    failing(project, "cases/other/other.yaml:1:1: suite 'demo' is the name of cases/demo/demo.yaml too").assert_outcomes(
        passed=1, errors=1
    )


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        ("./agent.py:ecoh", "./agent.py:ecoh: there is no 'ecoh' in *; did you mean 'echo'"),
        ("./agnt.py:echo", "./agnt.py:echo: there is no file agnt.py in demo/; did you mean 'agent.py'"),
        ("./nowhere/agent.py:echo", "./nowhere/agent.py:echo: there is no file agent.py in nowhere/"),
        ("./my-agent.py:echo", "./my-agent.py:echo: 'my-agent' cannot be a module's name; rename the file"),
        ("no_such_module:echo", "no_such_module:echo: there is no module 'no_such_module'"),
        ("json.nothing:echo", "json.nothing:echo: there is no module 'json.nothing'"),
        ("./agent.py:NUMBER", "./agent.py:NUMBER is a int, no callable agent(task, tools)"),
        ("./agent.py:Empty", "./agent.py:Empty: its objects cannot be called as agent(task, tools)"),
        ("./agent.py:Needs", "./agent.py:Needs: it cannot be made: TypeError: *missing 1 required*"),
        ("./raises.py:echo", "./raises.py:echo: importing it failed: ValueError: no luck (raises.py:2)"),
        ("./imports.py:echo", "./imports.py:echo: importing it failed: No module named 'nothing_there' (imports.py:1)"),
        ("./syntax.py:echo", "./syntax.py:echo: importing it failed: SyntaxError: *(syntax.py:2)"),
        ("./deep.py:echo", "./deep.py:echo: importing it failed: JSONDecodeError: *(deep.py:2)"),
        ("{openia: {}}", "no agent is registered as 'openia'; did you mean 'openai'"),
        ("{openai: {temprature: 0}}", "agent openai: unknown option 'temprature'; did you mean 'temperature'?"),
        ("{transcript: {speed: 2}}", "the agent 'transcript' takes no options, found speed"),
    ],
)
def test_an_agent_that_cannot_be_had(project: Project, ref: str, said: str) -> None:
    more = "NUMBER = 5\nclass Empty: pass\nclass Needs:\n    def __init__(self, x): pass\n    def __call__(self, t, b): pass\n"
    path = project.suite(ONE, head=f"version: 1\nagent: {ref}\n", agent=f"def echo(task, tools): pass\n{more}")
    folder = path.parent.relative_to(project.path)
    project.write(f"{folder}/raises.py", "x = 1\nraise ValueError('no luck')\n")
    project.write(f"{folder}/imports.py", "import nothing_there\n")
    project.write(f"{folder}/syntax.py", "x = 1\ndef echo(:\n")
    project.write(f"{folder}/deep.py", "import json\njson.loads('{')\n")
    project.write(f"{folder}/my-agent.py", "")
    failing(project, f"cases/demo/demo.yaml:2:1: {said}")


def test_code_that_cannot_be_had_is_shown_where_it_is_named(project: Project) -> None:
    project.suite(
        """
- {id: one, task: hello}
- id: two
  task: hello
  agent: ./agent.py:nobody
  expect:
    python: ./checks.py:gone
- {id: three, task: hello, tools: ./tools.py:nothing}
- id: four
  task: hello
  matrix:
    agent: [./agent.py:echo, ./agent.py:adder, ./agent.py:missing]
""",
        head="version: 1\ndefaults:\n  agent: ./agent.py:echo\ntools:\n  - ./tools.py:add\n  - ./tools.py:ad\n",
    )
    project.write("cases/demo/checks.py", "")
    failing(
        project,
        "cases/demo/demo.yaml:6:5: ./tools.py:ad: there is no 'ad' in *",
        "cases/demo/demo.yaml:11:3: ./agent.py:nobody: there is no 'nobody' in *",
        "cases/demo/demo.yaml:14:28: ./tools.py:nothing: there is no 'nothing' in *",
        "cases/demo/demo.yaml:18:48: ./agent.py:missing: there is no 'missing' in *",
    )
    project.suite("- {id: one, task: hello}\n- id: two\n  task: hello\n  expect: {python: ['./checks.py:gone']}\n")
    failing(project, "cases/demo/demo.yaml:7:12: ./checks.py:gone: there is no 'gone' in *")


def test_a_case_without_an_agent_is_shown_at_its_place(project: Project) -> None:
    project.suite("- {id: one, task: hello}\n- {id: two, task: hello, agent: null}", head="version: 1\n")
    failing(project, "cases/demo/demo.yaml:3:1: no agent: say `agent:` for the suite or the case; *")


def test_no_agent(project: Project) -> None:
    project.suite(ONE, head="version: 1\n")
    failing(project, "cases/demo/demo.yaml:3:1: no agent: say `agent:` for the suite or the case")


def test_every_mistake_once(project: Project) -> None:
    project.suite(
        "- {id: a, task: x}\n- {id: b, task: x}\n- {id: c, task: x, agent: './gone.py:x'}",
        head="version: 1\nagent: ./agent.py:no\n",
    )
    result = failing(project, "demo.yaml:2:1: ./agent.py:no: there is no 'no'*", "demo.yaml:6:20: ./gone.py:x: there is no file*")
    assert str(result.stdout).count("there is no 'no'") == 1


def test_a_class_of_agents_and_an_async_one(project: Project) -> None:
    project.suite(
        "- {id: one, task: hello, expect: {output: {equals: hello}}}\n- {id: two, task: hello, agent: './agent.py:later'}",
        head="version: 1\nagent: ./agent.py:Agent\n",
        agent="""
class Agent:
    def __call__(self, task, tools):
        return task.text

async def later(task, tools):
    return "x"
""",
    )
    project.record().assert_outcomes(passed=2)


def test_checks_and_tools_that_are_none(project: Project) -> None:
    project.suite("- {id: one, task: hello, expect: {python: './agent.py:NUMBER'}}", agent="NUMBER = 5\ndef echo(t, b): pass\n")
    failing(project, "demo.yaml:4:35: python: ./agent.py:NUMBER is a int, no function")
    project.suite("- {id: one, task: hello, tools: {some: {}}}")
    failing(project, "demo.yaml:4:26: tools: no registered tools take options in this version")


def test_a_suite_without_tools_and_one_of_yaml_tools(project: Project) -> None:
    contracts = """contracts:
  sums.add:
    parameters: {type: object, properties: {a: {type: integer}, b: {type: integer}}}
    effect: read
    tier: 0
    answers: [{result: 3}]
"""
    project.suite(
        "- {id: one, task: hello}\n- {id: two, task: add, agent: './agent.py:adder', expect: {output: {equals: 3}}}",
        head=HEAD + contracts,
    )
    project.record().assert_outcomes(passed=2)
    project.evals().assert_outcomes(passed=2)


def test_imports_may_not_reach_out(project: Project) -> None:
    connects = "import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=1)\ndef echo(t, b): pass\n"
    project.suite(ONE, agent=connects)
    failing(project, "./agent.py:echo: importing it failed: NetworkBlocked*(agent.py:2)")


def test_a_setup_that_nobody_reads_is_a_warning(project: Project) -> None:
    with_setup = "- {id: one, task: hello, setup: {orders: {}}, trials: 2, tools: './tools.py:%s', agent: './agent.py:%s'%s}"
    agent = "def echo(task, tools):\n    return 'x'\ndef reads(task, tools):\n    return sorted(task.setup)\n"
    tools = """
from pytest_agentops import Toolbox, tool

@tool("sums.add", effect="read", tier=0)
def add(a: int, b: int) -> int:
    return a + b

def factory(setup):
    return Toolbox([add])
"""
    project.write(
        "conftest.py",
        "import pytest\n@pytest.fixture\ndef asks(agent_case):\n    assert agent_case.fields.setup == {'orders': {}}\n",
    )
    project.write("pytest.ini", "[pytest]\nfilterwarnings = default\n")
    for tool, agent_name, more, warned in (
        ("add", "echo", "", 1),
        ("factory", "echo", "", 0),
        ("add", "reads", "", 0),
        ("add", "echo", ", fixtures: [asks]", 0),
    ):
        project.suite(with_setup % (tool, agent_name, more), agent=agent, tools=tools)
        result = project.evals("--agent-record=all")
        result.assert_outcomes(passed=1, warnings=warned)
        if warned:
            result.stdout.fnmatch_lines(["*cases/demo/demo.yaml:4: PytestWarning: setup: nobody reads it*"])


def test_code_is_loaded_once(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("import two\nvalue = object()\nclass A:\n    b = 1\n")
    (tmp_path / "two.py").write_text("value = object()\n")
    assert code.load("./one.py:value", tmp_path) is code.load("one.py:value", tmp_path)
    assert code.load("./one.py:two.value", tmp_path) is code.load("./two.py:value", tmp_path)
    assert code.load("./one.py:A.b", tmp_path) == 1
    assert code.load("json:loads", tmp_path).__name__ == "loads"
    with pytest.raises(LoadError, match="there is no 'c' in A"):
        code.load("./one.py:A.c", tmp_path)
    assert str(tmp_path) not in sys.path


def test_a_module_of_the_same_name_that_was_there_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import colorsys

    (tmp_path / "colorsys.py").write_text("value = 1\n")
    assert code.load("./colorsys.py:value", tmp_path) == 1
    assert sys.modules["colorsys"] is colorsys
