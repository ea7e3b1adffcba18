"""`match_calls`: every word, every rule, and proofs against brute force."""

from __future__ import annotations

from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_agentops.schema.call import Call
from pytest_agentops.scoring.alignment import pair_freely
from pytest_agentops.scoring.calls import LIKE, Pair, match_calls


def call(name, **args):
    return {"name": name, "args": args}


NAMES = st.sampled_from(["a", "b", "c"])
ARGS = st.dictionaries(st.sampled_from(["x", "y"]), st.integers(0, 2), max_size=2)
MADE = st.lists(
    st.builds(lambda n, a, e: {"name": n, "args": a, "effect": e}, NAMES, ARGS, st.sampled_from(["read", "write"])), max_size=5
)
VALUE = st.integers(0, 2) | st.just({"$any": True}) | st.just({"$ge": 1}) | st.just({"$absent": True})
WANTED = st.lists(
    st.one_of(
        NAMES,
        st.just("*"),
        st.builds(lambda n, a: {"name": n, "args": a}, NAMES, st.dictionaries(st.sampled_from(["x", "y"]), VALUE)),
    ),
    max_size=5,
)
MODES = st.sampled_from(["exact", "partial", "superset", "subset", "ignore"])
EXTRA = st.sampled_from(["allow", "forbid", "forbid_writes"])
MISSING = st.sampled_from(["allow", "forbid"])
ORDERS = st.sampled_from(["exact", "in_order", "any_order"])


def alone(made, wanted, args):
    """Whether one call meets one expectation, by the matcher itself on lists of one."""
    return match_calls([made], [wanted], args=args).passed


def brute(made, wanted, *, order, args, extra, missing):
    """Every way to pair expectations with calls, tried in turn."""
    if order == "exact":
        extra, missing = "forbid", "forbid"
    fit = [[alone(m, w, args) for m in made] for w in wanted]
    best, passed = 0, False
    choices = [[None, *(f for f in range(len(made)) if fit[w][f])] for w in range(len(wanted))]
    for choice in product(*choices):
        used = [f for f in choice if f is not None]
        if len(set(used)) != len(used) or (order != "any_order" and used != sorted(used)):
            continue
        best = max(best, len(used))
        left = [m for f, m in enumerate(made) if f not in used]
        forbidden = [m for m in left if extra == "forbid" or (extra == "forbid_writes" and m.get("effect") != "read")]
        if not forbidden and (missing == "allow" or None not in choice):
            passed = True
    return best, passed


@settings(max_examples=400)
@given(MADE, WANTED, ORDERS, MODES, EXTRA, MISSING)
def test_equals_brute_force(made, wanted, order, args, extra, missing):
    found = match_calls(made, wanted, order=order, args=args, extra=extra, missing=missing)
    best, passed = brute(made, wanted, order=order, args=args, extra=extra, missing=missing)
    assert found.passed == passed
    if order == "any_order":
        assert len(found.pairs) == best


@settings(max_examples=400)
@given(MADE, WANTED, ORDERS, MODES, EXTRA, MISSING)
def test_says_why_exactly_when_it_fails(made, wanted, order, args, extra, missing):
    found = match_calls(made, wanted, order=order, args=args, extra=extra, missing=missing)
    assert bool(found) == found.passed == (found.why == "")
    assert found.passed == (not found.missing and not found.extra)
    if not found.passed:
        assert any(
            line.startswith(("  missing", "  different", "  out of order", "  not expected")) for line in found.why.splitlines()
        )


@given(MADE, WANTED, ORDERS, MODES, EXTRA, MISSING)
def test_pairs_fit_and_are_used_once(made, wanted, order, args, extra, missing):
    found = match_calls(made, wanted, order=order, args=args, extra=extra, missing=missing)
    for pair in [*found.pairs, *found.moved]:
        assert alone(made[pair.actual], wanted[pair.expected], args)
    both = [*found.pairs, *found.moved, *(pair for pair, _ in found.near)]
    assert len({p.actual for p in both}) == len({p.expected for p in both}) == len(both)
    assert [p.expected for p in found.pairs] == sorted(p.expected for p in found.pairs)
    if order != "any_order":
        assert [p.actual for p in found.pairs] == sorted(p.actual for p in found.pairs)


@given(MADE, WANTED, MODES)
def test_strict_implies_in_order_implies_any_order(made, wanted, args):
    strict, in_order, any_order = (
        match_calls(made, wanted, like=word, args=args).passed for word in ("strict", "in_order", "any_order")
    )
    assert strict <= in_order <= any_order
    unordered, subset, superset = (
        match_calls(made, wanted, like=word, args=args).passed for word in ("unordered", "subset", "superset")
    )
    assert strict <= unordered
    assert unordered == (subset and superset)


