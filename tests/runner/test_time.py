"""Trials that hang: every way of not ending is ended, and the outcome is timed_out."""

from __future__ import annotations

import asyncio
import signal
import threading
import time

import pytest

from pytest_agentops import tool
from pytest_agentops.runner.invoke import ToolLoop


def busy(task, tools):
    while True:
        pass


def sleeping(task, tools):
    time.sleep(30)


async def asleep(task, tools):
    await asyncio.sleep(30)


async def swallows_cancel(task, tools):
    while True:
        try:
            await asyncio.sleep(30)
        except (asyncio.CancelledError, Exception):
            pass


async def swallows_once_and_returns(task, tools):
    try:
        await asyncio.sleep(30)
    except asyncio.CancelledError:
        return "all done"


def swallows_everything_once(task, tools):
    try:
        time.sleep(30)
    except BaseException:
        return "all done"


def swallows_twice(task, tools):
    for _ in range(2):
        try:
            time.sleep(30)
        except BaseException:
            pass
    time.sleep(30)


async def left_behind(task, tools):
    async def stubborn():
        while True:
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                pass

    kept = asyncio.create_task(stubborn())
    await asyncio.sleep(30)
    return kept


@pytest.mark.parametrize(
    "agent", [busy, sleeping, asleep, swallows_cancel, swallows_once_and_returns, swallows_everything_once, swallows_twice]
)
def test_an_agent_that_hangs(agent, lab, shop) -> None:
    started = time.monotonic()
    run = lab.run(agent, shop, mode="live", budget={"seconds": 0.15})
    assert time.monotonic() - started < 4
    assert run.outcome == "timed_out"
    assert "0.15 seconds" in run.stop
    assert not run.success
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0), "the alarm is off again"
    assert lab.run(agent, shop, mode="live", budget={"seconds": 0.15}, expect={"outcome": "timed_out"}).success


def test_a_task_that_will_not_end_is_abandoned(lab, shop, monkeypatch) -> None:
    monkeypatch.setattr("pytest_agentops.runner.invoke.CLOSE", 0.1)
    run = lab.run(left_behind, shop, mode="live", budget={"seconds": 0.1})
    assert run.outcome == "timed_out"


def test_an_agents_own_time_out_is_its_own(lab, shop) -> None:
    async def impatient(task, tools):
        async with asyncio.timeout(0.01):
            await asyncio.sleep(5)

    run = lab.run(impatient, shop, mode="live", budget={"seconds": 3})
    assert run.outcome == "error"
    assert "TimeoutError" in run.stop


def test_a_tool_that_hangs(lab) -> None:
    @tool("slow", effect="read")
    def slow() -> None:
        time.sleep(30)

    @tool("aslow", effect="read")
    async def aslow() -> None:
        await asyncio.sleep(30)

    for name in ("slow", "aslow"):
        run = lab.record(lambda task, tools, name=name: tools.attempt(name), [slow, aslow], budget={"seconds": 0.1})
        assert run.outcome == "timed_out"
        assert run.calls[0].reason == "budget_exceeded"
        assert not lab.tape.exists()


def test_a_call_after_the_seconds_is_refused(lab, shop, tripped) -> None:
    def late(task, tools):
        try:
            time.sleep(30)
        except BaseException:
            pass
        tools.attempt("orders.get", {"order_id": "W-1"})

    run = lab.run(late, shop, mode="live", budget={"seconds": 0.1})
    assert run.outcome == "timed_out"
    assert tripped == []
    assert run.calls[0].decision == "budget"


def test_where_no_alarm_can_be_had_calls_are_refused_all_the_same(lab, shop, tripped) -> None:
    def calling(task, tools):
        for _ in range(100):
            time.sleep(0.02)
            tools.call("orders.get", order_id="W-1")

    runs = []
    thread = threading.Thread(target=lambda: runs.append(lab.run(calling, shop, mode="live", budget={"seconds": 0.1})))
    thread.start()
    thread.join(10)
    assert runs[0].outcome == "timed_out"
    assert len(tripped) < 10


def test_somebody_elses_timer_is_left_alone(lab, shop) -> None:
    rung = []
    before = signal.signal(signal.SIGALRM, lambda *a: rung.append(1))
    signal.setitimer(signal.ITIMER_REAL, 30)
    try:
        assert lab.run(lambda task, tools: "ok", shop, mode="live").success
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 20
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert rung == []


def test_an_async_agent_in_a_running_loop_says_so(lab, shop) -> None:
    async def agent(task, tools):
        return "never"

    async def test():
        return lab.run(agent, shop, mode="live")

    run = asyncio.run(test())
    assert run.outcome == "error"
    assert "inside another" in run.stop


def test_an_awaitable_that_is_no_coroutine_in_a_running_loop(lab, shop) -> None:
    async def test():
        return lab.run(lambda task, tools: asyncio.get_running_loop().create_future(), shop, mode="live")

    assert "inside another" in asyncio.run(test()).stop


def test_one_loop_for_all_turns(lab, shop) -> None:
    loops = []

    async def agent(task, tools):
        loops.append(asyncio.get_running_loop())
        return "ok"

    assert lab.run(agent, shop, mode="live", turns=["a", "b"]).success
    assert loops[0] is loops[1]
    assert loops[0].is_closed()


def test_async_tools_from_a_sync_agent_cost_no_grace(lab) -> None:
    @tool("a", effect="read")
    async def a() -> str:
        await asyncio.sleep(0)
        return "x"

    run = lab.run(lambda task, tools: tools.call("a"), [a], mode="live")
    assert run.output == "x"
    assert run.duration_s < 0.2


def test_a_tool_that_would_wait_for_itself(lab) -> None:
    boxes = []

    @tool("inner", effect="read")
    async def inner() -> str:
        return "x"

    @tool("outer", effect="read")
    async def outer() -> str:
        return str(boxes[0].call("inner"))

    def agent(task, tools):
        boxes.append(tools)
        return tools.attempt("outer").ok

    run = lab.run(agent, [inner, outer], mode="live", budget={"seconds": 5})
    assert run.outcome == "completed"
    assert lab.kinds(run)[0] == "setup"
    assert "would wait for itself" in run.problems[0].text


def test_a_tool_loop_whose_tool_will_not_end_is_left(monkeypatch) -> None:
    monkeypatch.setattr("pytest_agentops.runner.invoke.CLOSE", 0.05)
    loop = ToolLoop()
    loop.close()  # never started: nothing to do
    let_go = threading.Event()

    async def stubborn():
        while not let_go.is_set():
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                pass

    waiting = threading.Thread(target=lambda: loop.run(stubborn()), daemon=True)
    waiting.start()
    time.sleep(0.05)
    started = time.monotonic()
    inner = loop._loop
    loop.close()
    assert time.monotonic() - started < 2
    let_go.set()
    assert inner is not None
