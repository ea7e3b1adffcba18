"""Approvals in the guard: who is asked, what they may change, what an approval is good for, what comes back in replay."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from pytest_agentops import ToolRejected, tool
from pytest_agentops.approvals.request import Answer

from .conftest import racing, rules
from .conftest import refunds as asks_for

ASKS = rules(
    '{if: "amount_usd <= 50", allow: true}',
    '{if: "amount_usd > 50", require_approval: boss}',
    '{if: "amount_usd > 5000", deny: true}',
)
TWO = rules("require_approval: {role: boss, count: 2}")


def says(decision="approve", by="ann", **more):
    return {"decision": decision, "by": by, **more}


class Person:
    """Who sits at the terminal."""

    source = "terminal"

    def __init__(self, *answers, before=None):
        self.answers = list(answers)
        self.asked = []
        self.before = before

    def answer(self, request, role):
        self.asked.append((request, role))
        if self.before is not None:
            self.before(request)
        return self.answers.pop(0) if self.answers else None


# ---- one answer


def test_approved(lab, bank) -> None:
    run = lab.run(
        asks_for(100), bank, mode="live", policy=ASKS, approvals=[says()], expect={"interventions": 1, "policy": {"approvals": 1}}
    )
    assert run.success, [c.why for c in run.checks]
    assert (run.calls[0].decision, run.calls[0].rule, bank.paid) == ("approved", "p/2", [100])
    assert run.interventions == [
        {
            "kind": "approve",
            "tool": "pay.refund",
            "args": {"amount_usd": 100, "card": "", "key": ""},
            "role": "boss",
            "by": "ann",
            "source": "scripted",
        }
    ]


def test_rejected_is_told_to_the_agent_and_is_no_policy_block(lab, bank) -> None:
    def agent(task, tools):
        with pytest.raises(ToolRejected, match=r"pay\.refund: rejected by ann \(boss\): not today"):
            tools.call("pay.refund", amount_usd=100)
        return "told"

    run = lab.run(agent, bank, mode="live", policy=ASKS, approvals=[says("reject", message="not today")])
    assert (run.output, run.policy_blocks, bank.paid) == ("told", 0, [])
    assert (run.calls[0].decision, run.calls[0].reason) == ("rejected", "approval_rejected")


def test_nobody_in_time_is_a_deny_and_no_intervention(lab, bank) -> None:
    run = lab.run(asks_for(100), bank, mode="live", policy=ASKS, approvals=[says("timeout")])
    assert (run.output, run.interventions, bank.paid) == (["approval_timeout"], [], [])
    assert run.calls[0].decision == "deny"


def test_nobody_at_all_interrupts_the_run_whatever_the_agent_catches(lab, bank) -> None:
    run = lab.run(asks_for(100, 20, 100), bank, mode="live", policy=ASKS)
    assert run.output == ["approval_unanswered"] * 3
    assert (run.outcome, bank.paid) == ("interrupted", []), "not even what needs nobody goes on"
    assert run.stop == (
        "pay.refund needs the approval of boss (rule p/2), and nobody answered: 0 of 1 given\n"
        "  why: approval of boss asked for by rule p/2 (p0.yaml:7)\n"
        "  cure: script the answer in the case: approvals: [{tool: pay.refund, role: boss, by: NAME, decision: approve}]"
    )
    assert "cure" not in run.calls[0].error.message, "that is for people, not for the agent"
    assert lab.run(asks_for(100), bank, mode="live", policy=ASKS, expect={"outcome": "interrupted"}).success


def test_a_deny_never_asks(lab, bank) -> None:
    person = Person(Answer(decision="approve", by="ann"))
    run = lab.run(asks_for(9000), bank, mode="live", policy=ASKS, person=person, approvals=[says()])
    assert (run.output, person.asked, bank.paid) == (["rule"], [], [])
    assert "approvals[0] was not asked for" in lab.problem(run, "approval_unused").text
    assert run.success, "an answer that nobody asked for is told, and fails nothing"


# ---- the script


def test_each_entry_answers_once(lab, bank) -> None:
    run = lab.run(asks_for(100, 100), bank, mode="live", policy=ASKS, approvals=[says()])
    assert (run.output, bank.paid) == (["paid", "approval_unanswered"], [100])


def test_the_first_entry_that_fits_answers(lab, bank) -> None:
    script = [
        says("reject", tool="pay.other"),
        says("reject", role="cfo"),
        says("reject", args={"amount_usd": {"$gt": 500}}),
        says(args={"amount_usd": {"$le": 500}}),
    ]
    run = lab.run(asks_for(100, 600), bank, mode="live", policy=ASKS, approvals=script)
    assert run.output == ["paid", "approval_rejected"]
    assert lab.problem(run, "approval_unused").text.count("was not asked for") == 2


def test_concurrent_calls_cannot_race_one_answer(lab, bank) -> None:
    run = lab.run(racing(8, 100), bank, mode="live", policy=ASKS, approvals=[says(), says(by="bob")])
    assert len(bank.paid) <= 2
    assert len([c for c in run.calls if c.reached]) == len(bank.paid)
    assert run.outcome == "interrupted"


def test_tasks_that_wait_for_people_together(lab, bank) -> None:
    async def agent(task, tools):
        got = await asyncio.gather(*(tools.aattempt("pay.refund", {"amount_usd": 100 + n}) for n in range(3)))
        return [one.ok for one in got]

    script = [says(args={"amount_usd": 100 + n}) for n in (2, 0, 1)]
    run = lab.run(agent, bank, mode="live", policy=ASKS, approvals=script)
    assert (run.output, sorted(bank.paid)) == ([True] * 3, [100, 101, 102])


# ---- who may


@pytest.mark.parametrize("by", ["bot", "BOT ", "\uff42ot", "user:dana", "dana", "Dana"])
def test_who_asked_cannot_approve(by, lab, bank) -> None:
    who = {"id": "bot", "on_behalf_of": "user:dana"}
    run = lab.run(asks_for(100), bank, mode="live", policy=ASKS, principal=who, approvals=[says(by=by)])
    assert (run.outcome, bank.paid) == ("interrupted", [])
    assert "did not count" in run.stop
    assert "cannot approve it" in run.stop


@pytest.mark.parametrize("other", ["ann", "ANN", " ann ", "user:ann"])
def test_two_people_are_two(other, lab, bank) -> None:
    one = lab.run(asks_for(100), bank, mode="live", policy=TWO, approvals=[says(), says(by=other)])
    assert (one.outcome, bank.paid) == ("interrupted", [])
    two = lab.run(asks_for(100), bank, mode="live", policy=TWO, approvals=[says(), says(by="bob")])
    assert (two.output, bank.paid) == (["paid"], [100])
    assert [act["by"] for act in two.interventions] == ["ann", "bob"]


def test_two_people_without_names_are_one(lab, bank) -> None:
    run = lab.run(asks_for(100), bank, mode="live", policy=TWO, approvals=[{"decision": "approve"}, {"decision": "approve"}])
    assert (run.outcome, bank.paid) == ("interrupted", [])


def test_one_of_two_says_no(lab, bank) -> None:
    run = lab.run(asks_for(100), bank, mode="live", policy=TWO, approvals=[says(), says("reject", by="bob")])
    assert (run.output, bank.paid) == (["approval_rejected"], [])


def test_who_has_the_role_where_the_file_says_so(lab, bank) -> None:
    policy = "roles: {boss: [ann], cfo: [bob]}\n" + ASKS
    assert lab.run(asks_for(100), bank, mode="live", policy=policy, approvals=[says(by="mallory")]).outcome == "interrupted"
    assert lab.run(asks_for(100), bank, mode="live", policy=policy, approvals=[says(by="Ann")]).output == ["paid"]


def test_no_file_widens_the_roles_of_another(lab, bank) -> None:
    other = 'version: 1\nroles: {boss: [cleo, dan]}\npolicy: {id: q, tool: "pay.*", rules: [{log: {redact_fields: [pin]}}]}\n'
    mine = "roles: {boss: [ann, cleo]}\n" + ASKS
    for by, outcome in (("ann", "interrupted"), ("dan", "interrupted"), ("cleo", "completed")):
        for both in ((mine, other), (other, mine)):
            assert lab.run(asks_for(100), bank, mode="live", policy=both, approvals=[says(by=by)]).outcome == outcome, by


def test_escalation_goes_to_the_roles_that_the_policy_names(lab, bank) -> None:
    policy = ASKS.replace("require_approval: boss", "require_approval: {role: boss, escalate_to: [cfo]}")
    up = says("escalate", role="boss")
    run = lab.run(asks_for(100), bank, mode="live", policy=policy, approvals=[up, says(by="cleo", role="cfo")])
    assert (run.output, [act["kind"] for act in run.interventions]) == (["paid"], ["escalate", "approve"])
    assert lab.run(
        asks_for(100), bank, mode="live", policy=policy, approvals=[up, says("reject", by="cleo", role="cfo")]
    ).output == ["approval_rejected"]
    end = lab.run(asks_for(100), bank, mode="live", policy=policy, approvals=[up, says("escalate", by="cleo", role="cfo")])
    assert end.output == ["approval_rejected"], "at the end of the chain it is a no"
    assert lab.run(asks_for(100), bank, mode="live", policy=ASKS, approvals=[up]).output == ["approval_rejected"]


# ---- edits


def test_an_edit_is_what_runs(lab, bank) -> None:
    run = lab.run(
        asks_for(100), bank, mode="live", policy=ASKS, approvals=[says("edit", edit={"amount_usd": 20}, message="half is fine")]
    )
    call = run.calls[0]
    assert (bank.paid, call.decision, call.args["amount_usd"], call.sent["amount_usd"]) == ([20], "edited", 100, 20)
    assert (run.interventions[0]["edit"], run.interventions[0]["message"]) == ({"amount_usd": 20}, "half is fine")
    assert len(run.interventions) == 1


def test_an_edit_that_still_needs_the_same_people_is_approved_by_its_editor(lab, bank) -> None:
    run = lab.run(asks_for(1000), bank, mode="live", policy=ASKS, approvals=[says("edit", edit={"amount_usd": 200})])
    assert (run.output, bank.paid, run.calls[0].decision) == (["paid"], [200], "edited")
    assert len(run.interventions) == 1


def test_an_edit_goes_through_the_whole_guard_again(lab, bank) -> None:
    widened = lab.run(asks_for(100), bank, mode="live", policy=ASKS, approvals=[says("edit", edit={"amount_usd": 9000})])
    assert widened.output == ["rule"]
    wrong = lab.run(asks_for(100), bank, mode="live", policy=ASKS, approvals=[says("edit", edit={"amount_usd": "much"})])
    assert (wrong.output, wrong.calls[0].decision) == (["schema_invalid"], "invalid")
    unknown = lab.run(asks_for(100), bank, mode="live", policy=ASKS, approvals=[says("edit", edit={"admin": True})])
    assert unknown.output == ["schema_invalid"]
    assert bank.paid == []


def test_an_edit_may_not_lead_where_more_people_are_needed(lab, bank) -> None:
    policy = rules(
        '{if: "amount_usd <= 50", allow: true}',
        '{if: "amount_usd <= 500", require_approval: boss}',
        '{if: "amount_usd > 500", require_approval: {role: boss, count: 2}}',
    )
    script = [says("edit", edit={"amount_usd": 600}), says(by="bob"), says(by="cleo")]
    run = lab.run(asks_for(100), bank, mode="live", policy=policy, approvals=script)
    assert (run.output, bank.paid) == (["approval_rejected"], [])
    assert "more approvals" in run.calls[0].error.message


def test_only_what_may_be_edited(lab, bank) -> None:
    policy = ASKS.replace("require_approval: boss", "require_approval: {role: boss, allow_edit: [amount_usd]}")
    run = lab.run(
        asks_for(100), bank, mode="live", policy=policy, approvals=[says("edit", edit={"amount_usd": 20, "card": "mine"})]
    )
    assert (run.outcome, bank.paid) == ("interrupted", [])
    assert "card may not be edited" in run.stop


def test_edits_end_somewhere(lab, bank) -> None:
    script = [says("edit", by=f"p{n}", edit={"amount_usd": 100 + n}) for n in range(20)]
    policy = rules("require_approval: {role: boss, count: 2}")
    run = lab.run(asks_for(100), bank, mode="live", policy=policy, approvals=script)
    assert (run.outcome, bank.paid) == ("interrupted", [])
    assert "edited 5 times already" in run.stop


def test_an_edited_call_that_is_made_again_asks_nobody(lab, bank) -> None:
    script = [says("edit", edit={"amount_usd": 20}), says("reject")]
    run = lab.run(
        asks_for(100, 100, 101, key="k"), lambda: bank(idempotency_key="key"), mode="live", policy=ASKS, approvals=script
    )
    assert (run.output, bank.paid) == (["paid", "paid", "idempotency_conflict"], [20]), (
        "the key is bound to what was asked and ran"
    )
    assert [act["kind"] for act in run.interventions] == ["edit"]


# ---- what an approval is good for


def test_arguments_that_change_while_a_person_thinks(lab, bank) -> None:
    calls = []

    def meddle(request):
        calls[-1].sent["amount_usd"] = 4000

    def agent(task, tools):
        calls_of = task.session.calls
        threading.Thread(target=lambda: None).start()
        calls.append(Late(calls_of))
        return asks_for(100)(task, tools)

    run = lab.run(agent, bank, mode="live", policy=ASKS, person=Person(Answer(decision="approve", by="ann"), before=meddle))
    assert (run.output, bank.paid) == (["approval_mismatch"], [])
    assert run.calls[0].decision == "deny"


class Late:
    """The newest call of the session, whenever it is asked for."""

    def __init__(self, calls):
        self.calls = calls

    @property
    def sent(self):
        return self.calls[-1].sent


def test_a_list_that_the_agent_keeps_is_a_copy(lab) -> None:
    """The agent's own objects never become the call."""
    paid = []

    @tool("pay.refund", effect="write", tier=3)
    def refund(lines: list[int]) -> int:
        paid.append(sum(lines))
        return sum(lines)

    lines = [100]

    def meddle(request):
        lines.append(4000)

    def agent(task, tools):
        return tools.call("pay.refund", lines=lines)

    run = lab.run(
        agent,
        [refund],
        mode="live",
        policy=TWO,
        person=Person(*(Answer(decision="approve", by=by) for by in ("ann", "bob")), before=meddle),
    )
    assert (run.output, paid, lines) == (100, [100], [100, 4000, 4000])


