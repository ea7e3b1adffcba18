"""The stages of this version: contract and budget. Policy and approval are two more of the same shape."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import ToolFailed
from ..schema.contract import Contract
from ..schema.suggest import did_you_mean
from ..schema.validate import Violation
from ..tools.arguments import check, check_result, normalise
from .budget import BudgetMeter
from .guard import Pending


class ContractStage:
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


class BudgetStage:
    """Nothing is let through once a limit is used up."""

    name = "budget"

    def __init__(self, meter: BudgetMeter) -> None:
        self.meter = meter

    def before(self, pending: Pending) -> None:
        if self.meter.exceeded is not None:
            raise self.meter.exceeded

    def after(self, pending: Pending) -> None:
        """Money and tokens are counted by the session."""
