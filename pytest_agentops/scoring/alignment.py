"""Which expectation goes with which call: the two pairings behind `match_calls`, free of what a call is.

`pair_freely` finds the best pairing where order does not count, `pair_in_order` the best one where it does. Both are exact: no
expectation is left without a call that another expectation could have spared.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

NOBODY = -1


def pair_freely(wanted: int, found: int, fits: Callable[[int, int], bool], *, due: bool, claimed: Sequence[bool]) -> list[int]:
    """For each of `wanted` expectations its call or `NOBODY`, so that as few as possible of what must be paired is left over.

    `due`: every expectation must be paired; `claimed[f]`: call `f` must be. The number of pairs is the largest possible, too
    (augmenting paths; covering the one side never costs the other side anything).
    """
    edges = [[f for f in range(found) if fits(w, f)] for w in range(wanted)]
    mate_of_wanted = [NOBODY] * wanted
    mate_of_found = [NOBODY] * found
    if due:
        for w in range(wanted):
            _grow(w, edges, mate_of_wanted, mate_of_found)
    if any(claimed):
        back: list[list[int]] = [[] for _ in range(found)]
        for w, calls in enumerate(edges):
            for f in calls:
                back[f].append(w)
        for f in range(found):
            if claimed[f] and mate_of_found[f] == NOBODY:
                _grow(f, back, mate_of_found, mate_of_wanted, spare=[not c for c in claimed])
    for w in range(wanted):
        if mate_of_wanted[w] == NOBODY:
            _grow(w, edges, mate_of_wanted, mate_of_found)
    return mate_of_wanted


def _grow(start: int, edges: list[list[int]], mate: list[int], other: list[int], *, spare: Sequence[bool] | None = None) -> bool:
    """Pair `start` by re-pairing others along a path; one that is `spare` may lose its partner. False if there is no way."""
    came: dict[int, int] = {}
    queue = deque([start])
    while queue:
        node = queue.popleft()
        for far in edges[node]:
            if far in came:
                continue
            came[far] = node
            holder = other[far]
            if holder == NOBODY or (spare is not None and spare[holder]):
                if holder != NOBODY:
                    mate[holder] = NOBODY
                _flip(start, far, came, mate, other)
                return True
            queue.append(holder)
    return False


def _flip(start: int, far: int, came: dict[int, int], mate: list[int], other: list[int]) -> None:
    while True:
        node = came[far]
        before = mate[node]
        mate[node], other[far] = far, node
        if node == start:
            return
        far = before


def pair_in_order(
    wanted: int, found: int, cost: Callable[[int, int], int | None], *, missing: int, extra: Sequence[int]
) -> list[tuple[int, int]]:
    """The cheapest alignment of two sequences, as (expectation, call) pairs that never cross; of equal ones the earliest.

    `cost(w, f)` is the price of pairing, None where it cannot be; `missing` that of an expectation without a call, `extra[f]`
    that of a call without an expectation.
    """
    best = [[0] * (found + 1) for _ in range(wanted + 1)]
    for f in range(found - 1, -1, -1):
        best[wanted][f] = best[wanted][f + 1] + extra[f]
    prices = [[cost(w, f) for f in range(found)] for w in range(wanted)]
    for w in range(wanted - 1, -1, -1):
        row, below, price = best[w], best[w + 1], prices[w]
        row[found] = below[found] + missing
        for f in range(found - 1, -1, -1):
            value = min(below[f] + missing, row[f + 1] + extra[f])
            pairing = price[f]
            if pairing is not None and below[f + 1] + pairing < value:
                value = below[f + 1] + pairing
            row[f] = value
    return _walk(best, prices, missing, extra)


def _walk(best: list[list[int]], prices: list[list[int | None]], missing: int, extra: Sequence[int]) -> list[tuple[int, int]]:
    wanted, found = len(prices), len(extra)
    pairs: list[tuple[int, int]] = []
    w = f = 0
    while w < wanted and f < found:
        pairing = prices[w][f]
        if pairing is not None and best[w][f] == best[w + 1][f + 1] + pairing:
            pairs.append((w, f))
            w, f = w + 1, f + 1
        elif best[w][f] == best[w][f + 1] + extra[f]:
            f += 1
        else:
            w += 1
    return pairs