def test_an_approval_is_for_one_call(lab, bank) -> None:
    def agent(task, tools):
        tools.call("pay.refund", amount_usd=100)
        pending = task.session.guard.stages[-1].approval.desk
        (approval,) = pending._granted.values()
        from pytest_agentops.approvals.action import Action
        from pytest_agentops.approvals.request import ApprovalRefused

        with pytest.raises(ApprovalRefused, match="used already"):
            pending.spend(approval, Action(tool="pay.refund", args={"amount_usd": 100}))
        return tools.attempt("pay.refund", {"amount_usd": 100}).ok

    run = lab.run(agent, bank, mode="live", policy=ASKS, approvals=[says()])
    assert (run.output, bank.paid) == (False, [100])


def test_a_slow_answer_comes_too_late(lab, bank) -> None:
    policy = ASKS.replace("require_approval: boss", "require_approval: {role: boss, expires: 1s}")
    person = Person(Answer(decision="approve", by="ann"), before=lambda request: time.sleep(1.1))
    run = lab.run(asks_for(100), bank, mode="live", policy=policy, person=person)
    assert (run.output, bank.paid) == (["approval_timeout"], [])


def test_the_agents_seconds_do_not_run_while_a_person_thinks(lab, bank) -> None:
    person = Person(Answer(decision="approve", by="ann"), before=lambda request: time.sleep(0.4))

    async def aagent(task, tools):
        return [(await tools.aattempt("pay.refund", {"amount_usd": 100})).ok]

    run = lab.run(asks_for(100), bank, mode="live", policy=ASKS, person=person, budget={"seconds": 0.3})
    assert (run.outcome, run.output) == ("completed", ["paid"])
    person.answers = [Answer(decision="approve", by="ann")]
    run = lab.run(aagent, bank, mode="live", policy=ASKS, person=person, budget={"seconds": 0.3})
    assert (run.outcome, run.output) == ("completed", [True])


