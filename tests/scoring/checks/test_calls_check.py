from __future__ import annotations

from textwrap import dedent

import pytest

from pytest_agentops.schema.call import Call, ErrorInfo


@pytest.fixture
def calls(made):
    failed = made("email.send", to="ann")
    failed.error = ErrorInfo(type="Timeout")
    stopped = Call(tool="payments.refund", args={"amount_usd": 500}, decision="deny", reason="rule")
    return [made("orders.get", order_id="W-1"), stopped, made("payments.refund", order_id="W-1", amount_usd=30), failed]


@pytest.mark.parametrize(
    "wanted",
    [
        {"include": ["orders.get", {"payments.refund": {"amount_usd": {"$le": 30}}}, "email.send"]},
        {"include": ["orders.get", "payments.refund", "email.send"], "order": "exact"},
        {"include": ["email.send", "orders.get", "payments.refund"], "like": "Unordered"},
        {"include": ["orders.get", "crm.note", "payments.refund", "email.send"], "like": "subset"},
        {"include": [{"orders.get": None}]},
        {"include": ["email.*"]},
        {"include": [], "extra": "allow"},
        {"never": ["crm.*", {"payments.refund": {"amount_usd": {"$gt": 100}}}]},
        {"never_tried": ["crm.note", {"payments.refund": {"amount_usd": 501}}]},
        {"count": {"payments.refund": 1, "*": {"min": 3, "max": 3}, "crm.note": 0, "payments.*": {"max": 1}}},
    ],
)
def test_passes(check, calls, wanted):
    result = check("calls", wanted, calls=calls)
    assert result.passed, result.why
    assert result.why == ""
    assert result.measured == ["orders.get", "payments.refund", "email.send"]


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (
            {"never": ["email.*"]},
            'never: email.* reached the tool: call 3 is email.send {"to":"ann"}',
        ),
        (
            {"never": [{"payments.refund": {"amount_usd": {"$ge": 30}}}], "args": "ignore"},
            'never: payments.refund {"amount_usd":{"$ge":30}} reached the tool: '
            'call 2 is payments.refund {"amount_usd":30,"order_id":"W-1"}',
        ),
        (
            {"never": [{"payments.refund": {"amount_usd": 30}}], "args": "exact"},
            'never: payments.refund {"amount_usd":30} reached the tool: '
            'call 2 is payments.refund {"amount_usd":30,"order_id":"W-1"}',
        ),
        (
            {"never_tried": [{"payments.refund": {"amount_usd": {"$gt": 100}}}]},
            'never_tried: payments.refund {"amount_usd":{"$gt":100}} was tried: call 2 is payments.refund {"amount_usd":500}',
        ),
        ({"count": {"payments.refund": 2}}, "count: payments.refund: 1 instead of exactly 2"),
        ({"count": {"*": {"max": 2}}}, "count: calls in all: 3 is more than the wanted max 2"),
        (
            {"count": {"order.get": {"min": 1}}},
            "count: order.get: 0 is less than the wanted min 1; called were email.send, orders.get, payments.refund; "
            "did you mean 'orders.get'?",
        ),
        (
            {"include": [{"payments.refund": {"amount_usd": 500}}]},
            dedent(
                """\
                0 of 1 expected calls fit, 1 different (order: in_order, args: partial, extra: allow)
                  different     1. payments.refund {"amount_usd":500}
                                call 2: payments.refund {"amount_usd":30,"order_id":"W-1"}
                                  amount_usd: wanted 500, got 30
                  tried, but it did not reach the tool: payments.refund {"amount_usd":500}: deny (rule)"""
            ),
        ),
        (
            {"include": ["orders.get", "email.send"], "extra": "forbid"},
            dedent(
                """\
                2 of 2 expected calls fit, 1 not expected (order: in_order, args: partial, extra: forbid)
                  fits          1. orders.get (call 1)
                  not expected  call 2: payments.refund {"amount_usd":30,"order_id":"W-1"}
                  fits          2. email.send (call 3)"""
            ),
        ),
    ],
)
def test_fails(check, calls, wanted, why):
    result = check("calls", wanted, calls=calls)
    assert not result.passed
    assert result.why == why
    assert result.where == "cases/shop.yaml:10"
    assert result.wanted == wanted


def test_every_key_must_hold(check, calls):
    result = check("calls", {"include": ["crm.note"], "never": ["email.send"], "count": {"orders.get": 2}}, calls=calls)
    assert [line.split(":")[0] for line in result.why.splitlines() if not line.startswith(" ")][1:] == ["never", "count"]


def test_extra_alone_forbids_every_call(check, calls):
    assert not check("calls", {"extra": "forbid"}, calls=calls).passed
    assert not check("calls", {"like": "strict"}, calls=calls).passed
    assert not check("calls", {"order": "exact"}, calls=calls).passed
    assert check("calls", {"extra": "forbid"}, calls=[c for c in calls if not c.reached]).passed


def test_forbid_writes_goes_by_the_declared_effect(check, made):
    calls = [made("orders.get"), made("orders.put"), made("unknown"), made("orders.drop")]
    for call, effect in zip(calls, ("read", "write", None, "irreversible"), strict=True):
        call.effect = effect
    result = check("calls", {"extra": "forbid_writes"}, calls=calls)
    assert [line.split()[3] for line in result.why.splitlines()[1:]] == ["2:", "3:", "4:"]
    assert check("calls", {"extra": "forbid_writes"}, calls=calls[:1]).passed
    assert check("calls", {"extra": "forbid_writes", "include": ["orders.put"]}, calls=calls[:2]).passed


def test_the_arguments_that_reached_the_tool_count(check):
    edited = Call(tool="refund", args={"amount": 90}, sent={"amount": 20}, decision="edited", source="live")
    assert check("calls", {"include": [{"refund": {"amount": 20}}]}, calls=[edited]).passed
    assert not check("calls", {"include": [{"refund": {"amount": 90}}]}, calls=[edited]).passed
    assert check("calls", {"never": [{"refund": {"amount": 90}}]}, calls=[edited]).passed
    assert not check("calls", {"never_tried": [{"refund": {"amount": 90}}]}, calls=[edited]).passed
    assert not check("calls", {"never_tried": [{"refund": {"amount": 20}}]}, calls=[edited]).passed
