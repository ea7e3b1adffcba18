"""A trial that is run again tells another story: equal ids are other calls, and nothing of the first attempt holds in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_agentops.audit.entry import CallEntry
from pytest_agentops.audit.log import AuditLog
from pytest_agentops.audit.verify import verify

from .logs import ABOUT, DIGEST, one_call, rewritten

REQUEST = {"request_id": "ap_1", "needs": [{"role": "boss", "count": 1}], "requesters": [], "action_digest": DIGEST}
ANSWER = {"request_id": "ap_1", "role": "boss", "for": "boss", "by": "ann", "decision": "approve", "action_digest": DIGEST}


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    return AuditLog(tmp_path, run_id="r", payloads=False)


def found(log: AuditLog) -> list[tuple[str, str]]:
    return [(f.code, f.message) for f in verify(log.path, log.close())]


def approved(log: AuditLog) -> None:
    entry = CallEntry(log, "c1", tool="payments.refund", tier=3, about=ABOUT)
    entry.decided("require_approval", reason="rule", action_digest=DIGEST, args={})
    entry.requested({**REQUEST, "expires": "2099-01-01T00:00:00.000000+00:00"})
    entry.answered({**ANSWER, "at": "2026-01-01T00:00:00.000000+00:00"})
    entry.called(request_id="ap_1")
    entry.ended("ok")


def attempt(log: AuditLog, made: Any = one_call) -> None:
    log.append("trial.start", ABOUT)
    made(log, "c1") if made is one_call else made(log)
    log.append("trial.end", ABOUT)


@pytest.mark.parametrize("made", [one_call, approved])
def test_a_rerun_is_no_second_run_of_its_calls(log: AuditLog, made: Any) -> None:
    attempt(log, made)
    attempt(log, made)
    assert found(log) == []


def test_an_attempt_that_could_not_be_set_up_has_no_end_and_no_calls(log: AuditLog) -> None:
    log.append("trial.start", ABOUT)
    attempt(log)
    assert found(log) == []


def test_within_one_attempt_a_call_runs_once(log: AuditLog) -> None:
    log.append("trial.start", ABOUT)
    one_call(log, "c1")
    one_call(log, "c1")
    log.append("trial.end", ABOUT)
    assert "E_UNAUTHORISED" in [code for code, _ in found(log)]


# ---- an attacker writes a trial.start, with a flawless chain


def forged(log: AuditLog, events: list[str]) -> list[tuple[str, str]]:
    """The log with a second trial.start before the end of the first attempt, and after it these of its records once more."""
    log.close()

    def change(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        start = next(i for i, r in enumerate(records) if r["event"] == "trial.start")
        end = next(i for i, r in enumerate(records) if r["event"] == "trial.end")
        again = [r for r in records[start:end] if r["event"] in events]
        return [dict(r) for r in (*records[:end], records[end], records[start], *again, records[end], *records[end + 1 :])]

    rewritten(log.path, change)
    return [(f.code, f.message) for f in verify(log.path)]


def test_a_decision_of_the_first_attempt_lets_nothing_through_in_the_second(log: AuditLog) -> None:
    attempt(log)
    told = forged(log, ["tool.call", "tool.result"])
    assert ("E_UNAUTHORISED", "payments.refund ran: no decision before it") in told


@pytest.mark.parametrize("events", [["policy.decision"], ["policy.decision", "approval.decided"]])
def test_an_approval_of_the_first_attempt_is_none_of_the_second(log: AuditLog, events: list[str]) -> None:
    attempt(log, approved)
    told = forged(log, [*events, "tool.call", "tool.result"])
    assert ("E_APPROVAL", "payments.refund ran: no approval was asked for") in told


def test_a_trial_does_not_begin_again_before_it_has_ended(log: AuditLog) -> None:
    log.append("trial.start", ABOUT)
    one_call(log, "c1")
    log.append("trial.start", ABOUT)
    one_call(log, "c1")
    log.append("trial.end", ABOUT)
    assert found(log) == [("E_TERMINAL", "trial 1 of refunds/small began again before it had ended")]
