"""What the run cost; an unknown cost fails, it is never 0."""

from __future__ import annotations

from decimal import Decimal

from ...schema import money
from ...schema.case import Bounds, CostExpect
from ...schema.run import Run
from ...schema.values import JsonObject
from ...schema.verdict import CheckResult
from .base import CheckContext, bounds_json, outside, result


def check(wanted: CostExpect, run: Run, context: CheckContext) -> CheckResult:
    """Dollars and tokens are within their bounds."""
    wrong: list[str] = []
    measured: JsonObject = {}
    asked: JsonObject = {}
    if wanted.usd is not None:
        measured["usd"], asked["usd"] = money.text(run.cost_usd), bounds_json(wanted.usd)
        wrong += _usd(wanted.usd, run.cost_usd)
    if wanted.tokens is not None:
        total = None if run.usage is None else run.usage.input + run.usage.output
        measured["tokens"], asked["tokens"] = total, bounds_json(wanted.tokens)
        miss = "the tokens are unknown: no usage was seen" if total is None else outside(total, wanted.tokens)
        wrong += [f"tokens: {miss}"] if miss else []
    return result("cost", context, "; ".join(wrong), measured=measured, wanted=asked)


def _usd(wanted: Bounds, cost: Decimal | None) -> list[str]:
    if cost is None:
        return ["usd: the cost is unknown (no stated cost, no usage or no price); unknown is not 0"]
    exact = Bounds(
        min=None if wanted.min is None else money.usd(wanted.min),  # type: ignore[arg-type]
        max=None if wanted.max is None else money.usd(wanted.max),  # type: ignore[arg-type]
    )
    miss = outside(cost, exact)
    return [f"usd: {miss}"] if miss else []
