"""What the controller makes of money when every run is in: runs that cost far more than is usual, suites over their budget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from statistics import median

from .errors import BudgetExceeded
from .schema import money
from .schema.governed import Limit
from .schema.run import UNPAID, used_by
from .schema.sentences import count
from .schema.values import JsonObject, decimal
from .scoring.detectors import spend_spike
from .scoring.metrics import Tally

FEWEST = 3
"""Runs that a suite needs before anything is usual."""


@dataclass(frozen=True, slots=True)
class _Spent:
    case: str
    variant: str | None
    trial: int
    cost: Decimal
    failed: bool
    watched: bool
    """The case says that a spike fails it."""


@dataclass(frozen=True, slots=True)
class Spike:
    """A run that failed, or is watched, and cost many times what its case or its suite usually costs."""

    case: str
    variant: str | None
    trial: int
    text: str
    fatal: bool


class Spending:
    """Hears of every run; its size grows with the runs, by one amount each."""

    def __init__(self) -> None:
        self._runs: dict[str, list[_Spent]] = {}
        self._budgets: dict[str, dict[Limit, float]] = {}
        self._used: dict[tuple[str, Limit], Decimal | None] = {}
        """Suite and limit -> what its runs used; None where a part is unknown."""
        self._runbooks: dict[str, str] = {}
        self._unpaid: dict[str, int] = {}
        """Suite -> runs that were left out, or broken off, since a budget was used up."""

    def hear(self, case: JsonObject, runs: list[JsonObject]) -> None:
        """One case with its RUNs, as the results file has them."""
        if case.get("suite_budget"):
            self._budgets[case["suite"]] = case["suite_budget"]
            self._add(case["suite"], runs)
        if case.get("spend_runbook"):
            self._runbooks[case["suite"]] = case["spend_runbook"]
        for run in runs:
            if UNPAID in run.get("labels", ()):
                self._unpaid[case["suite"]] = self._unpaid.get(case["suite"], 0) + 1
            if run["cost_usd"] is not None:
                spent = _Spent(
                    case=case["id"],
                    variant=case["variant"],
                    trial=run["trial"],
                    cost=Decimal(run["cost_usd"]),
                    failed=not run["success"],
                    watched=run.get("spend_spike") == "fail",
                )
                self._runs.setdefault(case["suite"], []).append(spent)

    def _add(self, suite: str, runs: list[JsonObject]) -> None:
        for run in runs:
            for what, amount in used_by(run).items() if "counterfactual" not in run.get("labels", ()) else ():
                before = self._used.get((suite, what), Decimal(0))
                self._used[suite, what] = None if before is None or amount is None else before + amount

    def spikes(self, usual: Mapping[str, Decimal]) -> Iterator[Spike]:
        """The runs that an operator should look at, suite by suite; `usual` is what a run of a case costs by the baseline."""
        for suite, runs in sorted(self._runs.items()):
            middle = median(run.cost for run in runs) if len(runs) >= FEWEST else None
            for run in (one for one in runs if one.failed or one.watched):
                name = run.case if run.variant is None else f"{run.case}~{run.variant}"
                text = spend_spike(run.cost, usual.get(name), what="what the baseline has for it")
                text = text or spend_spike(run.cost, middle, what=f"the median of the suite {suite}")
                if text and suite in self._runbooks:
                    text += f"; runbook: {self._runbooks[suite]}"
                if text:
                    yield Spike(run.case, run.variant, run.trial, text, fatal=run.watched)

    def over(self, suites: Mapping[str, Tally]) -> Iterator[str]:
        """The suites whose runs used more than their `budget` lets them, a sentence for each limit; what is unknown is over.

        So are those whose runs could not all be paid for, whatever their cases expect of it.
        """
        for suite, number in sorted(self._unpaid.items()):
            yield f"suite {suite}: the budget was used up before or in {count(number, 'run')}: raise it, or run less"
        for suite, limits in sorted(self._budgets.items()):
            for what, limit in limits.items():
                used = self._of(suite, what, suites)
                if used is None or used > decimal(limit):
                    error = BudgetExceeded(what, limit, None if used is None else float(used), key=f"budget.{what}")
                    yield f"suite {suite}: {error}" + (f" (${money.text(decimal(limit))})" if what == "usd" else "")

    def _of(self, suite: str, what: Limit, suites: Mapping[str, Tally]) -> Decimal | None:
        if what != "usd":
            return self._used.get((suite, what), Decimal(0))
        cost = suites[suite].metrics().cost_usd if suite in suites else None
        return None if cost is None else Decimal(cost)


def price_table(total: Tally) -> JsonObject | None:
    """Which prices the costs are of, where a model was asked; loading the table takes time that others need not pay."""
    if not total.parts.by("models"):
        return None
    from .cost.prices import pin

    return pin()


def confusion_line(total: Tally) -> Iterator[str]:
    """What bought nothing, and what looking at the runs cost, where it was something."""
    metrics = total.metrics()
    shown = [f"{_WASTED[kind]} {_shown(usd)}" for kind, usd in metrics.confusion_cost_usd.items() if usd != "0"]
    if shown and metrics.cost_usd is not None:  # what is unknown says so in the table
        yield f"spent for nothing: {', '.join(shown)}"
    evals = metrics.eval_cost_usd
    if evals != "0":
        yield f"judges and simulated users: {_shown(evals)}, not part of the runs' cost"


_WASTED = {"failed": "failed runs", "retries": "requests asked again", "loops": "loops"}


def _shown(usd: str | None) -> str:
    return "an unknown amount" if usd is None else f"${usd}"
