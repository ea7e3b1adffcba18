"""The policy stage in the guard: what it decides on, what it cannot be talked out of, what a changed policy makes of a replay."""

from __future__ import annotations

import asyncio
import contextlib
from decimal import Decimal

import pytest

from pytest_agentops import ToolBlocked

from .conftest import racing, refunds, rules

SMALL_RULES = ('{if: "amount_usd <= 50", allow: true}', '{if: "amount_usd > 50", require_approval: boss}')
SMALL = rules(*SMALL_RULES)
WIDE = rules('{if: "amount_usd <= 500", allow: true}', '{if: "amount_usd > 500", require_approval: boss}')


# ---- deciding


def test_what_the_first_rule_says(lab, bank) -> None:
    run = lab.run(refunds(20), bank, mode="live", policy=SMALL)
    call = run.calls[0]
    assert (call.decision, call.reason, call.rule) == ("allow", "rule", "p/1")
    assert bank.paid == [20]
    assert run.pins.policy.startswith("sha256:")


def test_a_deny_never_reaches_the_tool_and_names_its_rule(lab, bank) -> None:
    policy = rules(
        '{if: "amount_usd > 10", deny: true, reason: too much}', '{if: "amount_usd <= 50", allow: true}', "require_approval: boss"
    )
    run = lab.run(refunds(20), bank, mode="live", policy=policy)
    assert bank.paid == []
    assert run.output == ["rule"]
    assert run.calls[0].as_json() | {"args": None} == {
        "tool": "pay.refund",
        "args": None,
        "decision": "deny",
        "rule": "p/1",
        "reason": "rule",
        "source": "none",
        "error": {"type": "rule", "message": "denied by rule p/1 (p0.yaml:6): too much"},
    }
    assert run.policy_blocks == run.unexpected_policy_blocks == 1


def test_an_uncaught_block_ends_the_run_as_blocked(lab, bank) -> None:
    def agent(task, tools):
        tools.call("pay.refund", amount_usd=20)

    run = lab.run(agent, bank, mode="live", policy=rules("deny: true"), expect={"outcome": "blocked"})
    assert run.success
    assert run.unexpected_policy_blocks == 0, "the case speaks of it by its outcome"


def test_without_a_policy_every_known_tool_is_allowed_for_that_reason(lab, bank) -> None:
    run = lab.run(refunds(20), bank, mode="live")
    assert (run.calls[0].decision, run.calls[0].reason, run.pins.policy) == ("allow", "no_policy", None)


def test_where_there_is_a_policy_a_tool_without_one_gets_its_tier(lab, bank) -> None:
    other, tools = rules("allow: true", tool="pay.look"), lambda: bank(tier=None)
    run = lab.run(refunds(20), tools, mode="live", policy=other)
    assert run.output == ["tier_default"], "no tier is tier 4: it wants a change ticket and a sandbox"
    ready = {"change_ticket": "CHG-1", "sandbox": True}
    assert lab.run(refunds(20), tools, mode="live", policy=other, context=ready).outcome == "interrupted", "and two people"
    assert bank.paid == []


def test_the_strictest_of_several_policies_wins_in_any_order(lab, bank) -> None:
    other = rules('{if: "amount_usd > 10", deny: true}', tool="pay.*").replace("id: p", "id: q")
    for policies in ((SMALL, other), (other, SMALL)):
        run = lab.run(refunds(20), bank, mode="live", policy=policies)
        assert (run.output, run.calls[0].rule) == (["rule"], "q/1")
    assert bank.paid == []


def test_conditions_read_the_context_and_the_principal(lab, bank) -> None:
    policy = rules(
        "{if: \"tier == 'gold' and principal.id == 'bot' and amount_usd < 100\", allow: true}", "require_approval: boss"
    )
    who = {"principal": {"id": "bot"}, "context": {"tier": "gold"}}
    assert lab.run(refunds(20), bank, mode="live", policy=policy, **who).output == ["paid"]
    missing = lab.run(refunds(20), bank, mode="live", policy=policy, principal={"id": "bot"})
    assert missing.output == ["indeterminate"]
    assert "tier" in missing.calls[0].error.message


def test_conditions_see_the_real_value_behind_a_placeholder(lab, bank) -> None:
    def agent(task, tools):
        card = tools.call("pay.refund", amount_usd=1, card="4000-EVIL")["card"]
        assert card.startswith("<<card:")
        return tools.attempt("pay.refund", {"amount_usd": 2, "card": card}).error["reason"]

    policy = rules(
        "{if: \"card == '4000-EVIL' and amount_usd == 2\", deny: true}",
        '{if: "amount_usd <= 50", allow: true}',
        "require_approval: boss",
    )
    run = lab.run(agent, lambda: bank(sensitive=["card"]), mode="live", policy=policy)
    assert run.output == "rule"
    assert bank.paid == [1]


