"""The tests inside policy files, as pytest items under ``--agent-evals``."""

from __future__ import annotations

import pytest

from .conftest import Project
from .test_policies import HEAD, ONE, POLICY, Shop, shop  # noqa: F401  a fixture

TESTS = """\
  tests:
    - {name: small, args: {amount_usd: 20}, expect: allow, rule: 1}
    - {name: more, args: {amount_usd: 60}, expect: require_approval, roles: [boss]}
    - {name: much, args: {amount_usd: 600}, expect: deny, rule: 3}
    - {name: missing, args: {}, expect: deny, reason: indeterminate}
    - {name: duties, args: {amount_usd: 1}, expect: allow, redact_fields: [card], retain_days: 30}
"""


def test_they_are_items_beside_the_cases(shop: Shop, project: Project) -> None:  # noqa: F811
    shop.policy(POLICY + TESTS)
    shop.suite(ONE)
    project.record()
    result = project.evals("-v")
    assert result.ret == 0, result.stdout.str()
    result.stdout.fnmatch_lines(["cases/pay/policy.yaml::refunds[[]small] PASSED*"])
    result.assert_outcomes(passed=6)
    assert len(project.results["cases"]) == 1, "they are no cases: no number counts them"


def test_a_decision_that_is_another(shop: Shop, project: Project) -> None:  # noqa: F811
    shop.policy(POLICY.replace("<= 50", "<= 10").replace("> 50", "> 10") + TESTS)
    shop.suite(ONE)
    result = project.evals("cases/pay/policy.yaml")
    assert result.ret == 1
    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(
        [
            "policy test refunds: small",
            "cases/pay/policy.yaml:11",
            "  expected the decision allow, found require_approval",
            "  expected the rule 1, found 2",
            "  because: approval of boss asked for by rule refunds/2 (cases/pay/policy.yaml:7)",
            "  tool: pay.refund, tier 3 (cases/pay/tools.py:*)",
            "run it again: pytest --agent-evals 'cases/pay/policy.yaml::refunds[[]small]'",
        ]
    )


def test_they_are_chosen_by_name_and_by_id(shop: Shop, project: Project) -> None:  # noqa: F811
    shop.policy(POLICY + TESTS)
    shop.suite(ONE)
    project.evals("-k", "small").assert_outcomes(passed=1, deselected=5)
    project.evals("cases/pay/policy.yaml::refunds[much]").assert_outcomes(passed=1)


def test_a_file_that_no_suite_names_has_made_up_tools(shop: Shop, project: Project) -> None:  # noqa: F811
    shop.policy(POLICY.replace("tool: pay.refund", "tool: pay.refund\n  tier: 3") + TESTS)
    (project.path / "cases/pay/policy.yaml").rename(project.path / "cases/lonely.yaml")
    result = project.evals()
    assert result.ret == 0, result.stdout.str()
    result.assert_outcomes(passed=5)


def test_the_tiers_of_the_suites_tools_hold(shop: Shop, project: Project) -> None:  # noqa: F811
    shop.policy(POLICY + TESTS)
    shop.suite(ONE, head=HEAD + "contracts: {pay.refund: {tier: 4}}\n")
    result = project.evals("cases/pay/policy.yaml")
    assert result.ret == 1, "on tier 4 nothing is allowed by itself"
    result.stdout.fnmatch_lines(["  tool: pay.refund, tier 4 *"])


def test_a_suite_that_does_not_load_is_named_as_the_cause(shop: Shop, project: Project) -> None:  # noqa: F811
    shop.policy(POLICY + TESTS)
    shop.suite(ONE, head=HEAD + "contracts: {pay.refund: {tier: 9}}\n")
    result = project.evals("cases/pay/policy.yaml")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["  perhaps only since a suite does not load, cure that first: cases/pay/*.yaml"])


@pytest.mark.parametrize(
    ("test", "says"),
    [
        ("{name: a, expect: maybe}", '*policy.yaml:11:25: expect: must be allow or require_approval or deny, found "maybe"'),
        ("{name: a, expect: allow, rule: 9}", "*policy.yaml:11:*there is no rule*"),
        ("{expect: allow}", "*policy.yaml:11:*the key 'name' is missing*"),
        ("{name: a, expect: allow, clock: noon}", "*policy.yaml:11:*no time with a zone*"),
        ("{name: a, expect: allow, arg: {}}", "*policy.yaml:11:*unknown key 'arg'*"),
    ],
)
def test_mistakes(test: str, says: str, shop: Shop, project: Project) -> None:  # noqa: F811
    shop.policy(f"{POLICY}  tests:\n    - {test}\n")
    shop.suite(ONE)
    result = project.evals("cases/pay/policy.yaml")
    assert result.ret == 1
    result.stdout.fnmatch_lines([says])


def test_in_two_workers(shop: Shop, project: Project) -> None:  # noqa: F811
    shop.policy(POLICY + TESTS)
    shop.suite(ONE)
    project.record()
    result = project.apart("-p", "xdist", "--agent-evals", "-n2")
    assert result.ret == 0, result.stdout.str()
    result.assert_outcomes(passed=6)
