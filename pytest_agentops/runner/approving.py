"""The approval stage: asks humans about a call that needs them, and takes it back to the top when one changed it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ..approvals.action import Action
from ..approvals.desk import Desk
from ..approvals.request import ANYBODY, ApprovalRefused, Need, Outcome, Terms
from ..errors import Interrupted, ToolRejected
from ..schema.call import Decision
from ..schema.case import Principal
from ..schema.contract import Contract
from ..schema.policy import ApprovalNeed
from ..schema.values import Json, JsonObject
from .budget import BudgetMeter
from .guard import Edited, Passive, Pending

if TYPE_CHECKING:
    from ..approvals.recorded import Recorded
    from ..tape.player import Player
    from ..tape.values import TrialValues
    from .auditing import TrialAudit

TICKET = "change_ticket"
"""Of the case's context: an approval is for this change."""


class ApprovalStage(Passive):
    """Every need of the policies, and of a budget that ran low, is asked at the trial's desk."""

    name = "approval"

    def __init__(
        self,
        desk: Desk,
        *,
        trial: str,
        principal: Principal | None,
        context: JsonObject,
        values: TrialValues,
        hide: Callable[..., Json],
        meter: BudgetMeter,
        audit: TrialAudit | None,
        player: Player | None,
        diverged: Callable[[], None],
        dry_run: Callable[[Pending], Json],
        under: Callable[[Contract], JsonObject],
        recorded: Recorded | None = None,
    ) -> None:
        self.desk = desk
        self.trial = trial
        self.principal = _as_json(principal)
        self.ticket = context.get(TICKET)
        self.values = values
        self.hide = hide
        self.meter = meter
        self.audit = audit
        self.player = player
        self.diverged = diverged
        self.dry_run = dry_run
        self.under = under
        self.recorded = recorded

    def before(self, pending: Pending) -> None:
        pending.approval = None
        decision = pending.policy
        needs = (*(decision.approvals if decision is not None else ()), *pending.more_needs)
        if not needs:
            self._stands(pending)
            return
        why = decision.message if decision is not None and decision.approvals else "the budget is nearly used up"
        action = self.action(pending)
        with self.meter.paused():
            outcome = self.desk.ask(action, terms(needs), after=pending.edited, dry_run=self.dry_run(pending), why=why)
        for act in outcome.acts:  # what an edit holds is no secret yet, and the reasons may repeat it
            self.hide(act.edit, pending.sensitive)
        if self.audit is not None:
            self.audit.asked(pending, outcome, [self.hide(act.for_audit()) for act in outcome.acts])
        self._take(pending, replace(outcome, message=str(self.hide(outcome.message))))

    def _stands(self, pending: Pending) -> None:
        """An edited call that needs nobody any more runs as it was edited."""
        if pending.edited is not None:
            pending.call.decision = "edited"

    def _take(self, pending: Pending, outcome: Outcome) -> None:
        tool, rule = pending.call.tool, pending.call.rule
        if outcome.kind == "approved":
            pending.approval = outcome.approval
            pending.call.decision = "approved" if pending.edited is None else "edited"
        elif outcome.kind == "edited":
            self._edit(pending, outcome)
            raise Edited
        elif outcome.kind == "rejected":
            reason = outcome.reason or "approval_rejected"
            said: Decision = "rejected" if reason == "approval_rejected" else "deny"
            pending.stopped(outcome.message, decision=said, reason=reason, rule=rule)
            raise ToolRejected(outcome.message, tool=tool, reason=reason, rule=rule)
        elif outcome.kind == "timed_out":
            raise pending.stop(outcome.message, decision="deny", reason="approval_timeout", rule=rule)
        else:
            raise self._interrupt(pending, outcome)

    def _interrupt(self, pending: Pending, outcome: Outcome) -> Interrupted:
        said, _, cure = outcome.message.partition("\n")
        near = self.recorded.close_to(outcome.request) if self.recorded is not None else None
        cure = f"  {near}\n{cure}" if near is not None else cure
        pending.stopped(said, decision="deny", reason="approval_unanswered", rule=pending.call.rule)
        error = Interrupted(said, tool=pending.call.tool, cure=cure)
        if self.meter.interrupted is None:
            self.meter.interrupted = error
        return error

    def _edit(self, pending: Pending, outcome: Outcome) -> None:
        before = self.values.fold(pending.call.sent or pending.args)
        edited: JsonObject = self.hide(self.values.unfold(outcome.args or {}), pending.sensitive)
        after = self.values.fold(edited)
        tool = pending.call.tool
        if self.player is not None and not self.player.awaits(tool, after) and self.player.not_made(tool, before):
            self.diverged()  # the recorded run made the call as the agent had asked for it
        pending.args, pending.edited = edited, replace(outcome, args=after)

    def action(self, pending: Pending) -> Action:
        """The call as it would run now; read anew each time, so that a change after the approval is seen."""
        return Action(
            tool=pending.call.tool,
            args=self.values.fold(pending.call.sent or pending.args),
            principal=self.principal,
            rule=pending.policy.rule if pending.policy is not None else None,
            trial=self.trial,
            under=self.under(pending.contract),
            more={} if self.ticket is None else {TICKET: self.ticket},
        )


class LastStage(Passive):
    """The approval is used up and the log says that the call is let through; after this only the tape and the tool come."""

    name = "let_through"

    def __init__(self, approval: ApprovalStage, audit: TrialAudit | None, source: Callable[[Pending], str]) -> None:
        self.approval = approval
        self.audit = audit
        self.source = source

    def before(self, pending: Pending) -> None:
        granted = pending.approval
        if granted is not None:
            try:
                self.approval.desk.spend(granted, self.approval.action(pending))
            except ApprovalRefused as refused:
                raise pending.stop(refused.message, decision="deny", reason=refused.reason, rule=pending.call.rule) from None
        if self.audit is not None:
            self.audit.let_through(pending, self.source(pending))


def terms(needs: tuple[ApprovalNeed, ...]) -> Terms:
    """What the desk has to ask for: every need, within the shortest time, with only the edits that all of them allow."""
    from ..policy.needs import united

    each = united(needs)
    edits = [set(need.allow_edit) for need in each if need.allow_edit is not None]
    return Terms(
        needs=tuple(Need(role=need.role or ANYBODY, count=need.count, escalate_to=need.escalate_to) for need in each),
        expires=dt.timedelta(seconds=min(need.expires_s for need in each)),
        allow_edit=tuple(sorted(set.intersection(*edits))) if edits else None,
    )


def _as_json(principal: Principal | None) -> JsonObject:
    if principal is None:
        return {}
    return {
        "id": principal.id,
        "on_behalf_of": principal.on_behalf_of,
        "roles": list(principal.roles),
        "scopes": list(principal.scopes),
    }