# ---- the dry run


def test_the_approver_sees_what_would_be_done(lab, bank) -> None:
    person = Person(Answer(decision="approve", by="ann"))
    lab.run(asks_for(100), bank, mode="live", policy=ASKS, person=person)
    (request, role) = person.asked[0]
    assert (request.dry_run, role, bank.dry) == ({"would_pay": "100"}, "boss", [100])
    assert request.why == "approval of boss asked for by rule p/2 (p0.yaml:7)"


def test_a_dry_run_that_fails_is_shown_as_such(lab, bank) -> None:
    def broken(amount_usd: float, card: str = "", key: str = "") -> None:
        raise ValueError("no connection with sk-abcdefghijklmnopqrstuvwx0123456789ABCDEF")

    person = Person(Answer(decision="approve", by="ann"))
    lab.run(asks_for(100), lambda: bank(dry_run=broken), mode="live", policy=ASKS, person=person)
    shown = person.asked[0][0].dry_run["error"]
    assert shown.startswith("ValueError: no connection with <<")
    assert bank.paid == [100]


def test_an_async_dry_run(lab, bank) -> None:
    async def would(amount_usd: float, card: str = "", key: str = "") -> str:
        await asyncio.sleep(0)
        return f"would pay {amount_usd:g}"

    async def aagent(task, tools):
        return [(await tools.aattempt("pay.refund", {"amount_usd": 100})).ok]

    for agent in (asks_for(100), aagent):
        person = Person(Answer(decision="approve", by="ann"))
        lab.run(agent, lambda: bank(dry_run=would), mode="live", policy=ASKS, person=person)
        assert person.asked[0][0].dry_run == "would pay 100"


