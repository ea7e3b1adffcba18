"""Replaying requests: each recorded answer once, in order; what is unused, what races."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pytest_agentops.errors import CassetteMiss
from pytest_agentops.tape.model.exchange import Exchange, ModelCassette, Request, Response
from pytest_agentops.tape.model.player import ModelPlayer, Unused

FILE = "cassettes/s/c/model.yaml"


def ask(text: str) -> Request:
    return Request.of("POST", "http://h/v1/chat/completions", f'{{"model": "m", "messages": "{text}"}}'.encode())


def kept(text: str, answer: str, overlap: int = 0, line: int = 0) -> Exchange:
    return Exchange(request=ask(text), response=Response(status=200, body=answer.encode()), overlap=overlap, line=line)


def player(*exchanges: Exchange, unused: Unused = "error") -> ModelPlayer:
    return ModelPlayer(ModelCassette(case="s/c", exchanges=list(exchanges), file=FILE), unused=unused)


def take(who: ModelPlayer, text: str) -> str:
    return who.take(ask(text)).response.body.decode()


def test_equal_requests_get_their_answers_in_order_and_once() -> None:
    who = player(kept("a", "1"), kept("b", "x"), kept("a", "2"))
    assert [take(who, "a"), take(who, "a"), take(who, "b")] == ["1", "2", "x"]
    with pytest.raises(CassetteMiss) as caught:
        who.take(ask("a"))
    assert caught.value.data["reason"] == "exhausted"
    assert who.misses == [caught.value]
    assert [exchange.response.body for exchange in who.played] == [b"1", b"2", b"x"]


def test_different_requests_may_come_in_any_order() -> None:
    who = player(kept("a", "1"), kept("b", "2"))
    assert [take(who, "b"), take(who, "a")] == ["2", "1"]


def test_the_exchange_is_the_recorded_one() -> None:
    recorded = kept("a", "1")
    assert player(recorded).take(ask("a")) is recorded


@pytest.mark.parametrize(
    ("exchanges", "reason"),
    [([], "no-model-layer"), ([kept("b", "1")], "changed-request")],
)
def test_a_miss_says_why_and_is_kept(exchanges: list[Exchange], reason: str) -> None:
    who = player(*exchanges)
    with pytest.raises(CassetteMiss) as caught:
        who.take(ask("a"))
    data = caught.value.data
    assert (data["reason"], data["method"], data["path"]) == (reason, "POST", "/v1/chat/completions")
    assert who.misses == [caught.value]
    assert who.unused() == exchanges


def test_what_is_looked_up_by_a_layer_that_can_send_it_is_no_miss() -> None:
    who = player(kept("a", "1"))
    assert who.find(ask("b")) is None
    assert who.find(ask("a")) is who.played[0]
    assert who.find(ask("a")) is None
    assert who.misses == []


def test_unused_exchanges_in_recorded_order() -> None:
    exchanges = [kept("a", "1", line=5), kept("b", "2", line=9), kept("a", "3", line=13)]
    who = player(*exchanges)
    take(who, "a")
    assert who.unused() == exchanges[1:]
    assert (
        who.unused_report(who.unused())
        == """\
2 recorded requests not made (1 of 3 were)
  unused    POST /v1/chat/completions   m, user: b   cassettes/s/c/model.yaml:9
  unused    POST /v1/chat/completions   m, user: a   cassettes/s/c/model.yaml:13
  fix       the agent is wrong     -> it asks the model less than the recorded run did: fix the agent or its prompt
            the change is intended -> pytest --agent-evals --agent-record=all -k c
            unused ones are fine   -> replay: {unused: warn} in the case"""
    )


def test_a_long_list_of_unused_ones_is_cut() -> None:
    who = player(*(kept(str(i), "1") for i in range(40)), unused="warn")
    report = who.unused_report(who.unused()).splitlines()
    assert report[0] == "40 recorded requests not made (0 of 40 were)"
    assert "            and 28 more" in report
    assert len(report) == 16


@pytest.mark.parametrize(
    ("exchanges", "racy"),
    [
        ([kept("a", "1"), kept("a", "2", 1)], True),
        ([kept("a", "1"), kept("a", "2")], False),
        ([kept("a", "1"), kept("a", "1", 1)], False),
        ([kept("a", '{"id": "1", "choices": []}'), kept("a", '{"id": "2", "choices": []}', 1)], False),
        ([kept("a", '{"id": "W-1"}'), kept("a", '{"id": "W-2"}', 1)], True),
        ([kept("a", "1"), kept("b", "2", 1)], False),
        ([kept("a", "1"), kept("b", "x", 1), kept("a", "2", 2)], True),
        ([kept("a", "1"), kept("b", "x"), kept("a", "2", 1)], False),
    ],
)
def test_equal_requests_in_flight_at_once_with_different_answers_are_a_race(exchanges: list[Exchange], racy: bool) -> None:
    who = player(*exchanges)
    assert not who.racy
    take(who, "a")
    assert who.racy is racy


def test_thirty_two_threads_for_one_answer() -> None:
    who = player(kept("a", "1"))
    start = threading.Barrier(32)

    def work(_: int) -> str:
        start.wait()
        try:
            return take(who, "a")
        except CassetteMiss as miss:
            return str(miss.data["reason"])

    with ThreadPoolExecutor(32) as pool:
        got = list(pool.map(work, range(32)))
    assert sorted(got) == ["1", *["exhausted"] * 31]
    assert len(who.misses) == 31
