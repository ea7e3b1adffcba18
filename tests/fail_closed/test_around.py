"""Around the agent's run: fixtures have no network in replay, and threads that an agent left behind never get it back."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from pytest_agentops.runner import invoke

FIXTURE = """
import socket
import threading
import pytest

def reach(swallow):
    try:
        socket.create_connection(("127.0.0.1", {port}), 5).close()
    except Exception:
        if not swallow:
            raise

@pytest.fixture(autouse=True)
def service(request):
    {before}
    yield
    {after}
"""
ELSEWHERE = """
import socket
import time

def test_elsewhere():
    time.sleep({seconds})
    socket.create_connection(("127.0.0.1", {port}), 5).close()
"""


@pytest.fixture
def elsewhere() -> Iterator[int]:
    """A server of another process, as far as the guard can tell: its socket was bound before the guard was installed, or raw."""
    import _socket

    server = _socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    yield server.getsockname()[1]
    server.close()


def fixture(place, port: int, before: str = "pass", after: str = "pass") -> None:
    place.pytester.makeconftest(FIXTURE.format(port=port, before=before, after=after))


@pytest.fixture
def recorded(place):
    place.agent("return 'done'")
    place.record().assert_outcomes(passed=1)
    return place


def test_a_set_up_that_connects(recorded, elsewhere) -> None:
    fixture(recorded, elsewhere, before="reach(False)")
    result = recorded.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*network is off in replay: connect to 127.0.0.1:{elsewhere}*"])


@pytest.mark.parametrize("trials", [1, 2])
def test_a_set_up_that_swallows_it(recorded, elsewhere, trials) -> None:
    recorded.suite(f"trials: {trials}")
    recorded.record().assert_outcomes(passed=1)
    fixture(recorded, elsewhere, before="reach(True)")
    recorded.run().assert_outcomes(failed=1)
    assert recorded.trial["problems"][0]["kind"] == "network"


def test_a_tear_down_that_swallows_it(recorded, elsewhere) -> None:
    fixture(recorded, elsewhere, after="reach(True)")
    result = recorded.run()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*a fixture or a check tried to connect to*"])


def test_a_check_that_swallows_it(recorded, elsewhere) -> None:
    check = f"import socket\n\ndef ok(run):\n    try:\n        socket.create_connection(('127.0.0.1', {elsewhere}))\n"
    (recorded.case / "checks.py").write_text(check + "    except Exception:\n        return True\n")
    recorded.suite("expect: {python: ./checks.py:ok}")
    recorded.run().assert_outcomes(passed=1, errors=1)


@pytest.mark.parametrize("where", ["before", "after"])
def test_what_the_case_allows_its_fixtures_may(recorded, elsewhere, where) -> None:
    fixture(recorded, elsewhere, **{where: "reach(False)"})
    recorded.suite(f'network: {{allow: ["127.0.0.1:{elsewhere}"]}}')
    recorded.run().assert_outcomes(passed=1)
    recorded.suite(head=f'defaults: {{network: {{allow: ["127.0.0.1:{elsewhere}"]}}}}\n')
    recorded.run().assert_outcomes(passed=1)


@pytest.mark.parametrize("options", [["--agent-record=all"], ["--agent-mode=live"]])
def test_where_something_is_live_fixtures_may_connect(recorded, elsewhere, options) -> None:
    fixture(recorded, elsewhere, before="reach(False)", after="reach(False)")
    recorded.run(*options).assert_outcomes(passed=1)


def test_with_once_it_depends_on_the_recording(recorded, elsewhere) -> None:
    fixture(recorded, elsewhere, before="reach(False)")
    recorded.run("--agent-record=once").assert_outcomes(errors=1)
    recorded.tape.unlink()
    recorded.tape.parent.rmdir()
    recorded.run("--agent-record=once").assert_outcomes(passed=1)


def test_a_server_of_the_fixture_itself(recorded) -> None:
    own = "server = socket.create_server(('127.0.0.1', 0)); socket.create_connection(server.getsockname(), 5).close()"
    fixture(recorded, 0, before=own, after="server.close()")
    recorded.run().assert_outcomes(passed=1)


def test_an_ordinary_test_between_is_not_guarded(recorded, elsewhere) -> None:
    recorded.pytester.makepyfile(test_elsewhere=ELSEWHERE.format(port=elsewhere, seconds=0))
    fixture(recorded, 0)
    recorded.run("test_elsewhere.py", "cases", "test_elsewhere.py", "-p", "no:cacheprovider").assert_outcomes(passed=2)
    recorded.run("cases", "test_elsewhere.py").assert_outcomes(passed=2)


def test_the_placeholder_keys_are_there_when_a_fixture_makes_the_client(recorded, monkeypatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    fixture(recorded, 0, before="import os; assert os.environ['OPENAI_API_KEY'] == 'replay'")
    recorded.run().assert_outcomes(passed=1)
    assert "OPENAI_API_KEY" not in os.environ


LEFT = """
def reach():
    time.sleep(0.3)
    try:
        socket.create_connection(("127.0.0.1", {port}), 5).close()
        Path({file!r}).write_text("connected")
    except PermissionError:
        Path({file!r}).write_text("refused")

threading.Thread(target=reach, daemon=True).start()
return 'done'
"""


@pytest.fixture
def no_grace(monkeypatch) -> None:
    monkeypatch.setattr(invoke, "GRACE", 0.0)


def test_a_thread_that_connects_when_the_case_is_over(no_grace, recorded, elsewhere) -> None:
    file = recorded.pytester.path / "thread.txt"
    recorded.agent(LEFT.format(port=elsewhere, file=str(file)), "import socket, threading, time\nfrom pathlib import Path")
    recorded.pytester.makepyfile(test_elsewhere=ELSEWHERE.format(port=elsewhere, seconds=1))
    result = recorded.run("cases", "test_elsewhere.py")
    assert file.read_text() == "refused"
    result.assert_outcomes(passed=2, errors=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*a thread that the agent left behind tried to connect to*"])
    assert not recorded.trial["success"]


def test_the_guard_is_off_after_a_session_that_was_cut_short(recorded, elsewhere) -> None:
    fixture(recorded, 0, before="pytest.exit('stop')")
    recorded.run()
    socket.create_connection(("127.0.0.1", elsewhere), 5).close()
    fixture(recorded, 0, after="pytest.exit('stop')")
    recorded.run()
    socket.create_connection(("127.0.0.1", elsewhere), 5).close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_that_calls_a_tool_when_the_case_is_over(recorded) -> None:
    child = "time.sleep(0.4); tools.attempt('orders.get', {'order_id': 'W-1'}); os._exit(0)"
    recorded.agent(f"if os.fork() == 0:\n    {child}\nreturn 'done'", "import os, time")
    recorded.pytester.makepyfile(test_other="import time\n\ndef test_other():\n    time.sleep(1.2)\n")
    result = recorded.run("cases", "test_other.py")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*orders.get was called in a forked child process*"])
    assert not recorded.trial["success"]