def test_scopes_of_the_contract_and_of_the_policy(lab, bank) -> None:
    tools = lambda: bank(scopes=["payments:refund"])  # noqa: E731
    assert lab.run(refunds(20), tools, mode="live", policy=SMALL).output == ["scope_missing"]
    scoped = {"principal": {"id": "bot", "scopes": ["payments:refund"]}}
    assert lab.run(refunds(20), tools, mode="live", policy=SMALL, **scoped).output == ["paid"]
    wants_more = SMALL.replace("  rules:", "  scopes: [big]\n  rules:")
    assert lab.run(refunds(20), tools, mode="live", policy=wants_more, **scoped).output == ["scope_missing"]
    nobody = lab.run(refunds(20), tools, mode="live", principal={"id": "bot"})
    assert nobody.output == ["scope_missing"], "scopes hold without a policy too, where the case says who acts"
    assert bank.paid == [20]


def test_a_shadow_policy_leaves_scopes_as_they_are_without_a_policy(lab, bank) -> None:
    tools = lambda: bank(scopes=["payments:refund"])  # noqa: E731
    shadow = SMALL.replace("  rules:", "  mode: shadow\n  rules:")
    assert lab.run(refunds(20), tools, mode="live", policy=shadow, principal={"id": "bot"}).output == ["scope_missing"]
    assert lab.run(refunds(20), tools, mode="live", policy=shadow, principal={}).output == ["scope_missing"]
    assert bank.paid == []
    assert lab.run(refunds(20), tools, mode="live", policy=shadow).output == ["paid"], "nobody is named"


# ---- values that are meant to slip through


class Word(str):
    """A text that claims to be equal to everything."""

    def __eq__(self, other):
        return True

    __hash__ = str.__hash__


class Sly(float):
    """A number that claims to be small."""

    def __le__(self, other):
        return True


@pytest.mark.parametrize(
    "amount",
    [
        float("nan"),
        float("inf"),
        -float("inf"),
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("1e999999"),
        True,
        "twenty",
        None,
        [],
        {},
        b"1",
    ],
    ids=repr,
)
def test_what_is_no_amount_is_stopped_before_the_policy(amount, lab, bank) -> None:
    run = lab.run(refunds(amount), bank, mode="live", policy=rules("allow: true", more="override_tier: T-1"))
    assert run.output == ["schema_invalid"]
    assert bank.paid == []


@pytest.mark.parametrize(
    "amount", [10**400, Sly(1e300), Decimal("50.000000000000000000000000001"), 51, "51"], ids=lambda v: repr(v)[:20]
)
def test_a_great_amount_is_great_in_every_dress(amount, lab, bank) -> None:
    run = lab.run(refunds(amount), bank, mode="live", policy=SMALL)
    assert bank.paid == []
    assert run.output in (["approval_unanswered"], ["schema_invalid"]), "a person is asked for it, or it is none"


@pytest.mark.parametrize("value", [True, "20", [20], {"v": 20}, None], ids=repr)
def test_another_kind_of_value_is_never_taken_for_a_number(value, lab, bank) -> None:
    """Where the contract declares nothing, the policy alone stands between."""
    loose = {
        "pay.refund": {
            "parameters": {"type": "object", "properties": {"amount_usd": {}}},
            "effect": "write",
            "tier": 3,
            "answers": [{"result": "ok"}],
        }
    }
    run = lab.run(refunds(value), (), mode="live", contracts=loose, policy=SMALL)
    assert run.output == ["indeterminate"]


def test_a_text_that_claims_to_equal_everything(lab, bank) -> None:
    policy = rules(
        "{if: \"card == 'good' and amount_usd <= 50\", allow: true}", '{if: "amount_usd > 50", require_approval: boss}'
    )
    run = lab.run(refunds(20, card=Word("evil")), bank, mode="live", policy=policy)
    assert run.output == ["default_deny"]


@pytest.mark.parametrize(
    "name",
    [
        "pаy.refund",
        "pay．refund",
        "ｐay.refund",
        "pay.refund ",
        "PAY.REFUND",
        "pay.refund\u200b",
        "pay..refund",
        "*",
        "",
        "pay__refund\0",
    ],
)
def test_names_that_look_alike_are_unknown_tools(name, lab, bank) -> None:
    def agent(task, tools):
        return tools.attempt(name, {"amount_usd": 20}).error["reason"]

    run = lab.run(agent, bank, mode="live", policy=rules("deny: true"))
    assert (run.output, bank.paid) == ("tool_unknown", [])