def test_a_dry_run_may_not_be_had_in_replay(lab, bank) -> None:
    lab.record(asks_for(100), bank, policy=ASKS, approvals=[says()])
    bank.dry.clear()
    assert lab.run(asks_for(100), bank, policy=ASKS, approvals=[says()]).success
    assert bank.dry == []


# ---- secrets


CANARY = "4000-1111-CANARY"


def test_what_people_say_and_write_holds_no_secret(lab, bank) -> None:
    """The membrane knows the card from the call; a new one comes with the edit."""
    other = "5000-2222-CANARY"
    person = Person(
        Answer(decision="edit", by="ann", edit={"card": other, "amount_usd": 60}, message=f"{CANARY} is stolen, use {other}"),
        Answer(decision="reject", by="bob", message=f"not to {CANARY}"),
    )

    def agent(task, tools):
        first = tools.attempt("pay.refund", {"amount_usd": 100, "card": CANARY})
        second = tools.attempt("pay.refund", {"amount_usd": 101, "card": CANARY})
        return [first.ok, second.error]

    run = lab.run(
        agent,
        lambda: bank(sensitive=["card"]),
        mode="live",
        record="all",
        policy=ASKS,
        person=person,
        audit=lab.audit(),
        clock="2026-11-22T09:00:00Z",
    )
    assert bank.paid == [60]
    kept = (
        lab.tape.read_text() + (lab.logs / "main.jsonl").read_text() + repr(run.as_json()) + repr(run.messages) + repr(run.output)
    )
    assert "CANARY" not in kept
    assert "bob" in kept


