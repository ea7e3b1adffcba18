"""One tool call of a run: what was asked, what the guard decided, what came back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from .tier import Effect
from .values import Json, JsonObject

Decision: TypeAlias = Literal["allow", "approved", "edited", "deny", "rejected", "invalid", "budget"]
Source: TypeAlias = Literal["replay", "live", "stub", "none"]
Reason: TypeAlias = Literal[
    "rule",
    "default_deny",
    "tier_default",
    "indeterminate",
    "time_window",
    "limit",
    "obligation",
    "policy_error",
    "no_policy",
    "tool_unknown",
    "schema_invalid",
    "result_invalid",
    "scope_missing",
    "idempotency_conflict",
    "budget_exceeded",
    "approval_rejected",
    "approval_timeout",
    "approval_mismatch",
    "approval_unanswered",
    "audit_unavailable",
    "tool_failed",
]
"""Why a call did not give a result, or why it was allowed: a closed set, part of the results format."""

POLICY_REASONS: frozenset[Reason] = frozenset(
    {
        "rule",
        "default_deny",
        "tier_default",
        "indeterminate",
        "time_window",
        "limit",
        "obligation",
        "policy_error",
        "scope_missing",
    }
)
"""What a policy denies for: these calls are the policy blocks. Contract, budget, people and the audit log are counted apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorInfo:
    """A tool's error as cassettes and results write it; `type` is a name, never a class to import."""

    type: str
    message: str = ""
    retryable: bool = False

    def as_json(self) -> JsonObject:
        out: JsonObject = {"type": self.type, "message": self.message}
        if self.retryable:
            out["retryable"] = True
        return out

    @classmethod
    def from_json(cls, value: JsonObject) -> ErrorInfo:
        return cls(type=value["type"], message=value.get("message", ""), retryable=bool(value.get("retryable", False)))


@dataclass(slots=True, kw_only=True)
class Call:
    """One attempt of the agent to call a tool, in the order of issue; filled in as it passes the guard."""

    tool: str
    args: JsonObject
    """What the agent asked, on the placeholder side of the membrane."""
    sent: JsonObject | None = None
    """The arguments that reached the tool (defaults filled in, edited); None if it was stopped before."""
    decision: Decision = "allow"
    reason: Reason | None = None
    rule: str | None = None
    source: Source = "none"
    result: Json = None
    error: ErrorInfo | None = None
    findings: list[str] = field(default_factory=list)
    """What did not fit but did not stop the call (a transcript's invalid arguments)."""
    effect: Effect | None = None
    """The contract's, for checks; None where none is declared."""
    ignored: tuple[str, ...] = ()
    """The arguments that make no other call of it: the contract's idempotency key and what it says to ignore."""
    turn: int = 0
    step: int = 0
    shadow: list[str] = field(default_factory=list)
    """What policies in shadow mode would have said, a sentence each."""
    stored: bool = False
    """Whether the answer is that of an earlier call with the same idempotency key."""

    @property
    def blocked_by_policy(self) -> bool:
        """Whether a policy denied it."""
        return self.decision == "deny" and self.reason in POLICY_REASONS

    @property
    def reached(self) -> bool:
        """Whether the call reached the tool or its recording, also if that answered with an error."""
        return self.source != "none"

    def as_json(self) -> JsonObject:
        """The shape of ``calls[]`` in the results file (fixed)."""
        return {
            "tool": self.tool,
            "args": self.args if self.sent is None else self.sent,
            "decision": self.decision,
            "rule": self.rule,
            "reason": self.reason,
            "source": self.source,
            "error": self.error.as_json() if self.error else None,
        }


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What `Toolbox.attempt` gives: a value, or an error (`exception` is what `call` would have raised)."""

    ok: bool
    value: Json = None
    error: JsonObject | None = None
    """``{tool, reason, message, rule}``, to hand to a model as the tool's answer."""
    exception: Exception | None = None
