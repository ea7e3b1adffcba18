"""Every message to the user."""

from __future__ import annotations

from ...schema.case import TextExpect
from ...schema.run import Run
from ...schema.verdict import CheckResult
from ..context import CheckContext
from ..text import Texts, failures


def check(wanted: TextExpect, run: Run, context: CheckContext) -> CheckResult:
    """Passes if every key holds for at least one message (`not_contains`: for each of them)."""
    wrong = failures(wanted, Texts(run.said, "the messages to the user"))
    return context.result(not wrong, measured=f"{len(run.said)} messages", wanted=wanted, why="\n".join(wrong))
