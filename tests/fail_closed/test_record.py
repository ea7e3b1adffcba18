"""Each test tries to spoil a good recording, or to get something into one that must not be there."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

KILLED = """
import os, signal
from pytest_agentops import tool

@tool("orders.get", effect="read")
def get(order_id: str) -> str:
    return "other"

@tool("die", effect="read")
def die() -> str:
    os.kill(os.getpid(), signal.SIGKILL)

def shop():
    return [get, die]
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_killed_while_recording(place) -> None:
    place.record().assert_outcomes(passed=1)
    before = place.tape.read_bytes()
    (place.case / "tools.py").write_text(KILLED)
    place.agent("tools.call('orders.get', order_id='W-2')\ntools.call('die')")
    command = [sys.executable, "-m", "pytest", "--agent-evals", "--agent-record=all", "-p", "no:cacheprovider"]
    ended = subprocess.run(command, cwd=place.pytester.path, capture_output=True, timeout=60, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert place.tape.read_bytes() == before
    assert [p.name for p in place.tape.parent.iterdir()] == ["tools.yaml"]


def test_a_crash_while_recording(place) -> None:
    place.record()
    before = place.tape.read_bytes()
    place.agent("tools.call('orders.get', order_id='W-2')\nraise KeyError('x')")
    place.record().assert_outcomes(failed=1)
    assert place.tape.read_bytes() == before


def test_equal_answers_leave_no_diff(place) -> None:
    place.record()
    before = place.tape.read_bytes(), place.tape.stat().st_mtime_ns
    time.sleep(0.01)
    place.record().assert_outcomes(passed=1)
    assert (place.tape.read_bytes(), place.tape.stat().st_mtime_ns) == before


def test_a_secret_in_an_answer(place, monkeypatch) -> None:
    key = "sk-abcdefghijklmnopqrstuvwx0123456789ABCDEFGHIJKLMN"
    (place.case / "tools.py").write_text(
        "from pytest_agentops import tool\n"
        f"@tool('orders.get', effect='read')\ndef get(order_id: str) -> str:\n    return 'the key is {key}'\n"
        "def shop():\n    return [get]\n"
    )
    result = place.record("-vv", "-s")
    result.assert_outcomes(passed=1)
    place.run().assert_outcomes(passed=1)
    written = [p for p in place.pytester.path.rglob("*") if p.is_file() and p.suffix in (".yaml", ".json", ".jsonl")]
    assert len(written) >= 4
    assert not [p for p in written if b"sk-abc" in p.read_bytes()]
    assert "sk-abc" not in result.stdout.str()


def test_a_result_that_does_not_serialise(place) -> None:
    place.record()
    before = place.tape.read_bytes()
    (place.case / "tools.py").write_text(
        "from pytest_agentops import tool\n"
        "@tool('orders.get', effect='read')\ndef get(order_id: str) -> object:\n    return object()\n"
        "def shop():\n    return [get]\n"
    )
    place.agent("tools.attempt('orders.get', {'order_id': 'W-1'})\nreturn 'fine'")
    result = place.record()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*orders.get: the result does not serialise*"])
    assert place.tape.read_bytes() == before


def test_a_read_only_folder(place, monkeypatch) -> None:
    place.record()
    before = place.tape.read_bytes()

    def refuse(*args: object) -> None:  # permissions say nothing to root, who runs tests in containers
        raise PermissionError(13, "Permission denied")

    place.agent("return tools.call('orders.get', order_id='W-2')")
    with monkeypatch.context() as patched:
        patched.setattr("pytest_agentops.tape.staging.os.replace", refuse)
        result = place.record()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*tools.yaml: cannot be written: Permission denied*", "*make the folder writable*"])
    assert place.tape.read_bytes() == before
    assert [p.name for p in place.tape.parent.iterdir()] == ["tools.yaml"]


def test_under_ci_nothing_is_recorded_by_accident(place, monkeypatch) -> None:
    monkeypatch.setenv("CI", "true")
    for options in (["--agent-record=once"], ["--agent-record=all"], ["--agent-record=new_episodes"], ["--agent-mode=live"]):
        assert place.run(*options).ret == 4
        assert place.tripped == []
        assert not place.tape.exists()
    place.run("--agent-record=once", "--agent-allow-live").assert_outcomes(passed=1)
