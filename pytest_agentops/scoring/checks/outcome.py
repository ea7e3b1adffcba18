"""How the run must end."""

from __future__ import annotations

from ...schema.run import Run
from ...schema.verdict import CheckResult
from ..context import CheckContext


def check(wanted: str, run: Run, context: CheckContext) -> CheckResult:
    """Passes if the run ended as wanted."""
    passed = run.outcome == wanted
    return context.result(passed, measured=run.outcome, wanted=wanted, why="" if passed else _why(wanted, run))


def _why(wanted: str, run: Run) -> str:
    why = f"the run ended as {run.outcome}, wanted {wanted}"
    # the whole text of the stop, with its cure, stands in the report once
    reason = run.stop.partition("\n")[0] if run.stop else ((run.error or "").strip().splitlines() or [""])[-1]
    return f"{why}: {reason}" if reason else why
