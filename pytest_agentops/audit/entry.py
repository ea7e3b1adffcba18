"""One call in the log: a decision before the tool runs, and exactly one end after it, whatever happens in between."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

from ..schema.values import Json, JsonObject
from .log import DENY_FROM, AuditLog
from .record import AuditUnavailable

End: TypeAlias = Literal["ok", "error", "stopped"]
"""The tool answered, the tool (or its recording) failed, or the call never reached it."""

Verdict: TypeAlias = Literal["allow", "deny", "require_approval"]


class CallEntry:
    """The records of one call; the order in which they may be written is kept here."""

    def __init__(self, log: AuditLog, call_id: str, *, tool: str, tier: int, about: Mapping[str, Json]) -> None:
        """`about` stands in every record of the call: case, trial, step, principal, mode.

        Where the log cannot be written, `decided`, `requested`, `answered` and `called` raise `AuditUnavailable` for a tool of
        tier 2 and up (the guard denies); below that the call goes on unlogged, and `AuditLog.failed` says so. `ended`
        never raises it.
        """
        self.log = log
        self.tier = tier
        self._same: JsonObject = {**about, "tool_call_id": call_id, "tool": tool, "tier": int(tier)}
        self._digest: str | None = None
        self._decided: str | None = None
        self._called = False
        self._ended = False
        self._dead = False
        """The log failed under this call: nothing more is written of it."""
        self._lock = threading.Lock()

    def decided(
        self,
        decision: Verdict,
        *,
        reason: str,
        action_digest: str,
        args: Json,
        rule: str | None = None,
        pins: Mapping[str, Json] | None = None,
        redact_fields: Sequence[str] = (),
        retain_days: int | None = None,
        more: Mapping[str, Json] | None = None,
    ) -> None:
        """The decision on the call as it stands now; once more after an edit. `args` are those of the placeholder side."""

        def write() -> None:
            fields: JsonObject = {**self._same, "decision": decision, "reason": reason, "rule": rule, **(more or {})}
            fields |= {"action_digest": action_digest, "args_digest": self.log.args_digest(args), "pins": dict(pins or {})}
            self.log.append("policy.decision", fields | self._beside({"args": args}, redact_fields, retain_days))
            self._decided, self._digest = decision, action_digest

        self._attempt(write, "decided")

    def requested(self, approval: Mapping[str, Json]) -> None:
        """A human is asked: ``{request_id, needs: [{role, count}], requesters, action_digest, expires}``."""

        def write() -> None:
            self.log.append("approval.requested", {**self._same, "approval": dict(approval)})

        self._attempt(write, "requested")

    def answered(self, approval: Mapping[str, Json]) -> None:
        """A human answered: ``{request_id, role, for, by, decision, source, message, action_digest, at}``."""

        def write() -> None:
            self.log.append("approval.decided", {**self._same, "approval": dict(approval)})

        self._attempt(write, "answered")

    def called(self, *, request_id: str | None = None, source: str = "live") -> None:
        """The call is let through to the tool or its recording; `request_id` is the approval that is used up by it."""

        def write() -> None:
            if self._decided not in ("allow", "require_approval"):
                raise RuntimeError("audit: a call is let through that no decision allowed")
            fields = {**self._same, "action_digest": self._digest, "source": source}
            self.log.append("tool.call", fields if request_id is None else {**fields, "request_id": request_id})
            if self.log.sync == "decision" and self.tier >= DENY_FROM:
                self.log.force()
            self._called = True

        self._attempt(write, "called")

    def ended(
        self,
        status: End,
        *,
        reason: str | None = None,
        result: Json = None,
        cost_usd: str | None = None,
        redact_fields: Sequence[str] = (),
        retain_days: int | None = None,
    ) -> None:
        """The one end of the call."""

        def write() -> None:
            if self._decided is None:
                raise RuntimeError("audit: a call ends that nobody decided on")
            self._ended = True  # also where the write fails: a second end would be no truer
            fields: JsonObject = {**self._same, "action_digest": self._digest, "status": status, "reason": reason}
            if cost_usd is not None:
                fields["cost_usd"] = cost_usd
            if status != "stopped":
                fields |= self._beside({"result": result}, redact_fields, retain_days)
            self.log.append("tool.result", fields)

        self._attempt(write, "ended", after=True)

    @property
    def open(self) -> bool:
        """Whether a decision stands there that has no end yet."""
        return self._decided is not None and not self._ended

    def _attempt(self, write: Callable[[], None], what: str, *, after: bool = False) -> None:
        with self._lock:
            if self._ended or (self._called and not after):
                raise RuntimeError(f"audit: {what} after the call had {'ended' if self._ended else 'reached the tool'}")
            must = self.tier >= DENY_FROM and not after
            try:
                if self._dead:
                    raise AuditUnavailable(str(self.log.path), self.log.failed or "it failed earlier under this call")
                write()
            except AuditUnavailable:
                self._dead = True
                if must:
                    raise

    def _beside(self, payload: JsonObject, redact_fields: Sequence[str], retain_days: int | None) -> JsonObject:
        """Keep the payload, and what the record says about it."""
        if not self.log.keeps and retain_days is None:
            return {}
        kept = self.log.keep(payload, redact_fields)
        fields: JsonObject = {"payload_digest": kept.digest}
        if redact_fields:
            fields |= {"redact_fields": list(redact_fields), "redacted": list(kept.redacted)}
        if retain_days is not None:
            fields["retain_until"] = self.log.retain_until(retain_days)
        return fields
