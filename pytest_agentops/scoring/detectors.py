"""Runbook detectors: patterns of a run that an operator knows by name. Each sees one, in a sentence, or nothing.

They look at the calls of one run; `spend_spike` needs other runs beside it and is told what is usual.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal

from ..schema import paths
from ..schema.call import Call
from ..schema.operators import show
from ..schema.run import Run
from ..schema.values import Json, JsonObject, canonical, same

AGAIN = 3
"""Equal calls in a row, or rounds of a cycle, that make a loop."""
LONGEST_CYCLE = 4
MOST = 0.5
"""The share of a run's calls above which a policy blocked most of them; of two calls at least."""
SPIKE = 3
"""How many times the usual cost makes a spike."""


def detect(run: Run) -> dict[str, str]:
    """Detector -> what it saw, of those that one run shows by itself."""
    found = {name: detector(run.calls) for name, detector in _DETECTORS.items()}
    return {name: text for name, text in found.items() if text}


def loop(calls: Sequence[Call]) -> str:
    """The same call again and again, or a cycle of calls; a fresh idempotency key makes no other call of it."""
    for start, length, rounds in loops(calls):
        names = " -> ".join(call.tool for call in calls[start : start + length])
        what = f"{names} {show(calls[start].args)}" if length == 1 else names
        return f"{what}: {rounds} times in a row, from call {start + 1} on"
    return ""


def loops(calls: Sequence[Call]) -> Iterator[tuple[int, int, int]]:
    """Where each loop starts, how many calls a round has, and how many rounds there are; short rounds first."""
    names = [call.tool for call in calls]
    if len(names) < AGAIN or max(map(names.count, set(names))) < AGAIN:
        return  # every tool of a loop is called in each of its rounds; most runs have none, and cost nothing here
    keys = [canonical([call.tool, paths.remove(call.args, call.ignored) if call.ignored else call.args]) for call in calls]
    for length in range(1, LONGEST_CYCLE + 1):
        for start in range(len(keys) - length * AGAIN + 1):
            cycle = keys[start : start + length]
            rounds = 1
            while keys[start + rounds * length : start + (rounds + 1) * length] == cycle:
                rounds += 1
            if rounds >= AGAIN:
                yield start, length, rounds


def empty_retrieval(calls: Sequence[Call]) -> str:
    """A read that answered, and found nothing."""
    for number, call in enumerate(calls, 1):
        if call.effect == "read" and call.reached and call.error is None and _is_empty(call.result, call.sent or call.args):
            return f"call {number}, {call.tool} {show(call.args)}, found nothing"
    return ""


def policy_blocked(calls: Sequence[Call]) -> str:
    """Most of what the agent tried was denied by a policy."""
    blocked = sum(call.blocked_by_policy for call in calls)
    if blocked < 2 or blocked <= MOST * len(calls):
        return ""
    return f"{blocked} of {len(calls)} calls were denied by a policy"


def spend_spike(cost: Decimal | None, usual: Decimal | None, *, what: str) -> str:
    """The run cost many times what is usual; nothing where one of the two is unknown, or nothing is usual."""
    if cost is None or not usual or cost <= SPIKE * usual:
        return ""
    return f"${cost:f} is {cost / usual:.1f} times {what} (${usual:f})"


def _is_empty(result: Json, asked: JsonObject) -> bool:
    """Nothing, or a mapping whose lists are all empty, and that says nothing else but what was asked for.

    ``{"query": "x", "results": [], "total": 0}``, but not ``{"id": "W-1", "status": "delivered", "notes": []}``.
    """
    if result is None or result in ("", [], {}):
        return True
    if not isinstance(result, dict):
        return False
    lists = [value for value in result.values() if isinstance(value, list)]
    others = [value for value in result.values() if not isinstance(value, list)]
    if not lists or any(lists):
        return False
    return all(value in (None, "", 0, False, {}) or any(same(value, arg) for arg in asked.values()) for value in others)


_DETECTORS: Mapping[str, Callable[[Sequence[Call]], str]] = {
    "loop": loop,
    "empty_retrieval": empty_retrieval,
    "policy_blocked": policy_blocked,
}
