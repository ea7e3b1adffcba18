"""How often the gates of live runs are red: with nothing changed, and when something got worse. Made of simulated builds.

    python -m benchmarks.simulation            # prints the tables
    python -m benchmarks.simulation --write    # puts them into docs/statistics.md

Each case has a success rate of its own, drawn from Beta(9, 1) (0.90 on average); a build is two sets of runs, before and now,
judged by the very gates that judge a session. Costs are lognormal: cases differ by sigma 0.8, trials of a case by 0.35, a run
that failed costs half as much again. A row has a seed of its own, so that it comes out the same when it is run alone.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from pytest_agentops.schema.gates import BrokenCases, CostRegression, Gates, SuccessRegression
from pytest_agentops.schema.verdict import Metrics
from pytest_agentops.scoring.gates import Group, judge
from pytest_agentops.scoring.tried import Tried

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

BUILDS = 1200
SEED = 5
ALPHA = 0.05
GATES = Gates(success_regression=SuccessRegression(), broken_cases=BrokenCases(), cost_regression=CostRegression(tolerance=0.0))
PAGE = Path(__file__).parents[1] / "docs" / "statistics.md"
MARK = "<!-- made by benchmarks/simulation.py -->"


def less(points: float) -> Callable[[Floats, np.random.Generator], Floats]:
    """Every case succeeds less often, by so many points."""
    return lambda rates, _: np.maximum(rates - points / 100, 0.0)


def broken(share: float) -> Callable[[Floats, np.random.Generator], Floats]:
    """A share of the cases never succeeds any more."""

    def change(rates: Floats, chance: np.random.Generator) -> Floats:
        lost = chance.choice(len(rates), size=max(1, round(share * len(rates))), replace=False)
        out = rates.copy()
        out[lost] = 0.0
        return out

    return change


_NOTHING = less(0)


@dataclass(frozen=True)
class Row:
    """A kind of build; `expected` is the share that research found with 1 200 builds of its own (None: it has no such row)."""

    cases: int
    trials: int
    words: str
    change: Callable[[Floats, np.random.Generator], Floats] = _NOTHING
    dearer: float = 1.0
    expected: float | None = None
    """Of the exact stratified test; in the rows of cost, of the paired t."""
    of_builds: int = 1200


SUCCESS = (
    Row(10, 3, "nothing", expected=0.018),
    Row(20, 1, "nothing", expected=0.004),
    Row(20, 5, "nothing", expected=0.034),
    Row(50, 5, "nothing", expected=0.032),
    Row(10, 3, "every case -20 points", less(20), expected=0.52),
    Row(20, 1, "every case -20 points", less(20), expected=0.33),
    Row(20, 3, "every case -20 points", less(20), expected=0.86),
    Row(20, 5, "every case -10 points", less(10), expected=0.60),
    Row(20, 5, "every case -20 points", less(20), expected=0.97),
    Row(50, 5, "every case -10 points", less(10), expected=0.93),
    Row(20, 5, "10 % of the cases broken", broken(0.1), expected=0.57),
    Row(50, 5, "10 % of the cases broken", broken(0.1), expected=0.93),
)
COST = (
    Row(10, 3, "nothing", expected=0.048, of_builds=400),
    Row(20, 5, "nothing", expected=0.055, of_builds=400),
    Row(50, 3, "nothing", expected=0.032, of_builds=400),
    Row(20, 5, "every run 20 % dearer", dearer=1.2, expected=0.96, of_builds=400),
    # research has 1.0 here, of 400 builds; the normal approximation of this row gives 0.977, and so does this simulation
    Row(20, 3, "every run 30 % dearer", dearer=1.3),
    Row(10, 3, "every run 50 % dearer", dearer=1.5, expected=0.99, of_builds=400),
)


@dataclass(frozen=True)
class Found:
    """Shares of the builds in which a test, by itself, or any gate, after Holm's correction, was red."""

    success: float
    cost: float
    any: float


def simulate(row: Row, builds: int = BUILDS) -> Found:
    """The builds of one row."""
    chance = np.random.default_rng([SEED, row.cases, row.trials, len(row.words), round(row.dearer * 100)])
    red = np.zeros(3, dtype=np.float64)
    for _ in range(builds):
        rates = chance.beta(9, 1, row.cases)
        prices = chance.lognormal(-4, 0.8, row.cases)
        before = _runs(rates, prices, row.trials, chance)
        after = _runs(row.change(rates, chance), prices * row.dearer, row.trials, chance)
        gates = {gate.name: gate for gate in judge([Group(name="s", gates=GATES, metrics=Metrics(), now=after, before=before)])}
        p = [gates[name].p for name in ("success_regression", "cost_regression")]
        red += [*(one is not None and one <= ALPHA for one in p), any(gate.result == "fail" for gate in gates.values())]
    return Found(*(float(share) for share in red / builds))


def _runs(rates: Floats, prices: Floats, trials: int, chance: np.random.Generator) -> list[Tried]:
    good = chance.random((len(rates), trials)) < rates[:, None]
    costs = prices[:, None] * chance.lognormal(0, 0.35, good.shape) * np.where(good, 1.0, 1.5)
    return [
        Tried(
            id=f"s/c{number}",
            mode="live",
            trials=trials,
            successes=int(done.sum()),
            cost_usd=Decimal(repr(float(cost.sum()))),
            tokens=0,
            intervened=0,
            policy_blocks=0,
            unexpected_blocks=0,
            blocked=0,
            digest="d",
        )
        for number, (done, cost) in enumerate(zip(good, costs, strict=True))
    ]


def error(expected: float, of_builds: int, builds: int) -> float:
    """Three standard errors of the difference of two simulations; figures are rounded to two places or three."""
    rate = min(max(expected, 1 / of_builds), 1 - 1 / of_builds)
    return 3 * math.sqrt(rate * (1 - rate) * (1 / of_builds + 1 / builds)) + 0.005


def _success(found: Found) -> float:
    return found.success


def _cost(found: Found) -> float:
    return found.cost


def tables(builds: int) -> Iterator[str]:
    """Both, as Markdown; raises where a figure is not what it must be."""
    yield f"{builds} builds a row; alpha 0.05; `any gate`: success, broken cases and cost together, corrected by Holm."
    for rows, name, pick in (
        (SUCCESS, "exact stratified test of success", _success),
        (COST, "paired t of log cost", _cost),
    ):
        yield ""
        yield f"| cases x trials | what changed | {name} | any gate |"
        yield "|---|---|---:|---:|"
        for row in rows:
            found = simulate(row, builds)
            _check(row, pick(found), found.any, builds)
            yield f"| {row.cases} x {row.trials} | {row.words} | {pick(found):.3f} | {found.any:.3f} |"


def _check(row: Row, share: float, any_gate: float, builds: int) -> None:
    place = f"{row.cases} x {row.trials}, {row.words}"
    if row.expected is not None and abs(share - row.expected) > error(row.expected, row.of_builds, builds):
        raise SystemExit(f"{place}: {share:.3f}, research found {row.expected}: more than simulation error apart")
    if row.words == "nothing" and any_gate > ALPHA + error(ALPHA, builds, builds) / 2:
        raise SystemExit(f"{place}: {any_gate:.3f} of the builds are red, and may be {ALPHA} at most")


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--builds", type=int, default=BUILDS)
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE.name}")
    options = parser.parse_args(argv)
    text = "\n".join(tables(options.builds))
    print(text)
    if options.write:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(f"{MARK}\n")
        _, _, after = rest.partition(f"{MARK}\n")
        PAGE.write_text(f"{before}{MARK}\n{text}\n{MARK}\n{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
