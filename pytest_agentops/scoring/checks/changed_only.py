"""The only places of the state that may differ after the run."""

from __future__ import annotations

from ...schema import paths
from ...schema.run import Run
from ...schema.verdict import CheckResult
from .base import CheckContext, result


def check(wanted: tuple[str, ...], run: Run, context: CheckContext) -> CheckResult:
    """Every change lies at or below one of the paths; ``[]`` means that nothing changed."""
    if not run.state.known:
        wrong = f"the state after the run is unknown: {run.state.why}"
        return result("changed_only", context, wrong, measured=None, wanted=list(wanted))
    allowed = [paths.parse(path) for path in wanted]
    changed = paths.changes(run.state.before, run.state.after)
    outside = [c for c in changed if not any(path.covers(c) for path in allowed)]
    wrong = "\n".join(
        f"{paths.text(c)} changed, and is under none of: {', '.join(wanted) or '(nothing may change)'}" for c in outside
    )
    return result("changed_only", context, wrong, measured=[paths.text(c) for c in changed], wanted=list(wanted))
