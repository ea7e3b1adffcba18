"""What a policy is asked about one call, and what it answers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, TypeAlias

from .call import Reason
from .case import Principal
from .values import JsonObject

Verdict: TypeAlias = Literal["allow", "require_approval", "deny"]
VERDICT_ORDER: tuple[Verdict, ...] = ("allow", "require_approval", "deny")
"""From permissive to strict; combining policies takes the strictest."""

Duty: TypeAlias = Literal["redact", "retain"]
"""What an obligation asks of whoever carries the decision out."""

EXPIRES_S = 900
"""An approval that nobody uses expires after a quarter of an hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call that waits for a decision: everything a decision depends on, the clock and the session's sums included."""

    tool: str
    args: JsonObject
    """The real values (conditions see them); nothing of them comes into a decision's texts."""
    context: JsonObject = field(default_factory=dict)
    principal: Principal = field(default_factory=Principal)
    named: bool = True
    """Whether the case says who acts. Where nobody does and no policy is enforced, the scopes of contracts are not compared."""
    now: dt.datetime | None = None
    """With a zone; None or without one: every time window is closed."""
    session: Mapping[str, int | float | Decimal] = field(default_factory=dict)
    """What the trial used so far: steps, tool_calls, tokens, usd, seconds."""
    spent: Mapping[str, Decimal] = field(default_factory=dict)
    """What earlier calls charged to limits (`Decision.charges`), by `Charge.limit`."""
    able: frozenset[Duty]
    """The duties that can be carried out; a decision with another one is a deny."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalNeed:
    """One group of people that must agree before the call runs."""

    role: str | None
    """None: anybody who may approve at all."""
    count: int = 1
    """So many different people, none of them the requester."""
    distinct_from: tuple[str, ...] = ("requester",)
    expires_s: int = EXPIRES_S
    on_timeout: Literal["deny"] = "deny"
    escalate_to: tuple[str, ...] = ()
    """The roles after it, in order, for who hands the decision on; at their end it is a no."""
    allow_edit: tuple[str, ...] | None = None
    """The arguments that the approver may change; None: any of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Obligations:
    """Duties that come with the decision; united over all `log` rules that match."""

    redact_fields: tuple[str, ...] = ()
    retain_days: int | None = None

    @property
    def duties(self) -> frozenset[Duty]:
        wanted: list[Duty] = []
        if self.redact_fields:
            wanted.append("redact")
        if self.retain_days is not None:
            wanted.append("retain")
        return frozenset(wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What the call adds to a limit, if it reaches the tool."""

    limit: str
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided about one call, and why."""

    verdict: Verdict
    reason: Reason
    rule: str | None = None
    """``refunds/2``: the policy's id and the rule's; None where no rule decided."""
    where: str | None = None
    """file:line of that rule."""
    message: str = ""
    """For the agent and for people; names rules and attributes, never values."""
    tier: int = 4
    approvals: tuple[ApprovalNeed, ...] = ()
    """All of them are needed; empty unless the verdict is require_approval."""
    obligations: Obligations = Obligations()
    charges: tuple[Charge, ...] = ()
    unknown: tuple[str, ...] = ()
    """Attributes that were missing or unusable where they mattered."""
    overrides: tuple[str, ...] = ()
    """The tickets (`override_tier`) on whose strength a policy went below its tier's floor."""
    shadow: tuple[Decision, ...] = ()
    """What policies in shadow mode would have said; logged, not enforced."""

    @property
    def allowed(self) -> bool:
        return self.verdict == "allow"
