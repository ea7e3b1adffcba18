"""What the run cost, in money and tokens."""

from __future__ import annotations

from ...schema import money
from ...schema.case import CostExpect
from ...schema.run import Run
from ...schema.values import JsonObject
from ...schema.verdict import CheckResult
from ..bounds import misses
from ..context import CheckContext


def check(wanted: CostExpect, run: Run, context: CheckContext) -> CheckResult:
    """Passes if what is bounded is known and within its bounds: an unknown cost never passes."""
    measured: JsonObject = {}
    wrong: list[str] = []
    if wanted.usd is not None:
        measured["usd"] = money.text(run.cost_usd)
        if run.cost_usd is None:
            wrong.append(f"usd: the cost of this run is unknown, and unknown never passes{_hint(run)}")
        elif why := misses(wanted.usd, run.cost_usd):
            wrong.append(f"usd: {why}")
    if wanted.tokens is not None:
        total = None if run.usage is None else run.usage.input + run.usage.output
        measured["tokens"] = total
        if run.usage is None or total is None:
            wrong.append("tokens: the usage of this run is unknown, and unknown never passes: a model answer stated none")
        elif why := misses(wanted.tokens, total):
            wrong.append(f"tokens: {why} ({run.usage.input} input + {run.usage.output} output)")
    return context.result(not wrong, measured=measured, wanted=wanted, why="\n".join(wrong))


def _hint(run: Run) -> str:
    if run.usage is None:
        return ": a model answer states neither cost nor usage, or the model was never seen"
    return ": the usage is known, but there is no price for the model"
