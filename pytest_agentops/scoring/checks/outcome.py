"""How the run ended."""

from __future__ import annotations

from ...schema.run import Run
from ...schema.verdict import CheckResult
from .base import CheckContext, result


def check(wanted: str, run: Run, context: CheckContext) -> CheckResult:
    """The outcome is the wanted one."""
    wrong = ""
    if run.outcome != wanted:
        wrong = f"the run ended as {run.outcome}, not as {wanted}" + (f": {run.stop}" if run.stop else "")
    return result("outcome", context, wrong, measured=run.outcome, wanted=wanted)
