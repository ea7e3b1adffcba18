"""From the keys under `expect` to check results. A check is a module of `checks` with the key's name, found by that name."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache
from importlib import import_module
from typing import Any

from ..errors import AgentOpsError
from ..schema.case import Case, Expect, Outcome, TurnExpect
from ..schema.run import Run
from ..schema.verdict import CheckResult
from .context import CheckContext, CheckFunction

_KEYS = tuple(f.name for f in fields(Expect))
_TURN_KEYS = tuple(f.name for f in fields(TurnExpect))


@cache
def built_in(key: str) -> CheckFunction:
    """The check of a key under `expect`."""
    name = f"{__package__}.checks.{key}"
    try:
        check: CheckFunction = import_module(name).check
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise AgentOpsError(f"expect.{key}: not supported by this version") from None
    return check


def run_expect(expect: Expect, run: Run, context: CheckContext, *, path: str, prefix: str) -> list[CheckResult]:
    """A result for each key of `expect`, and for the outcome that is meant where none is named.

    Alternatives under `any` may name outcomes; then those that name none mean the default, and the top asks for no outcome.
    """
    wanted: dict[str, Any] = {key: value for key in _KEYS if (value := getattr(expect, key)) is not None}
    passed_on: Outcome | None = None
    if "outcome" not in wanted and context.default_outcome is not None:
        if _names_outcome(expect):
            passed_on = context.default_outcome
        else:
            wanted = {"outcome": context.default_outcome, **wanted}
    results: dict[str, CheckResult] = {}
    # a function of the user's that breaks makes the outcome `error`, so it runs before the outcome is looked at
    for key in sorted(wanted, key="python".__ne__) if "python" in wanted else wanted:
        results[key] = built_in(key)(wanted[key], run, context.at(key, prefix + key, path, passed_on))
    return [results[key] for key in wanted]


def _names_outcome(expect: Expect) -> bool:
    return any(alternative.outcome is not None or _names_outcome(alternative) for alternative in expect.any or ())


def run_extra(case: Case, run: Run, context: CheckContext) -> list[CheckResult]:
    """The checks that packages and conftest hooks registered."""
    results: list[CheckResult] = []
    for key, wanted in case.more_checks.items():
        check = context.extra_checks.get(key)
        if check is None:
            raise AgentOpsError(f"expect.{key}: no check of that name is registered")
        results.append(check(wanted, run, context.at(key, key, context.path, context.default_outcome)))
    return results


def run_turns(case: Case, run: Run, context: CheckContext) -> list[CheckResult]:
    """The checks of single turns, each on what happened in its turn."""
    results: list[CheckResult] = []
    for i, turn in enumerate(case.fields.turns or ()):
        if isinstance(turn, str) or turn.expect is None:
            continue
        view = None
        if i < len(run.turns):
            did = run.turns[i]
            view = replace(run, calls=did.calls, said=did.said, state=did.state)
        for key in _TURN_KEYS:
            wanted = getattr(turn.expect, key)
            if wanted is not None:
                inner = replace(context, path=f"turns[{i}].expect", key=key, name=f"turns[{i}].{key}")
                results.append(_missed_turn(i, wanted, run, inner) if view is None else built_in(key)(wanted, view, inner))
    return results


def _missed_turn(index: int, wanted: Any, run: Run, context: CheckContext) -> CheckResult:
    reason = f": {run.stop}" if run.stop else ""
    why = f"turn {index + 1} never came: the run ended as {run.outcome} after {len(run.turns)} turns{reason}"
    return context.result(False, wanted=wanted, why=why)
