"""``policy explain``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import FOUNDING, Said

Run = Callable[..., Said]
REFUND = ("explain", "--tool", "payments.refund", "--args")


def test_every_rule_is_shown_with_its_truth(shop: Path, policy: Run) -> None:
    code, out, _ = policy(*REFUND, '{"amount_usd": 60}', "--context", '{"customer_tier": "pro"}')
    assert code == 0
    assert out.splitlines() == [
        "payments.refund: ask support_manager, tier 3",
        "  why: approval of support_manager asked for by rule payments.refund/3 (cases/policy.yaml:9)",
        "  redact: bank_account, card_number",
        "  keep: 365 days",
        "policies: payments.refund (cases/policy.yaml:2)",
        "   false   payments.refund/1: allow (cases/policy.yaml:5)",
        "     false     amount_usd <= 50",
        "     true      customer_tier in ['standard', 'pro']",
        "   false   payments.refund/2: allow (cases/policy.yaml:7)",
        "     true      amount_usd <= 200",
        "     false     customer_tier == 'enterprise'",
        "=> true    payments.refund/3: ask support_manager (cases/policy.yaml:9)",
        "     true      amount_usd > 50",
        "   true    payments.refund/4: log: redact bank_account, card_number; keep 365 days (cases/policy.yaml:11)",
    ]


def test_what_is_missing_is_named(shop: Path, policy: Run) -> None:
    out = policy(*REFUND, '{"amount_usd": 20}')[1]
    assert "deny (indeterminate)" in out
    assert "=> unknown payments.refund/1" in out
    assert "missing or unusable: customer_tier" in out


def test_as_json(shop: Path, policy: Run) -> None:
    found = json.loads(policy(*REFUND, '{"amount_usd": 60}', "--context", '{"customer_tier": "pro"}', "--format", "json")[1])
    assert found["verdict"] == "require_approval"
    assert [r["holds"] for r in found["rules"]] == ["false", "false", "true", "true"]
    assert [r["rule"] for r in found["rules"] if r["decides"]] == ["payments.refund/3"]


def test_principal_clock_session_and_spent_count(shop: Path, policy: Run) -> None:
    more = (
        "    - within: {from: '09:00', to: '18:00', tz: UTC}\n    - {limit: {sum: amount_usd, max: 100}}\n"
        "    - {if: \"'fraud' in principal.roles or session.steps > 3\", deny: true}\n"
    )
    (shop / "cases" / "policy.yaml").write_text(FOUNDING + more)
    words = [*REFUND, '{"amount_usd": 20}', "--context", '{"customer_tier": "pro"}', "--session", '{"steps": 1}']
    assert "deny (time_window)" in policy(*words)[1]
    words += ["--clock", "2026-11-23T12:00:00Z"]
    assert "payments.refund: allow" in policy(*words)[1]
    assert "deny (limit)" in policy(*words, "--spent", '{"payments.refund/6": 90}')[1]
    assert "deny (rule)" in policy(*words, "--principal", '{"roles": ["fraud"]}')[1]


def test_an_unknown_tool_is_a_write_of_tier_4_and_said(shop: Path, policy: Run) -> None:
    out = policy("explain", "--tool", "email.send")[1]
    assert "policies: none is for this tool" in out
    assert "note: no suite declares email.send: it is taken to be a write of no tier, so 4" in out
    assert "so 4; did you mean 'payments.refund'?" in policy("explain", "--tool", "payments.refnd")[1]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--args", "{"), "--args: this is no JSON"),
        (("--args", "[1]"), "--args: expected a mapping"),
        (
            ("--principal", '{"role": 1}'),
            "--principal: unknown key 'role'; expected one of id, on_behalf_of, roles, scopes; did you",
        ),
        (("--principal", '{"roles": "x"}'), "roles must be a list of texts"),
        (("--spent", '{"x": 1}'), "--spent: unknown key 'x'; no limit is in these policies"),
        (("--session", '{"steps": "x"}'), "--session: steps must be a number"),
        (("--clock", "noon"), "is no time"),
        (("--clock", "2026-11-23T12:00:00"), "has no zone"),
    ],
)
def test_wrong_words_are_said(words: tuple[str, ...], says: str, shop: Path, policy: Run) -> None:
    code, _, err = policy("explain", "--tool", "payments.refund", *words)
    assert code in (1, 2)
    assert says in err
