"""A flawless chain may still tell that something ran that should not have; and the writer does not let it come so far."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pytest_agentops.approvals.desk import Desk
from pytest_agentops.approvals.request import Need, Outcome, Terms
from pytest_agentops.approvals.scripted import Script
from pytest_agentops.audit.entry import CallEntry
from pytest_agentops.audit.log import AuditLog
from pytest_agentops.audit.record import AuditUnavailable
from pytest_agentops.audit.verify import records, verify
from pytest_agentops.schema.case import ScriptedApproval
from pytest_agentops.schema.values import JsonObject

from ..approvals.desks import Clock, refund, says
from .logs import ABOUT, DIGEST, OTHER, one_call, rewritten

TWO = Terms(needs=(Need(role="support_manager", count=2, escalate_to=("director",)),))


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    return AuditLog(tmp_path, run_id="r")


def entry(log: AuditLog, tier: int = 3, ident: str = "c1") -> CallEntry:
    return CallEntry(log, ident, tool="payments.refund", tier=tier, about=ABOUT)


def decided(log: AuditLog, decision: Any = "allow", tier: int = 3, ident: str = "c1") -> CallEntry:
    made = entry(log, tier, ident)
    made.decided(decision, reason="rule", action_digest=DIGEST, args={"n": 1})
    return made


def codes(log: AuditLog) -> list[str]:
    return [f.code for f in verify(log.path, log.close())]


# ---- the writer


def test_the_decision_stands_there_before_the_tool_runs(log: AuditLog) -> None:
    call = decided(log)
    assert [r["event"] for r in records(log.path)] == ["run.start", "policy.decision"]
    call.called()
    assert records(log.path)[-1]["event"] == "tool.call"
    call.ended("ok", result=1, cost_usd="0.02")
    last = records(log.path)[-1]
    assert (last["event"], last["status"], last["cost_usd"], last["tool_call_id"]) == ("tool.result", "ok", "0.02", "c1")
    assert codes(log) == []


@pytest.mark.parametrize("decision", ["deny", None])
def test_what_was_not_allowed_cannot_be_let_through(log: AuditLog, decision: str | None) -> None:
    call = entry(log) if decision is None else decided(log, decision)
    with pytest.raises(RuntimeError, match="no decision allowed"):
        call.called()
    assert "tool.call" not in [r["event"] for r in records(log.path)]


def test_a_call_that_nobody_decided_on_does_not_end(log: AuditLog) -> None:
    with pytest.raises(RuntimeError, match="nobody decided"):
        entry(log).ended("stopped")
    assert codes(log) == []


def test_a_call_is_open_from_its_decision_to_its_end(log: AuditLog) -> None:
    call = entry(log)
    seen = [call.open]
    call.decided("allow", reason="rule", action_digest=DIGEST, args={})
    seen.append(call.open)
    call.called()
    seen.append(call.open)
    call.ended("error", reason="tool_failed")
    assert [*seen, call.open] == [False, True, True, False]
    log.close()


def test_a_call_ends_once(log: AuditLog) -> None:
    call = decided(log, "deny")
    call.ended("stopped", reason="rule")
    for again in (lambda: call.ended("ok"), call.called, lambda: call.decided("allow", reason="", action_digest="", args={})):
        with pytest.raises(RuntimeError, match="after the call had ended"):
            again()
    assert codes(log) == []


def test_threads_end_a_call_once(log: AuditLog) -> None:
    call = decided(log)
    call.called()

    def end(_: int) -> bool:
        try:
            call.ended("ok")
        except RuntimeError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(end, range(16))).count(True) == 1
    assert codes(log) == []


def broken(log: AuditLog) -> None:
    log.path.unlink()


@pytest.mark.parametrize("tier", [2, 3, 4])
@pytest.mark.parametrize("when", ["before the decision", "before the call"])
def test_an_unwritable_log_stops_tier_two_and_up(log: AuditLog, tier: int, when: str) -> None:
    call = entry(log, tier)
    if when == "before the call":
        call.decided("allow", reason="rule", action_digest=DIGEST, args={})
    broken(log)
    if when == "before the decision":
        with pytest.raises(AuditUnavailable):
            call.decided("allow", reason="rule", action_digest=DIGEST, args={})
    with pytest.raises(AuditUnavailable):
        call.called()
    call.ended("stopped", reason="audit_unavailable")
    assert log.failed


@pytest.mark.parametrize("tier", [0, 1])
def test_below_that_the_call_goes_on_and_the_log_says_that_it_failed(log: AuditLog, tier: int) -> None:
    broken(log)
    call = entry(log, tier)
    call.decided("allow", reason="rule", action_digest=DIGEST, args={})
    call.called()
    call.ended("ok", result=1)
    assert "deleted or replaced" in (log.failed or "")


def test_a_log_that_fails_while_the_tool_runs_stops_the_next_call(log: AuditLog) -> None:
    call = decided(log)
    call.called()
    broken(log)
    call.ended("ok", result=1)
    with pytest.raises(AuditUnavailable):
        decided(log, ident="c2")


def test_payloads_are_left_out_where_nobody_wants_them(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, run_id="r", payloads=False)
    one_call(log, "c1")
    assert not (tmp_path / "payload").exists()
    call = entry(log, ident="c2")
    call.decided("deny", reason="rule", action_digest=DIGEST, args={"n": 1}, retain_days=3)
    call.ended("stopped")
    assert len(list((tmp_path / "payload").iterdir())) == 1
    assert codes(log) == []


# ---- the reader, against a flawless chain


def told(log: AuditLog, change: Callable[[list[JsonObject]], list[JsonObject]]) -> list[str]:
    log.close()
    rewritten(log.path, change)
    return [f.code for f in verify(log.path) if f.breaks]


def without(event: str) -> Callable[[list[JsonObject]], list[JsonObject]]:
    return lambda rs: [r for r in rs if r["event"] != event]


def with_(event: str, **fields: Any) -> Callable[[list[JsonObject]], list[JsonObject]]:
    return lambda rs: [{**r, **fields} if r["event"] == event else r for r in rs]


def twice(event: str) -> Callable[[list[JsonObject]], list[JsonObject]]:
    return lambda rs: [dict(r) for r in rs for _ in range(1 + (r["event"] == event))]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (without("policy.decision"), "E_UNAUTHORISED"),
        (with_("policy.decision", decision="deny"), "E_UNAUTHORISED"),
        (with_("policy.decision", decision="perhaps"), "E_UNAUTHORISED"),
        (with_("policy.decision", tool_call_id="other"), "E_UNAUTHORISED"),
        (with_("policy.decision", action_digest=OTHER), "E_UNAUTHORISED"),
        (with_("tool.call", action_digest=OTHER), "E_UNAUTHORISED"),
        (with_("tool.call", trial=2), "E_UNAUTHORISED"),
        (twice("tool.call"), "E_UNAUTHORISED"),
        (without("tool.call"), "E_UNAUTHORISED"),
        (with_("policy.decision", decision="require_approval"), "E_APPROVAL"),
        (twice("tool.result"), "E_TERMINAL"),
        (without("tool.result"), "E_TERMINAL"),
    ],
)
def test_a_story_that_does_not_hold(log: AuditLog, change: Callable[[list[JsonObject]], list[JsonObject]], code: str) -> None:
    one_call(log, "c1")
    assert code in told(log, change)


def test_a_call_cut_short_by_a_kill_is_no_break(log: AuditLog) -> None:
    decided(log).called()
    assert [f.code for f in verify(log.path, log.head)] == ["W_OPEN"]
    log.close()


# ---- approvals in the log


def approved(log: AuditLog, *entries: ScriptedApproval, terms: Terms = TWO) -> Outcome:
    """A call as the guard writes it: decided, asked, answered - again after an edit - let through, ended."""
    place, action, outcome = Desk([Script(entries)], clock=Clock()), refund(), None
    call = entry(log)
    while outcome is None or outcome.kind == "edited":
        if outcome is not None:
            action = refund(**(outcome.args or {}))
        call.decided("require_approval", reason="rule", action_digest=action.digest, args=action.args)
        outcome = place.ask(action, terms, after=outcome)
        call.requested(outcome.request.as_json())
        for act in outcome.acts:
            call.answered(act.for_audit())
    if outcome.approval is not None:
        place.spend(outcome.approval, action)
        call.called(request_id=outcome.approval.id)
        call.ended("ok", result=1)
    else:
        call.ended("stopped", reason=outcome.reason)
    return outcome


@pytest.mark.parametrize(
    ("entries", "kind"),
    [
        ((says(), says(by="bob")), "approved"),
        ((says("edit", edit={"amount_usd": 60}), says(by="bob")), "approved"),
        ((says(), says("escalate", by="bob"), says(by="carol", role="director")), "approved"),
        ((says(), says(), says(by="bob")), "approved"),
        ((says(by="dana"), says(), says(by="bob")), "approved"),
        ((says("reject"),), "rejected"),
        ((says("timeout"),), "timed_out"),
        ((), "unanswered"),
    ],
)
def test_what_the_desk_does_makes_sense_to_the_reader(log: AuditLog, entries: tuple[ScriptedApproval, ...], kind: str) -> None:
    assert approved(log, *entries).kind == kind
    assert codes(log) == []


def answers(**fields: Any) -> Callable[[list[JsonObject]], list[JsonObject]]:
    return _approvals("approval.decided", fields)


def asked(**fields: Any) -> Callable[[list[JsonObject]], list[JsonObject]]:
    return _approvals("approval.requested", fields)


def _approvals(event: str, fields: JsonObject) -> Callable[[list[JsonObject]], list[JsonObject]]:
    return lambda rs: [{**r, "approval": {**r["approval"], **fields}} if r["event"] == event else r for r in rs]


@pytest.mark.parametrize(
    "change",
    [
        answers(by="alice"),
        answers(by="Alice "),
        answers(by="dana"),
        answers(decision="reject"),
        answers(decision="escalate"),
        answers(action_digest=OTHER),
        answers(request_id="ap_9"),
        answers(at="2026-11-22T12:15:00.000001+00:00"),
        answers(refused="no"),
        answers(**{"role": "intern", "for": "intern"}),
        asked(action_digest=OTHER),
        asked(needs=[]),
        asked(needs=[{"role": "support_manager", "count": 3}]),
        asked(request_id="ap_9"),
        without("approval.decided"),
        without("approval.requested"),
        with_("tool.call", request_id="ap_9"),
    ],
)
def test_an_approval_that_does_not_add_up(log: AuditLog, change: Callable[[list[JsonObject]], list[JsonObject]]) -> None:
    approved(log, says(), says(by="bob"))
    assert "E_APPROVAL" in told(log, change)


@pytest.mark.parametrize("who", ["dana", "user:dana", "SUPPORT-BOT", "user:alice", "ALICE"])
def test_who_asked_or_answered_before_is_not_one_of_two(log: AuditLog, who: str) -> None:
    approved(log, says(), says(by="bob"))

    def another(rs: list[JsonObject]) -> list[JsonObject]:
        return [{**r, "approval": {**r["approval"], "by": who}} if r.get("approval", {}).get("by") == "bob" else r for r in rs]

    assert told(log, another) == ["E_APPROVAL"]


def test_one_person_does_not_answer_for_two_roles(log: AuditLog) -> None:
    both = Terms(needs=(Need(role="support_manager"), Need(role="finance")))
    assert approved(log, says(), says(by="fay", role="finance"), terms=both).kind == "approved"
    assert told(log, answers(by="alice")) == ["E_APPROVAL"]


def test_a_no_beside_enough_approvals(log: AuditLog) -> None:
    approved(log, says(), says(by="bob"))

    def a_no(rs: list[JsonObject]) -> list[JsonObject]:
        last = max(i for i, r in enumerate(rs) if r["event"] == "approval.decided")
        no = {**rs[last], "approval": {**rs[last]["approval"], "by": "carol", "decision": "reject"}}
        return [*rs[: last + 1], no, *rs[last + 1 :]]

    assert told(log, a_no) == ["E_APPROVAL"]


def test_one_approval_for_two_calls(log: AuditLog) -> None:
    approved(log, says(), says(by="bob"))

    def again(rs: list[JsonObject]) -> list[JsonObject]:
        copies = [{**r, "tool_call_id": "c2"} for r in rs if r["event"] in ("policy.decision", "tool.call", "tool.result")]
        return [*rs[:-2], *copies, *rs[-2:]]

    assert told(log, again) == ["E_APPROVAL"]
