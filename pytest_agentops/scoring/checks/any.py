"""Alternatives: at least one set of expectations holds in full."""

from __future__ import annotations

from ...schema.case import Expect
from ...schema.run import Run
from ...schema.verdict import CheckResult
from .base import CheckContext, result


def check(wanted: tuple[Expect, ...], run: Run, context: CheckContext) -> CheckResult:
    """One alternative holds in full; if none does, each says why not."""
    from ..judge import expectations

    lines = []
    for number, alternative in enumerate(wanted, start=1):
        failed = [r for r in expectations(alternative, run, context) if not r.passed]
        if not failed:
            return result("any", context, "", measured=number, wanted=len(wanted))
        lines.append(f"alternative {number}: " + "; ".join(f"{r.name}: {r.why}" for r in failed))
    return result("any", context, "\n".join(lines), measured=None, wanted=len(wanted))
