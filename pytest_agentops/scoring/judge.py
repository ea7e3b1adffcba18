"""Whether a trial succeeded, and whether a variant passed over its trials."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_CEILING
from typing import Any

from ..schema.case import Case, Expect
from ..schema.run import Run
from ..schema.values import decimal
from ..schema.verdict import CheckResult, Verdict
from .blocks import count_unexpected
from .checks.calls import asks_nothing
from .context import CheckContext, CheckFunction
from .costs import cost_parts
from .detectors import detect
from .expectations import run_expect, run_extra, run_turns

_NOTHING_EXPECTED = Expect()
_ENDS_AS = {"budget": "budget_exceeded", "timeout": "timed_out", "agent": "error"}
"""Problems that are no more than the reason of an outcome."""


def judge(
    run: Run,
    case: Case,
    *,
    python: Mapping[str, Callable[..., Any]] | None = None,
    extra_checks: Mapping[str, CheckFunction] | None = None,
) -> None:
    """Set `run.checks` and `run.success`: the outcome is as expected, every check passes, and nothing else went wrong.

    `python` holds the functions that `expect.python` names, `extra_checks` those registered from outside.
    """
    expect = case.fields.expect or _NOTHING_EXPECTED
    run.costs = cost_parts(run)
    context = CheckContext(case=case, python=python or {}, extra_checks=extra_checks or {}, default_outcome="completed")
    if _never_ran(run):
        run.checks, run.success = [], False
        return
    run.unexpected_policy_blocks = count_unexpected(run, case)
    run.spend_spike = (expect.detectors or {}).get("spend_spike")
    ignored = {name for name, word in (expect.detectors or {}).items() if word == "ignore"}
    run.detected = {name: text for name, text in detect(run).items() if name not in ignored}
    results = run_expect(expect, run, context, path="expect", prefix="")
    if case.more_checks:
        results += run_extra(case, run, context)
    if case.fields.turns:
        results += run_turns(case, run, context)
    if results[0].passed and _completes_only(expect, results):
        results[0] = replace(results[0], why="the case expects nothing but to complete: no other check was made")
    run.checks = results
    run.success = _succeeded(run, results)
    if not run.success:
        run.labels = sorted({*run.labels, *run.detected})


def _completes_only(expect: Expect, results: Sequence[CheckResult]) -> bool:
    """Whether nothing was asked but the outcome that is meant where none is named."""
    idle = {"calls"} if expect.calls is not None and asks_nothing(expect.calls) else set()
    return expect.outcome is None and {result.name for result in results} - idle == {"outcome"}


def _never_ran(run: Run) -> bool:
    """Whether the agent did not even start: then the reason is all there is to say."""
    return (
        run.outcome == "error"
        and not run.messages
        and not run.calls
        and any(p.kind in ("cassette", "setup") for p in run.problems)
    )


def _succeeded(run: Run, results: Sequence[CheckResult]) -> bool:
    if run.outcome == "unanswerable" or not all(result.passed for result in results):
        return False
    # the outcome is as wanted by now: a problem that only says why the run ended so is wanted, too
    return not any(problem.fatal and _ENDS_AS.get(problem.kind) != run.outcome for problem in run.problems)


_NEVER_ALLOWED = frozenset({"miss", "bypass", "cassette", "contract", "setup", "secret", "closed", "forked", "network", "unused"})
"""Problems of the harness, not of the agent's luck: one of them fails the case whatever `pass_if` says."""


def verdict(case: Case, runs: Sequence[Run]) -> Verdict:
    """Whether enough trials succeeded: all of them, or what `pass_if` asks; a trial that never ran did not succeed."""
    trials = max(case.trials, len(runs))
    needed = _needed(case, trials)
    successes = sum(run.success for run in runs)
    # recordings answer the same every time: what is wrong with one is no noise that a pass rule could allow for
    passed = successes >= needed and not any(p.kind in _NEVER_ALLOWED for run in runs for p in run.problems)
    return Verdict(
        passed=passed,
        trials=trials,
        successes=successes,
        wanted=f"{needed} of {trials} trials" if needed == trials else f"at least {needed} of {trials} trials",
        why="" if passed else _why(runs, trials),
    )


def _needed(case: Case, trials: int) -> int:
    rule = case.fields.pass_if
    if rule is None or (rule.rate is None and rule.at_least is None):
        return trials
    by_rate = 0 if rule.rate is None else int((decimal(rule.rate) * trials).to_integral_value(rounding=ROUND_CEILING))
    return max(by_rate, rule.at_least or 0)


def _why(runs: Sequence[Run], trials: int) -> str:
    lines = [f"trial {run.trial}: {_reason(run)}" for run in runs if not run.success]
    if len(runs) < trials:
        lines.append(f"{trials - len(runs)} of {trials} trials did not run")
    return "\n".join(lines)


def _reason(run: Run) -> str:
    parts = [check.name for check in run.checks if not check.passed]
    parts += sorted({problem.kind for problem in run.problems if problem.fatal})
    if run.outcome == "unanswerable" and "miss" not in parts:
        parts.append("unanswerable")
    return ", ".join(parts) or run.outcome
