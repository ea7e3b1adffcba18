from __future__ import annotations

from itertools import combinations, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_agentops.scoring.alignment import NOBODY, pair_freely, pair_in_order

GRAPHS = st.integers(0, 5).flatmap(
    lambda w: st.integers(0, 5).flatmap(
        lambda f: st.tuples(
            st.lists(st.lists(st.booleans(), min_size=f, max_size=f), min_size=w, max_size=w),
            st.lists(st.booleans(), min_size=f, max_size=f),
        )
    )
)


def matchings(fits, found):
    def grow(w, used):
        if w == len(fits):
            yield {}
            return
        yield from grow(w + 1, used)
        for f in range(found):
            if fits[w][f] and f not in used:
                for rest in grow(w + 1, used | {f}):
                    yield {w: f, **rest}

    yield from grow(0, frozenset())


@settings(max_examples=300)
@given(GRAPHS, st.booleans())
def test_as_few_as_possible_are_left_over(graph, due):
    fits, claimed = graph
    mates = pair_freely(len(fits), len(claimed), lambda w, f: fits[w][f], due=due, claimed=claimed)
    pairs = {w: f for w, f in enumerate(mates) if f != NOBODY}
    assert all(fits[w][f] for w, f in pairs.items())
    assert len(set(pairs.values())) == len(pairs)

    def left(matching):
        unmet = len(fits) - len(matching) if due else 0
        return unmet + sum(c for f, c in enumerate(claimed) if f not in matching.values())

    every = list(matchings(fits, len(claimed)))
    assert left(pairs) == min(map(left, every))
    assert len(pairs) == max(map(len, every))


COSTS = st.lists(st.lists(st.none() | st.integers(-3, 3), min_size=4, max_size=4), max_size=4)


@given(COSTS, st.integers(0, 3), st.lists(st.integers(0, 3), min_size=4, max_size=4))
def test_the_cheapest_alignment(costs, missing, extra):
    found = pair_in_order(len(costs), 4, lambda w, f: costs[w][f], missing=missing, extra=extra)
    assert found == sorted(found)
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(found))

    def price(pairs):
        used = {f for _, f in pairs}
        return (
            sum(costs[w][f] for w, f in pairs)
            + missing * (len(costs) - len(pairs))
            + sum(extra[f] for f in range(4) if f not in used)
        )

    every = [
        list(zip(ws, fs, strict=True))
        for k in range(min(len(costs), 4) + 1)
        for ws in combinations(range(len(costs)), k)
        for fs in combinations(range(4), k)
    ]
    allowed = [pairs for pairs in every if all(costs[w][f] is not None for w, f in pairs)]
    assert price(found) == min(map(price, allowed))


def test_of_equal_alignments_the_earliest():
    assert pair_in_order(1, 3, lambda w, f: -1, missing=1, extra=[0, 0, 0]) == [(0, 0)]
