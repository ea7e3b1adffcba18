"""What every check is given, and the shapes they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ...schema.case import Bounds, Case, CountBounds
from ...schema.run import Run
from ...schema.values import Json
from ...schema.verdict import CheckResult


@dataclass(frozen=True, slots=True)
class CheckContext:
    """The case that is judged, and the functions that `python` names."""

    case: Case
    python: Mapping[str, Callable[..., Any]]

    def where(self, name: str) -> str:
        """``file:line`` of a check's key."""
        line = self.case.lines.get(f"expect.{name}", self.case.line)
        return f"{self.case.file}:{line}"


class Check(Protocol):
    """One check: the value of its key under `expect`, and the run."""

    def __call__(self, wanted: Any, run: Run, context: CheckContext, /) -> CheckResult:
        """Whether the run is as wanted; `why` says what to do about it if not."""


def result(name: str, context: CheckContext, wrong: str, *, measured: Json, wanted: Json) -> CheckResult:
    """A check's result; an empty `wrong` passed."""
    return CheckResult(name=name, passed=not wrong, measured=measured, wanted=wanted, why=wrong, where=context.where(name))


def bounds_json(wanted: int | float | Bounds | CountBounds) -> Json:
    """A count or a range as YAML writes it."""
    if isinstance(wanted, (int, float)):
        return wanted
    return {key: value for key, value in (("min", wanted.min), ("max", wanted.max)) if value is not None}


def outside(measured: Any, wanted: int | float | Bounds | CountBounds) -> str:
    """How a number misses a count or a range (``7 is more than 5``); empty if it fits."""
    if isinstance(wanted, (int, float)):
        return "" if measured == wanted else f"{measured} is not {wanted}"
    if wanted.min is not None and measured < wanted.min:
        return f"{measured} is less than {wanted.min}"
    if wanted.max is not None and measured > wanted.max:
        return f"{measured} is more than {wanted.max}"
    return ""
