"""Alternatives: at least one of them must hold in full."""

from __future__ import annotations

from collections.abc import Sequence

from ...schema.case import Expect
from ...schema.run import Run
from ...schema.verdict import CheckResult
from ..context import CheckContext


def check(wanted: Sequence[Expect], run: Run, context: CheckContext) -> CheckResult:
    """Passes with the first alternative whose checks all pass; else `why` tells of each what did not."""
    from ..expectations import run_expect  # it runs checks, this one among them

    reasons: list[str] = []
    for i, alternative in enumerate(wanted):
        name = f"{context.name}[{i}]"
        results = run_expect(alternative, run, context, path=f"{context.path}.any[{i}]", prefix=f"{name}.")
        failed = [result for result in results if not result.passed]
        if not failed:
            return context.result(True, measured=name, wanted=wanted)
        for result in failed:
            reasons.append(f"{result.name}: " + result.why.replace("\n", "\n  "))
    why = "\n  ".join(["none of the alternatives holds:", *reasons])
    return context.result(False, wanted=wanted, why=why)
