"""Time, identifiers and chance."""

from __future__ import annotations

import datetime as dt
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from pytest_agentops.tape.values import TrialValues


def test_replay_gives_the_same_every_time() -> None:
    one, other = (TrialValues(live=False, clock="2026-11-22T09:00:00Z", seed=7) for _ in range(2))
    assert [one.uuid4() for _ in range(3)] == [other.uuid4() for _ in range(3)]
    assert one.now() == other.now() == dt.datetime(2026, 11, 22, 9, tzinfo=dt.UTC)
    assert one.random.random() == other.random.random()
    assert one.clock == "2026-11-22T09:00:00Z"


def test_identifiers_are_real_version_4_ones() -> None:
    for live in (True, False):
        values = TrialValues(live=live)
        made = [values.uuid4() for _ in range(5)]
        assert len(set(made)) == 5
        assert {u.version for u in made} == {4}
        assert {u.variant for u in made} == {uuid.RFC_4122}


def test_live_identifiers_are_new_every_time() -> None:
    assert TrialValues(live=True, seed=1).uuid4() != TrialValues(live=True, seed=1).uuid4()


def test_live_chance_can_be_played_again_from_the_seed() -> None:
    live = TrialValues(live=True)
    assert live.recorded_seed is None
    first = live.random.random()
    assert live.recorded_seed is not None
    assert TrialValues(live=False, seed=live.recorded_seed).random.random() == first


def test_the_first_live_moment_is_what_the_recording_keeps() -> None:
    live = TrialValues(live=True)
    first = live.now()
    assert abs(dt.datetime.now(dt.UTC) - first) < dt.timedelta(seconds=5)
    assert TrialValues(live=False, clock=live.clock).now() == first
    assert live.now() >= first


def test_fold_and_unfold() -> None:
    live = TrialValues(live=True)
    a, b = live.uuid4(), live.uuid4()
    real = {"key": str(a), "text": f"for {b} and {a}", "hex": b.hex, "loud": str(a).upper(), "list": [str(b), 1, None]}
    folded = live.fold(real)
    assert folded == {
        "key": "<<uuid:1>>",
        "text": "for <<uuid:2>> and <<uuid:1>>",
        "hex": "<<uuid:2.hex>>",
        "loud": "<<uuid:1>>",
        "list": ["<<uuid:2>>", 1, None],
    }
    assert live.unfold(folded) == {**real, "loud": str(a)}


def test_other_identifiers_stay() -> None:
    values = TrialValues(live=True)
    values.uuid4()
    other = str(uuid.uuid4())
    assert values.fold({"a": other, "b": "a" * 40}) == {"a": other, "b": "a" * 40}


def test_a_recorded_answer_holds_the_replay_s_identifier() -> None:
    values = TrialValues(live=False, seed=3)
    assert values.unfold("<<uuid:2>>") == str([values.uuid4(), values.uuid4()][1])
    assert values.fold(values.unfold({"k": "<<uuid:5>>"})) == {"k": "<<uuid:5>>"}


@pytest.mark.parametrize("text", ["<<uuid:9>>", "<<uuid:0>>", "<<uuid:x>>", "<<card:1>>"])
def test_what_a_live_trial_does_not_know_stays(text: str) -> None:
    assert TrialValues(live=True).unfold(text) == text


def test_a_huge_number_in_a_file_costs_nothing() -> None:
    assert TrialValues(live=False).unfold("<<uuid:999999999999>>") == "<<uuid:999999999999>>"


def test_threads_never_share_an_identifier() -> None:
    values = TrialValues(live=False)
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda _: values.uuid4(), range(400)))
    assert len(set(made)) == 400
