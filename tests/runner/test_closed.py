"""Calls after the agent has returned: they raise, are listed, and fail the trial, whenever they come."""

from __future__ import annotations

import threading
import time

import pytest

from pytest_agentops import SessionClosed
from pytest_agentops.approvals.request import Answer

from .conftest import rules

ASKS = rules('{if: "amount_usd <= 50", allow: true}', '{if: "amount_usd > 50", require_approval: boss}')


def outliving(task, tools):
    """Returns while a thread of its own still works."""

    def later():
        time.sleep(0.08)
        tools.attempt("orders.get", {"order_id": "W-1"})

    threading.Thread(target=later, daemon=True).start()
    return "done"


@pytest.mark.parametrize("record", ["none", "all"])
def test_a_thread_that_calls_within_the_grace_is_part_of_the_run(record, lab, shop) -> None:
    lab.record(lambda task, tools: tools.call("orders.get", order_id="W-1")["id"], shop)
    run = lab.run(outliving, shop, record=record)
    assert len(run.calls) == 1
    assert run.success


@pytest.mark.parametrize("record", ["none", "all"])
def test_a_thread_that_calls_later_fails_the_trial(record, lab, shop, tripped, monkeypatch) -> None:
    lab.record(lambda task, tools: "done", shop)
    tripped.clear()
    monkeypatch.setattr("pytest_agentops.runner.invoke.GRACE", 0.0)
    before = lab.tape.read_bytes()
    run = lab.run(outliving, shop, record=record)
    assert run.success, "nothing was seen yet"
    time.sleep(0.3)
    assert lab.kinds(run) == ["closed"], "the run's problems are the session's: who looks again sees it"
    assert "orders.get was called after the agent had returned" in run.problems[0].text
    assert tripped == []
    assert lab.tape.read_bytes() == before


def test_a_call_that_still_runs_fails_the_trial_and_keeps_the_old_recording(lab, monkeypatch) -> None:
    from pytest_agentops import tool

    monkeypatch.setattr("pytest_agentops.runner.invoke.GRACE", 0.0)
    let_go, began = threading.Event(), threading.Event()

    @tool("slow", effect="read")
    def slow() -> str:
        began.set()
        let_go.wait(5)
        return "x"

    def agent(task, tools):
        threading.Thread(target=lambda: tools.attempt("slow"), daemon=True).start()
        began.wait(5)
        return "done"

    try:
        for options in ({"record": "all"}, {"mode": "live"}):
            began.clear()
            run = lab.run(agent, [slow], **options)
            assert lab.kinds(run) == ["closed"]
            assert "slow still ran" in run.problems[0].text
            assert not run.success
            assert not lab.tape.exists()
    finally:
        let_go.set()


def test_a_kept_toolbox_is_of_no_use(lab, shop) -> None:
    kept = []
    run = lab.run(lambda task, tools: kept.append(tools), shop, mode="live")
    with pytest.raises(SessionClosed):
        kept[0].call("orders.get", order_id="W-1")
    result = kept[0].attempt("orders.get", {"order_id": "W-1"})
    assert not result.ok
    assert lab.kinds(run) == ["closed", "closed"]


def test_a_thread_that_is_just_being_started_is_waited_for_too(monkeypatch) -> None:
    from pytest_agentops.runner.invoke import wait_for_threads

    born = threading.Thread(target=lambda: None)  # what threading.enumerate() shows for a moment while another thread starts it
    monkeypatch.setattr(threading, "enumerate", lambda: [threading.main_thread(), born])
    monkeypatch.setattr("pytest_agentops.runner.invoke.GRACE", 0.05)
    started = time.monotonic()
    wait_for_threads({threading.main_thread()})
    assert 0.04 < time.monotonic() - started < 1
    starter = threading.Timer(0.01, born.start)
    starter.start()
    wait_for_threads({threading.main_thread()})
    assert not born.is_alive()
    starter.join()


def test_a_call_that_waited_for_a_person_beyond_the_end_reaches_no_tool(lab, bank, monkeypatch) -> None:
    """The person answers when the run is over and its state is taken: the money must not move any more."""
    monkeypatch.setattr("pytest_agentops.runner.invoke.GRACE", 0.0)
    asked, over, done = threading.Event(), threading.Event(), threading.Event()

    class Slow:
        source = "terminal"

        def answer(self, request, role):
            asked.set()
            over.wait(5)
            return Answer(decision="approve", by="ann")

    def late(tools):
        tools.attempt("pay.refund", {"amount_usd": 100})

    def agent(task, tools):
        def work():
            try:
                late(tools)
            finally:
                done.set()

        threading.Thread(target=work, daemon=True).start()
        asked.wait(5)
        return "done"

    run = lab.run(agent, bank, mode="live", policy=ASKS, person=Slow())
    over.set()
    done.wait(5)
    assert bank.paid == []
    assert "closed" in lab.kinds(run)
