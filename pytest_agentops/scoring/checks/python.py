"""Functions of the user's own: ``fn(run)`` or ``fn(run, case)``."""

from __future__ import annotations

import inspect
import re
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from ...schema.run import Run
from ...schema.verdict import CheckResult
from ..context import CheckContext


def check(wanted: str | Sequence[str], run: Run, context: CheckContext) -> CheckResult:
    """None or True passes; False, a text or an AssertionError fails with that text; any other exception is outcome error."""
    refs = [wanted] if isinstance(wanted, str) else list(wanted)
    wrong = [f"{ref}: {why}" for ref in refs if (why := _one(context.python.get(ref), run, context))]
    return context.result(not wrong, wanted=wanted, why="\n".join(wrong))


def _one(function: Callable[..., Any] | None, run: Run, context: CheckContext) -> str:
    if function is None:
        return "the function was not loaded"
    try:
        answer = function(run, context.case) if _takes_case(function) else function(run)
    except AssertionError as error:
        return _assertion(error)
    except Exception as error:
        run.outcome = "error"
        run.stop = f"a check raised {type(error).__name__}: {error}"
        run.error = "".join(traceback.format_exception(error))
        return f"raised {type(error).__name__}: {error}\n  {_place(error)}"
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit, GeneratorExit)):
            raise
        # pytest.fail, and pytest.skip or pytest.xfail too: a check that could skip would hide what it found
        return f"{type(error).__name__.lower()}: {error}" if str(error) else f"pytest.{type(error).__name__.lower()}"
    return _answer(answer)


def _answer(answer: Any) -> str:
    if answer is None or answer is True:
        return ""
    if answer is False:
        return "returned False"
    if isinstance(answer, str):
        return answer or "returned an empty text"
    if inspect.isawaitable(answer):
        close = getattr(answer, "close", None)
        if close is not None:
            close()
        return "is async; a check is an ordinary function"
    return f"returned {answer!r} (a {type(answer).__name__}); a check gives None, True, False or a text"


def _takes_case(function: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    ordered = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return len(ordered) > 1 or any(p.kind is p.VAR_POSITIONAL for p in parameters)


def _assertion(error: AssertionError) -> str:
    """The assertion's text; without one the line of code says what was asserted.

    Where an object lies in memory differs from run to run, and results are equal for equal runs.
    """
    return re.sub(r" at 0x[0-9a-fA-F]+", "", str(error)) or f"the assertion failed\n  {_place(error)}"


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return ""
    last = frames[-1]
    return f"{last.filename.replace(chr(92), '/').rpartition('/')[2]}:{last.lineno}: {last.line or last.name}"
