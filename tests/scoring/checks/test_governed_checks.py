"""The checks `policy`, `interventions`, `budget` and `detectors`."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_agentops.schema.call import Call, ErrorInfo
from pytest_agentops.schema.run import BudgetUse


def denied(tool: str = "pay", **args: Any) -> Call:
    error = ErrorInfo(type="rule", message="denied by rule p/1")
    return Call(tool=tool, args=args, decision="deny", reason="rule", rule="p/1", error=error)


def ran(tool: str = "pay", decision: Any = "allow", **args: Any) -> Call:
    return Call(tool=tool, args=args, decision=decision, reason="rule", source="replay")


MIX = [denied(n=1), ran(decision="approved"), ran(decision="edited"), ran()]


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"blocks": 1}, ""),
        ({"blocks": {"max": 1, "min": 1}}, ""),
        ({"blocks": 0}, 'blocks: 1 instead of exactly 0\n  pay {"n":1}: denied by rule p/1'),
        ({"approvals": 2}, ""),
        ({"approvals": 0}, "approvals: 2 instead of exactly 0\n  pay {}: rule\n  pay {}: rule"),
        ({"unexpected_blocks": 1}, ""),
        ({"unexpected_blocks": 0, "blocked": ["pay"]}, ""),
        ({"unexpected_blocks": 0}, 'unexpected_blocks: 1 instead of exactly 0\n  pay {"n":1}: denied by rule p/1'),
        ({"blocked": ["pay"]}, ""),
        ({"blocked": ["p*"]}, ""),
        ({"blocked": [{"tool": "pay", "reason": "rule", "rule": "p/1", "args": {"n": {"$lt": 2}}}]}, ""),
        ({"blocked": []}, 'blocked: a policy stopped more than is listed\n  pay {"n":1}: denied by rule p/1'),
        ({"blocked": [], "blocks": 1}, ""),
        (
            {"blocked": ["pay", {"tool": "pay", "args": {"n": 2}}]},
            'blocked: no call was stopped that fits pay {"n":2}\n'
            '  stopped, with other arguments: pay {"n":1}: rule, rule p/1\n'
            "  let through: pay {} (rule)\n  let through: pay {} (rule)\n  let through: pay {} (rule)",
        ),
        (
            {"blocked": ["pay", {"tool": "mail", "reason": "limit"}]},
            "blocked: no call was stopped that fits mail, reason limit\n  mail was never tried; tried were: pay",
        ),
    ],
)
def test_policy(wanted: Any, why: str, check: Any) -> None:
    result = check("policy", wanted, calls=MIX)
    assert (result.passed, result.why) == (not why, why)
    assert result.measured == {"blocks": 1, "unexpected_blocks": result.measured["unexpected_blocks"], "approvals": 2}


def test_what_people_or_a_budget_stopped_can_be_asked_for_and_is_no_block(check: Any) -> None:
    calls = [
        Call(tool="pay", args={}, decision="rejected", reason="approval_rejected"),
        Call(tool="mail", args={}, decision="budget", reason="budget_exceeded"),
    ]
    wanted = {
        "blocks": 0,
        "blocked": [{"tool": "pay", "reason": "approval_rejected"}, {"tool": "mail", "reason": "budget_exceeded"}],
    }
    assert check("policy", wanted, calls=calls).passed


def test_a_stored_answer_was_not_stopped(check: Any) -> None:
    stored = Call(tool="pay", args={}, stored=True)
    assert not check("policy", {"blocked": ["pay"]}, calls=[stored]).passed


def test_nothing_was_tried(check: Any) -> None:
    assert check("policy", {"blocked": ["pay"]}, calls=[]).why.endswith("pay was never tried; tried were: none")


def test_a_long_list_is_cut(check: Any) -> None:
    assert check("policy", {"blocks": 0}, calls=[denied(n=n) for n in range(7)]).why.endswith("\n  and 2 more")


ACTS = [{"kind": "edit", "tool": "pay", "by": "ann", "role": "boss", "source": "recorded"}]


@pytest.mark.parametrize(("wanted", "why"), [(1, ""), ({"max": 2}, ""), (0, "1 instead of exactly 0"), ({"min": 2}, "less than")])
def test_interventions(wanted: Any, why: str, check: Any) -> None:
    result = check("interventions", wanted, interventions=ACTS)
    assert result.passed is not bool(why)
    assert why in result.why
    assert bool(why) == ("  edit of pay by ann (boss, recorded)" in result.why)


@pytest.mark.parametrize(
    ("wanted", "use", "why"),
    [
        ({"exceeded": "none"}, BudgetUse(), ""),
        ({"exceeded": "usd"}, BudgetUse(exceeded="usd"), ""),
        ({"exceeded": "none"}, BudgetUse(exceeded="usd"), "exceeded: wanted none, and it is usd (over)"),
        ({"exceeded": "usd"}, BudgetUse(), "exceeded: wanted usd, and it is none"),
        ({"degraded": 1}, BudgetUse(degraded=({"at": 0.8, "of": "usd"},)), ""),
        (
            {"degraded": 0},
            BudgetUse(degraded=({"at": 0.8, "of": "usd"},)),
            "degraded: 1 instead of exactly 0; taken: at 0.8 of usd",
        ),
        ({"degraded": 1}, BudgetUse(), "degraded: 0 instead of exactly 1; taken: none"),
        ({"share": {"max": 0.5}}, BudgetUse(share=0.5), ""),
        ({"share": {"max": 0.5}}, BudgetUse(share=0.51), "share: 0.51 is more than the wanted max 0.5"),
        (
            {"share": {"max": 0.5}},
            BudgetUse(),
            "share: unknown: the budget names no limit, or a model answer had no price or stated no usage",
        ),
    ],
)
def test_budget(wanted: Any, use: BudgetUse, why: str, check: Any) -> None:
    result = check("budget", wanted, budget=use, stop="over")
    assert (result.passed, result.why) == (not why, why)


def test_detectors(check: Any) -> None:
    calls = [ran(n=1)] * 3
    result = check("detectors", {"loop": "fail", "empty_retrieval": "fail"}, calls=calls)
    assert result.why == 'loop: pay {"n":1}: 3 times in a row, from call 1 on'
    assert check("detectors", {"loop": "ignore"}, calls=calls).passed
    assert check("detectors", {"loop": "fail"}, calls=calls[:2]).passed
