"""The audit log of a trial: decisions stand there before tools run, it verifies, and without it nothing of tier 2 runs."""

from __future__ import annotations

import json
import os
import shutil
import threading

import pytest

from pytest_agentops.audit.log import AuditLog
from pytest_agentops.audit.verify import verify
from pytest_agentops.session_audit import Unopened

from .conftest import rules

POLICY = rules(
    '{if: "amount_usd <= 50", allow: true}',
    '{if: "amount_usd > 50", require_approval: boss}',
    '{if: "amount_usd > 500", deny: true}',
)
YES = {"decision": "approve", "by": "ann"}


def agent(task, tools):
    tools.call("pay.look")
    for amount in (20, 100, 900, "x"):
        tools.attempt("pay.refund", {"amount_usd": amount})
    tools.attempt("pay.refnd", {})


def both(bank):
    return bank


def events(lab, *wanted):
    return [r for r in lab.records if not wanted or r["event"] in wanted]


def closed(lab):
    head = lab.log.close()
    return verify(lab.logs / "main.jsonl", head)


READS = rules("allow: true", tool="pay.look").replace("id: p", "id: l")


def test_the_story_of_a_run(lab, bank) -> None:
    run = lab.run(
        agent,
        bank,
        mode="live",
        policy=(POLICY, READS),
        approvals=[YES],
        audit=lab.audit(),
        principal={"id": "bot", "on_behalf_of": "user:dana"},
    )
    assert run.success, run.problems
    told = [(r["event"], r.get("tool_call_id")) for r in lab.records]
    assert told == [
        ("run.start", None),
        ("trial.start", None),
        ("policy.decision", "c1"),
        ("tool.call", "c1"),
        ("tool.result", "c1"),
        ("policy.decision", "c2"),
        ("tool.call", "c2"),
        ("tool.result", "c2"),
        ("policy.decision", "c3"),
        ("approval.requested", "c3"),
        ("approval.decided", "c3"),
        ("tool.call", "c3"),
        ("tool.result", "c3"),
        ("policy.decision", "c4"),
        ("tool.result", "c4"),
        ("policy.decision", "c5"),
        ("tool.result", "c5"),
        ("policy.decision", "c6"),
        ("tool.result", "c6"),
        ("trial.end", None),
    ]
    decisions = [(r["decision"], r["reason"], r["rule"], r["tier"]) for r in events(lab, "policy.decision")]
    assert decisions == [
        ("allow", "rule", "l/1", 0),
        ("allow", "rule", "p/1", 3),
        ("require_approval", "rule", "p/2", 3),
        ("deny", "rule", "p/3", 3),
        ("deny", "schema_invalid", None, 3),
        ("deny", "tool_unknown", None, 4),
    ]
    first = events(lab, "policy.decision")[1]
    assert first["principal"] == {"id": "bot", "on_behalf_of": "user:dana", "roles": [], "scopes": []}
    assert (first["case"], first["trial"], first["mode"]) == ("lab/one", 1, "live")
    assert first["pins"]["policy"] == run.pins.policy
    assert first["args_digest"].startswith("hmac-sha256:")
    assert "args" not in first, "values stand beside the log, if anywhere"
    assert events(lab, "trial.end")[0]["outcome"] == "completed"
    assert closed(lab) == []


def test_the_decision_is_written_before_the_tool_runs(lab, bank) -> None:
    log, there = lab.audit(), []
    tools = bank()
    bank.paid = Sees(lambda: there.extend(r["event"] for r in lab.records))
    lab.run(lambda task, tools: tools.call("pay.refund", amount_usd=20), tools, mode="live", policy=POLICY, audit=log)
    assert there == ["run.start", "trial.start", "policy.decision", "tool.call"]


class Sees(list):
    def __init__(self, look):
        super().__init__()
        self.look = look

    def append(self, value):
        self.look()


@pytest.mark.parametrize("decision", ["approve", "reject", "timeout", "edit", "none"])
def test_every_end_of_an_approval_makes_a_sound_log(decision, lab, bank) -> None:
    script = (
        []
        if decision == "none"
        else [{"decision": decision, "by": "ann", **({"edit": {"amount_usd": 80}} if decision == "edit" else {})}]
    )
    lab.run(
        lambda task, tools: tools.attempt("pay.refund", {"amount_usd": 100}).ok,
        bank,
        mode="live",
        policy=POLICY,
        approvals=script,
        audit=lab.audit(),
    )
    assert closed(lab) == []
    answers = [r["approval"]["decision"] for r in events(lab, "approval.decided")]
    assert answers == {"edit": ["edit", "edit"], "none": []}.get(decision, [decision])


def test_a_run_that_ends_in_the_middle_of_a_call(lab, bank) -> None:
    def broken(task, tools):
        tools.call("pay.refund", amount_usd=20)
        raise KeyError

    def crash(amount_usd: float, card: str = "", key: str = "") -> None:
        raise SystemExit(1)

    def tools():
        box = bank()
        box._tools["pay.refund"].function = crash
        return box

    run = lab.run(broken, tools, mode="live", policy=POLICY, audit=lab.audit())
    assert not run.success
    assert closed(lab) == []


