"""Runbook detectors as checks: one that says `fail` fails the run that shows it."""

from __future__ import annotations

from collections.abc import Mapping

from ...schema.run import Run
from ...schema.verdict import CheckResult
from ..context import CheckContext


def check(wanted: Mapping[str, str], run: Run, context: CheckContext) -> CheckResult:
    """Passes if no detector that says `fail` saw anything; the cost against other runs is judged when they are all there."""
    seen = {name: run.detected[name] for name, word in wanted.items() if word == "fail" and name in run.detected}
    lines = [f"{name}: {text}" for name, text in seen.items()]
    return context.result(not seen, measured=sorted(run.detected), wanted=dict(wanted), why="\n".join(lines))
