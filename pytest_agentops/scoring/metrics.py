"""The numbers over many runs (decisions: Numbers), from runs as the results file has them."""

from __future__ import annotations

from decimal import Decimal
from math import comb

from ..schema import money
from ..schema.values import JsonObject
from ..schema.verdict import Metrics

PLACES = 6


class Tally:
    """Adds cases up; unknown stays unknown: one run of unknown cost makes the sum unknown."""

    def __init__(self) -> None:
        self.runs = 0
        self.successes = 0
        self.tool_calls = 0
        self.cost: Decimal | None = Decimal(0)
        self.input: int | None = 0
        self.output: int | None = 0
        self._passes: list[tuple[int, int]] = []

    def add(self, case_id: str, variant: str | None, trials: list[JsonObject]) -> None:
        """One variant's trials. Counterfactual runs are another story than the recorded ones: they count nowhere."""
        counted = [run for run in trials if "counterfactual" not in (run.get("labels") or ())]
        for run in counted:
            self._add(run)
        if counted:
            self._passes.append((len(counted), sum(bool(run["success"]) for run in counted)))

    def _add(self, run: JsonObject) -> None:
        self.runs += 1
        self.successes += bool(run["success"])
        self.tool_calls += len(run["calls"])
        cost = run["cost_usd"]
        self.cost = None if self.cost is None or cost is None else self.cost + Decimal(cost)
        tokens = run["tokens"]
        if tokens is None or self.input is None or self.output is None:
            self.input = self.output = None
        else:
            self.input += tokens["input"]
            self.output += tokens["output"]

    def metrics(self) -> Metrics:
        """The numbers so far. Interventions and policy blocks are null until their stages are built."""
        return Metrics(
            runs=self.runs,
            successes=self.successes,
            task_success_rate=round(self.successes / self.runs, PLACES) if self.runs else None,
            cost_usd=money.text(self.cost) if self.runs else None,
            cost_per_success_usd=self._per_success(),
            tool_calls=self.tool_calls,
            tokens=None if self.input is None or not self.runs else {"input": self.input, "output": self.output},
            pass_hat_k=self._pass_hat_k(),
        )

    def _per_success(self) -> str | None:
        """All spend over the successes (cost of pass); no success, no number."""
        if self.cost is None or not self.successes:
            return None
        return money.text((self.cost / self.successes).quantize(Decimal("1e-9")))

    def _pass_hat_k(self) -> JsonObject:
        """pass^k: the chance that k trials of a case all succeed, C(c,k)/C(n,k), mean over cases (tau-bench)."""
        if not self._passes:
            return {}
        most = min(n for n, _ in self._passes)
        return {
            str(k): round(sum(comb(c, k) / comb(n, k) for n, c in self._passes) / len(self._passes), PLACES)
            for k in range(1, most + 1)
        }