def test_the_wire_name_is_the_same_tool_and_the_same_policy(lab, bank) -> None:
    def agent(task, tools):
        return tools.attempt("pay__refund", {"amount_usd": 20}).error["reason"]

    run = lab.run(agent, bank, mode="live", policy=rules("deny: true"))
    assert (run.output, run.calls[0].tool) == ("rule", "pay.refund")


def test_nested_attributes_are_read_where_they_stand(lab) -> None:
    nested = {
        "pay.refund": {
            "parameters": {"type": "object", "properties": {"order": {"type": "object"}}},
            "effect": "write",
            "tier": 3,
            "answers": [{"result": "ok"}],
        }
    }

    def agent(task, tools):
        orders = [
            {"total": {"usd": 20}},
            {"total": {"usd": 200}},
            {"total.usd": 20},
            {"total": 20},
            {},
            {"total": {"usd": 20, "__class__": 1}},
        ]
        return [(r := tools.attempt("pay.refund", {"order": o})).ok or r.error["reason"] for o in orders]

    policy = rules('{if: "order.total.usd <= 50", allow: true}', '{if: "order.total.usd > 1000", require_approval: boss}')
    run = lab.run(agent, (), mode="live", contracts=nested, policy=policy)
    assert run.output == [True, "default_deny", "indeterminate", "indeterminate", "indeterminate", True]


# ---- limits


LIMIT = SMALL + "    - limit: {sum: amount_usd, per: session, max: 100}\n"


def test_a_limit_counts_what_reached_the_tool(lab, bank) -> None:
    run = lab.run(refunds(40, 40, 40, 20, -5, 1), bank, mode="live", policy=LIMIT)
    assert run.output == ["paid", "paid", "limit", "paid", "paid", "limit"], "less than nothing gives nothing back"
    assert run.policy_blocks == 2


def test_a_call_that_was_stopped_later_is_not_charged(lab, bank) -> None:
    run = lab.run(
        refunds(90, 40),
        bank,
        mode="live",
        policy=LIMIT,
        approvals=[{"tool": "pay.refund", "decision": "reject", "by": "ann"}],
    )
    assert run.output == ["approval_rejected", "paid"]


def test_a_trial_has_limits_of_its_own(lab, bank) -> None:
    for _ in range(2):
        assert lab.run(refunds(50, 50, 50), bank, mode="live", policy=LIMIT).output == ["paid", "paid", "limit"]


def test_concurrent_calls_cannot_race_one_limit(lab, bank) -> None:
    run = lab.run(racing(12, 30), bank, mode="live", policy=LIMIT)
    assert sum(bank.paid) == 90
    assert sum(c.reason == "limit" for c in run.calls) == 9


def test_tasks_cannot_race_one_limit_either(lab, bank) -> None:
    async def agent(task, tools):
        await asyncio.gather(*(tools.aattempt("pay.refund", {"amount_usd": 30}) for _ in range(8)))

    run = lab.run(agent, bank, mode="live", policy=LIMIT)
    assert (sum(bank.paid), run.policy_blocks) == (90, 5)


# ---- time


NIGHT = rules(
    '{if: "amount_usd <= 50", allow: true}',
    "require_approval: boss",
    '{within: {days: [mon-sun], from: "22:00", to: "06:00", tz: UTC}}',
)


def test_a_window_is_read_off_the_trials_clock_not_off_the_machines(lab, bank) -> None:
    lab.record(refunds(20), bank)
    assert lab.run(refunds(20), bank, policy=NIGHT, clock="2026-11-22T23:00:00Z").output == ["paid"]
    day = lab.run(refunds(20), bank, policy=NIGHT, clock="2026-11-22T12:00:00Z")
    assert day.output == ["time_window"]
    assert day.labels == ["counterfactual"]


def test_an_agent_cannot_move_the_clock(lab, bank) -> None:
    def agent(task, tools):
        task.now = lambda: None
        return tools.attempt("pay.refund", {"amount_usd": 20, "key": task.text}).error["reason"]

    lab.record(refunds(20), bank)
    assert lab.run(agent, bank, policy=NIGHT, clock="2026-11-22T12:00:00Z").output == "time_window"


def test_without_a_clock_every_window_is_shut(lab) -> None:
    stubs = {
        "pay.refund": {
            "parameters": {"type": "object", "properties": {"amount_usd": {"type": "number"}}},
            "effect": "write",
            "tier": 3,
            "answers": [{"result": "ok"}],
        }
    }
    run = lab.run(refunds(20), (), contracts=stubs, policy=NIGHT)
    assert run.output == ["time_window"]
    assert "no clock" in run.calls[0].error.message