def test_an_edited_secret_reaches_the_tool_as_it_is(lab, bank) -> None:
    got = []

    @tool("pay.refund", effect="write", tier=3, sensitive=["card"])
    def refund(amount_usd: int, card: str) -> str:
        got.append(card)
        return "ok"

    lab.run(
        asks_for(100, card="a"),
        [refund],
        mode="live",
        policy=ASKS,
        approvals=[says("edit", edit={"card": CANARY, "amount_usd": 60})],
    )
    assert got == [CANARY]


# ---- recorded and replayed


def test_what_a_person_said_is_kept_and_given_again(lab, bank) -> None:
    person = Person(
        Answer(decision="approve", by="ann", message="fine"), Answer(decision="edit", by="bob", edit={"amount_usd": 30})
    )
    first = lab.record(asks_for(100, 200), bank, policy=ASKS, person=person)
    assert [act["source"] for act in first.interventions] == ["terminal", "terminal"]
    text = lab.tape.read_text()
    again = lab.run(asks_for(100, 200), bank, policy=ASKS, person=Person())
    assert again.success, (again.stop, again.problems)
    assert again.output == ["paid", "paid"]
    assert again.interventions == [{**act, "source": "recorded"} for act in first.interventions]
    assert [c.decision for c in again.calls] == ["approved", "edited"]
    person = Person(
        Answer(decision="approve", by="ann", message="fine"), Answer(decision="edit", by="bob", edit={"amount_usd": 30})
    )
    lab.record(asks_for(100, 200), bank, policy=ASKS, person=person)
    assert lab.tape.read_text() == text, "equal answers leave no diff"


