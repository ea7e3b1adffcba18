"""Functions of the user's own."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ...schema.run import Run
from ...schema.verdict import CheckResult
from .base import CheckContext, result


def check(wanted: str | tuple[str, ...], run: Run, context: CheckContext) -> CheckResult:
    """Every function passes: None or True does; False, a text or an AssertionError fails; anything else raised is outcome `error`."""
    refs = (wanted,) if isinstance(wanted, str) else wanted
    lines = []
    for ref in refs:
        try:
            wrong = _call(context.python[ref], run, context)
        except AssertionError as error:
            wrong = str(error) or "an assertion failed"
        except Exception as error:
            run.outcome = "error"
            run.stop = f"the check {ref} raised {type(error).__name__}: {error}"
            wrong = run.stop
        if wrong:
            lines.append(f"{ref}: {wrong}")
    return result("python", context, "\n".join(lines), measured=None, wanted=list(refs))


def _call(function: Callable[..., Any], run: Run, context: CheckContext) -> str:
    given = function(run, context.case) if _takes_case(function) else function(run)
    if given is None or given is True:
        return ""
    if given is False:
        return "it returned False"
    return given if isinstance(given, str) else f"it returned {given!r}; None or True pass, False or a text fail"


def _takes_case(function: Callable[..., Any]) -> bool:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in kinds and p.default is p.empty for p in inspect.signature(function).parameters.values()) > 1
