"""The statistics that live gates need. scipy comes in here, inside functions: a replay compares exactly and needs none of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist, fmean
from typing import Literal

ALPHA = 0.05
POWER = 0.8


@dataclass(frozen=True, slots=True)
class Pair:
    """One case twice: of how many trials how many did it (succeeded, or needed a human)."""

    before: int
    before_trials: int
    after: int
    after_trials: int

    def __post_init__(self) -> None:
        for done, trials in ((self.before, self.before_trials), (self.after, self.after_trials)):
            if not 0 <= done <= trials:
                raise ValueError(f"{done} of {trials} trials cannot be")


def stratified(pairs: Sequence[Pair], worse: Literal["fewer", "more"] = "fewer") -> float:
    """The exact conditional p: the chance of a total this far on the worse side if no case changed.

    Given a case's total over both times, how many fall on the second is hypergeometric, each case for itself; their sum is the
    statistic. With one trial a case this is McNemar's exact test, with one case Fisher's. Nothing to compare gives 1.
    """
    import numpy as np

    pmf, low, seen = np.ones(1), 0, 0
    for pair in pairs:
        successes = pair.before + pair.after
        pmf = np.convolve(pmf, _hypergeometric(pair.before_trials, pair.after_trials, successes))
        low += max(0, successes - pair.before_trials)
        seen += pair.after
    at = seen - low
    tail = pmf[: at + 1] if worse == "fewer" else pmf[at:]
    return min(1.0, float(tail.sum()))


@lru_cache(maxsize=4096)
def _hypergeometric(before_trials: int, after_trials: int, successes: int) -> Sequence[float]:
    import numpy as np

    counts = np.arange(max(0, successes - before_trials), min(after_trials, successes) + 1)
    if len(counts) == 1:  # nothing could have come out otherwise; of no trials at all scipy says nan
        return [1.0]
    from scipy.stats import hypergeom

    chances: Sequence[float] = hypergeom.pmf(counts, before_trials + after_trials, successes, after_trials)
    return chances


def is_broken(pair: Pair) -> bool:
    """Whether a case that always succeeded never does now."""
    return bool(pair.before_trials and pair.after_trials) and pair.before == pair.before_trials and pair.after == 0


def broken_bound(trials: Sequence[tuple[int, int]]) -> float:
    """The chance, at most, that any of these cases looks broken by luck; each is its trials before and now.

    Whatever a case's success rate p is, p^b (1-p)^c is greatest at b/(b+c): 4^-k where both are k.
    """
    bound = 0.0
    for before, after in trials:
        if before and after:
            best = before / (before + after)
            bound += best**before * (1 - best) ** after
    return min(1.0, bound)


def trials_to_break(cases: int, alpha: float = ALPHA) -> int:
    """The trials a case from which on a broken one is no luck, with so many cases."""
    return max(1, math.ceil(math.log(cases / alpha, 4))) if cases else 1


@dataclass(frozen=True, slots=True)
class Ratio:
    """How costs changed, as the geometric mean of the cases' ratios; `low` and `high` hold 90 % of it, `p` is one-sided."""

    ratio: float
    low: float | None
    high: float | None
    p: float | None
    """The chance of this if costs had only grown by the tolerance; None with fewer than two cases."""
    cases: int


def cost_ratio(costs: Sequence[tuple[float, float]], tolerance: float = 0.0) -> Ratio | None:
    """Paired t of the logarithm of each case's mean cost before and now, both above 0; None without a case."""
    if any(before <= 0 or after <= 0 for before, after in costs):
        raise ValueError("a cost of 0 has no ratio")
    if not costs:
        return None
    logs = [math.log(after / before) for before, after in costs]
    mean = fmean(logs)
    if len(logs) < 2:
        return Ratio(math.exp(mean), None, None, None, 1)
    if max(logs) - min(logs) < 1e-12:  # no spread: t is 0/0 or infinite
        return Ratio(math.exp(mean), math.exp(mean), math.exp(mean), float(mean <= math.log1p(tolerance) + 1e-12), len(logs))
    from scipy.stats import ttest_1samp

    p = float(ttest_1samp(logs, math.log1p(tolerance), alternative="greater").pvalue)
    held = ttest_1samp(logs, 0.0).confidence_interval(0.9)
    return Ratio(math.exp(mean), math.exp(float(held.low)), math.exp(float(held.high)), p, len(logs))