@given(MADE, WANTED, MODES, EXTRA, MISSING, st.randoms(use_true_random=False))
def test_any_order_does_not_depend_on_any_order(made, wanted, args, extra, missing, random):
    first = match_calls(made, wanted, order="any_order", args=args, extra=extra, missing=missing)
    made, wanted = random.sample(made, len(made)), random.sample(wanted, len(wanted))
    second = match_calls(made, wanted, order="any_order", args=args, extra=extra, missing=missing)
    assert (first.passed, len(first.pairs), len(first.missing), len(first.extra)) == (
        second.passed,
        len(second.pairs),
        len(second.missing),
        len(second.extra),
    )


def turned(value):
    if isinstance(value, dict):
        return {k: turned(v) for k, v in reversed(list(value.items()))}
    return [turned(v) for v in value] if isinstance(value, list) else value


@given(MADE, WANTED, ORDERS, MODES, EXTRA, MISSING)
def test_the_order_of_keys_never_counts(made, wanted, order, args, extra, missing):
    rules = {"order": order, "args": args, "extra": extra, "missing": missing}
    assert match_calls(made, wanted, **rules) == match_calls(turned(made), turned(wanted), **rules)


@given(MADE, MODES, ORDERS)
def test_a_run_matches_itself(made, args, order):
    assert match_calls(made, made, args=args, order=order, extra="forbid")


# --- what users of other matchers complained about


def test_pairing_is_not_greedy():
    """deepeval#3338: the wide expectation must not take the only call that the narrow one can have."""
    made = [call("get", id=1), call("get", id=2)]
    for wanted in permutations(["get", call("get", id=1)]):
        found = match_calls(made, list(wanted), order="any_order")
        assert found
        assert {(p.actual, wanted[p.expected] == "get") for p in found.pairs} == {(0, False), (1, True)}


def test_a_long_chain_of_swaps():
    """Each expectation can have its call only if the one before gives it up."""
    n = 60
    made = [call("t", k=i) for i in range(n)]
    wanted = [call("t", k={"$in": [i, i + 1]}) for i in range(n - 1)] + [call("t", k=0)]
    assert match_calls(made, wanted, order="any_order", extra="forbid")


def test_a_chain_as_long_as_the_run_needs_no_deep_recursion():
    n = 1100
    made = [call(f"t{i}") for i in range(n)]
    graph = {w: {w, w + 1} if w < n - 1 else {0} for w in range(n)}
    mates = pair_freely(n, n, lambda w, f: f in graph[w], due=True, claimed=[True] * n)
    assert sorted(mates) == list(range(n))
    assert match_calls(made[:200], list(reversed(made[:200])), order="any_order", extra="forbid")


def test_one_tool_twice_counts_twice():
    """deepeval#3141: calls are a multiset."""
    assert match_calls([call("a"), call("a")], ["a", "a"], like="unordered")
    assert not match_calls([call("a")], ["a", "a"], order="any_order")
    assert match_calls([call("a"), call("a")], ["a"], like="subset").extra == [1]


@pytest.mark.parametrize("word", LIKE)
def test_nothing_expected_and_nothing_called(word):
    """deepeval#2024."""
    assert match_calls([], [], like=word)


def test_writes_may_be_all_that_is_forbidden():
    read, write, unknown = {**call("a"), "effect": "read"}, {**call("b"), "effect": "write"}, call("c")
    assert match_calls([read], [], extra="forbid_writes")
    assert match_calls([read, write], [], extra="forbid_writes").extra == [1]
    assert match_calls([unknown], [], extra="forbid_writes").extra == [0]
    irreversible = {**call("d"), "effect": "irreversible"}
    assert not match_calls([irreversible], [], extra="forbid_writes")


def test_a_write_is_paired_before_a_read():
    """Both fit the one expectation; only one choice leaves no forbidden call."""
    made = [{**call("a"), "effect": "read"}, {**call("b"), "effect": "write"}]
    for order in ("in_order", "any_order"):
        found = match_calls(made, ["*"], order=order, extra="forbid_writes")
        assert found
        assert found.pairs == [Pair(actual=1, expected=0)]


# --- the words of other tools


A, B, C = call("a"), call("b"), call("c")


