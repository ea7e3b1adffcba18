"""Policies are judged as suites use them: the files that a case names together, over that suite's tools."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Said
from .test_lint_and_diff import git

Run = Callable[..., Said]
SUITE = """\
version: 1
suite: {name}
agent: transcript
policies: [{refs}]
contracts:
  payments.refund:
    parameters: {{type: object, properties: {{amount_usd: {{type: number}}}}, required: [amount_usd]}}
    effect: write
    tier: {tier}
cases: [{{id: small, task: x}}]
"""
POLICY = """\
version: 1
policy:
  id: {id}
  tool: payments.refund
  rules:
    - {{if: "amount_usd > 0 and amount_usd <= {limit}", allow: true}}
    - {{if: "amount_usd > {limit}", require_approval: m}}
  tests: [{{name: mid, args: {{amount_usd: 70}}, expect: {expect}}}]
"""


def suite(folder: Path, name: str, *refs: str, tier: int = 3) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yaml").write_text(SUITE.format(name=name, refs=", ".join(refs), tier=tier))


def written(file: Path, *, id_: str = "p", limit: int = 50, expect: str = "require_approval") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(POLICY.format(id=id_, limit=limit, expect=expect))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("own", [True, False])
def test_a_policy_of_one_suite_does_not_hide_what_widens_in_anothers(own: bool, here: Path, policy: Run) -> None:
    for side, limit in (("before", 50), ("cases", 100)):
        for name in "ab":
            suite(here / side / name, name, "./policy.yaml")
            written(here / side / name / "policy.yaml", id_=name if own else "p", limit=limit if name == "a" else 50)
    code, out, _ = policy("diff", "before", "cases", "--fail-on-widening")
    assert code == 1
    name = "a" if own else "p"
    assert "      where 50 < amount_usd <= 100" in out
    assert f"  cases/a/policy.yaml:6: rule {name}/1: if amount_usd > 0 and amount_usd <= 50: allow -> " in out
    assert "cases/b/policy.yaml" not in out
    assert policy("diff", "before/a/policy.yaml", "cases/a/policy.yaml", "--fail-on-widening")[0] == 1
    assert policy("diff", "before/b", "cases/b", "--fail-on-widening")[0] == 0


def test_files_that_no_suite_names_are_compared_alone_too(here: Path, policy: Run) -> None:
    for side, limit in (("before", 50), ("after", 100)):
        written(here / side / "one.yaml", id_="one", limit=limit)
        written(here / side / "two.yaml", id_="two")
        suite(here / "other", "any")
    assert policy("diff", "before", "after", "--suite", "other/any.yaml", "--fail-on-widening")[0] == 1
    (here / "after" / "one.yaml").write_bytes((here / "before" / "one.yaml").read_bytes())
    assert policy("diff", "before", "after", "--suite", "other/any.yaml", "--fail-on-widening")[0] == 0


def test_a_file_that_is_gone_was_named_by_some_case(here: Path, policy: Run) -> None:
    """Its suite says so on the old side, or nobody does."""
    for side in ("before", "cases"):
        written(here / side / "policy.yaml")
        suite(here / side, "a", "./policy.yaml")
    (here / "before" / "denies.yaml").write_text(
        "version: 1\npolicy: {id: d, tool: payments.refund, rules: [{if: 'amount_usd > 30', deny: true}]}\n"
    )
    for _ in range(2):
        code, out, _ = policy("diff", "before", "cases", "--fail-on-widening")
        assert code == 1
        assert "where 30 < amount_usd <= 50" in out
        suite(here / "before", "a", "./policy.yaml", "./denies.yaml")


def test_what_a_case_names_beside_stays_as_it_is_on_both_sides(here: Path, policy: Run) -> None:
    """A file alone would fall to the tier's default, and the removed deny would change nothing."""
    for side in ("before", "cases"):
        written(here / side / "policy.yaml", limit=50)
        suite(here / side, "a", "./policy.yaml", "./denies.yaml", tier=1)
    for side, limit in (("before", 30), ("cases", 40)):
        (here / side / "denies.yaml").write_text(
            f"version: 1\npolicy: {{id: d, tool: payments.refund, rules: [{{if: 'amount_usd > {limit}', deny: true}}]}}\n"
        )
    _, out, _ = policy("diff", "before/denies.yaml", "cases/denies.yaml")
    assert "where 30 < amount_usd <= 40" in out
    assert "now p/1 (cases/policy.yaml:6)" in out


