"""Words: comparisons as they are written, decisions, calls as policy tests."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from pytest_agentops.policy import words
from pytest_agentops.policy.compared import duties, whole
from pytest_agentops.policy.examples import as_test
from pytest_agentops.policy.files import load_text
from pytest_agentops.policy.parsing import parse
from pytest_agentops.schema.case import Principal
from pytest_agentops.schema.policy import ApprovalNeed, Decision, Obligations, Request


@pytest.mark.parametrize(
    "text",
    [
        "amount_usd <= 50.5",
        "'x' in principal.roles",
        "kind in ['a', null, true, 3]",
        "len(note) > 2",
        "3 < len(note)",
        "startswith(note, 'ab')",
        "exists(args.x)",
        "on",
        "a == b",
        "a == false",
    ],
)
def test_a_comparison_is_written_as_it_was(text: str) -> None:
    (atom,) = parse(text).atoms()
    assert words.atom(atom) == text


def decision(verdict: Any, *needs: ApprovalNeed, **fields: Any) -> Decision:
    return Decision(verdict=verdict, reason="rule", approvals=needs, **fields)


def test_decisions() -> None:
    assert words.outcome(decision("allow")) == "allow"
    assert words.outcome(decision("deny")) == "deny (rule)"
    two = decision("require_approval", ApprovalNeed(role="m", count=2), ApprovalNeed(role=None))
    assert words.outcome(two) == "ask 2 x m and anybody"
    assert words.by(decision("allow", rule="a/1", where="f:3")) == "a/1 (f:3)"
    assert words.by(decision("allow", rule="a/default")) == "a/default"
    assert words.by(decision("deny")) == "rule"


def test_what_differs_is_added() -> None:
    short = decision("require_approval", ApprovalNeed(role="m", expires_s=60, allow_edit=("a", "b"), escalate_to=("n",)))
    long = decision("require_approval", ApprovalNeed(role="m"))
    assert whole(short, other=long) == "ask m (expires 60 s, may edit a, b, escalates to n)"
    assert whole(long, other=short) == "ask m (expires 900 s)"
    assert whole(long, other=long) == "ask m"
    assert duties(Obligations(redact_fields=("a", "b"), retain_days=3)) == "redact a, b; keep 3 days"
    assert duties(Obligations()) == "redact nothing; keep as nobody says"


def test_a_call_can_be_pasted_below_tests() -> None:
    call = Request(
        tool="t",
        args={"amount": Decimal("0.10"), "note": "a: 'b'", "odd key": [1, None], "on": True},
        context={"tier": "pro"},
        principal=Principal(id="bot", roles=("a",)),
        now=dt.datetime(2026, 11, 23, 9, tzinfo=dt.UTC),
        spent={"p.yaml#t/2": Decimal(5), "p.yaml#t/3": Decimal(0)},
        able=frozenset(),
    )
    line = as_test(call, expect="deny")
    limits = "[{deny: true}, {limit: {max: 9}}]"
    text = f"version: 1\npolicy:\n  tool: t\n  rules: {limits}\n  tests:\n    - {line.replace('{', '{name: a, ', 1)}\n"
    (test,) = load_text(text, file="p.yaml").policies[0].tests
    assert test.args == {**call.args, "amount": 0.1}
    assert (test.context, test.principal, test.spent) == (call.context, call.principal, {"2": Decimal(5)})
    assert test.clock == "2026-11-23T09:00:00+00:00"


def test_a_call_with_a_session_or_a_long_text_is_shown_and_no_test() -> None:
    call = Request(tool="t", args={"note": "x" * 99}, session={"steps": 3}, able=frozenset())
    shown = as_test(call)
    assert shown.endswith("…}, session: {steps: 3}}")
    assert len(shown) < 120
