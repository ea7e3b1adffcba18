"""How many steps the run took: model answers, or tool calls where there was no model."""

from __future__ import annotations

from ...schema.case import CountBounds
from ...schema.run import Run
from ...schema.verdict import CheckResult
from .base import CheckContext, bounds_json, outside, result


def check(wanted: int | CountBounds, run: Run, context: CheckContext) -> CheckResult:
    """The number of steps is within the bounds; a bare number means exactly that."""
    wrong = outside(run.steps, wanted)
    return result("steps", context, f"steps: {wrong}" if wrong else "", measured=run.steps, wanted=bounds_json(wanted))
