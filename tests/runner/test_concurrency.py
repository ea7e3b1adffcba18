"""Sixteen threads and sixteen tasks at once: every recording exactly once, in record and in replay."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from pytest_agentops import tool

WIDE = 16


@pytest.fixture
def counter():
    lock = threading.Lock()
    count = iter(range(10_000))

    @tool("ticket", effect="read")
    def ticket(queue: str) -> int:
        with lock:
            return next(count)

    @tool("aticket", effect="read")
    async def aticket(queue: str) -> int:
        await asyncio.sleep(0)
        with lock:
            return next(count)

    return [ticket, aticket]


def queues(number: int) -> str:
    """Half of the calls are equal, half are not."""
    return "same" if number % 2 else f"own-{number}"


def threads(name):
    def agent(task, tools):
        gate = threading.Barrier(WIDE)

        def work(number: int) -> list[int]:
            gate.wait(10)
            return [tools.call(name, queue=queues(number)) for _ in range(3)]

        with ThreadPoolExecutor(WIDE) as pool:
            return [n for part in pool.map(work, range(WIDE)) for n in part]

    return agent


def tasks(name):
    async def agent(task, tools):
        async def work(number: int) -> list[int]:
            return [await tools.acall(name, queue=queues(number)) for _ in range(3)]

        return [n for part in await asyncio.gather(*map(work, range(WIDE))) for n in part]

    return agent


@pytest.mark.parametrize("name", ["ticket", "aticket"])
@pytest.mark.parametrize("kind", [threads, tasks])
def test_every_recording_exactly_once(kind, name, lab, counter) -> None:
    agent = kind(name)
    recorded = lab.record(agent, counter)
    assert recorded.success, recorded.problems
    assert sorted(recorded.output) == list(range(3 * WIDE)), "every answer of the tool was handed out once"
    assert Counter(c.result for c in lab.cassette.calls) == Counter(recorded.output)
    for _ in range(3):
        replayed = lab.run(agent, counter)
        assert replayed.success, replayed.problems
        assert Counter(replayed.output) == Counter(recorded.output)
        by_queue = {q: sorted(c.result for c in replayed.calls if c.args["queue"] == q) for q in map(queues, range(WIDE))}
        assert by_queue == {q: sorted(c.result for c in recorded.calls if c.args["queue"] == q) for q in by_queue}
        assert len(replayed.calls) == 3 * WIDE


def test_equal_calls_with_different_answers_at_once_are_racy(lab, counter) -> None:
    async def agent(task, tools):
        return await asyncio.gather(*(tools.acall("aticket", queue="same") for _ in range(4)))

    lab.record(agent, counter)
    assert [c.overlap for c in lab.cassette.calls] == [0, 1, 2, 3]
    run = lab.run(agent, counter)
    assert run.labels == ["racy"]
    assert run.success

    async def in_turn(task, tools):
        return [await tools.acall("aticket", queue="same") for _ in range(4)]

    lab.record(in_turn, counter)
    assert lab.run(in_turn, counter).labels == []


def test_calls_at_once_stop_at_the_budget_together(lab, counter) -> None:
    def agent(task, tools):
        with ThreadPoolExecutor(WIDE) as pool:
            return sum(pool.map(lambda n: tools.attempt("ticket", {"queue": queues(n)}).ok, range(WIDE * 4)))

    run = lab.run(agent, counter, mode="live", budget={"tool_calls": 10})
    assert run.outcome == "budget_exceeded"
    assert run.output == 10


def test_a_live_episode_beside_replayed_ones_from_many_threads(lab, counter) -> None:
    lab.record(threads("ticket"), counter)

    def more(task, tools):
        with ThreadPoolExecutor(WIDE) as pool:
            names = [queues(n) for n in range(WIDE) for _ in range(3)] + [f"new-{n}" for n in range(WIDE)]
            return list(pool.map(lambda q: tools.call("ticket", queue=q), names))

    wide = {"budget": {"steps": 100}}
    added = lab.run(more, counter, record="new_episodes", **wide)
    assert added.success, added.problems
    assert Counter(c.source for c in added.calls) == {"replay": 3 * WIDE, "live": WIDE}
    assert len(lab.cassette.calls) == 4 * WIDE
    replayed = lab.run(more, counter, **wide)
    assert replayed.success, replayed.problems
    assert Counter(replayed.output) == Counter(added.output)
