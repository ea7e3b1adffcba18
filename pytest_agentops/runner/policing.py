"""The policy stage: what the policies decide about each call, with the sums that their limits have seen in this trial."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

from ..schema.case import Principal
from ..schema.policy import Charge, Decision, Duty, Request
from ..schema.values import Json, JsonObject
from .budget import BudgetMeter
from .guard import Passive, Pending

if TYPE_CHECKING:
    from ..policy.binding import Policies
    from .auditing import TrialAudit

_NO_POLICY = Decision(verdict="allow", reason="no_policy")


class NoPolicyStage(Passive):
    """A suite without policies, a principal or an audit log: every known tool is allowed."""

    name = "policy"

    def before(self, pending: Pending) -> None:
        pending.policy = _NO_POLICY
        pending.call.reason = "no_policy"


class PolicyStage:
    """Decides on the real arguments; a call is charged to its limits as it is let through, so that two cannot race one limit."""

    name = "policy"

    def __init__(
        self,
        policies: Policies | None,
        *,
        principal: Principal | None,
        context: JsonObject,
        meter: BudgetMeter,
        clock: Callable[[], dt.datetime | None],
        reveal: Callable[[Json], Json],
        audit: TrialAudit | None,
    ) -> None:
        self.policies = policies
        self.principal = principal
        self.context = context
        self.meter = meter
        self.audit = audit
        self._clock = clock
        self._reveal = reveal
        self._spent: dict[str, Decimal] = {}
        self._charged: dict[int, tuple[Charge, ...]] = {}
        self._lock = threading.Lock()

    def before(self, pending: Pending) -> None:
        decision = self._decided(pending)
        pending.policy = decision
        call = pending.call
        call.reason, call.rule = decision.reason, decision.rule
        known = None if self.policies is None else self.policies.tools.get(call.tool)
        pending.shadowed = known is not None and bool(known.shadow)
        call.shadow = [f"{other.verdict} ({other.reason}): {other.message}" for other in decision.shadow]
        if self.audit is not None:
            self.audit.decided(pending, decision)
        if decision.verdict == "deny":
            raise pending.stop(decision.message, decision="deny", reason=decision.reason, rule=decision.rule)

    def _decided(self, pending: Pending) -> Decision:
        if self.policies is None:
            return self._without_policies(pending)
        from ..policy.decide import decide

        now, able = self._clock(), self._able()
        args = self._reveal(pending.call.sent or pending.args)
        with self._lock:
            request = Request(
                tool=pending.call.tool,
                args=args,
                context=self.context,
                principal=self.principal or Principal(),
                named=self.principal is not None,
                now=now,
                session=self.meter.facts(),
                spent=self._spent,
                able=able,
            )
            decision = decide(self.policies, request)
            if decision.verdict != "deny":
                self._charge(pending, decision.charges)
        return decision

    def _without_policies(self, pending: Pending) -> Decision:
        """A suite without policies allows every known tool; where the case says who acts, scopes hold all the same."""
        lacking = [s for s in pending.contract.scopes if self.principal is not None and s not in self.principal.scopes]
        if not lacking and self.audit is None:
            return _NO_POLICY
        tier = int(pending.contract.autonomy)
        if not lacking:
            return Decision(verdict="allow", reason="no_policy", tier=tier)
        message = f"{pending.call.tool} needs the scope {', '.join(lacking)}, which the principal does not have"
        return Decision(verdict="deny", reason="scope_missing", message=message, tier=tier)

    def _able(self) -> frozenset[Duty]:
        """What can be carried out: the membrane always redacts, and only the audit log can keep for so many days."""
        retains = self.audit is not None and self.audit.log.failed is None
        return frozenset(["redact", "retain"]) if retains else frozenset(["redact"])

    def _charge(self, pending: Pending, charges: tuple[Charge, ...]) -> None:
        self._charged[id(pending)] = charges
        for charge in charges:
            self._spent[charge.limit] = self._spent.get(charge.limit, Decimal(0)) + charge.amount

    def release(self, pending: Pending) -> None:
        """The tool was not reached: its limits are not charged."""
        with self._lock:
            for charge in self._charged.pop(id(pending), ()):
                self._spent[charge.limit] -= charge.amount

    def after(self, pending: Pending) -> None:
        with self._lock:
            self._charged.pop(id(pending), None)
