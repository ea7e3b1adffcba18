"""Calls that the guard stopped against what a case says of them: the best possible pairing, each call for one entry at most."""

from __future__ import annotations

from collections.abc import Sequence

from ..schema.call import Call
from ..schema.case import Case, Expect
from ..schema.governed import BlockedCall
from ..schema.operators import fits
from ..schema.run import Run
from . import alignment
from .bounds import misses
from .calls import name_fits


def matched(entries: Sequence[str | BlockedCall], calls: Sequence[Call]) -> dict[int, int]:
    """Entry -> call, for as many entries as can be matched at once."""
    mates = alignment.pair_freely(
        len(entries), len(calls), lambda entry, at: _fits(entries[entry], calls[at]), due=True, claimed=[False] * len(calls)
    )
    return {entry: at for entry, at in enumerate(mates) if at != alignment.NOBODY}


def unexpected(calls: Sequence[Call], entries: Sequence[str | BlockedCall]) -> list[Call]:
    """The calls that a policy denied and that no entry is for."""
    denied = [call for call in calls if call.blocked_by_policy]
    spoken_for = set(matched(entries, denied).values())
    return [call for at, call in enumerate(denied) if at not in spoken_for]


def count_unexpected(run: Run, case: Case) -> int:
    """How many policy blocks the case does not speak of, in any of its ways to: `blocked`, a count, an outcome."""
    expect = case.fields.expect
    if not run.policy_blocks or expect is None:
        return run.policy_blocks
    return min(_unexpected(run, each) for each in _alternatives(expect))


def _alternatives(expect: Expect) -> list[Expect]:
    """The expectation and everything under `any`: what one of them speaks of is spoken of."""
    return [expect, *(inner for alternative in expect.any or () for inner in _alternatives(alternative))]


def _unexpected(run: Run, expect: Expect) -> int:
    policy = expect.policy
    left = len(unexpected(run.calls, (policy.blocked if policy is not None else None) or ()))
    counted = policy.blocks if policy is not None else None
    if counted is not None and not misses(counted, run.policy_blocks):
        return 0  # so many were asserted
    if left and expect.outcome == "blocked" and run.outcome == "blocked":
        return left - 1  # the one that ended the run
    return left


def _fits(entry: str | BlockedCall, call: Call) -> bool:
    if isinstance(entry, str):
        return name_fits(entry, call.tool)
    if not name_fits(entry.tool, call.tool) or (entry.reason is not None and entry.reason != call.reason):
        return False
    if entry.rule is not None and entry.rule != call.rule:
        return False
    return entry.args is None or fits(entry.args, call.args)
