"""Policies over runs with a model: recorded, replayed, swapped in hybrid; what a changed decision does to what follows."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pytest_agentops.approvals.request import Answer

from ..servers.protocol import ProtocolServer, call, say, use_tools
from .conftest import rules
from .test_approving import Person
from .test_model_layer import client

SCRIPT = [use_tools(call("pay__refund", amount_usd=100)), say("Paid.")]
ASKS = rules('{if: "amount_usd <= 50", allow: true}', '{if: "amount_usd > 50", require_approval: boss}')
DENIES = rules('{if: "amount_usd > 50", deny: true}', '{if: "amount_usd <= 50", allow: true}', "require_approval: boss")
YES = [{"decision": "approve", "by": "ann"}]


def agent_of(url):
    def agent(task, tools):
        messages = [{"role": "user", "content": task.text}]
        with client(url, max_retries=0) as ai:
            while True:
                answer = ai.chat.completions.create(model=task.model or "gpt-4o-mini", messages=messages, tools=tools.openai())
                message = answer.choices[0].message
                if not message.tool_calls:
                    return message.content
                messages.append(message.model_dump(exclude_none=True))
                for one in message.tool_calls:
                    got = tools.attempt(one.function.name, json.loads(one.function.arguments))
                    told = json.dumps(got.value if got.ok else got.error)
                    messages.append({"role": "tool", "tool_call_id": one.id, "content": told})

    return agent


@pytest.fixture
def url(lab, bank) -> str:
    """Of a server that is gone; its run was recorded under the policy, with a script."""
    with ProtocolServer(SCRIPT) as server:
        run = lab.record(agent_of(server.url), bank, policy=ASKS, approvals=YES)
    assert run.success, (run.stop, run.problems)
    assert bank.paid == [100]
    return server.url


def test_replayed(lab, bank, url) -> None:
    run = lab.run(agent_of(url), bank, policy=ASKS, approvals=YES)
    assert run.success, (run.stop, run.problems)
    assert (run.output, run.calls[0].decision, bank.paid) == ("Paid.", "approved", [100])


def test_after_a_changed_decision_the_model_has_no_answer_and_that_decision_is_the_cause(lab, bank, url) -> None:
    run = lab.run(agent_of(url), bank, policy=DENIES)
    assert run.outcome == "blocked"
    assert run.stop == "pay.refund was stopped (rule); from there on the recording has no answers of the model"
    assert run.labels == ["counterfactual"]
    assert run.problems == [], "no plain miss, nothing unused"
    assert bank.paid == [100]


def test_a_rejection_that_is_new_is_the_cause_too(lab, bank, url) -> None:
    run = lab.run(agent_of(url), bank, policy=ASKS, approvals=[{"decision": "reject", "by": "ann"}])
    assert run.stop.startswith("pay.refund was stopped (approval_rejected)")
    assert "counterfactual" in run.labels


def test_a_budget_that_is_new_ends_the_run_by_itself(lab, bank, url) -> None:
    run = lab.run(agent_of(url), bank, policy=ASKS, approvals=YES, budget={"steps": 1}, expect={"outcome": "budget_exceeded"})
    assert run.success, (run.stop, run.problems)


def test_a_policy_that_agrees_with_the_recording_is_no_cause_of_another_miss(lab, bank, url) -> None:
    def other(task, tools):
        task.text += "!"
        return agent_of(url)(task, tools)

    run = lab.run(other, bank, policy=ASKS, approvals=YES)
    assert lab.kinds(run)[0] == "miss"
    assert "counterfactual" not in run.labels


def test_hybrid_policies_act_on_the_live_model(lab, bank, url) -> None:
    bank.paid.clear()
    script = [use_tools(call("pay__refund", amount_usd=100)), use_tools(call("pay__refund", amount_usd=9000)), say("Done.")]
    policy = (
        ASKS.replace('"amount_usd > 50"', '"amount_usd > 50 and amount_usd <= 500"')
        + '    - {if: "amount_usd > 500", require_approval: cfo}\n'
    )
    with ProtocolServer(script) as server:
        no = {"decision": "reject", "by": "cleo", "role": "cfo"}
        run = lab.run(agent_of(server.url), bank, mode="hybrid", policy=policy, approvals=[*YES, no])
    assert run.success, (run.stop, run.problems)
    assert [c.decision for c in run.calls] == ["approved", "rejected"]
    assert bank.paid == []


def test_tools_live_policies_hold_before_the_real_tool(lab, bank, url) -> None:
    bank.paid.clear()
    run = lab.run(agent_of(url), bank, mode="tools-live", policy=DENIES)
    assert bank.paid == []
    assert run.outcome in ("blocked", "error")
    assert not run.success


def test_a_person_of_the_recording_answers_in_hybrid_for_a_variant_without_one(lab, bank) -> None:
    """The variant plays its case's folder; who approved there approved this call."""
    with ProtocolServer(SCRIPT) as server:
        lab.record(agent_of(server.url), bank, policy=ASKS, person=Person(Answer(decision="approve", by="ann")))
    bank.paid.clear()
    with ProtocolServer(SCRIPT) as server:
        run = lab.run(agent_of(server.url), bank, mode="hybrid", policy=ASKS, variant="small")
    assert run.success, (run.stop, run.problems)
    assert run.interventions[0]["source"] == "recorded"
    assert bank.paid == []


def test_the_second_trial_has_its_own_answers(lab, bank) -> None:
    def agent(task, tools):
        return tools.attempt("pay.refund", {"amount_usd": 100}).ok

    lab.record(agent, bank, policy=ASKS, person=Person(Answer(decision="approve", by="ann")))
    lab.record(agent, bank, policy=ASKS, person=Person(Answer(decision="reject", by="ann")), number=2)
    assert lab.run(agent, bank, policy=ASKS).output is True
    assert lab.run(agent, bank, policy=ASKS, number=2).output is False


def test_new_episodes_keep_the_answers_that_were_there(lab, bank) -> None:
    def agent(amounts):
        return lambda task, tools: [tools.attempt("pay.refund", {"amount_usd": a}).ok for a in amounts]

    lab.record(agent([100]), bank, policy=ASKS, person=Person(Answer(decision="approve", by="ann")))
    text = lab.tape.read_text()
    lab.run(agent([100]), bank, record="new_episodes", policy=ASKS)
    assert lab.tape.read_text() == text
    assert [kept["by"] for kept in lab.cassette.approvals] == ["ann"]


def test_a_stopped_run_is_recorded_and_replays(lab, bank) -> None:
    with ProtocolServer([use_tools(call("pay__refund", amount_usd=100)), say("Sorry.")]) as server:
        first = lab.record(agent_of(server.url), bank, policy=DENIES)
    assert first.success
    assert bank.paid == []
    again = lab.run(agent_of(server.url), bank, policy=DENIES)
    assert again.success, (again.stop, again.problems)
    assert (again.output, again.labels) == ("Sorry.", [])
    assert replace(again.calls[0]) == replace(first.calls[0])
