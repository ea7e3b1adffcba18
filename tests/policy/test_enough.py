"""The policy that would have been enough: it loads, decides every call as it was, and keeps all that only narrows."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pytest_agentops.policy.binding import bind, check
from pytest_agentops.policy.files import load_text
from pytest_agentops.policy.model import Policy
from pytest_agentops.policy.played import Binder, PlayedCall, PlayedRun, decided
from pytest_agentops.policy.privilege import Privilege, privilege
from pytest_agentops.schema.case import Principal

from .conftest import contract, rules, standing

PAY = contract("pay", tier=2, idempotency_key="key")
TOOLS = {"pay": PAY}


def run(*amounts: Any, **fields: Any) -> PlayedRun:
    calls = tuple(PlayedCall(tool="pay", args={"amount_usd": a, "key": str(n)}) for n, a in enumerate(amounts))
    return PlayedRun(id="s/x", calls=calls, contracts=TOOLS, **fields)


def found(text: str, *runs: PlayedRun) -> tuple[Privilege, tuple[Policy, ...]]:
    """What is proposed, after a look that it loads for the tool and decides each of these calls as the policies did."""
    side = standing(load_text(text, file="p.yaml").policies)
    out = privilege(list(runs), side)
    policies = load_text(out.enough, file="enough.yaml").policies
    assert check(policies, TOOLS, ()) == []
    for one in runs:
        was = [j.decision for j in decided(one, Binder(side.of).of(one))]
        now = [j.decision for j in decided(one, bind(policies, TOOLS))]
        assert [(d.verdict, d.approvals, d.obligations) for d in now] == [(d.verdict, d.approvals, d.obligations) for d in was]
    return out, policies


def verdicts(policies: tuple[Policy, ...], *amounts: int) -> list[str]:
    return [next(decided(run(amount), bind(policies, TOOLS))).decision.verdict for amount in amounts]


LIMIT = "{limit: {sum: amount_usd, max: 500}}"


def test_tier_2_keeps_the_limit_without_which_nothing_may_be_allowed() -> None:
    out, policies = found(rules("{allow: true}", LIMIT, tool="pay"), run(20, 40), run(300))
    assert out.notes == []
    assert verdicts(policies, 19, 20, 300, 301) == ["deny", "allow", "allow", "deny"]


def test_a_range_for_what_was_allowed_and_one_for_what_was_asked() -> None:
    asked = "{require_approval: {role: m, count: 2, expires: 5m}}"
    text = rules('{if: "amount_usd <= 50", allow: true}', asked, LIMIT, tool="pay")
    _, policies = found(text, run(20), run(10, 300), run(400))
    assert verdicts(policies, 9, 10, 20, 21, 299) == ["deny", "allow", "allow", "deny", "deny"]
    assert verdicts(policies, 300, 400, 401) == ["require_approval", "require_approval", "deny"]


def test_all_that_only_narrows_is_kept() -> None:
    more = "scopes: [pay]\nattributes: {amount_usd: {minimum: '0.01', required: true}}\nid: mine"
    text = rules(
        '{if: "amount_usd == 25", deny: true}',
        "{allow: true}",
        LIMIT.replace("}}", ", else: 'require_approval:boss'}}"),
        "{log: {redact_fields: [note], retain_days: 30}}",
        "{within: {from: '08:00', to: '20:00', tz: UTC}}",
        tool="pay",
        more=more,
    )
    fields: dict[str, Any] = {"principal": Principal(scopes=("pay",)), "now": dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)}
    out, policies = found(text, run(20, 30, 25, 490, **fields))
    (kept,) = (policy for policy in policies if policy.logs)
    assert (kept.scopes, len(kept.limits), len(kept.windows), len(kept.denies), len(kept.attributes)) == (("pay",), 1, 1, 1, 1)
    assert out.notes == []


def test_what_a_context_tells_apart_is_told_by_it() -> None:
    text = rules(
        "{if: \"context.kind == 'a'\", allow: true}", "{if: \"context.kind == 'b'\", require_approval: m}", LIMIT, tool="pay"
    )
    out, policies = found(text, run(20, context={"kind": "a"}), run(20, context={"kind": "b"}))
    assert out.notes == []
    assert verdicts(policies, 20) == ["deny"]  # no such context


def test_where_ranges_cannot_tell_the_rules_are_kept() -> None:
    text = rules(
        '{if: "amount_usd == 30", require_approval: m}', "{allow: true}", LIMIT, tool="pay", more="on_unknown: require_approval:m"
    )
    out, policies = found(text, run(20, 30, 40), run(30, 30))
    assert out.notes == []  # who was asked is asked first
    text = rules('{if: "amount_usd in [20, 40]", require_approval: m}', "{allow: true}", LIMIT, tool="pay", more="default: deny")
    out, policies = found(text, run(20, 30, 40))
    assert out.notes == ["pay: ranges alone would decide some of its calls otherwise, so the rules that let it through are kept"]
    assert [rule.verdict for rule in policies[0].rules] == ["require_approval", "allow"]


def test_people_who_have_a_role_are_kept() -> None:
    text = "roles: {m: [dana]}\n" + rules("{require_approval: m}", tool="pay")
    out, _ = found(text, run(20))
    assert load_text(out.enough, file="e").roles == {"m": ("dana",)}
