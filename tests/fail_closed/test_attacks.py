"""Ways to be green for a run that must be red, each tried once by somebody who meant harm."""

from __future__ import annotations

import pytest

STRICT = (
    "contracts: {orders.get: {parameters: {type: object, properties: {order_id: {enum: [W-1, W-2]}}, required: [order_id]}}}\n"
)
KEY = "sk-abcdefghijklmnopqrstuvwx0123456789ABCDEFGHIJKLMN"

BOTH = """
tools.call("orders.get", order_id="W-1")
tools.call("orders.close", order_id="W-1")
return "done"
"""


def test_a_blocked_call_does_not_excuse_a_write_that_was_not_made(place) -> None:
    place.agent(BOTH)
    place.suite(head=STRICT)
    place.run("--agent-record=once").assert_outcomes(passed=1)
    place.agent('tools.attempt("orders.get", {"order_id": "W-1 "})\nreturn "done"')
    place.run().assert_outcomes(failed=1)


def test_a_pass_rule_allows_for_no_missing_recording(place) -> None:
    place.agent(BOTH)
    place.suite("trials: 2\npass_if: {rate: 0.5}")
    place.run("--agent-record=once").assert_outcomes(passed=1)
    folder = place.tape.parent.with_name("one.t2")
    (folder / "tools.yaml").unlink()
    folder.rmdir()
    place.run().assert_outcomes(failed=1)


def test_a_factory_cannot_skip_the_case(place) -> None:
    place.agent('return "done"')
    place.suite()
    place.run("--agent-record=once").assert_outcomes(passed=1)
    place.write("tools.py", 'import pytest\n\ndef shop():\n    pytest.skip("no service")\n')
    place.run().assert_outcomes(failed=1)


def test_a_fixture_cannot_skip_away_the_trials_before(place) -> None:
    place.agent('return "done"')
    place.suite("trials: 2\nfixtures: [moody]")
    place.pytester.makeconftest(
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
    place.run("--agent-record=once").assert_outcomes(errors=1)


def test_a_recording_with_a_model_layer_is_not_replayed_without_it(place) -> None:
    place.agent(BOTH)
    place.suite()
    place.run("--agent-record=once").assert_outcomes(passed=1)
    place.tape.write_text(place.tape.read_text().replace("layers: [tools]", "layers: [tools, model]"))
    result = place.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*there is no model.yaml in the recording's folder*"])


def test_the_agents_toolbox_leads_past_the_guard_nowhere(place) -> None:
    place.agent('return str(tools.tool("orders.close").function)')
    place.suite("expect: {output: {equals: 'None'}}")
    place.run("--agent-record=once").assert_outcomes(passed=1)
    place.run().assert_outcomes(passed=1)
    assert place.tripped == []


def test_new_episodes_read_no_world_that_never_was(place) -> None:
    place.agent('tools.call("orders.close", order_id="W-1")\nreturn "done"')
    place.suite()
    place.run("--agent-record=once").assert_outcomes(passed=1)
    place.agent('tools.call("orders.close", order_id="W-1")\ntools.call("orders.get", order_id="W-1")\nreturn "done"')
    place.run("--agent-record=new_episodes").assert_outcomes(failed=1)


def test_a_placeholder_made_up_by_the_agent_passes_no_schema(place) -> None:
    place.agent('return str(tools.attempt("orders.get", {"order_id": "<<x:1>>"}).error["reason"])')
    place.suite("expect: {output: {equals: schema_invalid}}", head=STRICT)
    place.run("--agent-mode=live").assert_outcomes(passed=1)


def test_xfail_is_as_strict_as_the_project_says(place) -> None:
    place.pytester.makeini("[pytest]\nxfail_strict = true\n")
    place.agent('return "done"')
    place.suite("xfail: it does not work yet")
    place.run("--agent-record=once").assert_outcomes(failed=1)


def test_a_check_may_not_reach_out_in_replay(place) -> None:
    place.agent('return "done"')
    place.suite("expect: {python: ./checks.py:judge}")
    place.write("checks.py", "import socket\n\ndef judge(run):\n    socket.create_connection(('127.0.0.1', 9), 1)\n")
    place.run("--agent-record=once").assert_outcomes(failed=1)
    result = place.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*network is off in replay*"])


def test_a_secret_of_the_environment_stays_out_of_what_a_factory_says(place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "hunter2hunter2")
    place.agent('return "done"')
    place.suite()
    place.write("tools.py", "import os\n\ndef shop():\n    raise RuntimeError('login failed: ' + os.environ['DB_PASSWORD'])\n")
    result = place.run("--agent-mode=live")
    result.assert_outcomes(failed=1)
    assert "hunter2" not in place.written + result.stdout.str()


def test_a_secret_that_the_case_file_itself_names(place) -> None:
    place.agent("return 'done'")
    place.suite(f"expect: {{output: {{equals: {KEY}}}}}")
    result = place.pytester.runpytest_inprocess("--agent-evals", "-p", "no:randomly", "--agent-mode=live")
    result.assert_outcomes(failed=1)
    cached = [path.read_text() for path in (place.pytester.path / ".pytest_cache").rglob("*") if path.is_file()]
    assert cached, "there is a cache to look at"
    assert "sk-abc" not in place.written + result.stdout.str() + "".join(cached)
    assert "<<api_key:1>>" in place.written
    assert "<<api_key:1>>" in result.stdout.str()


def test_a_secret_that_the_membrane_cannot_replace_is_no_success(place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPLOY_KEY", "a first line\na second line, which is longer than the first")
    place.agent("return 'a second line, which is longer than the first'")
    place.suite("expect: {output: {contains: longer}}")
    result = place.run("--agent-mode=live")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*a secret in what was to be kept*", "*secret:DEPLOY_KEY*"])
    assert "longer than" not in place.written + result.stdout.str()
    assert place.results["metrics"]["successes"] == 0


def test_tokens_that_nobody_stated_are_unknown(place) -> None:
    place.agent('from decimal import Decimal\ntask.session.answered(None, Decimal("0.01"), "m")\nreturn "done"')
    place.suite("expect: {cost: {tokens: {max: 10}}}")
    place.run("--agent-record=once").assert_outcomes(failed=1)
