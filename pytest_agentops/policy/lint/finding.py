"""What the linter says: a code, a place, the calls that show it, and the cure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ...errors import Mistake
from ...schema.values import JsonObject
from ..model import Placed, Policy

Severity: TypeAlias = Literal["error", "warning"]

CODES: Mapping[str, str] = {
    "POL001": "the file is no policy file: an unknown or repeated key, a value out of shape",
    "POL002": "an attribute that the tool or the context does not have",
    "POL003": "a comparison with a value that the attribute can never have",
    "POL004": "a rule that never decides: it never matches, or others come first",
    "POL005": "two rules with different effects hold for one call: their order matters",
    "POL006": "no rule applies: the call falls to the default",
    "POL007": "an attribute may be missing or null where it matters: the call is denied as indeterminate",
    "POL008": "an amount without a bound on the permissive side",
    "POL009": "a redacted field that does not exist, or a secret that nobody redacts",
    "POL010": "how long calls are kept: not said, too short, or said in two ways",
    "POL011": "people who can never approve",
    "POL012": "weaker than the tool's tier",
    "POL013": "a time window that is never open, or has no zone",
    "POL014": "everything is allowed on a tool that writes",
    "POL015": "a tool without a policy",
    "POL016": "a policy without tests",
    "POL017": "a duty that cannot be carried out",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding."""

    code: str
    severity: Severity
    mistake: Mistake
    """Place, message and cure."""
    cell: str = ""
    """The calls that show it, in words."""
    policy: str = ""
    rule: str | None = None

    def __str__(self) -> str:
        m = self.mistake
        said = "; ".join(part for part in (m.found, m.allowed, m.hint) if part)
        shown = f"\n    where {self.cell}" if self.cell else ""
        return f"{m.file}:{m.line}:{m.col}: {self.code} {self.severity}: {said}{shown}"

    @property
    def place(self) -> tuple[str, int, int, str, str, str]:
        m = self.mistake
        return m.file, m.line, m.col, self.code, m.found, self.cell

    def as_json(self) -> JsonObject:
        m = self.mistake
        return {
            "code": self.code,
            "severity": self.severity,
            "file": m.file,
            "line": m.line,
            "col": m.col,
            "message": "; ".join(part for part in (m.found, m.allowed) if part),
            "cell": self.cell or None,
            "cure": m.hint or None,
            "policy": self.policy or None,
            "rule": self.rule,
        }


def found(
    code: str,
    severity: Severity,
    placed: Placed | Policy,
    said: str,
    cure: str,
    *,
    cell: str = "",
    key: str = "",
    at: int | None = None,
) -> Finding:
    """A finding at a rule or a policy; `key` and `at` as `Source.mistake` takes them."""
    rule = placed.id if isinstance(placed, Placed) else None
    policy = placed.id.rpartition("/")[0] if isinstance(placed, Placed) else placed.id
    mistake = placed.source.mistake(said, "", cure, key=key, at=at)
    return Finding(code=code, severity=severity, mistake=mistake, cell=cell, policy=policy, rule=rule)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that was found, in the order of files and lines."""

    findings: tuple[Finding, ...]
    partial: tuple[str, ...] = ()
    """What could not be looked at whole: nothing found there proves nothing."""
    cells: int = 0
    policies: int = 0

    @property
    def errors(self) -> int:
        return sum(finding.severity == "error" for finding in self.findings)

    @property
    def clean(self) -> bool:
        """Whether everything was looked at and nothing found."""
        return not self.findings and not self.partial and self.policies > 0


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each once, by place and code."""
    return tuple(sorted(dict.fromkeys(findings), key=lambda f: f.place))


def together(reports: Sequence[Report]) -> Report:
    """Several reports as one."""
    return Report(
        findings=ordered(finding for report in reports for finding in report.findings),
        partial=tuple(dict.fromkeys(why for report in reports for why in report.partial)),
        cells=sum(report.cells for report in reports),
        policies=sum(report.policies for report in reports),
    )


def from_mistakes(mistakes: Sequence[Mistake]) -> list[Finding]:
    """What the loader refuses, with the code that it has here."""
    return [Finding(code=_code(f"{m.found}; {m.allowed}"), severity="error", mistake=m) for m in mistakes]


_BY_WORDS = (
    ("POL013", ("within:", "window")),
    ("POL010", ("retain_days",)),
    ("POL011", ("nobody has the role", "can never approve", "nobody has this role")),
    ("POL002", ("names no attribute", " has no '")),
    ("POL003", ("only numbers and texts have an order", "two constants")),
)


def _code(found: str) -> str:
    return next((code for code, words in _BY_WORDS if any(word in found for word in words)), "POL001")
