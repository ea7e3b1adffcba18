"""``policy test``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .conftest import FOUNDING, TESTS, Said

Run = Callable[..., Said]


def test_tests_that_hold_are_exit_0(shop: Path, policy: Run) -> None:
    assert policy("test") == (0, "2 passed, 0 failed\n", "")
    code, out, _ = policy("test", "-v", "cases/policy.yaml")
    assert code == 0
    assert "passed cases/policy.yaml:15: payments.refund::small standard" in out


def test_a_failure_is_exit_1_with_its_place_and_all_that_differs(shop: Path, policy: Run) -> None:
    (shop / "cases" / "policy.yaml").write_text(FOUNDING + TESTS.replace("expect: allow, rule: 1", "expect: deny"))
    code, out, _ = policy("test")
    assert code == 1
    assert out.splitlines() == [
        "FAILED cases/policy.yaml:15: payments.refund::small standard",
        "  expected the decision deny, found allow",
        "  because: allowed by rule payments.refund/1 (cases/policy.yaml:5)",
        "1 passed, 1 failed",
    ]


def test_no_tests_are_said_and_an_error(shop: Path, policy: Run) -> None:
    (shop / "cases" / "policy.yaml").write_text(FOUNDING)
    code, out, _ = policy("test")
    assert code == 1
    assert out.splitlines() == [
        "cases/policy.yaml:2: policy payments.refund has no tests",
        "nothing was tested: there are no tests in 1 policy",
    ]


def test_a_name_that_fits_none_is_an_error(shop: Path, policy: Run) -> None:
    code, out, _ = policy("test", "-k", "nothing")
    assert (code, out) == (1, "nothing was tested: none of 2 tests has 'nothing' in its name in 1 policy\n")
    assert policy("test", "-k", "no tier")[1] == "1 passed, 0 failed\n"


def test_without_a_suite_it_says_what_was_taken_for_the_tool(shop: Path, policy: Run) -> None:
    code, out, _ = policy("test", "--no-suite")
    assert code == 1
    assert "no suite declares payments.refund: it was taken to be a write of no tier, so 4 (--suite FILE names one)" in out


def test_a_policy_below_its_tiers_floor_fails(shop: Path, policy: Run) -> None:
    text = FOUNDING.replace("amount_usd <= 50 and ", "").replace("amount_usd <= 200 and ", "")
    (shop / "cases" / "policy.yaml").write_text(text + TESTS.replace("expect: allow, rule: 1", "expect: require_approval"))
    code, out, _ = policy("test")
    assert code == 1
    assert "payments.refund/1 allows payments.refund without a person; it is tier 3" in out
    assert "2 mistakes" in out


def test_what_is_not_there_or_no_policy_is_one_message(shop: Path, policy: Run) -> None:
    assert policy("test", "nowhere")[2] == "pytest-agentops policy: nowhere: no such file or folder\n"
    assert "no policy file" in policy("test", "cases/refunds.yaml")[2]
    (shop / "cases" / "bad.yaml").write_text("version: 1\npolicy: {tool: x, rules: [{if: 'a ** 2 > 1', allow: true}]}\n")
    code, out, err = policy("test")
    assert (code, out) == (1, "")
    assert "cases/bad.yaml:2:35: if: a power (**)" in err


def test_a_suite_that_does_not_load_is_noted_or_with_its_name_an_error(shop: Path, policy: Run) -> None:
    (shop / "cases" / "refunds.yaml").write_text("version: 1\ncases: 3\n")
    assert "note: cases/refunds.yaml does not load, its tools are not known" in policy("test")[1]
    assert policy("test", "--suite", "cases/refunds.yaml")[0] == 1
    assert "no such file" in policy("test", "--suite", "cases/none.yaml")[2]


def test_tools_of_code_are_asked_and_those_of_fixtures_noted(shop: Path, policy: Run) -> None:
    code = "from pytest_agentops import tool\n\n"
    code += '@tool("payments.refund", effect="write", tier=3)\ndef refund(amount_usd: float): ...\n'
    (shop / "cases" / "tools.py").write_text(code)
    suite = (
        "version: 1\nsuite: refunds\nagent: transcript\ntools: [./tools.py:refund, a_fixture]\ncases: [{id: small, task: x}]\n"
    )
    (shop / "cases" / "refunds.yaml").write_text(suite)
    code_, out, _ = policy("test")
    assert (code_, out.splitlines()[-1]) == (0, "2 passed, 0 failed")
    assert "the fixture 'a_fixture' is made by pytest, its tools are not known here" in out


def test_each_file_is_held_against_the_suites_that_name_it(shop: Path, policy: Run) -> None:
    """Two suites may have a tool of one name, and the policies of one are not for the other's."""
    folder = shop / "cases" / "other"
    folder.mkdir()
    (folder / "strict.yaml").write_text(
        "version: 1\npolicy:\n  tool: payments.refund\n  rules: [{require_approval: m}]\n"
        "  tests: [{name: production, args: {amount_usd: 1}, expect: deny, reason: tier_default}]\n"
    )
    suite = (shop / "cases" / "refunds.yaml").read_text()
    (shop / "cases" / "refunds.yaml").write_text(suite + "policies: [./policy.yaml]\n")
    other = suite.replace("suite: refunds", "suite: other").replace("tier: 3", "tier: 4")
    (folder / "other.yaml").write_text(other + "policies: [./strict.yaml]\n")
    _, out, _ = policy("test", "-v")
    assert "passed cases/other/strict.yaml:5: payments.refund::production" in out
    assert "3 passed, 0 failed" in out
    assert "POL012" not in "".join(line for line in policy("lint")[1].splitlines() if "cases/policy.yaml" in line)