def test_what_a_script_says_stands_in_the_case_only(lab, bank) -> None:
    lab.record(asks_for(100), bank, policy=ASKS, approvals=[says()])
    assert "approvals" not in lab.tape.read_text()
    run = lab.run(asks_for(100), bank, policy=ASKS)
    assert run.outcome == "interrupted"


def test_nobody_is_asked_in_replay(lab, bank) -> None:
    person = Person(Answer(decision="approve", by="ann"))
    lab.record(asks_for(20), bank, policy=ASKS)
    run = lab.run(asks_for(100), bank, policy=ASKS, person=person)
    assert (run.outcome, person.asked) == ("interrupted", [])


def test_a_recorded_answer_is_for_the_call_that_was_asked_about(lab, bank) -> None:
    lab.record(asks_for(100), bank, policy=ASKS, person=Person(Answer(decision="approve", by="ann")))
    for changed in (asks_for(101), asks_for(100, card="x")):
        run = lab.run(changed, bank, policy=ASKS)
        assert run.outcome == "interrupted"
    other_rule = rules(
        '{if: "amount_usd <= 5", allow: true}',
        '{if: "amount_usd <= 6", require_approval: boss}',
        '{if: "amount_usd > 6", require_approval: boss}',
    )
    run = lab.run(asks_for(100), bank, policy=other_rule)
    assert run.outcome == "interrupted"
    assert "for another rule" in run.stop
    assert lab.run(asks_for(100), bank, policy=ASKS, principal={"id": "other"}).outcome == "interrupted"


ASKS_MORE = ASKS.replace("amount_usd > 5000", "amount_usd > 4000")


