"""Who must answer, whose answer counts, and what an approval is good for."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_agentops.approvals.action import Action
from pytest_agentops.approvals.desk import ATTEMPTS, EDITS, Desk
from pytest_agentops.approvals.request import Answer, Approval, ApprovalRefused, Need, Outcome, Request, Terms
from pytest_agentops.schema.case import ScriptedApproval

from .desks import Clock, Says, desk, refund, says

ONE = Terms.of("support_manager")
TWO = Terms.of("support_manager", count=2)


def granted(outcome: Outcome) -> Approval:
    assert outcome.kind == "approved", outcome
    assert outcome.approval is not None
    return outcome.approval


# ---- one answer


def test_an_approval_lets_one_call_through() -> None:
    place = desk(says(message="checked the order"))
    approval = granted(place.ask(refund(), ONE))
    assert (approval.by, approval.source) == (("alice",), "scripted")
    place.spend(approval, refund())
    assert place.interventions == [
        {
            "kind": "approve",
            "tool": "payments.refund",
            "args": {"order_id": "W-1", "amount_usd": 120},
            "role": "support_manager",
            "by": "alice",
            "source": "scripted",
            "message": "checked the order",
        }
    ]


def test_a_rejection_is_told_to_the_agent_with_its_reason() -> None:
    outcome = desk(says("reject", message="the item was never sent back")).ask(refund(), ONE)
    assert (outcome.kind, outcome.reason) == ("rejected", "approval_rejected")
    assert outcome.message == "payments.refund: rejected by alice (support_manager): the item was never sent back"
    assert outcome.approval is None


def test_a_timeout_is_a_denial_and_no_human_act() -> None:
    place = desk(says("timeout"))
    outcome = place.ask(refund(), ONE)
    assert (outcome.kind, outcome.reason, outcome.approval) == ("timed_out", "approval_timeout", None)
    assert place.interventions == []
    assert [act.decision for act in place.acts] == ["timeout"]


def test_no_answer_is_unanswered_and_says_what_to_write() -> None:
    outcome = desk().ask(refund(), ONE)
    assert (outcome.kind, outcome.reason, outcome.approval) == ("unanswered", None, None)
    assert "needs the approval of support_manager (rule refunds/3)" in outcome.message
    assert "approvals: [{tool: payments.refund, role: support_manager, by: NAME, decision: approve}]" in outcome.message


def test_the_first_approver_with_an_answer_is_taken() -> None:
    first, second = Says(None), Says(Answer(decision="approve", by="bob"))
    assert granted(Desk([first, second], clock=Clock()).ask(refund(), ONE)).by == ("bob",)
    assert len(first.asked) == 1


# ---- who


def test_two_different_people_are_two() -> None:
    assert granted(desk(says(by="alice"), says(by="bob")).ask(refund(), TWO)).by == ("alice", "bob")


@pytest.mark.parametrize("again", ["alice", "Alice", " alice ", "user:alice", "\uff41lice"])
def test_one_person_twice_is_one(again: str) -> None:
    outcome = desk(says(by="alice"), says(by=again)).ask(refund(), TWO)
    assert outcome.kind == "unanswered"
    assert "1 of 2 given" in outcome.message
    assert "has answered already" in outcome.message


def test_two_answers_without_a_name_are_one_person() -> None:
    assert desk(says(by=None), says(by=None)).ask(refund(), TWO).kind == "unanswered"


@pytest.mark.parametrize("who", ["support-bot", "dana", "user:dana", "Dana"])
@pytest.mark.parametrize("decision", ["approve", "edit", "escalate"])
def test_who_asked_cannot_approve(who: str, decision: str) -> None:
    terms = Terms(needs=(Need(role="support_manager", escalate_to=("director",)),))
    outcome = desk(says(decision, by=who, edit={"amount_usd": 1})).ask(refund(), terms)
    assert outcome.kind == "unanswered"
    assert "asked for the call" in outcome.message


def test_a_no_counts_whoever_says_it() -> None:
    assert desk(says("reject", by="dana")).ask(refund(), ONE).kind == "rejected"


def test_all_roles_are_needed_and_by_different_people() -> None:
    both = Terms.of("support_manager", "finance")
    assert desk(says(by="alice")).ask(refund(), both).kind == "unanswered"
    assert desk(says(by="alice"), says(by="alice", role="finance")).ask(refund(), both).kind == "unanswered"
    assert granted(desk(says(by="alice"), says(by="bob", role="finance")).ask(refund(), both)).by == ("alice", "bob")


def test_a_person_needs_the_role() -> None:
    roles = {"support_manager": ["alice"], "finance": ["bob"]}
    assert desk(says(by="alice"), roles=roles).ask(refund(), ONE).kind == "approved"
    for who in ("bob", "nobody"):
        outcome = desk(says(by=who), roles=roles).ask(refund(), ONE)
        assert f"{who} does not have the role support_manager; it is that of alice" in outcome.message


def test_one_no_after_a_yes_is_no() -> None:
    assert desk(says(by="alice"), says("reject", by="bob")).ask(refund(), TWO).kind == "rejected"


def test_an_approver_that_only_repeats_itself_ends() -> None:
    always = Says(*[Answer(decision="approve", by="alice")] * 1000)
    outcome = Desk([always], clock=Clock()).ask(refund(), TWO)
    assert outcome.kind == "rejected"
    assert len(always.asked) == ATTEMPTS + 1


def test_a_word_that_is_no_decision_grants_nothing() -> None:
    odd = Answer(decision="yes", by="alice")  # type: ignore[arg-type]
    assert Desk([Says(odd)], clock=Clock()).ask(refund(), ONE).kind == "unanswered"


@pytest.mark.parametrize("make", [lambda: Need(role="x", count=0), lambda: Need(role="x", count=-1), lambda: Terms(needs=())])
def test_terms_that_ask_nobody_cannot_be_made(make: Any) -> None:
    with pytest.raises(ValueError, match="unasked"):
        make()


# ---- escalation


def test_an_escalation_asks_the_next_role() -> None:
    terms = Terms(needs=(Need(role="support_manager", escalate_to=("director",)),))
    place = desk(says("escalate"), says(by="carol", role="director"))
    outcome = place.ask(refund(), terms)
    assert granted(outcome).by == ("carol",)
    assert [(a.role, a.needed, a.decision) for a in outcome.acts] == [
        ("support_manager", "support_manager", "escalate"),
        ("director", "support_manager", "approve"),
    ]
    assert [i["kind"] for i in place.interventions] == ["escalate", "approve"]


def test_who_escalated_cannot_answer_for_the_next_role() -> None:
    terms = Terms(needs=(Need(role="support_manager", escalate_to=("director",)),))
    assert desk(says("escalate"), says(by="alice", role="director")).ask(refund(), terms).kind == "unanswered"


def test_the_end_of_the_chain_is_a_rejection() -> None:
    outcome = desk(says("escalate")).ask(refund(), ONE)
    assert (outcome.kind, outcome.reason) == ("rejected", "approval_rejected")
    assert "no role after support_manager" in outcome.message


# ---- edit


def test_an_edit_gives_new_arguments_and_no_approval() -> None:
    outcome = desk(says("edit", edit={"amount_usd": 50}, message="half")).ask(refund(), ONE)
    assert (outcome.kind, outcome.args, outcome.approval) == ("edited", {"order_id": "W-1", "amount_usd": 50}, None)


def test_an_editor_has_approved_what_came_of_it() -> None:
    place = desk(says("edit", edit={"amount_usd": 100}), says(by="bob"))
    first = place.ask(refund(), TWO)
    again = place.ask(refund(amount_usd=100), TWO, after=first)
    assert granted(again).by == ("alice", "bob")
    place.spend(granted(again), refund(amount_usd=100))
    assert [i["kind"] for i in place.interventions] == ["edit", "approve"]


def test_an_earlier_yes_does_not_hold_for_what_was_edited() -> None:
    place = desk(says(by="alice"), says("edit", by="bob", edit={"amount_usd": 100}))
    first = place.ask(refund(), TWO)
    assert first.kind == "edited"
    assert place.ask(refund(amount_usd=100), TWO, after=first).kind == "unanswered"


def test_another_rule_may_ask_after_the_edit() -> None:
    place = desk(says("edit", edit={"amount_usd": 60}))
    first = place.ask(refund(), ONE)
    assert granted(place.ask(replace(refund(amount_usd=60), rule="refunds/2"), ONE, after=first)).by == ("alice",)


def test_an_edit_may_lead_to_another_role_which_is_then_asked() -> None:
    place = desk(says("edit", edit={"amount_usd": 60}), says(by="fay", role="finance"))
    first = place.ask(refund(), ONE)
    second = place.ask(replace(refund(amount_usd=60), rule="refunds/2"), Terms.of("finance"), after=first)
    assert granted(second).by == ("fay",)
    assert [act.carried for act in second.acts] == [False]


def test_an_edit_may_not_need_more_than_was_asked_for() -> None:
    place = desk(says("edit", edit={"amount_usd": 9000}), says(by="bob"), says(by="carol"))
    first = place.ask(refund(), ONE)
    outcome = place.ask(refund(amount_usd=9000), TWO, after=first)
    assert (outcome.kind, outcome.reason) == ("rejected", "approval_rejected")


def test_an_edit_is_not_an_approval_of_yet_another_call() -> None:
    place = desk(says("edit", edit={"amount_usd": 100}))
    first = place.ask(refund(), ONE)
    assert place.ask(refund(amount_usd=101), ONE, after=first).kind == "rejected"


def test_only_listed_arguments_may_be_edited() -> None:
    terms = Terms(needs=ONE.needs, allow_edit=("amount_usd",))
    assert desk(says("edit", edit={"amount_usd": 1})).ask(refund(), terms).kind == "edited"
    outcome = desk(says("edit", edit={"amount_usd": 1, "order_id": "W-9"})).ask(refund(), terms)
    assert "order_id may not be edited; the policy allows amount_usd" in outcome.message
    assert desk(says("edit", edit={})).ask(refund(), ONE).kind == "unanswered"


def test_edits_come_to_an_end() -> None:
    place = desk(*[says("edit", by=f"p{i}", edit={"amount_usd": i}) for i in range(50)])
    outcome: Outcome | None = None
    action, rounds = refund(), 0
    while outcome is None or outcome.kind == "edited":
        outcome = place.ask(action, TWO, after=outcome)
        action = replace(action, args=outcome.args or {})
        rounds += 1
    assert outcome.kind in ("rejected", "unanswered")
    assert rounds <= EDITS + 1


# ---- bound, once, for a time


def test_an_approval_is_used_once() -> None:
    place = desk(says())
    approval = granted(place.ask(refund(), ONE))
    place.spend(approval, refund())
    with pytest.raises(ApprovalRefused, match="used already") as refused:
        place.spend(approval, refund())
    assert refused.value.reason == "approval_mismatch"


@pytest.mark.parametrize("other", [refund(amount_usd=121), replace(refund(), tool="bank.pay"), replace(refund(), trial="x#1")])
def test_an_approval_is_for_its_call_only(other: Action) -> None:
    place = desk(says())
    approval = granted(place.ask(refund(), ONE))
    with pytest.raises(ApprovalRefused, match="not the call that was approved"):
        place.spend(approval, other)
    with pytest.raises(ApprovalRefused):
        place.spend(approval, refund())


def test_arguments_changed_in_place_after_the_approval_are_found() -> None:
    place, action = desk(says()), refund(items=[{"sku": "a"}])
    approval = granted(place.ask(action, ONE))
    action.args["items"][0]["sku"] = "gold"
    with pytest.raises(ApprovalRefused, match="not the call"):
        place.spend(approval, action)


@pytest.mark.parametrize("key", ["policy", "contract"])
def test_an_approval_under_a_policy_or_contract_that_changed_is_none(key: str) -> None:
    action = replace(refund(), under={"policy": "sha256:1", "contract": "sha256:2"})
    place = desk(says())
    approval = granted(place.ask(action, ONE))
    with pytest.raises(ApprovalRefused, match="not the call") as refused:
        place.spend(approval, replace(action, under={**action.under, key: "sha256:3"}))
    assert refused.value.reason == "approval_mismatch"


def test_arguments_changed_while_it_is_asked_for_are_found() -> None:
    class Sly:
        source: Any = "terminal"

        def answer(self, request: Request, role: str) -> Answer:
            request.action.args["amount_usd"] = 9999
            return Answer(decision="approve", by="alice")

    outcome = Desk([Sly()], clock=Clock()).ask(refund(), ONE)
    assert (outcome.kind, outcome.reason) == ("rejected", "approval_mismatch")


def test_an_approval_made_up_or_of_another_trial_is_refused() -> None:
    place, other = desk(says()), desk(says())
    approval = granted(place.ask(refund(), ONE))
    with pytest.raises(ApprovalRefused, match="no approval of this trial"):
        other.spend(approval, refund())
    forged = replace(approval, digest=refund(amount_usd=9999).digest)
    with pytest.raises(ApprovalRefused, match="no approval of this trial"):
        place.spend(forged, refund(amount_usd=9999))
    longer = replace(approval, expires=approval.expires + dt.timedelta(days=9))
    with pytest.raises(ApprovalRefused, match="no approval of this trial"):
        place.spend(longer, refund())


@pytest.mark.parametrize(("minutes", "holds"), [(0, True), (15, True), (15.01, False), (-0.01, False)])
def test_an_approval_expires_and_does_not_come_back_with_the_clock(minutes: float, holds: bool) -> None:
    clock = Clock()
    place = desk(says(), clock=clock)
    approval = granted(place.ask(refund(), ONE))
    clock.move(minutes)
    if holds:
        place.spend(approval, refund())
    else:
        with pytest.raises(ApprovalRefused, match="expired") as refused:
            place.spend(approval, refund())
        assert refused.value.reason == "approval_timeout"


@pytest.mark.parametrize("minutes", [16, -1])
def test_an_answer_that_comes_too_late_or_too_early_is_a_timeout(minutes: float) -> None:
    clock = Clock()
    late = Says(Answer(decision="approve", by="alice"), clock=clock, minutes=minutes)
    outcome = Desk([late], clock=clock).ask(refund(), ONE)
    assert (outcome.kind, outcome.reason) == ("timed_out", "approval_timeout")


# ---- the rule, over everything a script can say

PEOPLE = ("alice", "Alice", "bob", "dana", "support-bot", None)
ENTRIES = st.lists(
    st.builds(
        lambda role, by, decision: ScriptedApproval(role=role, by=by, decision=decision, edit={"amount_usd": 1}),
        role=st.sampled_from(["support_manager", "finance", "director", None]),
        by=st.sampled_from(PEOPLE),
        decision=st.sampled_from(["approve", "approve", "approve", "edit", "reject", "escalate", "timeout"]),
    ),
    max_size=8,
)
NEEDS = st.lists(
    st.builds(
        Need,
        role=st.sampled_from(["support_manager", "finance"]),
        count=st.integers(1, 3),
        escalate_to=st.sampled_from([(), ("director",)]),
    ),
    min_size=1,
    max_size=2,
)


@settings(max_examples=300, deadline=None)
@given(entries=ENTRIES, needs=NEEDS)
def test_granted_means_enough_different_people_who_did_not_ask(entries: list[ScriptedApproval], needs: list[Need]) -> None:
    outcome = desk(*entries).ask(refund(), Terms(needs=tuple(needs)))
    if outcome.kind != "approved":
        assert outcome.approval is None
        return
    people = {act.by.casefold() for act in outcome.acts if act.decision == "approve" and act.refused is None}
    assert len(people) >= sum(need.count for need in needs)
    assert not people & {"dana", "support-bot"}
    assert not any(act.decision in ("reject", "timeout", "edit") and act.refused is None for act in outcome.acts)
