"""Recorded runs put before policies: backtest, least privilege."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from pytest_agentops.policy.backtest import Backtest
from pytest_agentops.policy.backtest import backtest as backtest_of
from pytest_agentops.policy.binding import bind
from pytest_agentops.policy.decide import evaluate
from pytest_agentops.policy.files import load_text
from pytest_agentops.policy.model import Policy
from pytest_agentops.policy.played import PlayedCall, PlayedRun, decided
from pytest_agentops.policy.privilege import Privilege
from pytest_agentops.policy.privilege import privilege as privilege_of
from pytest_agentops.policy.standing import Standing
from pytest_agentops.schema.case import Principal
from pytest_agentops.schema.contract import Contract

from .conftest import FOUNDING, contract, policies_of, rules, standing

TOOLS = {
    "payments.refund": contract(scopes=("pay",)),
    "email.send": Contract(name="email.send", tier=2, effect="write", scopes=("mail",)),
    "orders.get": Contract(name="orders.get", tier=0, effect="read"),
}


def call(amount: Any = 20, tool: str = "payments.refund", **fields: Any) -> PlayedCall:
    return PlayedCall(tool=tool, args={} if amount is None else {"amount_usd": amount}, **fields)


def run(name: str, *calls: PlayedCall, **fields: Any) -> PlayedRun:
    given: dict[str, Any] = {
        "context": {"customer_tier": "pro"},
        "principal": Principal(id="bot", scopes=("pay", "mail", "admin")),
        "contracts": TOOLS,
        "success": True,
        "cost_usd": Decimal("0.1"),
    }
    return PlayedRun(id=name, calls=calls, **(given | fields))


def backtest(runs: Iterable[PlayedRun], before: Iterable[Policy], after: Iterable[Policy]) -> Backtest:
    return backtest_of(runs, standing(before), standing(after))


def privilege(runs: Sequence[PlayedRun], policies: Iterable[Policy]) -> Privilege:
    return privilege_of(runs, standing(policies))


def founding(change: str = "<= 50", file: str = "p0.yaml") -> list[Policy]:
    return list(load_text(FOUNDING.replace("<= 50", change).replace("> 50", change.replace("<=", ">")), file=file).policies)


def test_calls_are_told_by_rule_and_effect_with_the_runs_apart() -> None:
    runs = [run("a", call(20)), run("b", call(20), call(45), success=False), run("c", call(45))]
    found = backtest(runs, founding(), founding("<= 30"))
    assert [(one.run.id, one.number, one.effect, one.after_divergence) for one in found.changed] == [
        ("b", 2, "newly asked", False),
        ("c", 1, "newly asked", False),
    ]
    assert list(found.by_rule()) == ["payments.refund/3 (p0.yaml:9)"]
    assert found.affected == ["b (trial 1)", "c (trial 1)"]
    assert found.before is not None
    assert found.same is not None
    assert found.counterfactual is not None
    assert (found.before.success_rate, found.same.success_rate, found.counterfactual.success_rate) == (0.666667, 1.0, 0.5)
    assert (found.before.cost_per_success, found.before.intervention_rate) == (Decimal("0.15"), 0.0)
    assert found.interventions == (0, 2)
    back = backtest(runs, founding("<= 30"), founding())
    assert {one.effect for one in back.changed} == {"newly allowed"}


def test_blocks_and_other_people_and_what_comes_after_a_divergence() -> None:
    deny = policies_of(rules('{if: "amount_usd > 10", deny: true}', "{allow: true}", more="tier: 2"))
    ask, other = (policies_of(rules(f"{{require_approval: {role}}}")) for role in "mn")
    found = backtest([run("a", call(20), call(21))], policies_of(rules("{allow: true}")), deny)
    assert [(c.effect, c.after_divergence) for c in found.changed] == [("newly blocked", False), ("newly blocked", True)]
    assert {one.effect for one in backtest([run("a", call(1))], ask, other).changed} == {"asked otherwise"}
    assert backtest([run("a", call(1))], ask, ask).changed == []
    assert found.blocks[1] == 2


def test_limits_see_the_sums_of_the_run() -> None:
    limited = policies_of(rules("{require_approval: m}", "{limit: {sum: amount_usd, max: 50}}"))
    verdicts = [d.decision.verdict for d in decided(run("a", call(30), call(30), call(20)), bind(limited, TOOLS))]
    assert verdicts == ["require_approval", "deny", "require_approval"]


@pytest.mark.parametrize(
    ("first", "verdicts"),
    [
        ({"decision": "invalid", "reason": "schema_invalid", "reached": False}, ["require_approval"]),
        ({"decision": "allow", "repeated": True, "reached": False}, ["require_approval"]),
        ({"decision": "budget", "reason": "budget_exceeded", "reached": False}, ["require_approval"]),
        ({"decision": "rejected", "reason": "approval_rejected", "reached": False}, ["require_approval"] * 2),
        ({"decision": "deny", "reason": "approval_timeout", "reached": False}, ["require_approval"] * 2),
        ({"decision": "deny", "reason": "audit_unavailable", "reached": False}, ["require_approval"] * 2),
        ({"decision": "deny", "reason": "rule", "reached": False}, ["require_approval", "deny"]),
        ({"decision": "approved"}, ["require_approval", "deny"]),
    ],
)
def test_limits_are_charged_for_what_reached_the_tool_and_nothing_is_said_of_what_came_to_no_policy(
    first: dict[str, Any], verdicts: list[str]
) -> None:
    limited = policies_of(rules("{require_approval: m}", "{limit: {sum: amount_usd, max: 50}}"))
    played = run("a", call(30, **first), call(30, decision="approved"))
    assert [d.decision.verdict for d in decided(played, bind(limited, TOOLS))] == verdicts


def test_what_people_rejected_is_charged_where_nobody_is_asked_any_more() -> None:
    limited = policies_of(rules("{allow: true}", "{limit: {sum: args.amount_usd, max: 50}}", more="tier: 2"))
    rejected = call(30, tool="email.send", decision="rejected", reason="approval_rejected", reached=False)
    side = bind([replace(p, tool="email.send", override_tier="T-1") for p in limited], TOOLS)
    assert [d.decision.verdict for d in decided(run("a", rejected, call(30, tool="email.send")), side)] == ["allow", "deny"]


def test_rules_about_what_was_not_recorded_are_not_judged() -> None:
    plain = policies_of(rules("{require_approval: m}"))
    steps = policies_of(rules('{if: "session.steps > 1", deny: true}', "{require_approval: m}"))
    calls = [call(30), call(30), call(30)]
    unknown = backtest([run("a", *calls)], plain, steps)
    assert (unknown.changed, unknown.blocks) == ([], (0, 0))
    assert unknown.notes == ["3 calls cannot be judged: session.steps was not recorded"]
    known = backtest([run("a", *calls, without_model=True)], plain, steps)
    assert ([(c.number, c.effect) for c in known.changed], known.notes) == ([(3, "newly blocked")], [])
    paid = policies_of(rules('{if: "session.usd > 1 or session.tokens > 0", deny: true}', "{require_approval: m}"))
    priced = {**TOOLS, "payments.refund": contract(scopes=("pay",), cost_usd=Decimal("0.6"))}
    known = backtest([run("a", *calls, without_model=True, contracts=priced)], plain, paid)
    assert [c.number for c in known.changed] == [3]


def test_counterfactual_runs_are_in_no_number() -> None:
    found = backtest([run("a", call(45)), run("b", call(45), counterfactual=True, success=False)], founding(), founding("<= 30"))
    assert found.left_recording == ["b (trial 1)"]
    assert found.before is not None
    assert (found.before.runs, found.before.success_rate) == (1, 1.0)
    assert len(found.changed) == 2


def test_unknown_costs_and_verdicts_stay_unknown_and_unpinned_runs_are_said() -> None:
    found = backtest([run("a", call(1), cost_usd=None, success=None, pinned=False)], founding(), founding())
    assert found.before is not None
    assert (found.before.cost_usd, found.before.success_rate, found.before.cost_per_success) == (None, None, None)
    assert "1 of 1 runs do not say which policies they ran under" in found.notes[0]


def test_a_run_is_played_under_the_files_that_its_case_names() -> None:
    mine, other = founding(file="a/policy.yaml"), founding("<= 10", file="b/policy.yaml")
    named = run("a", call(45), policies=("a/policy.yaml",))
    assert standing([*mine, *other]).of(named) == tuple(mine)
    assert standing(mine).concerns(named)
    assert not standing(other).concerns(named)
    found = backtest(
        [named, run("b", call(45), policies=("none.yaml",))],
        [*mine, *other],
        [*founding("<= 30", "a/policy.yaml"), *other],
    )
    assert (found.runs, found.unconcerned, len(found.changed)) == (1, 1, 1)


def test_other_files_of_the_case_hold_on_both_sides() -> None:
    strict = load_text(rules('{if: "amount_usd > 40", deny: true}', more="id: s"), file="strict.yaml").policies
    named = run("a", call(45), policies=("p0.yaml", "strict.yaml"), own={"p0.yaml": tuple(founding()), "strict.yaml": strict})
    assert backtest([named], founding(), founding("<= 30")).changed == []


def test_a_file_that_only_one_side_has_was_absent_on_the_other_and_is_told() -> None:
    strict = load_text(rules('{if: "amount_usd > 40", deny: true}', more="id: s"), file="cases/strict.yaml").policies
    policies = tuple(founding(file="cases/p.yaml"))
    whole = Standing(files={"cases/p.yaml": policies, "cases/strict.yaml": strict}, folders=("cases",))
    part = Standing(files={"cases/p.yaml": policies}, folders=("cases",))
    named = run("a", call(45), policies=("cases/p.yaml", "cases/strict.yaml"), own=whole.files)
    added, removed = backtest_of([named], part, whole), backtest_of([named], whole, part)
    assert ([c.effect for c in added.changed], [c.effect for c in removed.changed]) == (["newly blocked"], ["newly allowed"])
    assert added.notes == ["cases/strict.yaml: the baseline has it not, under the cases of 1 run"]
    assert removed.notes == ["cases/strict.yaml: only the baseline has it, under the cases of 1 run"]
    assert backtest_of([named], whole.without(), whole).notes == []


def test_privilege_names_what_was_never_needed_and_a_policy_that_is_enough() -> None:
    runs = [run("a", call(12.5), call(None, "orders.get")), run("b", call(40)), run("c", call(900, reached=False))]
    found = privilege(runs, [*founding(), *policies_of(rules("{allow: true}", tool="orders.*"))])
    assert (found.unused_scopes, found.used_scopes, found.never_called) == (["admin", "mail"], ["pay"], ["email.send"])
    assert found.called == {"orders.get": 1, "payments.refund": 2}
    (amount,) = found.ranges
    assert (amount.low, amount.high, amount.allowed_up_to, amount.wider) == (Decimal("12.5"), 40, "200", True)
    enough = load_text(found.enough, file="enough.yaml").policies
    side = bind(enough, TOOLS)
    for one in runs[:2]:
        assert [evaluate(side, judged.request).verdict for judged in decided(one, side)] == ["allow"] * len(one.calls)
    assert [d.decision.verdict for d in decided(run("d", call(41), call(1, "email.send")), side)] == ["require_approval", "deny"]


def test_what_people_agreed_to_is_asked_again_and_texts_are_listed_if_they_are_few() -> None:
    def sent(kind: str) -> PlayedCall:
        return PlayedCall(tool="email.send", args={"kind": kind, "body": kind * 40})

    found = privilege(
        [run("a", call(60), sent("x"), sent("y"), sent("x"), sent("y"))],
        [*founding(), *policies_of(rules("{allow: true}", tool="email.*"))],
    )
    enough = {p.id: p for p in load_text(found.enough, file="e").policies}
    # one person is enough for tier 3 only where a small amount is allowed, so the rule that allows it has to stay
    assert [rule.verdict for rule in enough["payments.refund"].rules] == ["allow", "allow", "require_approval"]
    assert found.notes[0].startswith("payments.refund: ranges alone would decide some of its calls otherwise")
    assert enough["email.send"].rules[0].condition is not None
    assert enough["email.send"].rules[0].condition.text == "args.kind in ['x', 'y']"
    nothing = privilege([], founding())
    assert load_text(nothing.enough, file="e").policies[0].rules[0].verdict == "deny"
