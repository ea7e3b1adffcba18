"""What a policy costs: a decision over ten rules, and reading the founding file."""

from __future__ import annotations

import pytest

from pytest_agentops.policy.decide import decide
from pytest_agentops.policy.parsing import parse

from .conftest import FOUNDING, bound, policies_of, request, rules
from .test_conditions import fastest


def test_ten_rules_are_decided_in_fifty_microseconds(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"{{if: \"amount_usd == {i} and customer_tier in ['a', 'b']\", allow: true}}" for i in range(8)]
    text = rules(*lines, '{if: "amount_usd > 5000", deny: true}', '{if: "amount_usd > 50", require_approval: m}')
    policies, asked = bound(text), request({"amount_usd": 120}, context={"customer_tier": "pro"})
    assert decide(policies, asked).rule == "payments.refund/10"
    cost = fastest(lambda: decide(policies, asked), rounds=500)
    with capsys.disabled():
        print(f"\nten rules decided in {cost * 1e6:.0f} us")
    assert cost < 50e-6


def test_the_founding_policy_is_read_in_ten_milliseconds(capsys: pytest.CaptureFixture[str]) -> None:
    def read() -> None:
        parse.cache_clear()
        policies_of(FOUNDING)

    cost = fastest(read)
    with capsys.disabled():
        print(f"\nthe founding policy read in {cost * 1e3:.2f} ms")
    assert cost < 0.01
