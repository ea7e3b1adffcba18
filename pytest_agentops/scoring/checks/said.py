"""Every message to the user."""

from __future__ import annotations

from ...schema.case import TextExpect
from ...schema.run import Run
from ...schema.verdict import CheckResult
from .base import CheckContext, result
from .text import wanted_json, wrong_with


def check(wanted: TextExpect, run: Run, context: CheckContext) -> CheckResult:
    """Each thing to say was said in at least one message, and what must not be said in none."""
    wrong = "\n".join(
        wrong_with(wanted, run.said, "\n".join(run.said), "what was said (nothing)" if not run.said else "what was said")
    )
    return result("said", context, wrong, measured=list(run.said), wanted=wanted_json(wanted))
