"""The texts of failed matches, whole: what a person reads is part of the work."""

from __future__ import annotations

from textwrap import dedent

import pytest

from pytest_agentops.scoring.calls import match_calls


def call(name, **args):
    return {"name": name, "args": args}


GET, NOTE, REFUND = call("orders.get", order_id="W-1"), call("crm.note"), call("payments.refund", order_id="W-1", amount_usd=40)

GOLDEN = [
    (
        "missing",
        [GET, NOTE],
        ["orders.get", "email.send"],
        {},
        """\
        1 of 2 expected calls fit, 1 missing (order: in_order, args: partial, extra: allow)
          fits          1. orders.get (call 1)
          missing       2. email.send
                        email.send was never called; called were crm.note, orders.get
        """,
    ),
    (
        "misspelt",
        [GET],
        ["order.get"],
        {},
        """\
        0 of 1 expected calls fit, 1 missing (order: in_order, args: partial, extra: allow)
          missing       1. order.get
                        order.get was never called; called were orders.get; did you mean 'orders.get'?
        """,
    ),
    (
        "nothing called",
        [],
        ["a"],
        {},
        """\
        0 of 1 expected calls fit, 1 missing (order: in_order, args: partial, extra: allow)
          missing       1. a
                        no tool was called
        """,
    ),
    (
        "too few of one tool",
        [call("a")],
        ["a", "a"],
        {"order": "any_order"},
        """\
        1 of 2 expected calls fit, 1 missing (order: any_order, args: partial, extra: allow)
          fits          1. a (call 1)
          missing       2. a
                        a was called once, and a call meets one expectation only: call 1 goes with expectation 1
        """,
    ),
    (
        "extra",
        [GET, NOTE, REFUND],
        ["orders.get", "payments.refund"],
        {"extra": "forbid"},
        """\
        2 of 2 expected calls fit, 1 not expected (order: in_order, args: partial, extra: forbid)
          fits          1. orders.get (call 1)
          not expected  call 2: crm.note {}
          fits          2. payments.refund (call 3)
        """,
    ),
    (
        "an extra write",
        [{**GET, "effect": "read"}, {**REFUND, "effect": "write"}],
        [],
        {"extra": "forbid_writes"},
        """\
        0 of 0 expected calls fit, 1 not expected (order: in_order, args: partial, extra: forbid_writes)
          not expected  call 2: payments.refund {"amount_usd":40,"order_id":"W-1"} (a write)
        """,
    ),
    (
        "out of order",
        [call("b"), call("a")],
        ["a", "b"],
        {},
        """\
        1 of 2 expected calls fit, 1 out of order (order: in_order, args: partial, extra: allow)
          fits          1. a (call 2)
          out of order  2. b
                        it was call 1; wanted after call 2 (a)
        """,
    ),
    (
        "too early, with others in place before it",
        [call("a"), call("c"), call("b")],
        ["a", "b", "c"],
        {"extra": "forbid"},
        """\
        2 of 3 expected calls fit, 1 out of order (order: in_order, args: partial, extra: forbid)
          fits          1. a (call 1)
          fits          2. b (call 3)
          out of order  3. c
                        it was call 2; wanted after call 3 (b)
        """,
    ),
    (
        "too late, with others in place before it",
        [call("a"), call("c"), call("d"), call("b")],
        ["a", "b", "c", "d"],
        {"extra": "forbid"},
        """\
        3 of 4 expected calls fit, 1 out of order (order: in_order, args: partial, extra: forbid)
          fits          1. a (call 1)
          out of order  2. b
                        it was call 4; wanted before call 2 (c)
          fits          3. c (call 2)
          fits          4. d (call 3)
        """,
    ),
    (
        "the first one too late",
        [call("b"), call("c"), call("a")],
        ["a", "b", "c"],
        {"order": "exact"},
        """\
        2 of 3 expected calls fit, 1 out of order (order: exact, args: partial, extra: forbid)
          out of order  1. a
                        it was call 3; wanted before call 1 (b)
          fits          2. b (call 1)
          fits          3. c (call 2)
        """,
    ),
    (
        "the call it was wanted after is the last that came too late",
        [call("a"), call("c"), call("b"), call("d")],
        ["a", "b", "b", "c"],
        {"order": "exact"},
        """\
        2 of 4 expected calls fit, 1 missing, 1 out of order, 1 not expected (order: exact, args: partial, extra: forbid)
          fits          1. a (call 1)
          fits          2. b (call 3)
          missing       3. b
                        b was called once, and a call meets one expectation only: call 3 goes with expectation 2
          out of order  4. c
                        it was call 2; wanted after call 3 (b)
          not expected  call 4: d {}
        """,
    ),
    (
        "of two ways to see it the one that explains more",
        [call("b"), call("c", x=2), call("a")],
        ["a", "b", call("c", x=1)],
        {},
        """\
        1 of 3 expected calls fit, 1 different, 1 out of order (order: in_order, args: partial, extra: allow)
          out of order  1. a
                        it was call 3; wanted before call 1 (b)
          fits          2. b (call 1)
          different     3. c {"x":1}
                        call 2: c {"x":2}
                          x: wanted 1, got 2
        """,
    ),
    (
        "an argument different",
        [GET, NOTE, REFUND],
        ["orders.get", call("payments.refund", amount_usd={"$gt": 0, "$le": 30}, order_id="W-1", reason="broken")],
        {},
        """\
        1 of 2 expected calls fit, 1 different (order: in_order, args: partial, extra: allow)
          fits          1. orders.get (call 1)
          different     2. payments.refund {"amount_usd":{"$gt":0,"$le":30},"order_id":"W-1","reason":"broken"}
                        call 3: payments.refund {"amount_usd":40,"order_id":"W-1"}
                          amount_usd: wanted <= 30, got 40
                          reason: missing, wanted "broken"
        """,
    ),
    (
        "the closest of several is shown",
        [call("a", x=1, y=2, z=9), call("a", x=7, y=8, z=9), call("a", x=1, y=8, z=9)],
        [call("a", x=1, y=2, z=3)],
        {"order": "any_order"},
        """\
        0 of 1 expected calls fit, 1 different (order: any_order, args: partial, extra: allow)
          different     1. a {"x":1,"y":2,"z":3}
                        call 1: a {"x":1,"y":2,"z":9}
                          z: wanted 3, got 9
        """,
    ),
    (
        "a number as text",
        [call("a", amount="30")],
        [call("a", amount=30)],
        {},
        """\
        0 of 1 expected calls fit, 1 different (order: in_order, args: partial, extra: allow)
          different     1. a {"amount":30}
                        call 1: a {"amount":"30"}
                          amount: wanted 30, got "30" (a string)
        """,
    ),
    (
        "different and out of order",
        [call("b", x=2), call("a")],
        ["a", call("b", x=1)],
        {},
        """\
        1 of 2 expected calls fit, 1 different (order: in_order, args: partial, extra: allow)
          fits          1. a (call 2)
          different     2. b {"x":1}
                        call 1: b {"x":2} (and out of order)
                          x: wanted 1, got 2
        """,
    ),
    (
        "subset",
        [GET, REFUND, NOTE],
        ["orders.get", call("payments.refund", amount_usd=30)],
        {"like": "subset"},
        """\
        1 of 2 expected calls fit, 2 not expected (order: any_order, args: partial, extra: forbid, missing: allow)
          fits          1. orders.get (call 1)
          not expected  call 2: payments.refund {"amount_usd":40,"order_id":"W-1"}
                        closest is expectation 2: amount_usd: wanted 30, got 40
          not expected  call 3: crm.note {}
        """,
    ),
    (
        "an argument too many",
        [call("a", x=1, y=2)],
        [call("a", x=1)],
        {"args": "exact"},
        """\
        0 of 1 expected calls fit, 1 different (order: in_order, args: exact, extra: allow)
          different     1. a {"x":1}
                        call 1: a {"x":1,"y":2}
                          y: not expected, got 2
        """,
    ),
    (
        "long runs of what fits are cut",
        [call(f"t{i}") for i in range(9)],
        [*(f"t{i}" for i in range(9)), "last"],
        {},
        """\
        9 of 10 expected calls fit, 1 missing (order: in_order, args: partial, extra: allow)
          fits          1. t0 (call 1)
          fits          ... 7 more ...
          fits          9. t8 (call 9)
          missing       10. last
                        last was never called; called were t0, t1, t2, t3, t4, t5 and 3 more
        """,
    ),
]


