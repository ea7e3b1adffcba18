"""Tier promotion: the evidence of recorded runs, tool by tool, and what it is good for."""

from __future__ import annotations

from math import comb
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agentops.policy.files import load_text
from pytest_agentops.policy.played import PlayedCall, PlayedRun
from pytest_agentops.schema.contract import Contract
from pytest_agentops.scoring.promotion import Evidence, promotion
from pytest_agentops.scoring.statistics import lower_bound

from ..policy.conftest import standing

TOOLS = {
    "payments.refund": Contract(name="payments.refund", tier=3, effect="write"),
    "email.send": Contract(name="email.send", tier=2, effect="write"),
    "orders.get": Contract(name="orders.get", tier=0, effect="read"),
}
POLICIES = """version: 1
policies:
- {tool: payments.refund, default: "require_approval:boss"}
- {tool: "email.*", default: allow}
"""


def call(tool: str, **fields: Any) -> PlayedCall:
    return PlayedCall(tool=tool, args={}, **fields)


def run(number: int, *calls: PlayedCall, **fields: Any) -> PlayedRun:
    given: dict[str, Any] = {"contracts": TOOLS, "success": True}
    return PlayedRun(id=f"r{number}", calls=calls, **(given | fields))


def test_it_weighs_runs_and_says_what_is_missing() -> None:
    good = [run(n, call("payments.refund"), call("email.send")) for n in range(59)]
    by_tool = {e.tool: e for e in promotion(good, standing(load_text(POLICIES, file="policy.yaml").policies))}
    email, refund = by_tool["email.send"], by_tool["payments.refund"]
    assert (email.advice, email.tier, email.needed, email.wrong) == ("may move down", 2, 59, 0)
    assert (refund.advice, refund.tier, refund.needed) == ("too little evidence", 3, 299)


def test_humans_who_change_things_ask_for_a_higher_tier() -> None:
    edited = {"kind": "edit", "tool": "email.send"}
    changed = [run(n, call("email.send"), interventions=(edited,)) for n in range(5)]
    (worse,) = promotion([*changed, run(5, call("email.send"))], standing([]))
    assert (worse.advice, worse.changed, worse.asked) == ("should move up", 5, 5)


def test_a_run_that_a_human_and_a_policy_stopped_is_one() -> None:
    edited = {"kind": "edit", "tool": "email.send"}
    both = [run(n, call("email.send", decision="deny"), interventions=(edited,)) for n in range(3)]
    (found,) = promotion(both, standing([]))
    assert (found.changed, found.blocked, found.stepped_in, found.runs) == (3, 3, 3, 3)
    assert found.stepped_in_at_least == pytest.approx(0.05 ** (1 / 3))
    assert found.advice == "should move up"


def test_at_the_bottom_it_stays() -> None:
    (blocked,) = promotion([run(0, call("orders.get", decision="deny", reached=False), success=False)], standing([]))
    assert (blocked.tier, blocked.advice, blocked.blocked, blocked.target) == (0, "stay", 1, None)
    draft = {"draft": Contract(name="draft", tier=1, effect="write")}
    (kept,) = promotion([run(1, call("draft"), contracts=draft)], standing([]))
    assert (kept.advice, kept.target, kept.needed) == ("stay", None, 0)


def test_ten_thousand_runs_are_weighed() -> None:
    found = Evidence(tool="email.send", tier=2, runs=10_000, wrong=5_000, stepped_in=200)
    assert found.right_at_least == pytest.approx(0.4917, abs=1e-4)
    assert found.advice == "stay"


@given(st.integers(1, 60), st.data())
def test_a_bound_is_where_so_many_good_ones_become_unlikely(of: int, data: st.DataObject) -> None:
    good = data.draw(st.integers(1, of))
    bound = lower_bound(good, of, 0.95, "exact")
    assert bound is not None
    chance = sum(comb(of, n) * bound**n * (1 - bound) ** (of - n) for n in range(good, of + 1))
    assert 0 < bound <= good / of
    assert chance == pytest.approx(0.05, abs=1e-6)
