"""The numbers over many runs, from their results JSON, so that a merge of shards counts as one session did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from math import comb

from ..schema import money
from ..schema.values import JsonObject
from ..schema.verdict import Metrics
from .confusion import CostParts

_PLACES = 6
_MONEY = Decimal("1e-12")


@dataclass(slots=True)
class Tally:
    """Adds up runs; its size does not grow with their number."""

    runs: int = 0
    successes: int = 0
    unanswerable: int = 0
    tool_calls: int = 0
    intervened: int | None = 0
    """Rated runs on which a human acted at least once."""
    kinds: Counter[str] = field(default_factory=Counter)
    """Human acts by their kind."""
    policy_blocks: int | None = 0
    unexpected_policy_blocks: int | None = 0
    _cost: Decimal | None = Decimal(0)
    parts: CostParts = field(default_factory=CostParts)
    _tokens: tuple[int, int] | None = (0, 0)
    _trials: Counter[tuple[int, int]] = field(default_factory=Counter)
    """(trials, successes) of a variant -> how many variants came out so."""

    def add(self, case_id: str, variant: str | None, trials: Sequence[JsonObject]) -> None:
        """One variant with its RUNs. Counterfactual runs are in no number; unanswerable ones in no rate."""
        counted = [run for run in trials if "counterfactual" not in run.get("labels", ())]
        for run in counted:
            self._one(run)
        rated = [run for run in counted if run["outcome"] != "unanswerable"]
        if rated:
            self._trials[len(rated), sum(bool(run["success"]) for run in rated)] += 1

    def _one(self, run: JsonObject) -> None:
        self.runs += 1
        self.successes += bool(run["success"])
        self.unanswerable += run["outcome"] == "unanswerable"
        self.tool_calls += len(run["calls"])
        acts = run.get("interventions")
        touched = None if acts is None else int(bool(acts) and run["outcome"] != "unanswerable")
        self.intervened = _sum(self.intervened, touched)
        self.kinds.update(act["kind"] for act in acts or ())
        self.policy_blocks = _sum(self.policy_blocks, run.get("policy_blocks"))
        self.unexpected_policy_blocks = _sum(self.unexpected_policy_blocks, run.get("unexpected_policy_blocks"))
        self.parts.add(run)
        cost, tokens = run["cost_usd"], run["tokens"]
        self._cost = None if cost is None or self._cost is None else self._cost + Decimal(cost)
        if tokens is None or self._tokens is None:
            self._tokens = None
        else:
            self._tokens = (self._tokens[0] + tokens["input"], self._tokens[1] + tokens["output"])

    def merge(self, others: Iterable[Tally]) -> Tally:
        """The sum of it and others: all suites, or all shards."""
        out = Tally()
        for part in (self, *others):
            out.runs += part.runs
            out.successes += part.successes
            out.unanswerable += part.unanswerable
            out.tool_calls += part.tool_calls
            out.intervened = _sum(out.intervened, part.intervened)
            out.kinds += part.kinds
            out.policy_blocks = _sum(out.policy_blocks, part.policy_blocks)
            out.unexpected_policy_blocks = _sum(out.unexpected_policy_blocks, part.unexpected_policy_blocks)
            out._cost = money.total([out._cost, part._cost])
            out.parts.merge(part.parts)
            known = out._tokens is not None and part._tokens is not None
            out._tokens = (out._tokens[0] + part._tokens[0], out._tokens[1] + part._tokens[1]) if known else None  # type: ignore[index]
            out._trials += part._trials
        return out

    def metrics(self) -> Metrics:
        """The numbers; what a run of an older results file does not tell is None."""
        rated = self.runs - self.unanswerable
        return Metrics(
            runs=self.runs,
            successes=self.successes,
            task_success_rate=round(self.successes / rated, _PLACES) if rated else None,
            cost_usd=money.text(self._cost),
            cost_per_success_usd=self._per_success(),
            intervention_rate=round(self.intervened / rated, _PLACES) if rated and self.intervened is not None else None,
            interventions=None if self.intervened is None else self.kinds.total(),
            interventions_by_kind=None if self.intervened is None else dict(sorted(self.kinds.items())),
            policy_blocks=self.policy_blocks,
            unexpected_policy_blocks=self.unexpected_policy_blocks,
            tool_calls=self.tool_calls,
            tokens=None if self._tokens is None else {"input": self._tokens[0], "output": self._tokens[1]},
            pass_hat_k=self._pass_hat_k(),
            unanswerable=self.unanswerable,
            cost_by_model=self.parts.by("models"),
            cost_by_tool=self.parts.by("tools"),
            confusion_cost_usd=self.parts.confusion(),
            eval_cost_usd=money.text(self.parts.evals),
        )

    def _per_success(self) -> str | None:
        """The cost of all runs for each success: no success, no number."""
        if self._cost is None or not self.successes:
            return None
        return money.text((self._cost / self.successes).quantize(_MONEY))

    def _pass_hat_k(self) -> JsonObject:
        """The chance that k trials of a case all succeed, a mean over cases, up to the smallest number of trials."""
        if not self._trials:
            return {}
        cases = sum(self._trials.values())
        out: JsonObject = {}
        for k in range(1, min(trials for trials, _ in self._trials) + 1):
            if len(self._trials) == 1:  # the mean of equal chances
                ((trials, good),) = self._trials
                out[str(k)] = round(comb(good, k) / comb(trials, k), _PLACES)
                continue
            total = sum(
                (Fraction(comb(good, k), comb(trials, k)) * times for (trials, good), times in self._trials.items()), Fraction()
            )
            out[str(k)] = round(float(total / cases), _PLACES)
        return out


def _sum(one: int | None, other: int | None) -> int | None:
    """Unknown if a part is."""
    return None if one is None or other is None else one + other
