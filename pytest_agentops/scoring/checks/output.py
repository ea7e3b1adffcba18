"""The final reply."""

from __future__ import annotations

from ...schema.case import TextExpect
from ...schema.operators import show
from ...schema.run import Run
from ...schema.verdict import CheckResult
from ..context import CheckContext
from ..text import Texts, failures


def check(wanted: TextExpect, run: Run, context: CheckContext) -> CheckResult:
    """Passes if every key holds for the agent's last reply; a JSON reply is looked at as JSON, and as its canonical text."""
    wrong = failures(wanted, Texts([run.output], "the output"))
    measured = run.output if run.output is None or isinstance(run.output, str) else show(run.output, 500)
    measured = measured if measured is None or len(measured) <= 500 else f"{measured[:497]}..."
    return context.result(not wrong, measured=measured, wanted=wanted, why="\n".join(wrong))