Method = Literal["wilson", "exact"]


def lower_bound(successes: int, trials: int, confidence: float, method: Method = "wilson") -> float | None:
    """What the rate is at least, with one-sided confidence; None without trials. `exact` is Clopper and Pearson's."""
    if not trials:
        return None
    from scipy.stats import binomtest

    return float(binomtest(successes, trials, alternative="greater").proportion_ci(confidence, method).low)


def upper_bound(successes: int, trials: int, confidence: float, method: Method = "wilson") -> float | None:
    """What the rate is at most, with one-sided confidence; None without trials."""
    if not trials:
        return None
    from scipy.stats import binomtest

    return float(binomtest(successes, trials, alternative="less").proportion_ci(confidence, method).high)


def interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float] | None:
    """Wilson's interval of a rate, to be shown."""
    if not trials:
        return None
    from scipy.stats import binomtest

    found = binomtest(successes, trials).proportion_ci(confidence, "wilson")
    return float(found.low), float(found.high)


def case_interval(rates: Sequence[float], confidence: float = 0.95) -> tuple[float, float] | None:
    """The t interval of a mean over cases as a sample of all there could be; None with fewer than two cases."""
    if len(rates) < 2:
        return None
    if max(rates) == min(rates):
        return rates[0], rates[0]
    from scipy.stats import ttest_1samp

    found = ttest_1samp(rates, 0.0).confidence_interval(confidence)
    return float(found.low), float(found.high)


def holm(chances: Sequence[float]) -> list[float]:
    """The p values of one build as if each were alone: Holm's step-down, in the order given."""
    adjusted = [0.0] * len(chances)
    worst = 0.0
    for rank, index in enumerate(sorted(range(len(chances)), key=lambda i: chances[i])):
        worst = max(worst, min(1.0, chances[index] * (len(chances) - rank)))
        adjusted[index] = worst
    return adjusted


def runs_to_prove(rate: float, confidence: float, method: Method = "wilson") -> int | None:
    """The runs without one failure from which on the bound reaches `rate`; None if no number does."""
    if rate >= 1:
        return None
    if rate <= 0:
        return 1
    if method == "exact":
        return math.ceil(math.log(1 - confidence) / math.log(rate) - 1e-9)
    z2 = NormalDist().inv_cdf(confidence) ** 2
    return max(1, math.ceil(rate * z2 / (1 - rate) - 1e-9))


def likely_rate(successes: int, trials: int) -> float:
    """A rate as it probably is (Jeffreys): what never failed in a few trials may fail yet, and one trial tells of no spread."""
    return (successes + 0.5) / (trials + 1)


def detectable(rates: Sequence[float], trials: int, alpha: float = ALPHA, power: float = POWER) -> float | None:
    """The smallest drop of the rate that is found with this power; `rates` by case, `trials` all of one side."""
    if not rates or not trials:
        return None
    normal = NormalDist()
    spread = fmean(rate * (1 - rate) for rate in rates)
    return (normal.inv_cdf(1 - alpha) + normal.inv_cdf(power)) * math.sqrt(2 * spread / trials)


def decided(successes: int, done: int, planned: int, at_least: float) -> bool | None:
    """Curtailment: whether the share of successes will reach `at_least`, if the runs to come cannot change that; else None."""
    needed = at_least * planned - 1e-9
    if successes >= needed:
        return True
    return False if successes + (planned - done) < needed else None
