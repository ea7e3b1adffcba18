"""Recording: issue order, overlaps, exactly once, and adding to an old recording."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_agentops.errors import CassetteError
from pytest_agentops.schema.call import ErrorInfo
from pytest_agentops.schema.contract import Contract
from pytest_agentops.schema.pins import Pins
from pytest_agentops.schema.run import State
from pytest_agentops.tape.cassette import dump, loads, read
from pytest_agentops.tape.overlap import merged
from pytest_agentops.tape.player import Player
from pytest_agentops.tape.recorder import Recorder
from pytest_agentops.tape.recording import Recording, ToolsCassette
from pytest_agentops.tape.values import TrialValues

from .conftest import save, save_partial


def made(recorder: Recorder, **more: object) -> ToolsCassette:
    return recorder.cassette(case="s/c", pins=Pins(), **more)  # type: ignore[arg-type]


def test_calls_stand_in_the_order_of_issue_not_of_return() -> None:
    recorder = Recorder()
    first, second = recorder.begin("a", {}), recorder.begin("b", {})
    second.result(2)
    first.result(1)
    recorder.begin("c", {}).error(ErrorInfo(type="Timeout"))
    calls = made(recorder).calls
    assert [(c.tool, c.result, c.overlap) for c in calls] == [("a", 1, 0), ("b", 2, 1), ("c", None, 0)]
    assert calls[2].error == ErrorInfo(type="Timeout")


def test_overlap_counts_what_is_in_flight_directly_before() -> None:
    recorder = Recorder()
    slots = [recorder.begin("a", {}) for _ in range(3)]
    slots[1].result(0)
    slots.append(recorder.begin("b", {}))
    slots[3].result(0)
    slots.append(recorder.begin("c", {}))
    for slot in (slots[0], slots[2], slots[4]):
        slot.result(0)
    assert [c.overlap for c in made(recorder).calls] == [0, 1, 2, 1, 0]


def test_what_the_tool_does_with_its_values_later_is_not_kept() -> None:
    recorder = Recorder()
    args, result = {"items": [1]}, {"items": [1]}
    slot = recorder.begin("a", args)
    args["items"].append(2)
    slot.result(result)
    result["items"].append(2)
    assert made(recorder).calls[0].as_json() == {"tool": "a", "args": {"items": [1]}, "result": {"items": [1]}}


def test_the_header() -> None:
    values = TrialValues(live=True)
    values.random.random()
    cassette = made(Recorder(), values=values, state=State(before=1, after=2, known=True))
    assert cassette.with_ is not None
    assert cassette.with_.startswith("pytest-agentops")
    assert (cassette.has_state, cassette.state_before, cassette.state_after) == (True, 1, 2)
    assert cassette.seed is not None
    assert cassette.clock == values.clock
    assert loads(dump(cassette), file="").as_json() == cassette.as_json()


def test_a_run_with_a_call_that_never_returned_is_not_kept(tmp_path: Path) -> None:
    recorder = Recorder()
    recorder.begin("slow", {})
    recorder.begin("quick", {}).result(1)
    cassette = made(recorder)
    assert recorder.unanswered == ["slow"]
    path = tmp_path / "tools.yaml"
    with pytest.raises(CassetteError, match="no answer came for slow\n  cure: let the agent wait"):
        save(path, cassette)
    assert not path.exists()
    assert [(c.tool, c.overlap) for c in read(save_partial(path, cassette)).calls] == [("quick", 0)]


def test_sixteen_threads_record_every_call_once_and_it_replays() -> None:
    recorder = Recorder()
    start = threading.Barrier(16)

    def work(thread: int) -> None:
        start.wait()
        for i in range(10):
            recorder.begin("equal", {}).result(f"{thread}.{i}")
            recorder.begin("own", {"n": thread * 10 + i}).result(thread * 10 + i)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))
    cassette = loads(dump(made(recorder)), file="")
    assert Counter(c.tool for c in cassette.calls) == {"equal": 160, "own": 160}
    assert len({c.result for c in cassette.calls if c.tool == "equal"}) == 160
    assert all(c.args["n"] == c.result for c in cassette.calls if c.tool == "own")

    player = Player(cassette, {"equal": Contract(name="equal", effect="read"), "own": Contract(name="own", effect="read")})

    def again(thread: int) -> list[object]:
        out = []
        for i in range(10):
            ticket = player.take("own", {"n": thread * 10 + i})
            out += [ticket.result, player.take("equal", {}).result]
        return out

    with ThreadPoolExecutor(16) as pool:
        got = Counter(answer for answers in pool.map(again, range(16)) for answer in answers)
    assert got == Counter(c.result for c in cassette.calls)
    assert player.unused() == []


def test_sixteen_tasks_overlap_in_the_order_of_issue() -> None:
    recorder = Recorder()

    async def call(n: int) -> None:
        slot = recorder.begin("t", {"n": n})
        await asyncio.sleep(0.01 * (n % 3))
        slot.result(n)

    async def everything() -> None:
        await asyncio.gather(*(call(n) for n in range(16)))

    asyncio.run(everything())
    calls = made(recorder).calls
    assert [c.result for c in calls] == list(range(16))
    assert [c.overlap for c in calls] == list(range(16))


def _read(n: int, overlap: int = 0) -> Recording:
    return Recording(tool="r", args={"n": n}, result=n, overlap=overlap)


def test_adding_to_a_recording_keeps_the_order_of_issue() -> None:
    old = [_read(1), _read(2), _read(3)]
    recorder = Recorder()
    recorder.begin("new", {"n": 1}).result(1)
    recorder.replayed(old[0])
    recorder.replayed(old[2])
    recorder.begin("new", {"n": 2}).result(2)
    calls = made(recorder, before=ToolsCassette(case="s/c", calls=old)).calls
    assert [(c.tool, c.args["n"]) for c in calls] == [("new", 1), ("r", 1), ("r", 2), ("r", 3), ("new", 2)]
    assert recorder.added == 2


def test_adding_without_a_word_on_what_was_played_appends() -> None:
    recorder = Recorder()
    recorder.begin("new", {}).result(1)
    calls = made(recorder, before=ToolsCassette(case="s/c", calls=[_read(1), _read(2)])).calls
    assert [c.tool for c in calls] == ["r", "r", "new"]


def test_an_old_overlap_counts_only_neighbours_that_are_still_there() -> None:
    old = [_read(1), _read(2, overlap=1), _read(3, overlap=2)]
    new = Recording(tool="new", args={"n": 0})
    assert [c.overlap for c in merged(old, [old[0], old[1], old[2]])] == [0, 1, 2]
    assert [(c.args["n"], c.overlap) for c in merged(old, [old[0], new, old[1], old[2]])] == [(1, 0), (0, 0), (2, 0), (3, 1)]


def test_a_new_read_before_a_replayed_write_still_replays() -> None:
    contracts = {"r": Contract(name="r", effect="read"), "w": Contract(name="w", effect="write")}
    old = [Recording(tool="w", args={}, result="done")]
    recorder = Recorder()
    recorder.begin("r", {}).result("early")
    recorder.replayed(old[0])
    cassette = made(recorder, before=ToolsCassette(case="s/c", calls=old))
    player = Player(replace(cassette), contracts)
    assert player.take("r", {}).result == "early"
