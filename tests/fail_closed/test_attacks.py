"""Ways to be green for a run that must be red, each tried once by somebody who meant harm."""

from __future__ import annotations

import textwrap

import pytest

TOOLS = """
from typing import Literal
from pytest_agentops import tool

WORLD = {"W-1": "open"}

@tool("orders.get", effect="read")
def get(order_id: Literal["W-1", "W-2"]) -> dict:
    return {"id": order_id, "status": WORLD.get(order_id)}

@tool("orders.close", effect="write")
def close(order_id: str) -> dict:
    import pathlib
    pathlib.Path("tripped").open("a").write("x")
    return {"id": order_id}

SHOP = [get, close]
"""

SUITE = """
version: 1
suite: s
agent: ./agent.py:agent
tools: ./tools.py:SHOP
cases:
- id: one
  task: go
"""


class Attack:
    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        (pytester.path / "cases").mkdir()
        self.write("tools.py", TOOLS)

    def write(self, name: str, text: str) -> None:
        (self.pytester.path / "cases" / name).write_text(textwrap.dedent(text))

    def agent(self, body: str) -> None:
        self.write("agent.py", "def agent(task, tools):\n" + textwrap.indent(textwrap.dedent(body), "    "))

    def suite(self, more: str = "") -> None:
        self.write("s.yaml", SUITE + textwrap.indent(textwrap.dedent(more), "  "))

    def run(self, *options: str) -> pytest.RunResult:
        return self.pytester.runpytest_subprocess("--agent-evals", "-p", "no:randomly", *options)


@pytest.fixture
def attack(pytester: pytest.Pytester) -> Attack:
    return Attack(pytester)


BOTH = """
tools.call("orders.get", order_id="W-1")
tools.call("orders.close", order_id="W-1")
return "done"
"""


def test_a_blocked_call_does_not_excuse_a_write_that_was_not_made(attack: Attack) -> None:
    attack.agent(BOTH)
    attack.suite()
    attack.run("--agent-record=once").assert_outcomes(passed=1)
    attack.agent('tools.attempt("orders.get", {"order_id": "W-1 "})\nreturn "done"')
    attack.run().assert_outcomes(failed=1)


def test_a_pass_rule_allows_for_no_missing_recording(attack: Attack) -> None:
    attack.agent(BOTH)
    attack.suite("trials: 2\npass_if: {rate: 0.5}")
    attack.run("--agent-record=once").assert_outcomes(passed=1)
    folder = attack.pytester.path / "cassettes" / "s" / "one.t2"
    (folder / "tools.yaml").unlink()
    folder.rmdir()
    attack.run().assert_outcomes(failed=1)


def test_a_factory_cannot_skip_the_case(attack: Attack) -> None:
    attack.agent('return "done"')
    attack.suite()
    attack.run("--agent-record=once").assert_outcomes(passed=1)
    attack.write("tools.py", 'import pytest\n\ndef SHOP():\n    pytest.skip("no service")\n')
    attack.run().assert_outcomes(failed=1)


def test_a_fixture_cannot_skip_away_the_trials_before(attack: Attack) -> None:
    attack.agent('return "done"')
    attack.suite("trials: 2\nfixtures: [moody]")
    attack.pytester.makeconftest(
        """
        import pytest
        seen = []

        @pytest.fixture
        def moody():
            seen.append(1)
            if len(seen) == 2:
                pytest.skip("not now")
        """
    )
    attack.run("--agent-record=once").assert_outcomes(errors=1)


def test_a_recording_with_a_model_layer_is_not_replayed_without_it(attack: Attack) -> None:
    attack.agent(BOTH)
    attack.suite()
    attack.run("--agent-record=once").assert_outcomes(passed=1)
    tape = attack.pytester.path / "cassettes" / "s" / "one" / "tools.yaml"
    tape.write_text(tape.read_text().replace("layers: [tools]", "layers: [tools, model]"))
    result = attack.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*it has a model layer*"])


def test_the_agents_toolbox_leads_past_the_guard_nowhere(attack: Attack) -> None:
    attack.agent('return str(tools.tool("orders.close").function)')
    attack.suite("expect: {output: {equals: 'None'}}")
    attack.run("--agent-record=once").assert_outcomes(passed=1)
    attack.run().assert_outcomes(passed=1)
    assert not (attack.pytester.path / "tripped").exists()


def test_new_episodes_read_no_world_that_never_was(attack: Attack) -> None:
    attack.agent('tools.call("orders.close", order_id="W-1")\nreturn "done"')
    attack.suite()
    attack.run("--agent-record=once").assert_outcomes(passed=1)
    attack.agent('tools.call("orders.close", order_id="W-1")\ntools.call("orders.get", order_id="W-1")\nreturn "done"')
    attack.run("--agent-record=new_episodes").assert_outcomes(failed=1)


def test_a_placeholder_made_up_by_the_agent_passes_no_schema(attack: Attack) -> None:
    attack.agent('return str(tools.attempt("orders.get", {"order_id": "<<x:1>>"}).error["reason"])')
    attack.suite("expect: {output: {equals: schema_invalid}}")
    attack.run("--agent-mode=live").assert_outcomes(passed=1)


def test_xfail_is_as_strict_as_the_project_says(attack: Attack) -> None:
    attack.pytester.makeini("[pytest]\nxfail_strict = true\n")
    attack.agent('return "done"')
    attack.suite("xfail: it does not work yet")
    attack.run("--agent-record=once").assert_outcomes(failed=1)


def test_a_check_may_not_reach_out_in_replay(attack: Attack) -> None:
    attack.agent('return "done"')
    attack.suite("expect: {python: ./checks.py:judge}")
    attack.write("checks.py", "import socket\n\ndef judge(run):\n    socket.create_connection(('127.0.0.1', 9), 1)\n")
    attack.run("--agent-record=once").assert_outcomes(failed=1)
    result = attack.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*network is off in replay*"])


def test_a_secret_of_the_environment_stays_out_of_what_a_factory_says(attack: Attack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "hunter2hunter2")
    attack.agent('return "done"')
    attack.suite()
    attack.write("tools.py", "import os\n\ndef SHOP():\n    raise RuntimeError('login failed: ' + os.environ['DB_PASSWORD'])\n")
    result = attack.run("--agent-mode=live")
    result.assert_outcomes(failed=1)
    work = attack.pytester.path / ".agentops"
    written = "".join(p.read_text() for p in [work / "results.json", *work.glob("runs/s/*.jsonl")])
    assert "hunter2" not in written + result.stdout.str()


def test_tokens_that_nobody_stated_are_unknown(attack: Attack) -> None:
    attack.agent('from decimal import Decimal\ntask.session.answered(None, Decimal("0.01"), "m")\nreturn "done"')
    attack.suite("expect: {cost: {tokens: {max: 10}}}")
    attack.run("--agent-record=once").assert_outcomes(failed=1)
