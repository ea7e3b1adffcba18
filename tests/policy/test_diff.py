"""The difference of two versions: every call that is decided otherwise, in words, what lets more through first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pytest_agentops.policy.binding import bind
from pytest_agentops.policy.compared import direction, of_duties
from pytest_agentops.policy.decide import evaluate
from pytest_agentops.policy.diff import Diff, diff
from pytest_agentops.policy.files import load_text
from pytest_agentops.policy.written import text_changes
from pytest_agentops.schema.policy import Request

from .conftest import FOUNDING, contract, policies_of, rules
from .generated import CALL, MORE, RULES, TIER, refund


def compared(before: str, after: str, **fields: Any) -> Diff:
    made = contract(**fields)
    return diff(policies_of(before), policies_of(after), {made.name: made})


def told(found: Diff) -> list[str]:
    return [f"{c.direction}{' duty' if c.duty else ''}: {' | '.join(c.where)}" for c in found.changes]


def test_a_moved_limit_is_told_in_words_with_a_call_that_shows_it() -> None:
    found = compared(FOUNDING, FOUNDING.replace("<= 50", "<= 60"))
    assert told(found) == ["widened: 50 < amount_usd <= 60 and customer_tier in ['pro', 'standard']"]
    (change,) = found.changes
    assert (change.before.rule, change.after.rule) == ("payments.refund/3", "payments.refund/1")
    assert change.example.args == {"amount_usd": 60}
    assert change.example.context == {"customer_tier": "pro"}
    assert found.widens
    assert not compared(FOUNDING.replace("<= 50", "<= 60"), FOUNDING).widens


def test_moving_the_third_rule_first_changes_the_four_cells_of_the_research() -> None:
    lines = FOUNDING.splitlines()
    moved = "\n".join([*lines[:4], *lines[8:10], *lines[4:8], *lines[10:]]) + "\n"
    found = compared(FOUNDING, moved)
    assert told(found) == [
        "widened: 50 < amount_usd <= 200 and customer_tier is missing or of another kind",
        "narrowed: 50 < amount_usd <= 200 and customer_tier == 'enterprise'",
    ]


def test_people_time_edits_and_escalation() -> None:
    base = rules("{require_approval: {role: m, count: 2, expires: 10m, allow_edit: [note]}}")
    for text, way in (
        ("{role: m, count: 3, expires: 10m, allow_edit: [note]}", "narrowed"),
        ("{role: m, count: 2, expires: 5m, allow_edit: [note]}", "narrowed"),
        ("{role: m, count: 2, expires: 10m, allow_edit: []}", "narrowed"),
        ("{role: m, count: 2, expires: 20m, allow_edit: [note]}", "widened"),
        ("{role: m, count: 2, expires: 10m}", "widened"),
        ("{role: n, count: 2, expires: 10m, allow_edit: [note]}", "changed"),
        ("{role: m, count: 3, expires: 20m, allow_edit: [note]}", "changed"),
        ("{role: m, count: 2, expires: 10m, escalate_to: [n], allow_edit: [note]}", "changed"),
    ):
        found = compared(base, rules(f"{{require_approval: {text}}}"))
        assert [c.direction for c in found.changes] == [way], text
        assert found.widens == (way != "narrowed")


def test_duties_are_told_apart_from_decisions() -> None:
    found = compared(FOUNDING, FOUNDING.replace("365", "30").replace(', "bank_account"', ""))
    assert told(found) == ["widened duty: every call"]
    assert told(compared(FOUNDING, FOUNDING.replace("365", "400"))) == ["narrowed duty: every call"]
    both = compared(FOUNDING, FOUNDING.replace("365", "400").replace(', "bank_account"', ""))
    assert told(both) == ["changed duty: every call"]


def test_limits_windows_scopes_tiers_and_modes() -> None:
    limit = "{limit: {sum: amount_usd, max: 100}}"
    base = rules("{require_approval: m}", limit, tool="payments.refund", more="tier: 2")
    wider = compared(base, base.replace("100", "200"), tier=2)
    assert "widened" in told(wider)[0]
    assert "payments.refund/2 was charged before is" in told(wider)[0]
    window = rules("{require_approval: m}", "{within: {from: '09:00', to: '17:00', tz: UTC}}", more="tier: 2")
    assert [c.direction for c in compared(window, window.replace("17:00", "18:00"), tier=2).changes] == ["widened"]
    scoped = rules("{require_approval: m}", more="tier: 2\nscopes: [pay]")
    assert [c.direction for c in compared(scoped, scoped.replace("  scopes: [pay]\n", ""), tier=2).changes] == ["widened"]
    assert [c.direction for c in compared(scoped, scoped.replace("[pay]", "[pay, more]"), tier=2).changes] == ["narrowed"]
    shadow = scoped.replace("tier: 2", "tier: 2\n  mode: shadow")
    assert compared(shadow, scoped, tier=2).changes != ()
    production = rules("{require_approval: {role: m, count: 2}}", more="tier: 4")
    assert compared(rules("{require_approval: {role: m, count: 2}}", more="tier: 3"), production, tier=2).changes != ()


LIMITED = ("{if: 'amount_usd > 300', require_approval: m}", "{allow: true}", "{limit: {sum: amount_usd, max: 500}}")


def test_a_limit_is_the_same_under_another_number_or_policy() -> None:
    """What it adds up makes it the same: otherwise one would be used up in calls where the other is not."""
    more = "tier: 1\nid: p"
    base = rules(*LIMITED, more=more)
    logged = rules(*LIMITED[:2], "{log: {redact_fields: [note], retain_days: 9}}", LIMITED[2], more=more)
    assert told(compared(base, logged, tier=1)) == ["narrowed duty: every call"]
    renamed = compared(base, base.replace("id: p", "id: q"), tier=1)
    assert renamed.changes == ()
    wider = compared(base, logged.replace("max: 500", "max: 600"), tier=1)
    assert {c.direction for c in wider.changes if not c.duty} == {"widened"}
    assert "what p/4 was charged before is 500" in wider.changes[0].where[0]


def test_two_limits_of_one_sum_are_used_up_together() -> None:
    soft = "{limit: {sum: amount_usd, max: 100, else: 'require_approval:m'}}"
    one = rules(*LIMITED, more="tier: 1")
    found = compared(one, rules(*LIMITED, soft, more="tier: 1"), tier=1)
    assert {c.direction for c in found.changes} == {"narrowed"}
    for change in found.changes:
        assert len(set(change.example.spent.values())) <= 1
    other = rules(*LIMITED, soft.replace("{limit", "{if: 'on', limit"), more="tier: 1")
    assert {c.direction for c in compared(one, other, tier=1).changes} == {"narrowed"}


@pytest.mark.parametrize(
    ("condition", "fields"),
    [
        ("'payments' in principal.scopes and amount_usd > 5", {"scopes": ("payments",)}),
        ("len(principal.scopes) == 3 and amount_usd > 5", {"scopes": ("payments", "refunds")}),
        ("len(x) == 2", {"x": {"type": "array", "const": [1, 2]}}),
        ("exists(x) and amount_usd > 5", {"x": {"enum": [["a", "b"], ["c"]]}}),
    ],
)
def test_a_tool_with_scopes_or_whole_values_has_cells(condition: str, fields: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": {"amount_usd": {"type": "number"}} | fields, "required": ["amount_usd", "x"]}
    given = {"scopes": fields["scopes"]} if "scopes" in fields else {"parameters": schema}
    one = rules(f'{{if: "{condition}", require_approval: m}}', more="tier: 2\nscopes: [other]\ndefault: deny")
    found = compared(one, one.replace("require_approval: m", "require_approval: {role: m, expires: 60m}"), **given)
    assert [c.direction for c in found.changes] == ["widened"]
    assert found.partial == ()
    assert {*given.get("scopes", ()), "other"} <= set(found.changes[0].example.principal.scopes)


def test_a_policy_that_goes_or_comes() -> None:
    other = FOUNDING.replace("payments.refund", "email.send")
    found = compared(FOUNDING, other)
    assert found.tools == ("email.send", "payments.refund")
    assert [str(t) for t in found.written] == [
        "p0.yaml:2: policy payments.refund is gone: 4 rules for payments.refund",
        "p0.yaml:2: policy email.send is new: 4 rules for email.send",
    ]
    assert any("nobody names the tier of email.send" in why for why in found.partial)


def test_what_is_written_otherwise_and_decides_alike_is_told_too() -> None:
    found = compared(FOUNDING, FOUNDING.replace("amount_usd <= 50 and", "amount_usd <= 50  and  amount_usd <= 70 and"))
    assert found.changes == ()
    assert not found.widens
    assert len(found.written) == 1
    assert compared(FOUNDING, FOUNDING).written == ()


def test_every_key_of_a_policy_is_seen() -> None:
    base = rules("{require_approval: m}")
    for more in (
        "tier: 3",
        "mode: shadow",
        "default: deny",
        "default: require_approval:x",
        "on_unknown: require_approval:x",
        "override_tier: T",
        "scopes: [a]",
        "attributes: {note: {type: string, enum: [a], required: true}}",
    ):
        changes = list(text_changes(policies_of(base), policies_of(rules("{require_approval: m}", more=more))))
        assert len(changes) == 1, more
        assert more.split(":")[0] in changes[0].name
    windows = [
        rules(f"{{within: {{from: '{start}', to: '17:00', tz: UTC}}}}", "{require_approval: m}") for start in ("08:00", "09:00")
    ]
    assert len(list(text_changes(policies_of(windows[0]), policies_of(windows[1])))) == 1


SCOPES = st.sampled_from([(), (), ("pay",), ("pay", "more")])


@given(RULES, RULES, MORE, MORE, TIER, SCOPES, st.lists(CALL, min_size=1, max_size=10))
@settings(max_examples=150, deadline=None)
def test_a_call_that_is_decided_otherwise_is_never_missed(
    one: list[str], two: list[str], more: str, more2: str, tier: int | None, scopes: tuple[str, ...], calls: list[Request]
) -> None:
    made = replace(refund(tier), scopes=scopes)
    before, after = policies_of(rules(*one, more=more)), policies_of(rules(*two, more=more2))
    found = diff(before, after, {made.name: made}, cap=20_000, tries=0)
    assume(not found.partial)
    sides = [bind(side, {made.name: made}) for side in (before, after)]
    ways = {(c.direction, c.duty) for c in found.changes}
    for call in calls:
        if call.spent:
            continue  # a sum belongs to a rule, and the two sides have different ones
        a, b = (evaluate(side, call) for side in sides)
        way, duty = direction(a, b), of_duties(a.obligations, b.obligations)
        assert way is None or (way, False) in ways
        assert duty is None or (duty, True) in ways
    for change in found.changes:
        a, b = (evaluate(side, change.example) for side in sides)
        if not change.example.spent:
            assert (direction(a, b), of_duties(a.obligations, b.obligations))[change.duty] == change.direction


def test_past_the_cap_calls_are_tried_and_that_is_said() -> None:
    lines = [f'{{if: "amount_usd > {n} and context.c{n} == {n}", require_approval: m}}' for n in range(14)]
    found = compared(rules(*lines), rules(*lines[:-1], '{if: "amount_usd > 13 and context.c13 == 13", deny: true}'))
    assert "cells are too many" in found.partial[0]
    assert "narrowed" in {c.direction for c in found.changes}
    assert compared(rules(*lines), rules(*lines)).changes == ()


@pytest.mark.parametrize("name", ["a", "b"])
def test_two_files_of_one_side(name: str) -> None:
    """Policies of several files are compared together: the strictest wins on both sides."""
    extra = load_text(rules("{if: 'amount_usd > 10', deny: true}", more=f"id: {name}"), file="x.yaml").policies
    made = contract()
    assert diff([*policies_of(FOUNDING), *extra], policies_of(FOUNDING), {made.name: made}).widens