@pytest.mark.parametrize(("name", "made", "wanted", "rules", "text"), GOLDEN, ids=[g[0] for g in GOLDEN])
def test_golden(name, made, wanted, rules, text):
    assert match_calls(made, wanted, **rules).why + "\n" == dedent(text)


def test_a_text_stays_readable_however_much_is_wrong():
    why = match_calls([call(f"x{i}", big="y" * 500) for i in range(300)], [f"w{i}" for i in range(300)], like="strict").why
    lines = why.splitlines()
    assert len(lines) <= 42
    assert max(map(len, lines)) < 300
    assert "300 missing, 300 not expected" in lines[0]


def test_the_alignment_breaks_as_little_as_possible():
    """One call too many in the middle must not make everything after it look wrong."""
    made = [call("a"), call("a"), call("extra"), *(call("b", i=i) for i in range(5))]
    wanted = ["a", "a", *(call("b", i=i) for i in range(5))]
    found = match_calls(made, wanted, order="exact")
    assert found.extra == [2]
    assert found.missing == found.moved == found.near == []


def test_near_misses_come_in_the_order_of_the_expectations():
    made = [call("a", x=1, y=1), call("b", x=1, y=2)]
    wanted = [call("a", x=5, y=5), call("b", x=1, y=1)]
    found = match_calls(made, wanted, order="any_order")
    assert [pair.expected for pair, _ in found.near] == [0, 1]
    assert [[d.path for d in diffs] for _, diffs in found.near] == [["$.x", "$.y"], ["$.y"]]
