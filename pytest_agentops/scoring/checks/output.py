"""The final reply."""

from __future__ import annotations

from ...schema.case import TextExpect
from ...schema.run import Run
from ...schema.verdict import CheckResult
from .base import CheckContext, result
from .text import as_text, wanted_json, wrong_with


def check(wanted: TextExpect, run: Run, context: CheckContext) -> CheckResult:
    """The reply holds what it must; a run without a reply has none to check."""
    if run.output is None:
        wrong = "the run has no final reply"
    else:
        wrong = "\n".join(wrong_with(wanted, [as_text(run.output)], run.output, "the output"))
    return result("output", context, wrong, measured=run.output, wanted=wanted_json(wanted))