# ---- duties


def test_a_duty_that_cannot_be_met_is_a_deny(lab, bank) -> None:
    keeps = SMALL + "    - log: {redact_fields: [card], retain_days: 30}\n"
    run = lab.run(refunds(20), bank, mode="live", policy=keeps)
    assert run.output == ["obligation"], "nobody keeps an audit log here"
    assert lab.run(refunds(20), bank, mode="live", policy=keeps, audit=lab.audit()).output == ["paid"]
    assert bank.paid == [20]


# ---- replay


def test_a_policy_that_became_stricter_makes_another_run(lab, bank) -> None:
    lab.record(refunds(20, 30), bank, policy=WIDE)
    bank.paid.clear()
    strict = rules('{if: "amount_usd > 25", deny: true}', '{if: "amount_usd <= 25", allow: true}', "require_approval: boss")
    run = lab.run(refunds(20, 30), bank, policy=strict)
    assert run.output == ["paid", "rule"]
    assert run.labels == ["counterfactual"]
    assert run.problems == [], "the recording of the call that was stopped is not made, and not called unused"
    (why,) = run.stale
    assert why.startswith("the policy changed since the recording (")
    assert not run.state.known
    assert bank.paid == []


def test_a_policy_that_changed_without_another_decision_changes_nothing(lab, bank) -> None:
    lab.record(refunds(20), bank, policy=WIDE)
    then = lab.cassette.pins.policy
    run = lab.run(refunds(20), bank, policy=SMALL)
    assert run.success
    assert run.labels == []
    assert run.pins.policy != then


def test_a_recorded_block_is_a_block_in_replay_too(lab, bank) -> None:
    policy = rules('{if: "amount_usd > 600", deny: true}', *SMALL_RULES)
    first = lab.record(refunds(20, 700), bank, policy=policy)
    again = lab.run(refunds(20, 700), bank, policy=policy)
    assert [c.as_json() | {"source": ""} for c in first.calls] == [c.as_json() | {"source": ""} for c in again.calls]
    assert again.success
    assert again.labels == []


def test_a_policy_that_was_loosened_meets_a_miss(lab, bank) -> None:
    lab.record(refunds(20, 100), bank, policy=rules('{if: "amount_usd > 90", deny: true}', *SMALL_RULES))
    run = lab.run(refunds(20, 100), bank, policy=WIDE)
    assert lab.kinds(run) == ["miss"]
    assert bank.paid == [20], "the recording was made live; the replay called nothing"


# ---- shadow


SHADOW = SMALL.replace("id: p", "id: s\n  mode: shadow").replace("<= 50", "<= 5").replace("> 50", "> 500")


def test_a_policy_in_shadow_mode_is_told_and_not_enforced(lab, bank) -> None:
    run = lab.run(refunds(20), bank, mode="live", policy=(SMALL, SHADOW))
    assert run.output == ["paid"]
    assert run.calls[0].shadow == ["deny (default_deny): no rule of policy s applies (p1.yaml:2); tier 3: deny"]
    assert run.policy_blocks == 0


def test_in_shadow_mode_a_write_is_dry_run(lab, bank) -> None:
    run = lab.run(refunds(20), bank, mode="live", policy=SHADOW)
    assert (bank.paid, bank.dry) == ([], [20])
    assert run.labels == ["dry_run"]
    assert run.calls[0].result == {"would_pay": "20"}


def test_a_read_in_shadow_mode_is_made(lab, bank) -> None:
    def agent(task, tools):
        return tools.call("pay.look", order_id="W-9")

    run = lab.run(agent, bank, mode="live", policy=rules("deny: true", tool="*", more="mode: shadow"))
    assert (run.output, run.labels) == ("W-9", [])


def test_a_dry_run_that_is_not_there_fails_the_trial_whatever_the_agent_catches(lab, bank) -> None:
    run = lab.run(refunds(20), lambda: bank(dry_run="no_such_method"), mode="live", policy=SHADOW)
    assert bank.paid == []
    assert not run.success
    assert "no_such_method" in lab.problem(run, "setup").text


# ---- what the log of the trial keeps of it


def test_a_block_that_the_agent_swallows_is_counted(lab, bank) -> None:
    def agent(task, tools):
        with contextlib.suppress(ToolBlocked):
            tools.call("pay.refund", amount_usd=20)
        return "all fine"

    run = lab.run(agent, bank, mode="live", policy=rules("deny: true"), expect={"policy": {"blocked": []}})
    assert not run.success
    assert run.policy_blocks == 1
