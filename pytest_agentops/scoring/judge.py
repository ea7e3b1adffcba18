"""From a run to its checks and its success, and from all trials to the verdict on the variant."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Any

from ..schema.case import Case, Expect, Turn
from ..schema.run import Run
from ..schema.verdict import CheckResult, Verdict
from .checks.base import Check, CheckContext
from .checks.calls import wrong_with as wrong_calls
from .checks.outcome import check as check_outcome
from .checks.state import wrong_with as wrong_state
from .checks.text import wrong_with as wrong_text

KEYS = tuple(f.name for f in dataclasses.fields(Expect) if f.name != "outcome")
"""The checks, in the order in which they are reported; each is the module of its name."""


@cache
def built_in(name: str) -> Check:
    """The check behind a key of `expect`."""
    found: Check = import_module(f"{__package__}.checks.{name}").check
    return found


def judge(
    run: Run,
    case: Case,
    *,
    python: Mapping[str, Callable[..., Any]],
    extra_checks: Mapping[str, Check] | None = None,
) -> None:
    """Fill in `run.checks` and `run.success`.

    A trial succeeded if its outcome is the expected one (default: completed), every check passed, and nothing was latched: no miss,
    nothing left unused, no late call.
    """
    context = CheckContext(case, python)
    expect = case.fields.expect or Expect()
    checks = [] if _never_ran(run) else list(expectations(expect, run, context))
    if not _never_ran(run):
        for name, wanted in case.more_checks.items():
            checks.append((extra_checks or {})[name](wanted, run, context))
        checks += _turns(case, run, context)
    outcome = check_outcome(expect.outcome or "completed", run, context)
    run.checks = [outcome, *checks]
    run.success = all(c.passed for c in run.checks) and not any(p.fatal for p in run.problems)


def _never_ran(run: Run) -> bool:
    """Whether the agent did not even start: then the reason is all there is to say."""
    return run.outcome == "error" and any(p.kind in ("cassette", "setup") for p in run.problems) and not run.messages


def expectations(expect: Expect, run: Run, context: CheckContext) -> Iterator[CheckResult]:
    """Every check of one `expect`, but for the outcome, which `any` may name too."""
    if context.case.fields.expect is not expect and expect.outcome is not None:
        yield check_outcome(expect.outcome, run, context)
    for name in KEYS:
        wanted = getattr(expect, name)
        if wanted is not None:
            yield built_in(name)(wanted, run, context)


def _turns(case: Case, run: Run, context: CheckContext) -> Iterator[CheckResult]:
    for number, turn in enumerate(case.fields.turns or (), start=1):
        if not isinstance(turn, Turn) or turn.expect is None:
            continue
        name = f"turns[{number}]"
        if number > len(run.turns):
            why = f"the run ended before turn {number}"
            yield CheckResult(name=name, passed=False, why=why, where=context.where("turns"))
            continue
        done = run.turns[number - 1]
        wanted = turn.expect
        if wanted.calls is not None:
            yield _turn(f"{name}.calls", wrong_calls(wanted.calls, done.calls), context)
        if wanted.said is not None:
            wrong = "\n".join(wrong_text(wanted.said, done.said, "\n".join(done.said), f"what was said in turn {number}"))
            yield _turn(f"{name}.said", wrong, context)
        if wanted.state is not None:
            yield _turn(f"{name}.state", wrong_state(wanted.state, done.state), context)


def _turn(name: str, wrong: str, context: CheckContext) -> CheckResult:
    return CheckResult(name=name, passed=not wrong, why=wrong, where=context.where("turns"))


def verdict(case: Case, runs: Sequence[Run]) -> Verdict:
    """The pass rule over trials: all of them unless `pass_if` says otherwise; where it has two keys both must hold."""
    rule, total = case.fields.pass_if, len(runs)
    good = sum(run.success for run in runs)
    rate = 1.0 if rule is None or (rule.rate is None and rule.at_least is None) else rule.rate
    words, passed = [], total > 0
    if rate is not None:
        words.append(f"{total} of {total} trials" if rate == 1.0 else f"a share of at least {rate:g}")
        passed = passed and good >= rate * total - 1e-9
    if rule is not None and rule.at_least is not None:
        words.append(f"at least {rule.at_least}")
        passed = passed and good >= rule.at_least
    return Verdict(passed=passed, trials=total, successes=good, wanted=" and ".join(words))
