"""Gates over made-up builds: which result, with which numbers."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agentops.schema.gates import (
    BrokenCases,
    CostRegression,
    Critical,
    Gates,
    Limit,
    PassHatK,
    RateLimit,
    SuccessRegression,
    WatchedCount,
    WatchedRate,
)
from pytest_agentops.schema.verdict import Metrics
from pytest_agentops.scoring.gates import GateResult, Group, judge, names, needs_baseline
from pytest_agentops.scoring.tried import Tried

BEFORE = [5, 5, 5, 5, 4, 5, 5, 3, 5, 5, 4, 5]
AFTER = [5, 5, 5, 4, 4, 5, 0, 3, 5, 4, 4, 5]


def case(ident: str, successes: int, trials: int = 5, *, cost: str | None = "0.05", **more: Any) -> Tried:
    words: dict[str, Any] = {
        "mode": "live",
        "tokens": 100,
        "intervened": 0,
        "policy_blocks": 0,
        "unexpected_blocks": 0,
        "blocked": 0,
        "digest": "d",
    }
    return Tried(
        id=f"s/{ident}", trials=trials, successes=successes, cost_usd=None if cost is None else Decimal(cost), **{**words, **more}
    )


def build(successes: list[int], trials: int = 5, **more: Any) -> list[Tried]:
    return [case(f"c{i + 1}", s, trials, **more) for i, s in enumerate(successes)]


def metrics(now: list[Tried], **more: Any) -> Metrics:
    runs, good = sum(t.trials for t in now), sum(t.successes for t in now)
    return replace(Metrics(runs=runs, successes=good, task_success_rate=good / runs if runs else None), **more)


def judged(gates: Gates, now: list[Tried], before: list[Tried] | None = None, **more: Any) -> dict[str, GateResult]:
    numbers = more.pop("metrics", metrics(now))
    return {g.name: g for g in judge([Group(name="s", gates=gates, metrics=numbers, now=now, before=before, **more)])}


def replayed(cases: list[Tried]) -> list[Tried]:
    return [replace(one, mode="replay") for one in cases]


REGRESSIONS = Gates(task_success_rate=RateLimit(min=0.9), success_regression=SuccessRegression(), broken_cases=BrokenCases(max=0))


def test_the_worked_example() -> None:
    found = judged(REGRESSIONS, build(AFTER), build(BEFORE))
    assert {name: gate.result for name, gate in found.items()} == dict.fromkeys(found, "fail")
    assert found["task_success_rate"].why == "task_success_rate is 0.816667 (49 of 60 runs), wanted at least 0.9"
    assert found["success_regression"].why == "success 56/60 → 49/60 (exact stratified p=0.033, alpha 0.05)"
    assert round(found["success_regression"].p or 0, 3) == 0.033
    assert found["broken_cases"].why == "broken: s/c7 (5/5 → 0/5) (by luck in at most 0.012 of builds, alpha 0.05)"
    assert [gate.regression for gate in found.values()] == [False, True, True]


def test_gates_without_an_event_take_no_part_of_the_alpha() -> None:
    watched = Gates(
        success_regression=SuccessRegression(),
        intervention_rate=WatchedRate(max=1),
        unexpected_policy_blocks=WatchedCount(max=0),
    )
    found = judged(watched, build(AFTER), build(BEFORE))
    assert (found["success_regression"].result, found["success_regression"].p_holm) == ("fail", found["success_regression"].p)
    assert [found[name].p for name in ("intervention_rate", "unexpected_policy_blocks")] == [None, None]


def test_statistical_gates_of_one_build_share_their_alpha() -> None:
    costs_before = [f"0.{i + 1:02}" for i in range(12)]
    costs_after = [str(Decimal(c) * Decimal(f"1.{18 + i % 3 * 6}")) for i, c in enumerate(costs_before)]
    before = [replace(one, cost_usd=Decimal(c)) for one, c in zip(build(BEFORE), costs_before, strict=True)]
    after = [replace(one, cost_usd=Decimal(c)) for one, c in zip(build(AFTER), costs_after, strict=True)]
    gates = Gates(success_regression=SuccessRegression(), cost_regression=CostRegression(tolerance=0.1))
    found = judged(gates, after, before)
    small, large = sorted(gate.p or 0 for gate in found.values())
    assert found["success_regression"].p == large
    assert found["success_regression"].p_holm == pytest.approx(max(large, 2 * small))
    assert found["cost_regression"].p_holm == pytest.approx(2 * small)
    assert {gate.result for gate in found.values()} == {"fail"}
    assert "Holm" in found["cost_regression"].why
    alone = judged(replace(gates, correction="none"), after, before)
    assert alone["cost_regression"].p_holm is None
    # the same drop in a build of many such gates is not proven
    many = [Group(name=str(i), gates=gates, metrics=metrics(after), now=after, before=before) for i in range(3)]
    assert {gate.result for gate in judge(many) if gate.name == "success_regression"} == {"inconclusive"}


def test_a_drop_that_is_not_proven_is_inconclusive_and_one_too_small_passes() -> None:
    now = build([4, *[5] * 11])
    before = build([5] * 12)
    gates = Gates(success_regression=SuccessRegression(min_drop=0.01))
    found = judged(gates, now, before)["success_regression"]
    assert found.result == "inconclusive"
    assert found.why.endswith("worse, but not proven")
    assert judged(Gates(success_regression=SuccessRegression()), now, before)["success_regression"].result == "pass"
    assert judged(gates, before, now)["success_regression"].result == "pass"


def test_a_proven_drop_below_min_drop_passes() -> None:
    before, now = build([500] * 2, 500), build([495] * 2, 500)
    assert judged(Gates(success_regression=SuccessRegression(min_drop=0.02)), now, before)["success_regression"].result == "pass"
    assert judged(Gates(success_regression=SuccessRegression(min_drop=0.01)), now, before)["success_regression"].result == "fail"


def test_detect_says_when_trials_are_too_few_to_find_a_drop() -> None:
    before = build([4, 3, 5])
    found = judged(Gates(success_regression=SuccessRegression(detect=0.05)), before, before)["success_regression"]
    assert found.result == "inconclusive"
    assert "15 trials find a drop of" in found.details[0]
    for best in (build([1, 1, 1], 1), build([5] * 3)):  # that nothing failed yet is no proof that nothing can
        found = judged(Gates(success_regression=SuccessRegression(detect=0.01)), best, best)["success_regression"]
        assert found.result == "inconclusive"
    assert (
        "trials find no drop with a power of 0.8"
        in judged(Gates(success_regression=SuccessRegression(detect=1)), build([1], 1), build([1], 1))[
            "success_regression"
        ].details[0]
    )
    many = build([40, 39, 41], 50)
    gates = Gates(success_regression=SuccessRegression(detect=0.5))
    assert judged(gates, many, many)["success_regression"].result == "pass"


def test_a_broken_case_is_no_proof_with_few_trials() -> None:
    before, now = build([1, 1, 1], 1), build([1, 0, 1], 1)
    found = judged(Gates(broken_cases=BrokenCases()), now, before)["broken_cases"]
    assert found.result == "inconclusive"
    assert found.details == ["with 3 cases 3 trials each are needed before a broken one is no luck"]
    exact = judged(Gates(broken_cases=BrokenCases()), replayed(now), replayed(before))["broken_cases"]
    assert exact.result == "fail"
    allowed = judged(Gates(broken_cases=BrokenCases(max=1)), now, before)["broken_cases"]
    assert (allowed.result, allowed.measured) == ("pass", 1)


@pytest.mark.parametrize(("now", "result"), [([5, 5], "pass"), ([5, 4], "fail")])
def test_a_replay_fails_on_any_success_less(now: list[int], result: str) -> None:
    found = judged(Gates(success_regression=SuccessRegression()), replayed(build(now)), replayed(build([5, 5])))
    assert (found["success_regression"].result, found["success_regression"].p) == (result, None)


@pytest.mark.parametrize(
    ("cost", "tokens", "result"),
    [("0.055", 110, "pass"), ("0.0551", 100, "fail"), ("0.05", 111, "fail"), (None, 100, "fail"), ("0.05", None, "fail")],
)
def test_a_replay_compares_cost_and_tokens_exactly(cost: str | None, tokens: int | None, result: str) -> None:
    before, now = replayed(build([5])), replayed(build([5], cost=cost, tokens=tokens))
    found = judged(Gates(cost_regression=CostRegression()), now, before)["cost_regression"]
    assert (found.result, found.p) == (result, None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cost_usd": Decimal("0.09")}, "beyond it: s/c1 $0.01 → $0.09"),
        ({"tokens": 50}, "beyond it: s/c1 10 → 50 tokens"),
        ({"tokens": 0, "cost_usd": Decimal("0.02")}, "beyond it: s/c1 $0.01 → $0.02"),
    ],
)
def test_a_replay_compares_the_cost_of_each_case(change: dict[str, Any], said: str) -> None:
    """A dear case, or one that became cheaper, hides no other: of its recording each costs exactly what it does."""
    before = replayed([case("c1", 5, cost="0.01", tokens=10), case("c2", 5, cost="1", tokens=1000)])
    now = [replace(before[0], **change), replace(before[1], cost_usd=Decimal("0.9"))]
    found = judged(Gates(cost_regression=CostRegression()), now, before)["cost_regression"]
    assert (found.result, found.why.endswith(said)) == ("fail", True)


def test_cost_at_its_edges() -> None:
    gates = Gates(cost_regression=CostRegression())

    def of(before: list[str | None], after: list[str | None]) -> GateResult:
        was = [case(f"c{i}", 5, cost=c) for i, c in enumerate(before)]
        now = [case(f"c{i}", 5, cost=c) for i, c in enumerate(after)]
        return judged(gates, now, was)["cost_regression"]

    assert of(["1"], ["1.05"]).result == "pass"
    assert of(["1"], ["2"]).result == "inconclusive"
    assert of(["0", "1"], ["1", "1"]).result == "inconclusive"
    assert of(["0", "1", "1"], ["1", "1", "1"]).result == "inconclusive"
    assert "no ratio: s/c0" in of(["0", "1", "1"], ["1", "1", "1"]).details[1]
    assert of(["0", "0"], ["0", "0"]).result == "pass"
    assert of(["1", None], ["1", "1"]).result == "fail"
    assert "unknown cost" in of(["1", "1"], ["1", None]).why
    assert of(["1", "1", "1"], ["3", "3.1", "3.2"]).result == "fail"


def test_lower_prices_hide_no_tokens() -> None:
    """Where both sides are of one table dollars say it all; of two, tokens are tested beside them."""
    gates = Gates(cost_regression=CostRegression())
    before = [case(f"c{i}", 5, cost="1", tokens=100 + i, prices="t 1") for i in range(6)]

    def of(prices: str | None, tokens: list[int | None], cost: str = "0.92") -> GateResult:
        now = [case(f"c{i}", 5, cost=cost, tokens=t, prices=prices) for i, t in enumerate(tokens)]
        return judged(gates, now, before[: len(now)])["cost_regression"]

    more: list[int | None] = [10_000 + 70 * i for i in range(6)]
    hidden = of("t 2", more)
    assert hidden.result == "fail"
    assert hidden.why.startswith("cost $6 → $5.52 (of two price tables: t 1 → t 2), ")
    assert "(paired t of log cost and of log tokens p=" in hidden.why
    assert of("t 1", more).result == of(None, more).result == "pass"
    assert of("t 2", [100 + i for i in range(6)]).result == "pass"
    assert of("t 2", [0] * 6).result == "pass"
    assert of("t 2", [100] * 6, cost="2").result == "fail"
    assert of("t 2", more[:1]).result == "inconclusive"
    assert of("t 2", [100]).result == "pass"
    unknown = of("t 2", [None] * 6)
    assert (unknown.result, "tokens unknown" in unknown.why) == ("inconclusive", True)
    replays = judged(gates, replayed([replace(one, prices="t 2") for one in before]), replayed(before))["cost_regression"]
    assert (replays.result, "of two price tables" in replays.why) == ("pass", True)


@pytest.mark.parametrize("regime", ["live", "replay"])
@pytest.mark.parametrize("name", ["intervention_rate", "unexpected_policy_blocks"])
def test_watched_counts(name: str, regime: str) -> None:
    key = "intervened" if name == "intervention_rate" else "unexpected_blocks"
    gate = {
        "intervention_rate": WatchedRate(max=1, regression_alpha=0.05),
        "unexpected_policy_blocks": WatchedCount(regression_alpha=0.05),
    }
    gates = Gates(**{name: gate[name]})

    def of(count: int | None) -> list[Tried]:
        both = {key: count, **({"blocked": count} if key == "unexpected_blocks" else {})}
        return [replace(one, mode=regime, **both) for one in build([5] * 5)]

    def result(after: int | None) -> str:
        now = of(after)
        numbers = metrics(now, intervention_rate=0.5, unexpected_policy_blocks=3)
        return judged(gates, now, of(0), metrics=numbers)[name].result

    assert result(0) == "pass"
    assert result(1) == "fail"  # 1 of 5 in each of five cases, after none: p = 2**-5
    assert result(None) == "fail"
    over = (
        replace(gate["intervention_rate"], max=0.2) if name == "intervention_rate" else WatchedCount(max=0, regression_alpha=0.05)
    )
    numbers = metrics(of(0), intervention_rate=0.5, unexpected_policy_blocks=3)
    limited = judged(Gates(**{name: over}), of(0), of(0), metrics=numbers)[name]
    assert (limited.result, limited.regression) == ("fail", False)


def test_one_intervention_more_is_not_proven_live() -> None:
    now = [*build([5] * 3), case("c4", 5, intervened=1)]
    gates = Gates(intervention_rate=WatchedRate(regression_alpha=0.05))
    found = judged(gates, now, build([5] * 4), metrics=metrics(now, intervention_rate=0.05))["intervention_rate"]
    assert found.result == "inconclusive"
    assert found.why.startswith("intervention_rate is 0.05; runs with a human 0 → 1 (exact stratified p=0.5")


def test_a_limit_is_judged_without_a_baseline_too() -> None:
    now = build([5])
    numbers = metrics(now, intervention_rate=0.1)
    both = judged(Gates(intervention_rate=WatchedRate(max=0.2, regression_alpha=0.05)), now, metrics=numbers)["intervention_rate"]
    assert both.result == "pass"
    assert both.why.startswith("intervention_rate is 0.1, wanted at most 0.2; there is no baseline: make one")
    watched = judged(Gates(intervention_rate=WatchedRate(regression_alpha=0.05)), now, metrics=numbers)["intervention_rate"]
    assert watched.result == "not_judged"


def test_blocked_trials_that_nobody_counted_are_unknown() -> None:
    now = build([5], blocked=None)
    gates = Gates(unexpected_policy_blocks=WatchedCount(regression_alpha=0.05))
    found = judged(gates, now, build([5]), metrics=metrics(now, unexpected_policy_blocks=0))["unexpected_policy_blocks"]
    assert (found.result, "unknown" in found.why) == ("fail", True)


def test_critical_cases_may_not_fail() -> None:
    gates = Gates(critical=Critical(tags=("critical",)))
    now = [case("a", 5, tags=("critical",)), case("b", 0)]
    assert judged(gates, now)["critical"].result == "pass"
    bad = [case("a", 4, tags=("critical", "x")), case("b", 5)]
    found = judged(gates, bad)["critical"]
    assert (found.result, found.measured, found.details) == ("fail", 1, ["failed: s/a (1)"])
    assert judged(Gates(critical=Critical(tags=("critical",), allow_failures=1)), bad)["critical"].result == "pass"
    gone = judged(gates, now, [*now, case("z", 5, tags=("critical",))])["critical"]
    assert (gone.result, gone.details) == ("fail", ["removed since the baseline, which counts as failed: s/z"])
    assert judged(gates, [case("b", 5)])["critical"].result == "fail"
    idle = judged(gates, [case("a", 0, 0, tags=("critical",)), case("b", 5)])["critical"]
    assert idle.details == ["did not run: s/a"]


@pytest.mark.parametrize(
    ("gate", "numbers", "result", "why"),
    [
        (Gates(cost_usd=Limit(max=0.3)), {"cost_usd": "0.3"}, "pass", "cost_usd is $0.3, wanted at most $0.3"),
        (Gates(cost_usd=Limit(max=0.3)), {"cost_usd": "0.300000000001"}, "fail", None),
        (Gates(cost_usd=Limit(max=0.3)), {"cost_usd": None}, "fail", "cost_usd is unknown, and unknown is within no limit"),
        (
            Gates(cost_per_success_usd=Limit(max=1)),
            {"cost_usd": "2", "successes": 0},
            "fail",
            "cost_per_success_usd is undefined: no run succeeded, and all cost $2",
        ),
        (
            Gates(cost_per_success_usd=Limit(max=1)),
            {"cost_usd": "2", "successes": 4, "cost_per_success_usd": "0.5"},
            "pass",
            "cost_per_success_usd is $0.5 (4 successes for $2), wanted at most $1",
        ),
        (Gates(tokens=Limit(max=10)), {"tokens": {"input": 8, "output": 3}}, "fail", "tokens is 11, wanted at most 10"),
        (Gates(tokens=Limit(max=10)), {"tokens": None}, "fail", "tokens is unknown, and unknown is within no limit"),
        (Gates(tool_calls=Limit(min=1, max=3)), {"tool_calls": 2}, "pass", "tool_calls is 2, wanted at least 1 and at most 3"),
        (
            Gates(pass_hat_k=PassHatK(k=2, min=0.5)),
            {"pass_hat_k": {"1": 0.9, "2": 0.4}},
            "fail",
            "pass_hat_k (k=2) is 0.4, wanted at least 0.5",
        ),
        (
            Gates(pass_hat_k=PassHatK(k=3, min=0.5)),
            {"pass_hat_k": {"1": 1.0}},
            "fail",
            "pass_hat_k of k=3 is undefined: a case has fewer trials",
        ),
        (Gates(intervention_rate=WatchedRate(max=0.2)), {"intervention_rate": None}, "fail", None),
    ],
)
def test_limits(gate: Gates, numbers: dict[str, Any], result: str, why: str | None) -> None:
    now = build([5])
    (found,) = judged(gate, now, metrics=metrics(now, **numbers)).values()
    assert found.result == result
    assert why is None or found.why == why


def test_confidence_is_for_live_runs() -> None:
    gates = Gates(task_success_rate=RateLimit(min=0.9, confidence=0.95))
    few, many = build([20], 20), build([30], 30)
    found = judged(gates, few)["task_success_rate"]
    assert (found.result, found.details) == ("fail", ["20 runs cannot prove 0.9: 25 without one that is otherwise are needed"])
    assert "at least 0.881 with 95 % confidence" in found.why
    assert judged(gates, many)["task_success_rate"].result == "pass"
    exact = judged(gates, replayed(few))["task_success_rate"]
    assert (exact.result, exact.details) == ("pass", ["a replay is the same every time: confidence 0.95 is for live runs"])
    upper = Gates(intervention_rate=WatchedRate(max=0.1, confidence=0.95))
    assert judged(upper, few, metrics=metrics(few, intervention_rate=0.0))["intervention_rate"].result == "fail"
    assert judged(upper, many, metrics=metrics(many, intervention_rate=0.0))["intervention_rate"].result == "pass"
    below = judged(Gates(task_success_rate=RateLimit(min=0.9, confidence=0.6)), build([190], 210))["task_success_rate"]
    assert (below.result, below.details) == ("fail", [])


def test_what_cannot_be_judged() -> None:
    now = build([5])
    assert judged(REGRESSIONS, now, unjudged="a part")["success_regression"].why == "a part"
    assert {g.result for g in judged(REGRESSIONS, []).values()} == {"not_judged"}
    assert judged(REGRESSIONS, now)["success_regression"].result == "not_judged"
    news = judged(REGRESSIONS, now, [case("other", 5)])["success_regression"]
    assert (news.result, len(news.details)) == ("not_judged", 2)
    assert "has no record of these cases" in news.why


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"mode": "replay"}, "mode replay, now live"),
        ({"digest": "e"}, "the case was changed"),
        ({"trials": 6}, "6 trials, now 5"),
    ],
)
def test_what_cannot_be_compared_is_said_and_never_passed(change: dict[str, Any], why: str) -> None:
    now = build([5, 5])
    before = [now[0], replace(now[1], **change)]
    found = judged(REGRESSIONS, now, before)["success_regression"]
    assert found.result == "not_comparable"
    assert f"1 case not comparable: s/c2: {why}" in found.why
    all_changed = judged(REGRESSIONS, now[1:], before[1:])["broken_cases"]
    assert (all_changed.result, all_changed.why.startswith("no case can be compared; ")) == ("not_comparable", True)


def test_a_regression_of_the_comparable_rest_still_fails() -> None:
    before = build([*BEFORE, 5])
    now = [*build(AFTER), replace(case("c13", 5), digest="e")]
    assert judged(REGRESSIONS, now, before)["success_regression"].result == "fail"


def test_a_case_that_did_not_run_or_counts_nowhere_is_not_comparable() -> None:
    before = build([5, 5])
    idle = judged(REGRESSIONS, [before[0], case("c2", 0, 0)], before)["success_regression"]
    assert (idle.result, "it did not run" in idle.why) == ("not_comparable", True)
    out = judged(REGRESSIONS, [before[0], case("c2", 4, 4, left_out=1)], before)["success_regression"]
    assert "1 of its runs counts nowhere" in out.why
    power, *cures = out.details
    assert "trials find a drop of" in power
    assert len(cures) == 1
    assert cures[0].startswith("what counts nowhere is compared again when it runs as it was recorded")


def test_where_no_run_counts_nothing_has_passed() -> None:
    gates = replace(REGRESSIONS, critical=Critical(tags=("crit",)))
    before = build([5, 5])
    nowhere = [replace(case(f"c{n}", 0, 0, left_out=5), tags=("crit",)) for n in (1, 2)]
    found = judged(gates, nowhere, before)
    assert {name: one.result for name, one in found.items() if one.result != "not_comparable"} == {"critical": "fail"}
    assert found["task_success_rate"].why == "no run counts; 10 runs count nowhere (counterfactual or unanswerable)"
    alone = judged(gates, nowhere)
    assert (alone["task_success_rate"].result, alone["critical"].result) == ("not_comparable", "fail")
    skipped = [case(one.id.partition("/")[2], 0, 0) for one in before]
    found = judged(gates, skipped, before)
    assert found["task_success_rate"].why == "no run counts; 2 cases of the baseline did not run"
    assert {one.result for name, one in found.items() if name != "critical"} == {"not_comparable"}
    assert judged(REGRESSIONS, skipped)["task_success_rate"].result == "not_judged"


def test_many_names_are_counted() -> None:
    before, now = build([5] * 9), build([5] * 9, digest="e")
    assert " and 4 more" in judged(REGRESSIONS, now, before)["success_regression"].why
    worse = judged(REGRESSIONS, replayed(build([0] * 9)), replayed(before))["success_regression"]
    assert worse.details[0].endswith("s/c5 5/5 → 0/5 and 4 more")


def test_which_gates_there_are() -> None:
    assert names(Gates()) == []
    assert names(REGRESSIONS) == ["task_success_rate", "success_regression", "broken_cases"]
    assert needs_baseline(REGRESSIONS)
    assert needs_baseline(Gates(intervention_rate=WatchedRate(regression_alpha=0.1)))
    assert not needs_baseline(
        Gates(task_success_rate=RateLimit(min=1), critical=Critical(tags=("x",)), intervention_rate=WatchedRate(max=1))
    )


def test_as_the_results_file_has_them() -> None:
    found = judged(REGRESSIONS, build(AFTER), build(BEFORE))
    assert found["success_regression"].as_json() == {
        "name": "success_regression",
        "result": "fail",
        "wanted": "no proven drop of 2.0 % or more",
        "measured": 49,
        "baseline": 56,
        "p": 0.032885,
        "p_holm": 0.032885,
        "why": "success 56/60 → 49/60 (exact stratified p=0.033, alpha 0.05)",
        "details": found["success_regression"].details,
        "file": None,
        "line": None,
    }


counts = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=8)


@given(counts)
def test_what_got_no_worse_never_fails_and_a_replay_fails_exactly_on_what_did(cases: list[tuple[int, int]]) -> None:
    before, now = build([b for b, _ in cases], 4), build([a for _, a in cases], 4)
    gates = Gates(success_regression=SuccessRegression(), cost_regression=CostRegression(), broken_cases=BrokenCases())
    live = judged(gates, now, before)
    if all(a >= b for b, a in cases):
        assert {gate.result for gate in live.values()} == {"pass"}
    exact = judged(gates, replayed(now), replayed(before))
    assert (exact["success_regression"].result == "fail") == any(a < b for b, a in cases)
    assert {gate.p for gate in exact.values()} == {None}


def test_a_replay_imports_neither_scipy_nor_numpy() -> None:
    code = (
        "import sys; sys.path.insert(0, '.'); from tests.scoring import test_gates as t; from dataclasses import replace;"
        "before, now = t.replayed(t.build(t.BEFORE)), t.replayed(t.build(t.AFTER));"
        "g = replace(t.REGRESSIONS, cost_regression=t.CostRegression(), task_success_rate=t.RateLimit(min=.1, confidence=.9));"
        "print([r.result for r in t.judged(g, now, before).values()], 'scipy' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['pass', 'fail', 'fail', 'pass'] False False"
