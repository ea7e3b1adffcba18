"""Every pair of mode and record word: what is called, what is written, how the run is labelled."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest

from pytest_agentops.runner.modes import MODES, RECORD_WORDS, goes_live, has_recording, plan

from ..servers.protocol import ProtocolServer


def asks(rounds: int, url: str):
    """An agent of so many rounds: it asks the model over plain HTTP, then looks up an order."""

    def agent(task, tools):
        seen = []
        for i in range(1, rounds + 1):
            body = json.dumps({"model": "m", "messages": [{"role": "user", "content": f"question {i}"}]}).encode()
            request = urllib.request.Request(url + "/v1/chat/completions", body, {"content-type": "application/json"})
            with urllib.request.urlopen(request) as answer:
                seen.append(json.load(answer)["choices"][0]["message"]["content"])
            seen.append(tools.call("orders.get", order_id=f"W-{i}")["status"])
        return seen

    return agent


def one_read(task, tools):
    return tools.call("orders.get", order_id="W-1")["status"]


def two_reads(task, tools):
    return [tools.call("orders.get", order_id=f"W-{i}")["status"] for i in (1, 2)]


# (mode, record, a recording of one round exists)
#   -> (tool calls that ran live, requests that were sent, rounds recorded afterwards, label, problem), of an agent of two rounds
TABLE = {
    ("replay", "none", False): (0, 0, None, "replay", "cassette"),
    ("replay", "none", True): (0, 0, 1, "replay", "miss"),
    ("replay", "once", False): (2, 2, 2, "live", None),
    ("replay", "once", True): (0, 0, 1, "replay", "miss"),
    ("replay", "new_episodes", False): (2, 2, 2, "live", None),
    ("replay", "new_episodes", True): (1, 1, 2, "live", None),
    ("replay", "all", False): (2, 2, 2, "live", None),
    ("replay", "all", True): (2, 2, 2, "live", None),
    ("replay", "stale", False): (0, 0, None, "replay", "cassette"),
    ("replay", "stale", True): (0, 0, 1, "replay", "miss"),
    ("hybrid", "none", False): (0, 0, None, "hybrid", "cassette"),
    ("hybrid", "none", True): (0, 2, 1, "hybrid", "miss"),
    ("hybrid", "once", False): (2, 2, 2, "live", None),
    ("hybrid", "once", True): (0, 2, 1, "hybrid", "miss"),
    ("hybrid", "new_episodes", False): (2, 2, 2, "live", None),
    ("hybrid", "new_episodes", True): (1, 2, 2, "live", None),
    ("hybrid", "all", False): (2, 2, 2, "live", None),
    ("hybrid", "all", True): (0, 2, 1, "hybrid", "miss"),
    ("hybrid", "stale", False): (0, 0, None, "hybrid", "cassette"),
    ("hybrid", "stale", True): (0, 2, 1, "hybrid", "miss"),
    ("tools-live", "none", False): (0, 0, None, "tools-live", "cassette"),
    ("tools-live", "none", True): (1, 0, 1, "tools-live", "miss"),
    ("tools-live", "once", False): (2, 2, 2, "live", None),
    ("tools-live", "once", True): (1, 0, 1, "tools-live", "miss"),
    ("tools-live", "new_episodes", False): (2, 2, 2, "live", None),
    ("tools-live", "new_episodes", True): (2, 1, 2, "live", None),
    ("tools-live", "all", False): (2, 2, 2, "live", None),
    ("tools-live", "all", True): (1, 0, 1, "tools-live", "miss"),
    ("tools-live", "stale", False): (0, 0, None, "tools-live", "cassette"),
    ("tools-live", "stale", True): (1, 0, 1, "tools-live", "miss"),
    ("live", "none", False): (2, 2, None, "live", None),
    ("live", "none", True): (2, 2, 1, "live", None),
    ("live", "once", False): (2, 2, 2, "live", None),
    ("live", "once", True): (2, 2, 1, "live", None),
    ("live", "new_episodes", False): (2, 2, 2, "live", None),
    ("live", "new_episodes", True): (2, 2, 1, "live", None),
    ("live", "all", False): (2, 2, 2, "live", None),
    ("live", "all", True): (2, 2, 2, "live", None),
    ("live", "stale", False): (2, 2, None, "live", None),
    ("live", "stale", True): (2, 2, 1, "live", None),
}


def test_the_table_is_whole() -> None:
    assert set(TABLE) == {(m, r, e) for m in MODES for r in RECORD_WORDS for e in (False, True)}


@pytest.mark.parametrize(("mode", "record", "exists"), TABLE)
def test_mode_and_record(mode, record, exists, lab, shop, tripped) -> None:
    live, sent, recorded, label, problem = TABLE[mode, record, exists]
    with ProtocolServer(lambda body: f"to {body['messages'][-1]['content']}") as server:
        if exists:
            assert lab.record(asks(1, server.url), shop).success
            tripped.clear()
        before = server.count
        run = lab.run(asks(2, server.url), shop, mode=mode, record=record)
        assert (len(tripped), server.count - before) == (live, sent)
    kept = (len(lab.cassette.calls), len(lab.model_cassette.exchanges)) if lab.tape.exists() else None
    assert kept == (None if recorded is None else (recorded, recorded))
    assert run.mode == label
    assert lab.kinds(run) == ([problem] if problem else [])
    assert run.success is (problem is None)
    assert (run.outcome == "unanswerable") is (label == "hybrid" and problem == "miss")
    assert [c.source for c in run.calls if c.reached].count("live") == live
    if run.success:
        assert run.output == ["to question 1", "open", "to question 2", "open"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("record", RECORD_WORDS)
@pytest.mark.parametrize("recorded", [False, True])
def test_a_plan_is_sound(mode, record, recorded) -> None:
    found = plan(mode, record, recorded=recorded)
    assert found.replay or found.live
    for layer in (found.tools, found.model):
        assert layer.replay or layer.live
        assert layer.write <= layer.live, "what was not live is never written"
    assert not (found.write and record == "none")
    assert not (found.write and record == "once" and recorded)
    assert found.live <= goes_live(mode, record), "a plan goes live only where the session was asked about it"
    assert not (found.replay and mode == "live")


def test_a_replay_of_nothing_goes_nowhere() -> None:
    assert not goes_live("replay", "none")
    assert goes_live("live", "none")
    assert goes_live("replay", "once")


def test_a_folder_with_left_overs_only_is_no_recording(tmp_path: Path) -> None:
    assert not has_recording(tmp_path / "none")
    (tmp_path / "tools.partial.yaml").write_text("")
    (tmp_path / ".tools.yaml.12.tmp").write_text("")
    assert not has_recording(tmp_path)
    (tmp_path / "transcript.yaml").write_text("")
    assert has_recording(tmp_path)


def test_once_does_not_add_to_a_folder_that_lost_its_tape(lab, shop, tripped) -> None:
    lab.folder.mkdir(parents=True)
    (lab.folder / "transcript.yaml").write_text("messages: []\n")
    run = lab.run(one_read, shop, record="once")
    assert lab.kinds(run) == ["cassette"]
    assert "--agent-record=all" in run.problems[0].text
    assert tripped == []


def test_once_records_where_the_first_try_left_a_partial(lab, shop) -> None:
    def crash(task, tools):
        tools.call("orders.get", order_id="W-1")
        raise KeyError("no")

    def hang(task, tools):
        tools.call("orders.get", order_id="W-1")
        while True:
            pass

    timed_out = lab.run(hang, shop, record="once", budget={"seconds": 0.1})
    assert timed_out.outcome == "timed_out"
    assert timed_out.labels == ["not_recorded"]
    assert (lab.folder / "tools.partial.yaml").exists()
    assert not lab.tape.exists()
    assert lab.run(one_read, shop, record="once").success
    assert not (lab.folder / "tools.partial.yaml").exists()


def test_equal_answers_leave_the_bytes_untouched(lab, shop) -> None:
    lab.record(two_reads, shop)
    before = lab.tape.read_bytes()
    stamp = lab.tape.stat().st_mtime_ns
    again = lab.record(two_reads, shop)
    assert lab.tape.read_bytes() == before
    assert lab.tape.stat().st_mtime_ns == stamp
    assert again.labels == []


def test_new_episodes_refuses_a_write_after_a_replayed_call(lab, shop, tripped) -> None:
    lab.record(one_read, shop)
    tripped.clear()

    def then_write(task, tools):
        tools.call("orders.get", order_id="W-1")
        tools.call("orders.set", order_id="W-1")

    before = lab.tape.read_bytes()
    run = lab.run(then_write, shop, record="new_episodes")
    assert lab.kinds(run) == ["miss"]
    assert tripped == []
    assert lab.tape.read_bytes() == before


def test_new_episodes_may_write_before_anything_was_replayed(lab, shop, tripped) -> None:
    lab.record(one_read, shop)
    tripped.clear()
    run = lab.run(lambda task, tools: tools.call("orders.set", order_id="W-2"), shop, record="new_episodes")
    assert tripped == ["set W-2"]
    assert run.state.known is False
    assert "ran live beside" in run.state.why
    assert [c.tool for c in lab.cassette.calls] == ["orders.get", "orders.set"]


def test_new_episodes_with_nothing_new_writes_nothing(lab, shop, tripped) -> None:
    lab.record(one_read, shop)
    before = lab.tape.read_bytes()
    tripped.clear()
    run = lab.run(one_read, shop, record="new_episodes")
    assert run.success
    assert tripped == []
    assert lab.tape.read_bytes() == before
