"""The stages contract, idempotency and budget; policy, approval and the last one have modules of their own."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from ..errors import ToolFailed
from ..schema.contract import Contract
from ..schema.policy import ApprovalNeed
from ..schema.suggest import did_you_mean
from ..schema.validate import Violation
from ..schema.values import Json, JsonObject, canonical
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


@dataclass(slots=True)
class _Kept:
    """What is known of one idempotency key."""

    args: str
    """The arguments beside the key, as one text."""
    owner: Pending
    done: bool = False
    result: Json = None
    clear: Json = None
    in_clear: bool = False


class IdempotencyStage:
    """The same key with the same arguments is one call: the second gets the stored result, whatever the tool would do.

    The same key with other arguments is an error, and so is one while the first call is still in flight. A call that failed
    leaves its key bound to its arguments and may be tried again.
    """

    name = "idempotency"

    def __init__(self, fold: Callable[[Json], Json], *, on_stored: Callable[[Pending], None]) -> None:
        self._fold = fold
        self._on_stored = on_stored
        self._known: dict[tuple[str, str], _Kept] = {}
        self._lock = threading.Lock()

    def before(self, pending: Pending) -> None:
        key = self._key(pending)
        if key is None:
            return
        tool = pending.call.tool
        with self._lock:
            known = self._known.get(key)
            args = _beside_key(pending)
            if known is None:
                self._known[key] = _Kept(args, pending)
                return
            if known.args != args:
                message = f"{tool}: this idempotency key was used for other arguments; a new call needs a new key"
                raise pending.stop(message, decision="invalid", reason="idempotency_conflict")
            if known.done:
                pending.result, pending.clear = copy.deepcopy((known.result, known.clear))
                pending.in_clear = known.in_clear
                pending.answered = pending.call.stored = True
                self._on_stored(pending)
            elif known.owner is pending or known.owner.call.error is not None or known.owner.error is not None:
                known.owner = pending  # edited, or tried again after it had failed
            else:
                message = f"{tool}: a call with this idempotency key is still in flight"
                raise pending.stop(message, decision="invalid", reason="idempotency_conflict")

    def release(self, pending: Pending) -> None:
        """A call that never reached its tool leaves no key behind."""
        key = self._key(pending)
        with self._lock:
            known = self._known.get(key) if key is not None else None
            if key is not None and known is not None and known.owner is pending and not known.done:
                del self._known[key]

    def after(self, pending: Pending) -> None:
        key = self._key(pending)
        with self._lock:
            known = self._known.get(key) if key is not None else None
            if known is not None and known.owner is pending and pending.error is None:
                # a copy: the agent gets the other one, and may do with it what it likes
                known.result, known.clear = copy.deepcopy((pending.result, pending.clear))
                known.done, known.in_clear = True, pending.in_clear

    def _key(self, pending: Pending) -> tuple[str, str] | None:
        name = pending.contract.idempotency_key
        value = None if name is None else (pending.call.sent or pending.args).get(name)
        return None if value is None or value == "" else (pending.call.tool, canonical(self._fold(value)))


def _beside_key(pending: Pending) -> str:
    args: JsonObject = pending.call.sent or pending.args
    return canonical({name: value for name, value in args.items() if name != pending.contract.idempotency_key})


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
