"""Each test tries to get a replay green that must not be."""

from __future__ import annotations

import pytest

OTHER = """
try:
    tools.call('orders.get', order_id='W-2')
except {catch}:
    pass
return 'open'
"""


@pytest.mark.parametrize("catch", ["Exception", "BaseException"])
def test_a_swallowed_miss(catch, place) -> None:
    place.record().assert_outcomes(passed=1)
    place.agent(OTHER.format(catch=catch))
    result = place.run()
    result.assert_outcomes(failed=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["miss ?*? orders.get*", "*run it again: *"])
    assert place.tripped == []
    assert place.trial["success"] is False
    assert place.trial["outcome"] == "completed"
    assert place.trial["miss"]["reason"] == "changed-args"


def test_a_miss_that_the_case_would_like(place) -> None:
    place.record()
    place.agent("return tools.call('orders.get', order_id='W-2')")
    place.suite("expect: {outcome: error}")
    place.run().assert_outcomes(failed=1)


def test_attempt_makes_no_miss_good(place) -> None:
    place.record()
    place.agent("tools.attempt('orders.get', {'order_id': 'W-2'})")
    place.run().assert_outcomes(failed=1)


def test_an_unused_read(place) -> None:
    place.record()
    place.agent("return 'nothing to look up'")
    result = place.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*recorded calls that were not made*"])
    for word in ("warn", "ignore"):
        place.suite(f"replay: {{unused: {word}}}")
        place.run().assert_outcomes(passed=1)


@pytest.mark.parametrize("word", ["error", "warn", "ignore"])
def test_an_unused_write_is_never_silenced(word, place) -> None:
    place.agent("tools.call('orders.close', order_id='W-1')")
    place.record()
    place.suite(f"replay: {{unused: {word}}}")
    place.agent("return 'closed it, honestly'")
    result = place.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*recorded calls that were not made*", "*orders.close*"])


READ_WRITE = "tools.attempt('orders.get', {'order_id': 'W-1'})\ntools.attempt('orders.close', {'order_id': 'W-1'})"
WRITE_READ = "\n".join(reversed(READ_WRITE.split("\n")))


@pytest.mark.parametrize(("then", "now"), [(READ_WRITE, WRITE_READ), (WRITE_READ, READ_WRITE)])
def test_a_read_across_a_write(then, now, place) -> None:
    place.agent(then)
    place.record().assert_outcomes(passed=1)
    place.run().assert_outcomes(passed=1)
    place.agent(now)
    result = place.run()
    result.assert_outcomes(failed=1)
    assert place.trial["miss"]["reason"] == "state"
    assert place.tripped == []


def test_a_missing_cassette_is_an_error_with_its_cure(place) -> None:
    result = place.run("-rs")
    result.assert_outcomes(failed=1, skipped=0)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*there is no recording*", "*pytest --agent-evals --agent-record=once cases/s.yaml::one"])
    assert place.tripped == []
    assert place.trial["outcome"] == "error"


def test_a_trial_without_its_recording(place) -> None:
    place.record().assert_outcomes(passed=1)
    place.suite("trials: 2")
    result = place.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*1 of 2 trials passed*", "*there is no recording*"])


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda text: text[: len(text) // 2], "cut off"),
        (lambda text: "", "is empty"),
        (lambda text: text.replace("format: 1", "format: 2"), "has format 2, this version of pytest-agentops reads format 1"),
        (lambda text: text.replace("  result:", "  reslt:"), "unknown key 'reslt'"),
        (lambda text: text.replace("s/one", "s/other"), "is a recording of 's/other'"),
    ],
)
def test_a_damaged_cassette(spoil, says, place) -> None:
    place.record()
    place.tape.write_text(spoil(place.tape.read_text()))
    result = place.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"*tools.yaml*{says}*"])
    assert place.tripped == []


