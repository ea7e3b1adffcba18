"""Threads that outlive their trial: seen at the tear-down, or at the end of the session."""

from __future__ import annotations

import pytest

LATER = """
def later():
    time.sleep({seconds})
    tools.attempt('orders.get', {{'order_id': 'W-1'}})
threading.Thread(target=later, daemon=True).start()
return 'done'
"""
IMPORTS = "import threading, time"
WAIT = """
import time
import pytest

@pytest.fixture(autouse=True)
def slow_teardown():
    yield
    time.sleep({seconds})
"""
OTHER_TEST = "import time\n\ndef test_other():\n    time.sleep(1.2)\n"


@pytest.fixture(autouse=True)
def _no_grace(monkeypatch) -> None:
    monkeypatch.setattr("pytest_agentops.runner.invoke.GRACE", 0.0)


@pytest.mark.parametrize("options", [[], ["--agent-record=all"], ["--agent-mode=live"]])
def test_at_the_tear_down(options, place) -> None:
    place.agent("return 'done'")
    place.record().assert_outcomes(passed=1)
    place.agent(LATER.format(seconds=0.2), IMPORTS)
    place.pytester.makeconftest(WAIT.format(seconds=0.6))
    result = place.run(*options)
    result.assert_outcomes(passed=1, errors=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*orders.get was called after the agent had returned*"])
    assert "Traceback" not in result.stdout.str()
    assert place.tripped == []


def test_at_the_end_of_the_session(place) -> None:
    place.agent("return 'done'")
    place.record().assert_outcomes(passed=1)
    place.agent(LATER.format(seconds=0.4), IMPORTS)
    place.pytester.makepyfile(test_other=OTHER_TEST)
    result = place.run("cases", "test_other.py")
    result.assert_outcomes(passed=2, errors=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*orders.get was called after the agent had returned*", "*s.yaml::one*"])


def test_with_several_trials(place) -> None:
    place.suite("trials: 2")
    place.agent("return 'done'")
    place.record().assert_outcomes(passed=1)
    place.agent(LATER.format(seconds=0.1), IMPORTS)
    place.pytester.makeconftest(WAIT.format(seconds=0.4))
    assert place.run().ret == 1