def test_threads_write_one_sound_chain(lab, bank) -> None:
    def many(task, tools):
        threads = [threading.Thread(target=lambda: tools.attempt("pay.refund", {"amount_usd": 1})) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    lab.run(many, bank, mode="live", policy=POLICY, audit=lab.audit())
    assert closed(lab) == []
    assert len(events(lab, "tool.call")) == 20


def test_budgets_in_the_log(lab, bank) -> None:
    budget = {"tool_calls": 4, "degrade": [{"at": 0.5, "writes": "deny"}]}

    def agent(task, tools):
        for _ in range(5):
            tools.attempt("pay.refund", {"amount_usd": 1})

    lab.run(agent, bank, mode="live", policy=POLICY, budget=budget, audit=lab.audit())
    assert [(r["event"], r["limit"]) for r in events(lab, "budget.soft", "budget.hard")] == [
        ("budget.soft", "tool_calls"),
        ("budget.hard", "tool_calls"),
    ]
    (degrade,) = events(lab, "degrade")
    assert (degrade["at"], degrade["writes"]) == ("0.5", "deny")
    assert closed(lab) == []


def test_model_answers_in_the_log(lab, bank) -> None:
    from decimal import Decimal

    from pytest_agentops.schema.run import Usage

    def agent(task, tools):
        task.session.answered(Usage(input=3, output=4), Decimal("0.002"), "m")
        task.session.answered(None, None, "n")

    lab.run(agent, bank, mode="live", policy=POLICY, audit=lab.audit())
    assert [(r["model"], r["usage"], r["cost_usd"]) for r in events(lab, "model.call")] == [
        ("m", {"input_tokens": 3, "output_tokens": 4}, "0.002"),
        ("n", None, None),
    ]


def test_an_answer_that_was_stored_is_told_as_such(lab, bank) -> None:
    def agent(task, tools):
        for _ in range(2):
            tools.call("pay.refund", amount_usd=20, key="k")

    lab.run(agent, lambda: bank(idempotency_key="key"), mode="live", policy=POLICY, audit=lab.audit())
    assert [(r["status"], r["reason"]) for r in events(lab, "tool.result")] == [("ok", "rule"), ("stopped", "stored")]
    assert closed(lab) == []


def test_shadow_decisions_and_overrides_are_told(lab, bank) -> None:
    shadow = rules("deny: true", more="mode: shadow").replace("id: p", "id: s")
    over = rules("allow: true", more="override_tier: T-77")
    lab.run(
        lambda task, tools: tools.call("pay.refund", amount_usd=20), bank, mode="live", policy=(shadow, over), audit=lab.audit()
    )
    (told,) = events(lab, "policy.decision")
    assert told["shadow"] == [{"decision": "deny", "reason": "rule", "rule": "s/1"}]
    assert told["overrides"] == ["T-77"]


# ---- redaction and retention


def test_retention_keeps_the_payload_without_what_is_redacted(lab, bank) -> None:
    keeps = POLICY + "    - log: {redact_fields: [card], retain_days: 30}\n"
    log = lab.audit(payloads=False)
    run = lab.run(
        lambda task, tools: tools.call("pay.refund", amount_usd=20, card="4000-CANARY"),
        bank,
        mode="live",
        record="all",
        policy=keeps,
        audit=log,
    )
    assert bank.paid == [20]
    decision, result = events(lab, "policy.decision", "tool.result")
    assert decision["redact_fields"] == ["card"]
    assert decision["redacted"] == ["/args/card"]
    assert result["retain_until"] > "2026"
    files = [p for p in lab.logs.rglob("*") if p.is_file()]
    assert len(files) == 3, "two payloads beside the log"
    everything = b"".join(p.read_bytes() for p in files) + lab.tape.read_bytes() + repr((run.as_json(), run.messages)).encode()
    assert b"CANARY" not in everything
    assert closed(lab) == []


def test_a_field_that_a_policy_redacts_is_a_placeholder_for_the_agent_and_real_for_the_tool(lab, bank) -> None:
    got = []

    def agent(task, tools):
        card = tools.call("pay.refund", amount_usd=20, card="4000-REAL")["card"]
        got.append(card)
        return tools.call("pay.refund", amount_usd=21, card=card)["card"] == card

    keeps = POLICY + "    - log: {redact_fields: [card]}\n"
    run = lab.run(agent, bank, mode="live", policy=keeps)
    assert run.output is True
    assert got == ["<<card:1>>"]


def test_redaction_that_was_added_later_still_replays(lab, bank) -> None:
    def agent(task, tools):
        return tools.call("pay.refund", amount_usd=20, card="4000-CANARY")["card"]

    lab.record(agent, bank, policy=POLICY)
    assert "CANARY" in lab.tape.read_text()
    run = lab.run(agent, bank, policy=POLICY + "    - log: {redact_fields: [card]}\n")
    assert run.success, (run.stop, run.problems)
    assert run.output == "<<card:1>>"
    assert "CANARY" not in repr((run.as_json(), run.messages))


def test_redaction_that_was_taken_away_is_a_miss(lab, bank) -> None:
    def agent(task, tools):
        return tools.call("pay.refund", amount_usd=20, card="4000-CANARY")["card"]

    lab.record(agent, bank, policy=POLICY + "    - log: {redact_fields: [card]}\n")
    assert "CANARY" not in lab.tape.read_text()
    run = lab.run(agent, bank, policy=POLICY)
    assert lab.kinds(run) == ["miss"], "the real number is in no file: nobody can say that this is the call that was recorded"
    assert "[changed-args]" in lab.problem(run, "miss").text
    assert "<<card:1>>" in lab.problem(run, "miss").text
    assert not run.success


# ---- a log that cannot be written


def outcomes(task, tools):
    out = {}
    for name, args in (("pay.look", {}), ("pay.refund", {"amount_usd": 20})):
        got = tools.attempt(name, args)
        out[name] = "ok" if got.ok else got.error["reason"]
    return out


DENIED = {"pay.look": "ok", "pay.refund": "audit_unavailable"}


def test_a_log_that_could_not_be_opened(lab, bank, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Exception, match="cannot be written") as told:
        AuditLog(tmp_path / "file" / "audit", run_id="r")
    run = lab.run(outcomes, bank, mode="live", policy=(POLICY, READS), audit=Unopened(told.value))
    assert (run.output, bank.paid) == (DENIED, [])
    assert "tier 2 and up are denied" in run.calls[1].error.message


@pytest.mark.parametrize("how", ["removed", "folder removed", "replaced", "appended", "cut", "closed", "moved"])
def test_a_log_that_breaks_while_the_agent_runs(how, lab, bank) -> None:
    log = lab.audit()
    path = lab.logs / "main.jsonl"

    def agent(task, tools):
        first = outcomes(task, tools)
        if how == "removed":
            path.unlink()
        elif how == "folder removed":
            shutil.rmtree(lab.logs)
        elif how == "replaced":
            text = path.read_text()
            path.unlink()
            path.write_text(text)
        elif how == "appended":
            with path.open("a") as file:
                file.write("{}\n")
        elif how == "cut":
            os.truncate(path, 10)
        elif how == "moved":
            lab.logs.rename(lab.logs.with_name("elsewhere"))
        else:
            os.close(log._fd)
        return [first, outcomes(task, tools)]

    run = lab.run(agent, bank, mode="live", policy=(POLICY, READS), audit=log)
    if how == "closed":
        log._fd = -1
    assert run.output == [{"pay.look": "ok", "pay.refund": "ok"}, DENIED]
    assert bank.paid == [20]
    assert log.failed


def test_a_full_disk(lab, bank, monkeypatch) -> None:
    log = lab.audit()
    monkeypatch.setattr(os, "write", full(os.write, log))
    run = lab.run(outcomes, bank, mode="live", policy=(POLICY, READS), audit=log)
    monkeypatch.undo()
    assert (run.output, bank.paid) == (DENIED, [])
    assert log.failed == "No space left on device"
    assert [r["event"] for r in lab.records] == ["run.start"]


def full(write, log):
    def fails(handle, data):
        if handle == log._fd:
            raise OSError(28, "No space left on device")
        return write(handle, data)

    return fails


def test_a_call_that_was_decided_and_cannot_be_let_through(lab, bank, monkeypatch) -> None:
    """The log breaks between the decision and the tool."""
    log = lab.audit()

    def breaks(request):
        (lab.logs / "main.jsonl").unlink()

    class Person:
        source = "terminal"

        def answer(self, request, role):
            from pytest_agentops.approvals.request import Answer

            breaks(request)
            return Answer(decision="approve", by="ann")

    run = lab.run(
        lambda task, tools: tools.attempt("pay.refund", {"amount_usd": 100}).error["reason"],
        bank,
        mode="live",
        policy=POLICY,
        person=Person(),
        audit=log,
    )
    assert (run.output, bank.paid) == ("audit_unavailable", [])


def test_the_approval_of_a_call_that_is_replayed_is_told_as_recorded(lab, bank) -> None:
    from .test_approving import Answer, Person

    def agent(task, tools):
        return tools.attempt("pay.refund", {"amount_usd": 100}).ok

    lab.record(agent, bank, policy=POLICY, person=Person(Answer(decision="approve", by="ann")))
    assert lab.run(agent, bank, policy=POLICY, audit=lab.audit()).output is True
    (call,) = events(lab, "tool.call")
    (said,) = events(lab, "approval.decided")
    assert (call["source"], call["request_id"], said["approval"]["source"]) == ("replay", "ap_1", "recorded")
    assert closed(lab) == []


def test_what_an_agent_names_cannot_break_the_log(lab, bank) -> None:
    def agent(task, tools):
        for name in ("\ud800", "a\nb", "x" * 10_000, '{"event":"tool.call"}'):
            assert not tools.attempt(name, {"\udfff": "\0"}).ok

    run = lab.run(agent, bank, mode="live", policy=POLICY, audit=lab.audit())
    assert run.success, run.problems
    assert closed(lab) == []
    assert json.loads((lab.logs / "main.jsonl").read_text().splitlines()[-1])["event"] == "checkpoint"