def test_no_tool_runs_in_replay(place) -> None:
    place.agent("[tools.attempt(n, {'order_id': o}) for n in tools.names for o in ('W-1', 'W-2', 'W-3')]")
    place.record()
    for options in ([], ["--agent-mode=replay"], ["--agent-record=once"], ["--agent-record=none"]):
        place.run(*options).assert_outcomes(passed=1)
        assert place.tripped == []
    place.agent("[tools.attempt(n, {'order_id': o}) for n in tools.names * 2 for o in ('W-1', 'W-4')]")
    place.run().assert_outcomes(failed=1)
    assert place.tripped == []
    place.run("--agent-mode=live").assert_outcomes(passed=1)
    assert place.tripped != [], "the trip wire works"


def test_a_blocked_connect_that_was_swallowed(place) -> None:
    place.record()
    place.agent(
        "try:\n    socket.create_connection(('93.184.216.34', 80), 0.2)\nexcept OSError:\n    pass\n"
        "return tools.call('orders.get', order_id='W-1')",
        "import socket",
    )
    result = place.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*a connect in replay*", "*93.184.216.34:80*"])


def test_no_canned_answer(place) -> None:
    contract = "contracts: {crm: {effect: read, answers: [{args: {q: a}, result: 1}]}}\n"
    place.suite(head=contract)
    place.agent("tools.attempt('crm', {'q': 'a'})")
    place.record().assert_outcomes(passed=1)
    place.run().assert_outcomes(passed=1)
    place.agent("tools.attempt('crm', {'q': 'b'})")
    result = place.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*no canned answer fits*"])


@pytest.mark.parametrize("options", [["--agent-mode=live"], []])
def test_no_canned_answer_is_not_the_recordings_fault(options, place) -> None:
    (place.case / "s.yaml").write_text(
        "version: 1\nsuite: s\nagent: ./agent.py:agent\n"
        "contracts: {crm: {effect: read, answers: [{args: {q: a}, result: 1}]}}\ncases:\n  - id: one\n    task: go\n"
    )
    place.agent("return tools.call('crm', q='a')")
    place.run(*options).assert_outcomes(passed=1)
    place.agent("return tools.call('crm', q='b')")
    result = place.run(*options)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*no canned answer fits crm"])
    assert "the recording had" not in result.stdout.str()
    assert "that the recording cannot answer" not in result.stdout.str()


def test_a_tool_of_yaml_only_asked_to_go_live(place) -> None:
    place.suite(head="contracts: {crm: {effect: read}}\n")
    place.agent("tools.attempt('crm', {'q': 'a'})")
    result = place.run("--agent-mode=live")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*crm is declared in YAML only*", "*contracts.crm.answers*"])


@pytest.mark.parametrize(("body", "outcome"), [("raise KeyError('lost')", "error"), ("while True: pass", "timed_out")])
def test_an_agent_that_does_not_end_well(body, outcome, place) -> None:
    place.suite("budget: {seconds: 0.2}")
    place.record()
    place.agent(body)
    result = place.run()
    result.assert_outcomes(failed=1)
    assert place.trial["outcome"] == outcome
    if outcome == "error":
        result.stdout.fnmatch_lines(["*the agent raised KeyError: 'lost'*", "*Traceback*", "*agent.py*"])


def test_a_budget_that_was_swallowed(place) -> None:
    place.agent("for _ in range(9):\n    tools.attempt('orders.get', {'order_id': 'W-1'})\nreturn 'fine'")
    place.suite("budget: {tool_calls: 3}")
    result = place.run("--agent-mode=live")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*budget exceeded: 4 tool_calls, the limit is 3*"])
    assert len(place.tripped) == 3


def test_a_factory_that_fails_in_replay(place) -> None:
    place.record()
    (place.case / "tools.py").write_text("def shop():\n    raise RuntimeError('no database here')\n")
    result = place.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*RuntimeError: no database here*", "*connect on first use*contracts:*"])


def test_zero_cases_are_never_green(place) -> None:
    (place.case / "s.yaml").unlink()
    assert place.run().ret != 0


def test_an_agent_cannot_skip_itself_green(place) -> None:
    place.record()
    place.agent("pytest.skip('not today')", "import pytest")
    place.run().assert_outcomes(failed=1, skipped=0)
