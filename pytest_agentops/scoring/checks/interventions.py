"""How often a human had to act on the run."""

from __future__ import annotations

from ...schema.run import Run
from ...schema.verdict import CheckResult
from ..bounds import Limit, misses
from ..context import CheckContext


def check(wanted: Limit, run: Run, context: CheckContext) -> CheckResult:
    """Passes if the number of human acts (approve, edit, reject, escalate) is as wanted."""
    acts = run.interventions
    why = misses(wanted, len(acts))
    said = [f"  {act['kind']} of {act['tool']} by {act['by']} ({act['role']}, {act['source']})" for act in acts]
    return context.result(
        not why, measured=len(acts), wanted=wanted, why="\n".join([f"interventions: {why}", *said]) if why else ""
    )
