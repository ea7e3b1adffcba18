"""The stages contract and budget; the others have modules of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from ..errors import ToolFailed
from ..schema.contract import Contract
from ..schema.policy import ApprovalNeed
from ..schema.suggest import did_you_mean
from ..schema.validate import Violation
from ..tools.arguments import check, check_result, normalise
from .budget import BudgetMeter
from .guard import Passive, Pending


class ContractStage(Passive):
    """The tool exists, the arguments fit its schema, and so does the result."""

    name = "contract"

    def __init__(self, contracts: Mapping[str, Contract], *, enforce: bool) -> None:
        self.contracts = contracts
        self.enforce = enforce

    def before(self, pending: Pending) -> None:
        call = pending.call
        if call.tool not in self.contracts:
            known = ", ".join(sorted(self.contracts)) or "none"
            hint = did_you_mean(call.tool, self.contracts)
            message = f"unknown tool {call.tool!r}; {hint + ' ' if hint else ''}the tools are: {known}"
            raise pending.stop(message, decision="invalid", reason="tool_unknown")
        wrong = check(pending.contract, pending.args)
        if wrong and self.enforce:
            raise pending.stop(
                f"{call.tool}: the arguments do not fit: {_sentence(wrong)}", decision="invalid", reason="schema_invalid"
            )
        call.findings.extend(f"schema_invalid: {v.path}: {v.message}" for v in wrong)
        call.sent = pending.args if wrong else normalise(pending.contract, pending.args)

    def after(self, pending: Pending) -> None:
        if pending.error is not None or not self.enforce:
            return
        wrong = check_result(pending.contract, pending.result)
        if wrong:
            message = f"{pending.call.tool}: the result does not fit its contract: {_sentence(wrong)}"
            pending.call.reason = "result_invalid"
            raise ToolFailed(message, tool=pending.call.tool, reason="result_invalid")


def _sentence(wrong: list[Violation]) -> str:
    return "; ".join(f"{v.path}: {v.message}" for v in wrong)


class BudgetStage(Passive):
    """Nothing is let through once a limit is used up; before that the steps of `degrade` make it stricter."""

    name = "budget"

    def __init__(self, meter: BudgetMeter, afford: Callable[[Decimal], None] | None = None) -> None:
        """`afford` raises where the session or the suite has no money for a price; None where nothing is sure to be paid."""
        self.meter = meter
        self.afford = afford

    def before(self, pending: Pending) -> None:
        pending.more_needs = ()
        self.meter.check()
        for step in self.meter.degraded:
            if step.writes == "deny" and pending.contract.writes:
                message = (
                    f"{pending.call.tool}: {step.at:.0%} of the budget is used: nothing that changes something is called any more"
                )
                raise pending.stop(message, decision="budget", reason="budget_exceeded")
            if step.require_approval is not None:
                pending.more_needs = (*pending.more_needs, ApprovalNeed(role=step.require_approval))
        price = pending.contract.cost_usd
        if price:
            if self.afford is not None and pending.contract.answers is None:
                self.afford(price)  # before anybody is asked to approve it; it is paid when the tool is called
            self.meter.charge(price)

    def release(self, pending: Pending) -> None:
        if pending.contract.cost_usd:
            self.meter.refund(pending.contract.cost_usd)
