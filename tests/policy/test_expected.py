"""The tests inside of policy files, and the examples of docs/policies.md, which are policies with such tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_agentops.policy import files, rules
from pytest_agentops.policy.attributes import ROOTS
from pytest_agentops.policy.binding import bind, check
from pytest_agentops.policy.decide import evaluate
from pytest_agentops.policy.expected import differences, request_of, stand_in
from pytest_agentops.policy.files import load_text
from pytest_agentops.policy.model import Policy
from pytest_agentops.policy.parsing import FUNCTIONS

from .conftest import FOUNDING, contract

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "policies.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def outcome(policy: Policy, tier: int = 3) -> list[list[str]]:
    made = contract(tier=tier)
    return [
        differences(policy, test, evaluate(bind([policy], {made.name: made}), request_of(policy, test))) for test in policy.tests
    ]


def policy(*tests: str) -> Policy:
    text = FOUNDING + "    - limit: {sum: amount_usd, max: 100}\n  tests:\n" + "".join(f"    - {test}\n" for test in tests)
    return load_text(text, file="p.yaml").policies[0]


def test_a_test_that_holds_says_nothing() -> None:
    pro = "context: {customer_tier: pro}"
    found = policy(
        f"{{name: a, args: {{amount_usd: 20}}, {pro}, expect: allow, reason: rule, rule: 1, roles: [], retain_days: 365}}",
        f"{{name: b, args: {{amount_usd: 60}}, {pro}, expect: require_approval, roles: [support_manager]}}",
        f"{{name: c, args: {{amount_usd: 20}}, {pro}, spent: {{'5': 81}}, expect: deny, reason: limit, rule: 5}}",
        "{name: d, args: {amount_usd: 20}, expect: deny, redact_fields: [card_number, bank_account]}",
    )
    assert outcome(found) == [[], [], [], []]


def test_a_test_that_does_not_hold_says_all_that_differs_and_why() -> None:
    found = policy(
        "{name: a, args: {amount_usd: 60}, context: {customer_tier: pro}, expect: allow, reason: limit, rule: 1, "
        "roles: [finance], redact_fields: [iban], retain_days: 3}"
    )
    assert outcome(found) == [
        [
            "expected the decision allow, found require_approval",
            "expected the reason limit, found rule",
            "expected the rule 1, found 3",
            "expected approvals by finance, found support_manager",
            "expected redact_fields iban, found bank_account, card_number",
            "expected retain_days 3, found 365",
            "because: approval of support_manager asked for by rule payments.refund/3 (p.yaml:9)",
        ]
    ]


def test_without_a_suite_a_contract_stands_in() -> None:
    text = FOUNDING.replace("rules:", "tier: 3\n  rules:") + "  tests: [{name: a, args: {amount_usd: 1}, expect: deny}]\n"
    (made,) = load_text(text, file="p").policies
    found = stand_in(made, made.tests[0])
    assert (found.name, found.tier, list(found.parameters["properties"])) == ("payments.refund", 3, ["amount_usd"])


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_examples_of_the_page_load_and_their_tests_hold(text: str) -> None:
    (made,) = load_text(text, file="page.yaml").policies
    assert check([made], {"payments.refund": contract()}, ["customer_tier", "country"]) == []
    assert all(not found for found in outcome(made))


def test_the_page_tells_every_key_and_word() -> None:
    keys = {*files.FILE_KEYS, *files.POLICY_KEYS, *files.ATTRIBUTE_KEYS, *files.TEST_KEYS}
    keys |= {*rules.RULE_KEYS, *rules.APPROVAL_KEYS, *rules.LOG_KEYS, *rules.WITHIN_KEYS, *rules.LIMIT_KEYS}
    keys |= {*ROOTS, *(name for inside in ROOTS.values() for name in inside or ()), *FUNCTIONS}
    assert [key for key in sorted(keys) if not re.search(rf"\b{key}\b", PAGE)] == []


def test_the_first_example_of_the_page_is_the_founding_policy() -> None:
    assert EXAMPLES[0] == FOUNDING