@pytest.mark.parametrize(
    ("word", "passing", "failing"),
    [
        ("strict", [[A, B]], [[B, A], [A], [A, B, C], [A, C, B]]),
        ("EXACT", [[A, B]], [[B, A], [A], [A, B, C], [A, C, B]]),
        ("unordered", [[A, B], [B, A]], [[A], [A, B, C], [A, A, B]]),
        ("subset", [[A, B], [B, A], [A], []], [[A, B, C], [A, A], [C]]),
        ("superset", [[A, B], [B, A], [C, B, A, A]], [[A], [B, C], []]),
        ("IN_ORDER", [[A, B], [C, A, C, B, C]], [[B, A], [A], []]),
        ("Any_Order", [[A, B], [B, A], [C, B, A]], [[A, A], [B], []]),
    ],
)
def test_like(word, passing, failing):
    for made in passing:
        assert match_calls(made, [A, B], like=word)
    for made in failing:
        assert not match_calls(made, [A, B], like=word)


@pytest.mark.parametrize(
    ("mode", "passing", "failing"),
    [
        ("exact", [{"x": 1, "y": 2}], [{"x": 1}, {"x": 1, "y": 2, "z": 3}, {}]),
        ("partial", [{"x": 1, "y": 2}, {"x": 1, "y": 2, "z": 3}], [{"x": 1}, {}, {"x": 1, "y": 3}]),
        ("superset", [{"x": 1, "y": 2}, {"x": 1, "y": 2, "z": 3}], [{"x": 1}, {}, {"x": 1, "y": 3}]),
        ("subset", [{"x": 1, "y": 2}, {"x": 1}, {}], [{"x": 2}, {"x": 1, "y": 2, "z": 3}, {"z": 3}]),
        ("ignore", [{"x": 1, "y": 2}, {}, {"z": 3}], []),
    ],
)
def test_argument_modes(mode, passing, failing):
    for order in ("exact", "in_order", "any_order"):
        for args in passing:
            assert match_calls([call("a", **args)], [call("a", x=1, y=2)], args=mode, order=order)
        for args in failing:
            assert not match_calls([call("a", **args)], [call("a", x=1, y=2)], args=mode, order=order)


def test_a_name_alone_means_any_arguments_in_every_mode():
    for mode in ("exact", "partial", "subset", "ignore"):
        assert match_calls([call("a", x=1)], ["a"], args=mode)
        assert match_calls([call("a", x=1)], [{"name": "a"}], args=mode)
    assert not match_calls([call("a", x=1)], [call("a")], args="exact")


def test_a_star_in_a_name():
    assert match_calls([call("orders.get")], ["orders.*"])
    assert not match_calls([call("refunds.get")], ["orders.*"])
    assert not match_calls([call("ordersXget")], ["orders.*"])
    assert not match_calls([call("a[b]")], ["a[*c]"])


# --- forms of a call, and wrong ones


def test_forms_of_a_call():
    openai = {"id": "1", "type": "function", "function": {"name": "a", "arguments": '{"x": 1}'}}
    of_run = Call(tool="a", args={"x": 2}, sent={"x": 1}, source="live")
    for made in (openai, of_run, call("a", x=1), {"name": "a", "arguments": {"x": 1}}):
        for wanted in (openai, call("a", x=1), "a"):
            assert match_calls([made], [wanted], args="exact")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"like": "strickt"}, "did you mean 'strict'?"),
        ({"like": "strict", "order": "exact"}, "stands in place of order"),
        ({"like": "strict", "extra": "forbid"}, "give one or the other"),
        ({"like": "strict", "missing": "allow"}, "give one or the other"),
        ({"order": "inorder"}, "did you mean 'in_order'?"),
        ({"args": "fuzzy"}, "args='fuzzy': expected one of exact, partial"),
        ({"extra": "no"}, "extra='no'"),
        ({"missing": "no"}, "missing='no'"),
    ],
)
def test_wrong_words(arguments, text):
    with pytest.raises(ValueError) as error:
        match_calls([], [], **arguments)
    assert text in str(error.value)


@pytest.mark.parametrize("wrong", [{}, {"name": 1}, {"name": "a", "args": [1]}, 3, None, {"function": "a"}])
def test_no_call(wrong):
    with pytest.raises(ValueError, match=r"actual\[0\]: a call is"):
        match_calls([wrong], [])


def test_a_malformed_operator_is_told():
    with pytest.raises(ValueError, match=r"expected\[1\]\.args\.x\.\$gtt|expected\[1\]\.args\.x\['\$gtt'\]"):
        match_calls([], ["a", call("a", x={"$gtt": 1})])
