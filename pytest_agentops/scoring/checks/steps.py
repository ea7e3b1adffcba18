"""How many model answers the run took."""

from __future__ import annotations

from ...schema.run import Run
from ...schema.verdict import CheckResult
from ..bounds import Limit, misses
from ..context import CheckContext


def check(wanted: Limit, run: Run, context: CheckContext) -> CheckResult:
    """Passes if the number of steps is as wanted; without a model each tool call is a step."""
    why = misses(wanted, run.steps)
    kind = "model answers" if run.model_steps else "tool calls, no model answered"
    return context.result(not why, measured=run.steps, wanted=wanted, why=f"steps: {why} ({kind})" if why else "")
