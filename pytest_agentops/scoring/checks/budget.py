"""What became of the trial's budget."""

from __future__ import annotations

from ...schema.governed import BudgetExpect
from ...schema.run import Run
from ...schema.values import decimal
from ...schema.verdict import CheckResult
from ..bounds import misses
from ..context import CheckContext


def check(wanted: BudgetExpect, run: Run, context: CheckContext) -> CheckResult:
    """Passes if the wanted limit ended the run (or none), and steps and share are as wanted; an unknown share never passes."""
    use = run.budget
    exceeded = use.exceeded or "none"
    wrong: list[str] = []
    if wanted.exceeded is not None and wanted.exceeded != exceeded:
        wrong.append(f"exceeded: wanted {wanted.exceeded}, and it is {exceeded}" + (f" ({run.stop})" if use.exceeded else ""))
    if wanted.degraded is not None and (why := misses(wanted.degraded, len(use.degraded))):
        taken = ", ".join(f"at {step['at']:g} of {step['of']}" for step in use.degraded) or "none"
        wrong.append(f"degraded: {why}; taken: {taken}")
    if wanted.share is not None and use.share is None:
        wrong.append("share: unknown: the budget names no limit, or a model answer had no price or stated no usage")
    elif wanted.share is not None and use.share is not None and (why := misses(wanted.share, decimal(use.share))):
        wrong.append(f"share: {why}")
    measured = {"exceeded": exceeded, "degraded": len(use.degraded), "share": use.share}
    return context.result(not wrong, measured=measured, wanted=wanted, why="\n".join(wrong))
