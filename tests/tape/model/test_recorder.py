"""Recording requests: issue order, overlaps, exactly once, what failed, and adding to an old recording."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from pytest_agentops.tape.model.exchange import Exchange, ModelCassette, Request, Response
from pytest_agentops.tape.model.player import ModelPlayer
from pytest_agentops.tape.model.recorder import ModelRecorder


def ask(text: str, host: str = "http://127.0.0.1:8080") -> Request:
    return Request.of(
        "POST", f"{host}/v1/chat/completions", f'{{"model": "m", "messages": "{text}"}}'.encode(), "application/json"
    )


def said(text: str, status: int = 200) -> Response:
    return Response(status=status, body=text.encode())


def shown(cassette: ModelCassette) -> list[tuple[str, int]]:
    return [(exchange.response.body.decode(), exchange.overlap) for exchange in cassette.exchanges]


def test_requests_stand_in_the_order_of_issue_not_of_answer() -> None:
    recorder = ModelRecorder()
    first, second, third = recorder.begin(ask("a")), recorder.begin(ask("b")), recorder.begin(ask("c"))
    third.answered(said("3"))
    first.answered(said("1"))
    second.answered(said("2"))
    recorder.begin(ask("d")).answered(said("4"))
    cassette = recorder.cassette(case="s/c")
    assert shown(cassette) == [("1", 0), ("2", 1), ("3", 2), ("4", 0)]
    assert (cassette.case, cassette.unanswered, recorder.added) == ("s/c", (), 4)


def test_an_error_that_the_provider_sends_is_an_answer_and_its_retry_another_request() -> None:
    recorder = ModelRecorder()
    recorder.begin(ask("a")).answered(said("slow down", 429))
    recorder.begin(ask("a")).answered(said("1"))
    player = ModelPlayer(recorder.cassette(case="s/c"))
    assert [player.take(ask("a")).response.status for _ in range(2)] == [429, 200]


def test_a_request_without_an_answer_leaves_no_gap_and_is_named() -> None:
    recorder = ModelRecorder()
    first = recorder.begin(ask("a"))
    recorder.begin(ask("b")).failed()
    third = recorder.begin(ask("c"))
    first.answered(said("1"))
    third.answered(said("3"))
    recorder.begin(ask("d"))
    cassette = recorder.cassette(case="s/c")
    assert shown(cassette) == [("1", 0), ("3", 0)]
    assert recorder.unanswered == cassette.unanswered == ("POST /v1/chat/completions", "POST /v1/chat/completions")
    assert recorder.added == 2


def test_an_overlap_counts_only_neighbours_that_are_there() -> None:
    recorder = ModelRecorder()
    first = recorder.begin(ask("a"))
    lost = recorder.begin(ask("b"))
    third = recorder.begin(ask("c"))
    lost.failed()
    first.answered(said("1"))
    third.answered(said("3"))
    assert shown(recorder.cassette(case="s/c")) == [("1", 0), ("3", 1)]


def test_a_request_that_failed_and_was_answered_when_sent_again_is_answered() -> None:
    recorder = ModelRecorder()
    recorder.begin(ask("a")).failed()
    recorder.begin(ask("a")).failed()
    recorder.begin(ask("a")).answered(said("1"))
    cassette = recorder.cassette(case="s/c")
    assert (shown(cassette), cassette.unanswered) == ([("1", 0)], ())


def test_one_that_is_still_waiting_is_unanswered_whatever_came_later() -> None:
    recorder = ModelRecorder()
    recorder.begin(ask("a"))
    recorder.begin(ask("a")).answered(said("1"))
    assert recorder.unanswered == ("POST /v1/chat/completions",)


def test_an_answer_before_the_failure_does_not_count_as_its_retry() -> None:
    recorder = ModelRecorder()
    recorder.begin(ask("a")).answered(said("1"))
    recorder.begin(ask("a")).failed()
    assert recorder.unanswered == ("POST /v1/chat/completions",)


def test_the_endpoint_is_where_most_requests_went() -> None:
    recorder = ModelRecorder()
    for text, host in (("a", "http://b:1"), ("b", "http://a:1"), ("c", "http://a:1")):
        recorder.begin(ask(text, host)).answered(said(text))
    assert recorder.cassette(case="s/c").endpoint == "http://a:1"
    assert ModelRecorder().cassette(case="s/c").endpoint is None


def test_what_was_played_keeps_its_place_and_what_was_not_stays() -> None:
    old = ModelCassette(
        case="s/c",
        endpoint="http://127.0.0.1:8080",
        exchanges=[Exchange(request=ask(t), response=said(t), overlap=o) for t, o in (("a", 0), ("b", 1), ("c", 0))],
    )
    player, recorder = ModelPlayer(old), ModelRecorder()
    for text in ("new", "a", "c"):
        found = player.find(ask(text))
        if found is not None:
            recorder.replayed(found)
        else:
            recorder.begin(ask(text)).answered(said(text))
    cassette = recorder.cassette(case="s/c", before=old)
    assert shown(cassette) == [("new", 0), ("a", 0), ("b", 1), ("c", 0)]
    assert (recorder.added, player.misses) == (1, [])
    assert shown(ModelRecorder().cassette(case="s/c", before=old)) == [("a", 0), ("b", 1), ("c", 0)]


def test_sixteen_threads_record_every_request_once_and_replay_it_once() -> None:
    """Equal and different requests at once; every answer is kept, and given out again, exactly once."""
    recorder = ModelRecorder()
    start = threading.Barrier(16)

    def record(thread: int) -> None:
        start.wait()
        for i in range(20):
            text = "equal" if i % 2 else f"{thread}-{i}"
            recorder.begin(ask(text)).answered(said(f"{thread}-{i}"))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(record, range(16)))
    cassette = recorder.cassette(case="s/c")
    kept = Counter(body for body, _ in shown(cassette))
    assert kept == Counter(f"{thread}-{i}" for thread in range(16) for i in range(20))

    player = ModelPlayer(cassette)

    def replay(thread: int) -> list[str]:
        start.wait()
        texts = ["equal" if i % 2 else f"{thread}-{i}" for i in range(20)]
        return [player.take(ask(text)).response.body.decode() for text in texts]

    with ThreadPoolExecutor(16) as pool:
        given = [list(answers) for answers in pool.map(replay, range(16))]
    assert Counter(answer for answers in given for answer in answers) == kept
    for thread, answers in enumerate(given):
        assert answers[::2] == [f"{thread}-{i}" for i in range(0, 20, 2)]
    assert player.unused() == []
    assert len(player.played) == 320
