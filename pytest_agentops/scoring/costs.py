"""What a run's cost is made of: each model, each tool, and what was paid a second time for nothing new (confusion cost)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from ..schema import money
from ..schema.bill import Bill, Charge
from ..schema.run import Run
from ..schema.values import JsonObject
from .detectors import loops

UNNAMED = "unnamed"
"""A model that nobody named."""


def cost_parts(run: Run) -> JsonObject:
    """``{models, tools, retries, loops}``, without what is nothing; an unknown amount is None. Empty where nobody billed."""
    bill = run.bill
    tools: dict[str, Decimal | None] = {}
    for number, usd in bill.calls.items():
        money.add(tools, run.calls[number].tool, usd)
    parts: JsonObject = {}
    if models := _by_model(bill):
        parts["models"] = _texts(models)
    if tools:
        parts["tools"] = _texts(tools)
    again = [charge for charge in bill.answers if charge.again]
    if again:
        parts["retries"] = money.text(_sum(again))
    looped = _looped(run)
    if looped:
        parts["loops"] = money.text(_cost_of(run, looped))
    return parts


def _by_model(bill: Bill) -> dict[str, Decimal | None]:
    found: dict[str, Decimal | None] = {}
    if bill.stated_usd is not None:  # one figure for all: whose it is can be said only of one model
        names = {charge.model or UNNAMED for charge in bill.answers}
        found[names.pop() if len(names) == 1 else UNNAMED] = bill.stated_usd
        return found
    for charge in bill.answers:
        money.add(found, charge.model or UNNAMED, charge.usd)
    return found


def _looped(run: Run) -> set[int]:
    """The calls of all rounds of a loop but its first."""
    return {number for start, length, rounds in loops(run.calls) for number in range(start + length, start + rounds * length)}


def _cost_of(run: Run, numbers: set[int]) -> Decimal | None:
    """What these calls cost, with the model answers that asked for nothing else."""
    steps = {run.calls[number].step for number in numbers}
    steps -= {call.step for number, call in enumerate(run.calls) if number not in numbers}
    asked = [charge for charge in run.bill.answers if charge.step in steps and not charge.again]
    if asked and run.bill.stated_usd is not None:
        return None  # one figure for all answers cannot be told apart
    return money.total([_sum(asked), *(run.bill.calls.get(number, Decimal(0)) for number in numbers)])


def _sum(charges: Iterable[Charge]) -> Decimal | None:
    return money.total([charge.usd for charge in charges])


def _texts(found: dict[str, Decimal | None]) -> JsonObject:
    return {name: money.text(usd) for name, usd in sorted(found.items())}
