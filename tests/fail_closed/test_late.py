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
    place.agent(LATER.format(seconds=0.4), IMPORTS)
    place.pytester.makeconftest(WAIT.format(seconds=1))
    result = place.run(*options)
    result.assert_outcomes(passed=1, errors=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*orders.get was called after the agent had returned*"])
    assert "Traceback" not in result.stdout.str()
    assert place.tripped == []
    no_success(place)


def no_success(place, trials: int = 1) -> None:
    """The trial that the thread belonged to is no success, in the results and in the numbers."""
    case, metrics = place.results["cases"][0], place.results["metrics"]
    assert case["status"] == "error"
    late = case["trials"][0]
    assert not late["success"]
    assert [(p["kind"], p["text"][:21]) for p in late["problems"]] == [("closed", "orders.get was called")]
    assert (metrics["runs"], metrics["successes"], metrics["task_success_rate"]) == (trials, trials - 1, (trials - 1) / trials)
    assert place.results["suites"]["s"]["metrics"] == metrics


def test_at_the_end_of_the_session(place) -> None:
    place.agent("return 'done'")
    place.record().assert_outcomes(passed=1)
    place.agent(LATER.format(seconds=0.4), IMPORTS)
    place.pytester.makepyfile(test_other=OTHER_TEST)
    result = place.run("cases", "test_other.py")
    result.assert_outcomes(passed=2, errors=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*orders.get was called after the agent had returned*", "*s.yaml::one*"])
    result.stdout.fnmatch_lines(["s *0 % (0/1) *1 *", "error: 1 case(s) went wrong around *: s/one"])
    no_success(place)


def test_at_the_end_of_one_of_several_trials(place) -> None:
    place.suite("trials: 2")
    place.agent("return 'done'")
    place.record().assert_outcomes(passed=1)
    once = "if task.uuid4().int and not SEEN:\n    SEEN.append(1)\n" + "".join(
        f"    {line}\n" for line in LATER.format(seconds=0.4).strip().splitlines()[:-1]
    )
    place.agent(f"{once}return 'done'", f"{IMPORTS}\nSEEN = []")
    place.pytester.makepyfile(test_other=OTHER_TEST)
    place.run("cases", "test_other.py").assert_outcomes(passed=2, errors=1)
    no_success(place, trials=2)


def test_a_case_that_failed_stays_failed(place) -> None:
    place.agent("return 'done'")
    place.record().assert_outcomes(passed=1)
    place.suite("expect: {output: {equals: other}}")
    place.agent(LATER.format(seconds=0.4), IMPORTS)
    place.pytester.makepyfile(test_other=OTHER_TEST)
    place.run("cases", "test_other.py").assert_outcomes(passed=1, failed=1, errors=1)
    case = place.results["cases"][0]
    assert case["status"] == "failed"
    assert [problem["kind"] for problem in case["trials"][0]["problems"]] == ["closed"]


def test_junit_tells_no_success(place) -> None:
    place.agent("return 'done'")
    place.record().assert_outcomes(passed=1)
    place.agent(LATER.format(seconds=0.4), IMPORTS)
    place.pytester.makeconftest(WAIT.format(seconds=1))
    place.run("--junit-xml=out.xml")
    assert "agentops.successes" not in (place.pytester.path / "out.xml").read_text()


def test_with_several_trials(place) -> None:
    place.suite("trials: 2")
    place.agent("return 'done'")
    place.record().assert_outcomes(passed=1)
    place.agent(LATER.format(seconds=0.1), IMPORTS)
    place.pytester.makeconftest(WAIT.format(seconds=0.4))
    assert place.run().ret == 1
