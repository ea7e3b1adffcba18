"""Two sides compared: what counts as worse, better, unproven, and what cannot be compared."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agentops.scoring.comparison import Compared, compare
from pytest_agentops.scoring.tried import Tried

# the worked example: 12 cases, 5 trials each; the seventh breaks
BEFORE = [5, 5, 5, 5, 4, 5, 5, 3, 5, 5, 4, 5]
AFTER = [5, 5, 5, 4, 4, 5, 0, 3, 5, 4, 4, 5]


def one(name: str, successes: int, trials: int = 5, **more: Any) -> Tried:
    known: dict[str, Any] = {"mode": "live", "cost_usd": Decimal("0.05"), "tokens": 10, "intervened": 0, "digest": "d"}
    known |= {"policy_blocks": 0, "unexpected_blocks": 0, "blocked": 0, **more}
    return Tried(id=f"s/{name}", successes=successes, trials=trials, **known)


def side(successes: list[int], **more: Any) -> list[Tried]:
    return [one(f"c{number:02}", done, **more) for number, done in enumerate(successes)]


def found(before: list[Tried], after: list[Tried], tolerance: float = 0.1) -> Compared:
    return compare(before, after, tolerance=tolerance)


def p_of(result: Compared, name: str) -> float:
    return next(finding.p for label, finding, _ in result.findings if label == name and finding.p is not None)


def test_the_worked_example_is_worse() -> None:
    result = found(side(BEFORE), side(AFTER))
    assert (result.answer, result.why) == ("worse", "in broken cases")
    assert p_of(result, "success") == pytest.approx(0.033, abs=0.0005)
    alone = found(side(BEFORE), side([1 if done == 0 else done for done in AFTER]))
    assert alone.answer == "unproven", "without the broken case chance explains it, corrected for the other tests"


def test_equal_sides_are_the_same() -> None:
    assert found(side(BEFORE), side(BEFORE)).answer == "same"
    assert found(side(BEFORE, mode="replay"), side(BEFORE, mode="replay")).why == "no case differs"


def test_more_successes_are_better_if_chance_does_not_explain_them() -> None:
    assert found(side([0] * 6), side([5] * 6)).answer == "better"
    assert found(side([4] * 3), side([5, 4, 4])).answer == "same"


def test_a_replay_is_compared_exactly() -> None:
    before = [one("a", 1, 1, mode="replay"), one("b", 0, 1, mode="replay")]
    worse = [one("a", 0, 1, mode="replay"), one("b", 1, 1, mode="replay")]
    result = found(before, worse)
    assert result.answer == "worse"
    assert all(finding.p is None for _, finding, _ in result.findings)
    better = found(before, [before[0], one("b", 1, 1, mode="replay")])
    assert (better.answer, better.why) == ("better", "1 cases succeed more often, none less")


def test_dearer_is_worse_beyond_the_tolerance() -> None:
    before, after = side(BEFORE), side(BEFORE, cost_usd=Decimal("0.06"))
    assert found(before, after).why == "in cost"
    assert found(before, after, tolerance=0.25).answer == "same"


def test_replays_may_be_dearer_here_and_cheaper_there() -> None:
    before = [one(name, 1, 1, mode="replay", cost_usd=Decimal(cost)) for name, cost in (("a", "0.01"), ("b", "1"))]
    after = [one(name, 1, 1, mode="replay", cost_usd=Decimal(cost)) for name, cost in (("a", "0.02"), ("b", "0.9"))]
    assert found(before, after).answer == "same"


def test_what_nobody_knows_the_cost_of_is_not_called_the_same() -> None:
    known, unknown = side(BEFORE), side(BEFORE, cost_usd=None)
    assert found(known, unknown).answer == "unproven"
    assert found(unknown, unknown).answer == "same", "neither side has a price: the other numbers are compared"


def test_more_humans_are_worse() -> None:
    assert found(side([5] * 10), side([5] * 10, intervened=3)).why == "in interventions"


def test_trials_may_differ() -> None:
    assert found(side([5] * 8), [one(f"c{n:02}", 1, 10) for n in range(8)]).answer == "worse"
    replays = [one("a", 2, 2, mode="replay")], [one("a", 1, 1, mode="replay")]
    assert found(*replays).answer == "same", "all of one against all of two"


def test_what_has_no_counterpart_is_told() -> None:
    before = [one("a", 5), one("b", 5), one("c", 5), one("d", 5)]
    after = [one("a", 5), one("b", 5, digest="other"), one("d", 0, 0), one("e", 5)]
    assert found(before, after).apart == (
        ("s/b", "it asks something else"),
        ("s/c", "only in the first"),
        ("s/d", "no run of it counts"),
        ("s/e", "only in the second"),
    )


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ([one("a", 5)], [one("b", 5)], "no case can be compared"),
        ([], [], "no case can be compared"),
        ([one("a", 5, digest=None)], [one("a", 5, digest=None)], "no case can be compared"),
        ([one("a", 5)], [one("a", 5, mode="replay")], "replays and live runs (live, replay)"),
    ],
)
def test_not_comparable(before: list[Tried], after: list[Tried], why: str) -> None:
    result = found(before, after)
    assert (result.answer, result.why) == ("not_comparable", why)


COUNTS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=8)


@given(COUNTS)
def test_no_pair_is_worse_both_ways(counts: list[tuple[int, int]]) -> None:
    one_way = found(
        [one(f"c{i}", b, 4) for i, (b, _) in enumerate(counts)], [one(f"c{i}", a, 4) for i, (_, a) in enumerate(counts)]
    )
    other_way = found(
        [one(f"c{i}", a, 4) for i, (_, a) in enumerate(counts)], [one(f"c{i}", b, 4) for i, (b, _) in enumerate(counts)]
    )
    by_success = [r for r in (one_way, other_way) if r.answer == "worse" and "success" in r.why]
    assert len(by_success) <= 1
