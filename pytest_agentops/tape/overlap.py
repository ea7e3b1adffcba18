"""How recordings that were in flight together keep their places; the same for tool calls and for model requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from .recording import Recording

if TYPE_CHECKING:
    from .model.exchange import Exchange

Kept = TypeVar("Kept", Recording, "Exchange")


def merged(old: list[Kept], now: list[Kept]) -> list[Kept]:
    """`now` in its order, with the recordings of `old` that it did not play put behind what they followed.

    An old overlap counts only the neighbours that are still directly before it.
    """
    out = list(now)
    at = 0
    for recording in old:
        place = next((i for i, other in enumerate(out) if other is recording), None)
        if place is None:
            out.insert(at, recording)
            at += 1
        else:
            at = place + 1
    where = {id(recording): i for i, recording in enumerate(old)}
    return [_settled(i, out, where) for i in range(len(out))]


def _settled(index: int, out: list[Kept], where: dict[int, int]) -> Kept:
    recording = out[index]
    old = where.get(id(recording))
    if old is None or not recording.overlap:
        return recording
    count = 0
    for other in reversed(out[:index]):
        if not old - recording.overlap <= where.get(id(other), -1) < old:
            break
        count += 1
    return recording if count == recording.overlap else replace(recording, overlap=count)


def overlapped(first: int, second: int, overlap_of_second: int) -> bool:
    """Whether the recording at `second` was issued while that at `first`, before it, was in flight."""
    return second - overlap_of_second <= first


def same_but_for_order(ours: Sequence[tuple[str, int]], theirs: Sequence[tuple[str, int]]) -> bool:
    """Whether two recordings (identities and overlaps in order of issue) differ at most in the order of what overlapped."""
    if len(ours) != len(theirs):
        return False
    # Cuts are the places that nothing of either run was in flight across: what lies between two cuts has no order.
    start = 0
    for cut in sorted(_cuts(ours) & _cuts(theirs)):
        if sorted(name for name, _ in ours[start:cut]) != sorted(name for name, _ in theirs[start:cut]):
            return False
        start = cut
    return True


def _cuts(kept: Sequence[tuple[str, int]]) -> set[int]:
    crossed = {place for i, (_, overlap) in enumerate(kept) for place in range(i - overlap + 1, i + 1)}
    return set(range(1, len(kept) + 1)) - crossed
