"""A mutation of a rule of a bundled policy is found: by diff always, by the policy's own tests nearly always."""

from __future__ import annotations

import pytest

from pytest_agentops.policy.binding import bind
from pytest_agentops.policy.decide import evaluate
from pytest_agentops.policy.diff import diff
from pytest_agentops.policy.expected import differences, request_of, stand_in, tool_of
from pytest_agentops.policy.extends import template, templates
from pytest_agentops.policy.model import Policy

from .mutants import mutants, original

FOUNDING = """\
version: 1
policy:
  tool: "payments.refund"
  tier: 3
  rules:
    - if: "amount_usd <= 50 and customer_tier in ['standard','pro']"
      allow: true
    - if: "amount_usd <= 200 and customer_tier == 'enterprise'"
      allow: true
    - if: "amount_usd > 50"
      require_approval: "support_manager"
    - log:
        redact_fields: ["card_number", "bank_account"]
        retain_days: 365
  tests:
    - {name: standard 50, args: {amount_usd: 50}, context: {customer_tier: standard}, expect: allow, rule: 1, redact_fields: [bank_account, card_number], retain_days: 365}
    - {name: pro 20, args: {amount_usd: 20}, context: {customer_tier: pro}, expect: allow, rule: 1}
    - {name: pro 51, args: {amount_usd: 51}, context: {customer_tier: pro}, expect: require_approval, rule: 3, roles: [support_manager]}
    - {name: enterprise 50, args: {amount_usd: 50}, context: {customer_tier: enterprise}, expect: allow, rule: 2}
    - {name: enterprise 120, args: {amount_usd: 120}, context: {customer_tier: enterprise}, expect: allow, rule: 2}
    - {name: enterprise 200, args: {amount_usd: 200}, context: {customer_tier: enterprise}, expect: allow, rule: 2}
    - {name: enterprise 201, args: {amount_usd: 201}, context: {customer_tier: enterprise}, expect: require_approval, rule: 3}
    - {name: other 20, args: {amount_usd: 20}, context: {customer_tier: gold}, expect: deny, reason: default_deny}
    - {name: other 50, args: {amount_usd: 50}, context: {customer_tier: gold}, expect: deny, reason: default_deny}
    - {name: no tier, args: {amount_usd: 20}, expect: deny, reason: indeterminate}
    - {name: no tier 300, args: {amount_usd: 300}, expect: require_approval, rule: 3}
"""
TEXTS = {"founding": FOUNDING, **{name: template(name) for name in templates()}}


def holds(policy: Policy) -> bool:
    for test in policy.tests:
        tool = tool_of(policy, test)
        contract = stand_in(policy, test)
        if differences(policy, test, evaluate(bind([policy], {tool: contract}), request_of(policy, test))):
            return False
    return True


def changed(one: Policy, other: Policy) -> bool:
    found = diff([one], [other], {})
    assert found.partial == ()
    return bool(found.changes)


@pytest.mark.parametrize("name", TEXTS)
def test_diff_finds_every_mutation_and_says_whether_it_decides_anything(name: str) -> None:
    whole = original(TEXTS[name])
    assert holds(whole)
    for what, mutant in mutants(TEXTS[name]):
        found = diff([whole], [mutant], {})
        assert found.written, what
        assert found.partial == ()


@pytest.mark.parametrize("name", TEXTS)
def test_what_the_tests_find_diff_finds_too(name: str) -> None:
    whole = original(TEXTS[name])
    for what, mutant in mutants(TEXTS[name]):
        if not holds(mutant):
            assert changed(whole, mutant) or any(t.rule for t in mutant.tests), what


def test_policy_tests_find_at_least_95_percent_of_what_decides_otherwise() -> None:
    missed: list[str] = []
    count = 0
    for name, text in TEXTS.items():
        whole = original(text)
        for what, mutant in mutants(text):
            if changed(whole, mutant):
                count += 1
                missed += [f"{name}: {what}"] if holds(mutant) else []
    assert count > 120
    print(f"{count - len(missed)} of {count} mutants that decide otherwise are found by the policies' tests")
    assert len(missed) <= 0.05 * count, (len(missed), count, missed)
