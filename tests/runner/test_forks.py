"""Tool calls in forked children: refused there, and the trial in the parent fails."""

from __future__ import annotations

import multiprocessing
import os
import time

import pytest

from pytest_agentops import SessionClosed
from pytest_agentops.runner.forks import ForkNotes

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")

ANSWERS = {"orders.find": {"parameters": {}, "effect": "read", "answers": [{"result": "W-1"}]}}


def in_child(work, *, wait=True) -> int:
    """Run `work` in a forked child; its exit code is 7 if it ran through."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) if wait else child


@pytest.mark.parametrize("mode", ["replay", "live"])
def test_a_swallowed_call_of_a_child(mode, lab, shop, tripped) -> None:
    lab.record(lambda task, tools: "done", shop)
    tripped.clear()

    def agent(task, tools):
        assert in_child(lambda: tools.attempt("orders.set", {"order_id": "W-1"})) == 7
        return "done"

    run = lab.run(agent, shop, mode=mode)
    assert lab.kinds(run) == ["forked"]
    assert not run.success
    assert tripped == []
    assert run.problems[0].text.startswith("orders.set was called in a forked child process")
    assert "cure: call tools in the agent's own process" in run.problems[0].text


def test_a_canned_answer_is_no_way_around(lab) -> None:
    def agent(task, tools):
        in_child(lambda: tools.call("orders.find"))
        return "done"

    assert lab.kinds(lab.run(agent, mode="live", contracts=ANSWERS)) == ["forked"]


def test_the_child_is_told(lab, shop) -> None:
    def agent(task, tools):
        told, tell = os.pipe()

        def work():
            try:
                tools.call("orders.get", order_id="W-1")
            except SessionClosed as error:
                os.write(tell, str(error).encode())

        in_child(work)
        return os.read(told, 1000).decode()

    run = lab.run(agent, shop, mode="live")
    assert "orders.get was called in a forked child process" in run.output


def test_a_pool_of_processes(lab, shop) -> None:
    def agent(task, tools):
        process = multiprocessing.get_context("fork").Process(target=tools.attempt, args=("orders.get", {"order_id": "W-1"}))
        process.start()
        process.join()
        return "done"

    assert lab.kinds(lab.run(agent, shop, mode="live")) == ["forked"]


def test_a_child_that_calls_nothing_is_no_failure_and_the_next_trial_starts_clean(lab, shop) -> None:
    def agent(task, tools):
        assert in_child(lambda: None) == 7
        return tools.call("orders.get", order_id="W-1")["id"]

    assert lab.run(agent, shop, mode="live").success
    lab.run(lambda task, tools: in_child(lambda: tools.attempt("orders.get")), shop, mode="live")
    assert lab.run(agent, shop, mode="live").success


def test_a_recording_is_not_replaced_by_a_run_with_lost_calls(lab, shop) -> None:
    lab.record(lambda task, tools: "done", shop)
    before = lab.tape.read_bytes()

    def agent(task, tools):
        in_child(lambda: tools.attempt("orders.get", {"order_id": "W-1"}))
        return tools.call("orders.get", order_id="W-2")["id"]

    lab.record(agent, shop)
    assert lab.tape.read_bytes() == before


def test_a_child_that_comes_back_from_the_agent_ends_there(lab, shop, tmp_path) -> None:
    def agent(task, tools):
        child = os.fork()
        if child == 0:
            raise SystemExit(5)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def returning(task, tools):
        child = os.fork()
        if child == 0:
            return "child"
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def raising(task, tools):
        child = os.fork()
        if child == 0:
            raise KeyError("child")
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    me = os.getpid()
    assert [lab.run(a, shop, mode="live").output for a in (agent, returning, raising)] == [5, 0, 1]
    assert os.getpid() == me


def test_a_call_that_comes_when_the_trial_is_over_is_told_of() -> None:
    notes = ForkNotes()
    notes.before_fork()
    told: list[str] = []
    notes.watch(3, told.append)
    notes.late()
    assert told == []
    in_child(lambda: notes.refuse(3, "orders.get"))
    in_child(lambda: notes.refuse(4, "orders.set"))
    notes.late()
    assert [text.partition(" was ")[0] for text in told] == ["orders.get"]
    notes.late()
    assert len(told) == 1
    assert [tool for tool, _ in notes.take(4)] == ["orders.set"]
    assert notes.take(4) == []


def test_long_names_and_many_children_leave_their_notes() -> None:
    notes = ForkNotes()
    notes.before_fork()
    children = [in_child(lambda: notes.refuse(1, "x" * 500), wait=False) for _ in range(5)]
    for child in children:
        os.waitpid(child, 0)
    assert [set(tool) for tool, _ in notes.take(1)] == [{"x"}] * 5


def test_without_a_fork_nothing_is_made() -> None:
    notes = ForkNotes()
    assert notes.take(1) == []
    assert isinstance(notes.refuse(1, "a"), SessionClosed)
    assert notes.take(1) == []


def test_what_a_trial_pays() -> None:
    """Looking for notes costs next to nothing, where the process has forked, too."""
    notes = ForkNotes()
    notes.before_fork()
    started = time.perf_counter()
    for _ in range(1000):
        notes.take(0)
    assert (time.perf_counter() - started) / 1000 < 0.0001
