"""A policy as it was loaded: rules in their order, each with its place in the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, TypeAlias

from ..errors import Mistake
from ..schema.call import Reason
from ..schema.case import Principal
from ..schema.document import Document, PathItem
from ..schema.policy import ApprovalNeed, Obligations, Verdict
from ..schema.values import Json, JsonObject
from .attributes import Path, Prepared
from .conditions import Attribute, Condition
from .places import place_in
from .windows import Window

Mode: TypeAlias = Literal["enforce", "shadow"]
TypeWord: TypeAlias = Literal["decimal", "number", "integer", "string", "boolean", "list"]


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A place in the file, for mistakes that show only when the tools are known."""

    document: Document = field(repr=False)
    place: tuple[PathItem, ...]

    def mistake(self, found: str, allowed: str = "", hint: str = "", *, key: str = "", at: int | None = None) -> Mistake:
        """A mistake here or at `key` below; with `at` at that character of the key's text."""
        place = (*self.place, key) if key else self.place
        if at is None:
            return self.document.mistake(place, found, allowed, hint)
        line, col = place_in(self.document, place, at)
        return Mistake(file=self.document.file, line=line, col=col, found=found, allowed=allowed, hint=hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Something with a name and a place in a policy file."""

    id: str
    """``refunds/2``: the policy's id and the rule's own, or its number from 1."""
    file: str
    line: int
    source: Source = field(compare=False, repr=False)
    condition: Condition | None = None
    """None: applies to every call."""

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Placed):
    """A rule that decides."""

    verdict: Verdict
    need: ApprovalNeed | None = None
    """Who must agree, for require_approval."""
    note: str = ""
    """The rule's `reason:`, for people."""

    @property
    def effect(self) -> tuple[Verdict, ApprovalNeed | None]:
        """What it does, for comparing it with another."""
        return self.verdict, self.need


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRule(Placed):
    """Duties of the decision."""

    obligations: Obligations


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRule(Placed):
    """Outside of the window everything is denied."""

    window: Window


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRule(Placed):
    """A sum (or a number of calls) per session, and what happens above it."""

    sum: Attribute | None = None
    """None: calls are counted."""
    max: Decimal
    need: ApprovalNeed | None = None
    """Who must agree above the limit; None: deny."""

    @property
    def key(self) -> str:
        """The name of its sum, unique over all files."""
        return f"{self.file}#{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What a policy says of an attribute; a value that does not fit is a deny."""

    path: Path
    where: str
    type: TypeWord | None = None
    enum: tuple[Json, ...] | None = None
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    required: bool = False
    prepared_enum: tuple[Prepared, ...] = ()
    """`enum` as attributes are compared with it."""

    @property
    def name(self) -> str:
        return ".".join(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTest:
    """One of a policy's own tests: a request, and the decision that it must get."""

    name: str
    file: str
    line: int
    args: JsonObject = field(default_factory=dict)
    context: JsonObject = field(default_factory=dict)
    principal: Principal = field(default_factory=Principal)
    tool: str | None = None
    """For a policy on a glob: which of its tools is called."""
    clock: str | None = None
    spent: Mapping[str, Decimal] = field(default_factory=dict)
    """What limits were charged before, by the rule's id or number."""
    expect: Verdict
    reason: Reason | None = None
    rule: str | None = None
    roles: tuple[str, ...] | None = None
    redact_fields: tuple[str, ...] | None = None
    retain_days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One policy: the tools it is for, and its rules."""

    id: str
    file: str
    line: int
    source: Source = field(compare=False, repr=False)
    tool: str
    """A name, or a pattern with `*`."""
    tier: int | None = None
    mode: Mode = "enforce"
    default: Verdict | None = None
    default_need: ApprovalNeed | None = None
    on_unknown: ApprovalNeed | None = None
    """Who is asked where an ordered rule cannot be decided; None: deny."""
    override_tier: str | None = None
    scopes: tuple[str, ...] = ()
    """What the principal must hold, beside the scopes of the tool's contract."""
    attributes: tuple[Declared, ...] = ()
    rules: tuple[Rule, ...] = ()
    """allow, deny and require_approval, in the order of the file."""
    logs: tuple[LogRule, ...] = ()
    windows: tuple[WindowRule, ...] = ()
    limits: tuple[LimitRule, ...] = ()
    tests: tuple[PolicyTest, ...] = ()
    base: str | None = None
    """The file whose policy it extends."""
    base_digest: str | None = None

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"

    @property
    def denies(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.verdict == "deny")

    @property
    def ordered(self) -> tuple[Rule, ...]:
        """The rules of which the first that applies decides."""
        return tuple(rule for rule in self.rules if rule.verdict != "deny")

    @property
    def placed(self) -> tuple[Placed, ...]:
        """Everything under `rules`, by kind."""
        return (*self.rules, *self.logs, *self.windows, *self.limits)

    @property
    def conditions(self) -> tuple[tuple[Placed, Condition], ...]:
        return tuple((p, p.condition) for p in self.placed if p.condition is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFile:
    """A policy file without mistakes."""

    file: str
    policies: tuple[Policy, ...]
    digest: str
    """The pin: of the policies without their tests."""
    roles: Mapping[str, tuple[str, ...]] | None = None
    """Who has which role, where the file says so."""


def roles_of(files: Iterable[PolicyFile]) -> dict[str, frozenset[str]] | None:
    """Who has which role: of several files that name one, who stands in all of them, so that no file widens another.

    None where no file says who has which role: then anybody may answer.
    """
    declared = [file.roles for file in files if file.roles is not None]
    found: dict[str, frozenset[str]] = {}
    for roles in declared:
        for role, people in roles.items():
            found[role] = found.get(role, frozenset(people)) & frozenset(people)
    return found if declared else None