def test_a_recorded_answer_is_void_when_its_policy_changed_and_it_is_said_how_to_ask_again(lab, bank) -> None:
    lab.record(asks_for(100), bank, policy=ASKS, person=Person(Answer(decision="approve", by="ann")))
    run = lab.run(asks_for(100), bank, policy=ASKS_MORE)
    assert run.outcome == "interrupted"
    assert "recorded is approve by ann (boss), which does not hold any more: the policies for pay.refund changed" in run.stop
    assert "cure: have it answered again: pytest --agent-evals --agent-record=all -k one" in run.stop
    (stale,) = run.stale
    assert stale.startswith("the policy changed since the recording (")
    assert lab.run(asks_for(100), bank, policy=ASKS).success, "it was not the recording that changed"


def test_a_recorded_answer_is_void_when_the_contract_changed(lab, bank) -> None:
    lab.record(asks_for(100), bank, policy=ASKS, person=Person(Answer(decision="approve", by="ann")))
    run = lab.run(asks_for(100), bank, policy=ASKS, contracts={"pay.refund": {"version": "2"}})
    assert run.outcome == "interrupted"
    assert "the contract of pay.refund changed since it was given" in run.stop


def test_what_has_nothing_to_do_with_the_tool_voids_no_answer(lab, bank) -> None:
    other = 'version: 1\npolicy: {id: mails, tool: "mail.*", rules: [{if: "size > 1", deny: true}]}\n'
    lab.record(asks_for(100), bank, policy=[ASKS, other], person=Person(Answer(decision="approve", by="ann")))
    tested = ASKS + "  # a remark\n  tests: [{name: small, args: {amount_usd: 1}, expect: allow}]\n"
    for policies in ([other, ASKS], [ASKS, other.replace("> 1", "> 2")], [ASKS], [tested, other]):
        run = lab.run(asks_for(100), bank, policy=policies)
        assert run.output == ["paid"], run.stop


def test_a_recording_whose_readable_half_was_changed(lab, bank) -> None:
    lab.record(asks_for(100), bank, policy=ASKS, person=Person(Answer(decision="approve", by="ann")))
    lab.tape.write_text(lab.tape.read_text().replace("amount_usd: 100", "amount_usd: 900"))
    assert lab.run(asks_for(900), bank, policy=ASKS).outcome == "interrupted"


def test_a_recorded_answer_that_nobody_asks_for_is_told(lab, bank) -> None:
    lab.record(asks_for(100), bank, policy=ASKS, person=Person(Answer(decision="approve", by="ann")))
    looser = rules('{if: "amount_usd <= 500", allow: true}', '{if: "amount_usd > 500", require_approval: boss}')
    run = lab.run(asks_for(100), bank, policy=looser)
    assert run.success
    assert "the recorded approve by ann" in lab.problem(run, "approval_unused").text


def test_a_script_answers_before_the_recording(lab, bank) -> None:
    lab.record(asks_for(100), bank, policy=ASKS, person=Person(Answer(decision="approve", by="ann")))
    run = lab.run(asks_for(100), bank, policy=ASKS, approvals=[says("reject")])
    assert run.output == ["approval_rejected"]
    assert "counterfactual" in run.labels


def test_an_edit_that_the_recorded_run_did_not_have_makes_another_run(lab, bank) -> None:
    lab.record(asks_for(100), bank, policy=ASKS, approvals=[says()])
    run = lab.run(asks_for(100), bank, policy=ASKS, approvals=[says("edit", edit={"amount_usd": 20})])
    assert "counterfactual" in run.labels
    assert lab.kinds(run) == ["miss"], "and what the edited call would have got nobody knows"


def test_an_uuid_in_the_arguments_is_the_same_call_in_replay(lab, bank) -> None:
    def agent(task, tools):
        return tools.attempt("pay.refund", {"amount_usd": 100, "key": str(task.uuid4())}).ok

    lab.record(agent, bank, policy=ASKS, person=Person(Answer(decision="approve", by="ann")))
    run = lab.run(agent, bank, policy=ASKS)
    assert (run.output, run.interventions[0]["source"]) == (True, "recorded")
    assert run.interventions[0]["args"]["key"] == "<<uuid:1>>"
