"""The formulas of gates, against the worked example, scipy and their own edges."""

from __future__ import annotations

import math
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pytest_agentops.scoring import statistics
from pytest_agentops.scoring.statistics import Pair

BEFORE = [5, 5, 5, 5, 4, 5, 5, 3, 5, 5, 4, 5]
AFTER = [5, 5, 5, 4, 4, 5, 0, 3, 5, 4, 4, 5]
PAIRS = [Pair(b, 5, a, 5) for b, a in zip(BEFORE, AFTER, strict=True)]


def test_the_worked_example():
    assert (sum(BEFORE), sum(AFTER)) == (56, 49)
    assert statistics.interval(56, 60) == pytest.approx((0.841, 0.974), abs=5e-4)
    assert statistics.interval(49, 60) == pytest.approx((0.701, 0.894), abs=5e-4)
    p = statistics.stratified(PAIRS)
    assert round(p, 3) == 0.033
    assert [i + 1 for i, pair in enumerate(PAIRS) if statistics.is_broken(pair)] == [7]
    assert round(statistics.broken_bound([(5, 5)] * 12), 3) == 0.012
    assert statistics.holm([0.0177, p]) == pytest.approx([0.035, 0.035], abs=5e-4)
    fisher = statistics.stratified([PAIRS[6]])
    assert round(statistics.holm([fisher, *[1.0] * 11])[0], 3) == 0.048


def test_clustered_interval_of_the_worked_example_misses_the_drop():
    low, high = statistics.case_interval([(a - b) / 5 for b, a in zip(BEFORE, AFTER, strict=True)])
    assert low < 0 < high
    assert fmean([low, high]) == pytest.approx((49 - 56) / 60)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), max_size=12))
def test_one_trial_a_case_is_mcnemars_exact_test(cases):
    lost, won = sum(b > a for b, a in cases), sum(a > b for b, a in cases)
    wanted = stats.binomtest(won, lost + won, 0.5, alternative="less").pvalue if lost + won else 1.0
    assert statistics.stratified([Pair(b, 1, a, 1) for b, a in cases]) == pytest.approx(wanted, abs=1e-12)


def test_mcnemar_by_hand():
    cases = [Pair(1, 1, 0, 1)] * 8 + [Pair(0, 1, 1, 1)] * 2
    assert statistics.stratified(cases) == pytest.approx(0.0546875, abs=1e-12)
    assert statistics.stratified([Pair(5, 5, 0, 5)]) == pytest.approx(1 / math.comb(10, 5), abs=1e-12)


pairs = st.tuples(st.integers(0, 8), st.integers(0, 8)).flatmap(
    lambda n: st.builds(
        Pair, before=st.integers(0, n[0]), before_trials=st.just(n[0]), after=st.integers(0, n[1]), after_trials=st.just(n[1])
    )
)


@given(pairs)
def test_one_case_is_fishers_exact_test(pair):
    table = [[pair.after, pair.after_trials - pair.after], [pair.before, pair.before_trials - pair.before]]
    for worse, alternative in (("fewer", "less"), ("more", "greater")):
        wanted = stats.fisher_exact(table, alternative=alternative).pvalue
        assert statistics.stratified([pair], worse) == pytest.approx(wanted, abs=1e-12)


@given(st.lists(pairs, max_size=6))
def test_p_is_a_chance_and_both_tails_cover_all(cases):
    fewer, more = statistics.stratified(cases), statistics.stratified(cases, "more")
    assert 0 < fewer <= 1
    assert 0 < more <= 1
    assert fewer + more >= 1 - 1e-9


@given(st.lists(pairs, max_size=5), st.permutations(range(5)))
def test_p_does_not_depend_on_the_order_of_cases(cases, order):
    other = [cases[i] for i in order if i < len(cases)]
    assert statistics.stratified(other) == pytest.approx(statistics.stratified(cases), abs=1e-12)


@given(st.lists(pairs, max_size=4))
def test_p_is_the_sum_over_all_tables(cases):
    """Brute force over every table with the same margins."""
    chances = {0: 1.0}
    for c in cases:
        s, total = c.before + c.after, c.before_trials + c.after_trials
        ways = {
            x: math.comb(c.after_trials, x) * math.comb(c.before_trials, s - x) / math.comb(total, s)
            for x in range(max(0, s - c.before_trials), min(c.after_trials, s) + 1)
        }
        chances = {
            t: sum(chances.get(t - x, 0.0) * w for x, w in ways.items()) for t in range(sum(v.after_trials for v in cases) + 1)
        }
    observed = sum(c.after for c in cases)
    assert statistics.stratified(cases) == pytest.approx(sum(v for t, v in chances.items() if t <= observed), abs=1e-12)


def test_nothing_to_compare_is_no_evidence():
    assert statistics.stratified([]) == 1.0
    assert statistics.stratified([Pair(0, 0, 0, 0)]) == 1.0
    assert statistics.stratified([Pair(0, 5, 0, 5)]) == 1.0
    assert statistics.stratified([Pair(3, 3, 0, 0)]) == 1.0


@pytest.mark.parametrize("numbers", [(1, 0, 0, 0), (-1, 2, 0, 0), (0, 0, 3, 2)])
def test_impossible_counts_are_refused(numbers):
    with pytest.raises(ValueError, match="cannot be"):
        Pair(*numbers)


@pytest.mark.parametrize(("trials", "cases"), [(4, 12), (5, 51), (6, 204)])
def test_how_many_cases_the_broken_rule_bears(trials, cases):
    assert statistics.broken_bound([(trials, trials)] * cases) <= 0.05 < statistics.broken_bound([(trials, trials)] * (cases + 1))
    assert statistics.trials_to_break(cases) == trials
    assert statistics.trials_to_break(cases + 1) == trials + 1


