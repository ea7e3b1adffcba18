"""What a check gets beside its own key and the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..schema.case import Case, Outcome
from ..schema.run import Run
from ..schema.unset import UNSET
from ..schema.values import Json
from ..schema.verdict import CheckResult


class CheckFunction(Protocol):
    """A check: `wanted` is the value of its key under `expect`."""

    def __call__(self, wanted: Any, run: Run, context: CheckContext) -> CheckResult: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckContext:
    """The case, the place of the check in its file, and the code that the case names."""

    case: Case
    name: str = ""
    """The check's name in results: ``calls``, ``turns[1].said``, ``any[0].output``."""
    path: str = "expect"
    """The mapping that holds the key, as `Case.lines` writes it."""
    key: str = ""
    python: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    extra_checks: Mapping[str, CheckFunction] = field(default_factory=dict)
    default_outcome: Outcome | None = None
    """What the alternatives under `any` that name no outcome must end with."""

    def at(self, key: str, name: str, path: str, default_outcome: Outcome | None) -> CheckContext:
        """The same for the check of `key` in the mapping at `path`."""
        return CheckContext(
            case=self.case,
            name=name,
            path=path,
            key=key,
            python=self.python,
            extra_checks=self.extra_checks,
            default_outcome=default_outcome,
        )

    @property
    def where(self) -> str:
        """``file:line`` of the key."""
        lines = self.case.lines
        place = f"{self.path}.{self.key}"
        while place and place not in lines:
            place = place[: max(place.rfind("."), place.rfind("["), 0)]
        return f"{self.case.file}:{lines.get(place, self.case.line)}"

    def result(self, passed: bool, *, measured: Json = None, wanted: Json = None, why: str = "") -> CheckResult:
        """A result with the name and the place filled in."""
        return CheckResult(name=self.name, passed=passed, measured=measured, wanted=plain(wanted), why=why, where=self.where)


def plain(wanted: Any) -> Json:
    """What the YAML says, as JSON again: dataclasses without what was not written."""
    kind = type(wanted)
    if kind in _SCALARS:
        return wanted
    if kind is dict:
        return {key: plain(value) for key, value in wanted.items()}
    if kind is tuple or kind is list:
        return [plain(value) for value in wanted]
    names = getattr(kind, "__dataclass_fields__", None)
    if names is None:
        return wanted
    out = {}
    for name, known in names.items():
        value = getattr(wanted, name)
        # None says that nothing was written, but for fields with another word for that
        if value is not UNSET and (value is not None or known.default is not None):
            out[name] = plain(value)
    return out


_SCALARS = frozenset({str, int, float, bool, type(None)})