def test_each_suite_has_its_own_contract_of_a_tool(here: Path, policy: Run) -> None:
    for side, limit in (("before", 50), ("cases", 100)):
        (here / side).mkdir()
        (here / side / "shared.yaml").write_text(
            "version: 1\npolicy:\n  id: p\n  tool: payments.refund\n  rules:\n"
            '    - {if: "amount_usd > 500", require_approval: m}\n'
            f'    - {{if: "amount_usd > 0 and amount_usd <= {limit}", allow: true}}\n'
            "  tests: [{name: mid, args: {amount_usd: 200}, expect: allow, reason: tier_default}]\n"
        )
        for name, tier in (("a", 1), ("b", 3)):
            suite(here / side / name, name, "../shared.yaml", tier=tier)
    code, out, _ = policy("test", "cases")
    assert code == 1
    assert "FAILED cases/shared.yaml:8: p::mid" in out
    assert "  tool: payments.refund, tier 3 (cases/b/b.yaml)" in out
    assert "tier 1" not in out
    assert out.splitlines()[-1] == "0 passed, 1 failed"
    code, out, _ = policy("diff", "before", "cases", "--fail-on-widening")
    assert code == 1
    assert "such as" in out
    found = policy("lint", "cases")[1]
    assert "falls to tier 1" in found
    assert "falls to tier 3" in found
    assert found.count("POL008") == len({line for line in found.splitlines() if "POL008" in line})
    assert ": 1 policy, " in found


def test_a_shared_file_is_for_the_tools_that_a_suite_has(here: Path, policy: Run) -> None:
    """A policy for a tool of one suite is no finding in the other's, where nothing is known of it."""
    (here / "cases").mkdir()
    (here / "cases" / "shared.yaml").write_text(
        "version: 1\npolicies:\n"
        "  - {id: pay, tool: payments.refund, rules: [{if: 'amount_usd > 5', require_approval: m}]}\n"
        "  - {id: mail, tool: email.send, rules: [{require_approval: m}]}\n"
    )
    suite(here / "cases" / "a", "a", "../shared.yaml", tier=2)
    suite(here / "cases" / "b", "b", "../shared.yaml", tier=2)
    b = here / "cases" / "b" / "b.yaml"
    b.write_text(b.read_text().replace("payments.refund", "email.send"))
    out = policy("lint", "cases")[1]
    assert out.count("POL006") == 1
    assert "falls to tier 2" in out


def test_revisions_are_compared_over_the_suites_of_the_working_folder(here: Path, policy: Run) -> None:
    written(here / "cases" / "policy.yaml")
    file = here / "cases" / "policy.yaml"
    file.write_text(file.read_text().replace("  tests:", "  default: deny\n  tests:"))
    suite(here / "cases", "a", "./policy.yaml", tier=1)
    git(here, "init", "-q")
    git(here, "add", ".")
    git(here, "commit", "-qm", "one")
    file.write_text(file.read_text().replace("  default: deny\n", ""))
    git(here, "commit", "-qam", "two")
    code, out, _ = policy("diff", "HEAD~1:cases", "HEAD:cases", "--fail-on-widening")
    assert code == 1
    assert "partial" not in out
    assert "payments.refund: deny (default_deny) -> allow" in out
    lost = here / "cases" / "a.yaml"
    lost.write_text(lost.read_text().replace("suite:", "sute:"))
    for after in ("HEAD:cases", "cases"):
        code, out, _ = policy("diff", "HEAD~1:cases", after, "--fail-on-widening")
        assert code == 1
        assert "partial: cases/a.yaml does not load, its tools are not known" in out
    code, out, _ = policy("diff", "HEAD~1:cases", "HEAD:cases", "--no-suite", "--fail-on-widening")
    assert code == 1
    assert "partial: nobody names the tier of payments.refund" in out