def test_broken_with_unequal_trials():
    assert statistics.broken_bound([(2, 1)]) == pytest.approx(
        max(p * p * (1 - p) for p in [i / 1000 for i in range(1001)]), abs=1e-6
    )
    assert statistics.broken_bound([(0, 5), (5, 0)]) == 0
    assert statistics.broken_bound([(1, 1)] * 9) == 1
    assert statistics.trials_to_break(0) == statistics.trials_to_break(1, alpha=1) == 1
    assert not statistics.is_broken(Pair(0, 0, 0, 5))
    assert not statistics.is_broken(Pair(4, 5, 0, 5))


def test_cost_ratio_is_the_paired_t_of_log_costs():
    costs = [(1.0, 1.3), (2.0, 2.2), (0.5, 0.7), (4.0, 4.1)]
    found = statistics.cost_ratio(costs, 0.05)
    logs = [math.log(a / b) for b, a in costs]
    assert found.ratio == pytest.approx(math.exp(fmean(logs)))
    # the same test as scipy's on the pairs themselves
    wanted = stats.ttest_rel([math.log(a / 1.05) for _, a in costs], [math.log(b) for b, _ in costs], alternative="greater")
    assert found.p == pytest.approx(wanted.pvalue, abs=1e-12)
    assert found.low < found.ratio < found.high


def test_cost_ratio_at_its_edges():
    assert statistics.cost_ratio([]) is None
    one = statistics.cost_ratio([(1.0, 2.0)])
    assert (one.ratio, one.p, one.low, one.high) == (pytest.approx(2), None, None, None)
    same = statistics.cost_ratio([(1.0, 1.2), (2.0, 2.4)], 0.1)
    assert (same.p, same.ratio, same.low) == (0.0, pytest.approx(1.2), pytest.approx(1.2))
    assert statistics.cost_ratio([(1.0, 1.1), (2.0, 2.2)], 0.1).p == 1.0
    with pytest.raises(ValueError, match="no ratio"):
        statistics.cost_ratio([(0.0, 1.0)])


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_is_monotone_and_never_below_its_p(chances):
    adjusted = statistics.holm(chances)
    assert all(p <= q <= 1 for p, q in zip(chances, adjusted, strict=True))
    assert [adjusted[i] for i in sorted(range(len(chances)), key=chances.__getitem__)] == sorted(adjusted)
    if chances:
        assert min(adjusted) == pytest.approx(min(1, min(chances) * len(chances)))


def test_holm_by_hand():
    assert statistics.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


@pytest.mark.parametrize(("rate", "runs"), [(0.8, 14), (0.9, 29), (0.95, 59), (0.99, 299)])
def test_runs_that_prove_a_rate_exactly(rate, runs):
    assert statistics.runs_to_prove(rate, 0.95, "exact") == runs
    assert statistics.lower_bound(runs, runs, 0.95, "exact") >= rate > statistics.lower_bound(runs - 1, runs - 1, 0.95, "exact")


@given(st.floats(0.01, 0.995), st.floats(0.6, 0.999))
def test_runs_that_prove_a_rate_by_wilson(rate, confidence):
    runs = statistics.runs_to_prove(rate, confidence)
    assert statistics.lower_bound(runs, runs, confidence) >= rate - 1e-9
    assert runs == 1 or statistics.lower_bound(runs - 1, runs - 1, confidence) < rate + 1e-9


def test_rates_that_nothing_proves_or_anything_does():
    assert statistics.runs_to_prove(1, 0.95) is None
    assert statistics.runs_to_prove(0, 0.95) == 1


def test_bounds():
    assert statistics.lower_bound(20, 20, 0.95, "exact") == pytest.approx(0.861, abs=5e-4)
    assert statistics.lower_bound(20, 20, 0.95) == pytest.approx(0.881, abs=5e-4)
    assert statistics.upper_bound(0, 59, 0.95, "exact") == pytest.approx(1 - 0.05 ** (1 / 59))
    assert statistics.lower_bound(0, 0, 0.95) is statistics.upper_bound(0, 0, 0.95) is statistics.interval(0, 0) is None
    assert statistics.case_interval([0.5]) is None
    assert statistics.case_interval([0.5, 0.5]) == (0.5, 0.5)


@pytest.mark.parametrize(("cases", "trials", "points"), [(10, 3, 18), (20, 3, 13), (20, 5, 10), (50, 3, 8), (50, 5, 6)])
def test_detectable_drops(cases, trials, points):
    spread = [stats.beta(9, 1).ppf((i + 0.5) / 400) for i in range(400)]
    assert round(100 * statistics.detectable(spread, cases * trials)) == pytest.approx(points, abs=1)


@pytest.mark.parametrize(("cases", "trials", "points"), [(20, 5, 10), (50, 5, 6)])
def test_a_suite_that_never_failed_finds_about_what_others_do(cases, trials, points):
    rates = [statistics.likely_rate(trials, trials)] * cases
    assert 100 * statistics.detectable(rates, cases * trials) == pytest.approx(points, abs=1)


def test_nothing_is_detectable_in_nothing():
    assert statistics.detectable([], 5) is statistics.detectable([0.5], 0) is None


@given(
    st.integers(1, 30).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.booleans(), min_size=n, max_size=n))), st.floats(0, 1)
)
def test_curtailment_never_says_what_the_rest_could_change(runs, floor):
    planned, results = runs
    final = statistics.decided(sum(results), planned, planned, floor)
    assert final is not None
    for done in range(planned):
        early = statistics.decided(sum(results[:done]), done, planned, floor)
        assert early in (None, final)
