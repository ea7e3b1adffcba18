"""One trial in the audit log: its start and end, every decision before the tool runs, every end of a call after it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from ..audit.record import AuditUnavailable
from ..schema import money
from ..schema.pins import contract_digest
from ..schema.policy import Decision
from ..schema.values import Json, JsonObject
from .guard import Pending

if TYPE_CHECKING:
    from ..approvals.action import Action
    from ..approvals.request import Outcome
    from ..audit.entry import CallEntry
    from ..audit.log import AuditLog
    from ..audit.record import Event
    from ..schema.run import Usage


class TrialAudit:
    """Writes what happens in one trial; safe to use from threads."""

    def __init__(
        self,
        log: AuditLog,
        *,
        about: Mapping[str, Json],
        policy: str | None,
        action: Callable[[Pending], Action],
    ) -> None:
        """`about` stands in every record: case, trial, mode, principal."""
        self.log = log
        self._about = dict(about)
        self._policy = policy
        self._action = action
        self._entries: list[tuple[Pending, CallEntry]] = []
        self._number = 0
        self._lock = threading.Lock()

    # ---- the trial

    def event(self, event: Event, fields: Mapping[str, Json]) -> None:
        """Something that no call waits for; if it cannot be written, `log.failed` says so, and calls of tier 2 are denied."""
        try:
            self.log.append(event, {**self._about, **fields})
        except AuditUnavailable:
            return

    def close(self, fields: Mapping[str, Json]) -> None:
        """The end of the trial: a call without an end gets one."""
        with self._lock:
            left, self._entries = self._entries, []
        for pending, entry in left:
            if entry.open:
                self._end(entry, pending, "error", "unfinished")
        self.event("trial.end", fields)

    def answered(self, usage: Usage | None, cost_usd: Decimal | None, model: str | None) -> None:
        """A model's answer; unknown tokens and costs are null."""
        tokens = None if usage is None else {"input_tokens": usage.input, "output_tokens": usage.output}
        self.event("model.call", {"model": model, "usage": tokens, "cost_usd": money.text(cost_usd)})

    # ---- one call

    def decided(self, pending: Pending, decision: Decision) -> None:
        """The decision is written before anything else happens; where it cannot be, a call of tier 2 and up is denied."""
        entry = pending.entry or self._entry(pending, decision.tier)
        action, duties = self._action(pending), decision.obligations
        more: JsonObject = {"message": decision.message, "step": pending.call.step}
        if decision.shadow:
            more["shadow"] = [{"decision": o.verdict, "reason": o.reason, "rule": o.rule} for o in decision.shadow]
        if decision.overrides:
            more["overrides"] = list(decision.overrides)
        with _denied(pending):
            entry.decided(
                decision.verdict,
                reason=decision.reason,
                rule=decision.rule,
                action_digest=action.digest,
                args=action.args,
                pins={"policy": self._policy, "contract": contract_digest(pending.contract)},
                redact_fields=duties.redact_fields,
                retain_days=duties.retain_days,
                more=more,
            )

    def asked(self, pending: Pending, outcome: Outcome, answers: Sequence[JsonObject]) -> None:
        """Who was asked, and what everyone said, without the secrets in it."""
        entry = pending.entry
        if entry is None:
            return
        with _denied(pending):
            entry.requested(outcome.request.as_json())
            for answer in answers:
                entry.answered(answer)

    def let_through(self, pending: Pending, source: str) -> None:
        """The call goes to the tape or to the tool now."""
        if pending.entry is not None:
            with _denied(pending):
                pending.entry.called(request_id=pending.approval.id if pending.approval is not None else None, source=source)

    def ended(self, pending: Pending) -> None:
        """The call is over, whatever came of it."""
        call = pending.call
        entry = pending.entry
        if entry is None:  # stopped, or answered, before the policies were asked
            entry = self._entry(pending, int(pending.contract.autonomy))
            tier = int(pending.contract.autonomy)
            if call.stored:
                decision = Decision(verdict="allow", reason="no_policy", message="the answer of an earlier call", tier=tier)
            else:
                decision = Decision(verdict="deny", reason=call.reason or "schema_invalid", tier=tier)
            try:
                self.decided(pending, decision)
            except Exception:  # the call is stopped already; `log.failed` tells of the log
                return
        if not entry.open:
            return
        if not call.reached:
            self._end(entry, pending, "stopped", "stored" if call.stored else call.reason)
        else:
            self._end(entry, pending, "ok" if call.error is None else "error", call.reason)

    # ---- below

    def _entry(self, pending: Pending, tier: int) -> CallEntry:
        from ..audit.entry import CallEntry

        with self._lock:
            self._number += 1
            entry = CallEntry(self.log, f"c{self._number}", tool=pending.call.tool, tier=tier, about=self._about)
            self._entries.append((pending, entry))
        pending.entry = entry
        return entry

    def _end(self, entry: CallEntry, pending: Pending, status: str, reason: str | None) -> None:
        duties = pending.policy.obligations if pending.policy is not None else None
        cost = pending.contract.cost_usd
        entry.ended(
            status,  # type: ignore[arg-type]
            reason=reason,
            result=pending.result,
            cost_usd=None if cost is None or not pending.call.reached else format(cost, "f"),
            redact_fields=() if duties is None else duties.redact_fields,
            retain_days=None if duties is None else duties.retain_days,
        )


class _denied:
    """A log that cannot be written denies the call."""

    def __init__(self, pending: Pending) -> None:
        self.pending = pending

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, AuditUnavailable):
            message = (
                f"{self.pending.call.tool}: the audit log cannot be written ({error.why}): calls of tier 2 and up are denied"
            )
            raise self.pending.stop(message, decision="deny", reason="audit_unavailable") from error
