"""``policy lint`` and ``policy diff`` from the outside."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import FOUNDING, TESTS, Said

Run = Callable[..., Said]
CLEAN = """\
version: 1
policy:
  tool: payments.refund
  attributes: {amount_usd: {minimum: 1, required: true}}
  rules:
    - {if: "amount_usd <= 50", allow: true}
    - {if: "amount_usd > 50", require_approval: boss}
    - log: {redact_fields: [card_number, bank_account], retain_days: 30}
  tests: [{name: a, args: {amount_usd: 20}, expect: allow}]
"""


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def history(shop: Path) -> Path:
    """The folder as a repository: the founding policy at v1, a higher limit in the working folder."""
    git(shop, "init", "-q")
    git(shop, "add", ".")
    git(shop, "commit", "-qm", "one")
    git(shop, "tag", "v1")
    (shop / "cases" / "policy.yaml").write_text(FOUNDING.replace("<= 50", "<= 60") + TESTS)
    return shop


# --- lint


def test_lint_prints_findings_with_their_cells_and_warnings_are_exit_0(shop: Path, policy: Run) -> None:
    code, out, _ = policy("lint")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("cases/policy.yaml:2:1: POL006 warning: no rule of policy payments.refund applies")
    assert lines[1] == "    where amount_usd <= 50 and customer_tier not in ['enterprise', 'pro', 'standard']"
    assert lines[-1] == "0 errors, 5 warnings: 1 policy, 30 cells"
    assert policy("lint", "--strict")[0] == 1


def test_clean_is_said_and_an_error_is_exit_1(shop: Path, policy: Run) -> None:
    (shop / "cases" / "policy.yaml").write_text(CLEAN)
    assert policy("lint", "--strict") == (0, "clean: 1 policy, 6 cells\n", "")
    (shop / "cases" / "policy.yaml").write_text(CLEAN.replace("amount_usd > 50", "amount_usd > 50 and amount_usd < 40"))
    code, out, _ = policy("lint")
    assert code == 1
    assert "POL004 error: rule payments.refund/2 never matches" in out
    (shop / "cases" / "policy.yaml").write_text(CLEAN)
    for number in ("-5", "0", "x"):
        code, _, err = policy("lint", f"--min-retain-days={number}")
        assert code == 2
        assert f"'{number}': expected a whole number from 1" in err
    assert "keeps calls 30 days, at least 90 are asked for" in policy("lint", "--min-retain-days", "90")[1]


def test_partial_is_never_clean(shop: Path, policy: Run) -> None:
    (shop / "cases" / "policy.yaml").write_text(CLEAN.replace("> 50", "> 50 and amount_usd != context.last"))
    code, out, _ = policy("lint", "--strict")
    assert code == 1
    assert "partial: policy payments.refund" in out
    assert out.splitlines()[-1].startswith("partial, not clean: ")


def test_without_its_suites_tools_a_policy_is_not_clean(shop: Path, policy: Run) -> None:
    (shop / "cases" / "policy.yaml").write_text(CLEAN)
    (shop / "cases" / "refunds.yaml").write_text("version: 1\ncases: 3\n")
    code, out, _ = policy("lint", "--strict")
    assert code == 1
    assert "partial: cases/refunds.yaml does not load, its tools are not known: " in out
    assert out.splitlines()[-1].startswith("partial, not clean: 0 errors, ")


def test_a_file_that_does_not_load_is_findings_too_and_nothing_is_an_error(shop: Path, policy: Run) -> None:
    (shop / "cases" / "policy.yaml").write_text(
        "version: 1\npolicy: {tool: x, colour: 3, rules: [{if: 'a ** 2', allow: true}]}\n"
    )
    code, out, _ = policy("lint")
    assert code == 1
    assert "cases/policy.yaml:2:19: POL001 error: unknown key 'colour'" in out
    (shop / "cases" / "policy.yaml").unlink()
    assert policy("lint") == (1, "nothing was linted: there are no policies\n", "")


def test_json_and_sarif(shop: Path, policy: Run) -> None:
    found = json.loads(policy("lint", "--format", "json")[1])
    assert {f["code"] for f in found["findings"]} == {"POL005", "POL006", "POL007", "POL008"}
    assert (found["cells"], found["clean"], found["partial"]) == (30, False, [])
    assert policy("lint", "--format", "sarif", "-o", "out.sarif") == (0, "", "")
    assert json.loads((shop / "out.sarif").read_text())["runs"][0]["results"][0]["ruleId"] == "POL006"
    assert "cannot be written" in policy("lint", "-o", "out.sarif/where.txt")[2]


# --- diff


def test_diff_of_files_says_what_is_widened(shop: Path, policy: Run) -> None:
    Path("new.yaml").write_text(FOUNDING.replace("<= 50", "<= 60"))
    words = ("diff", "cases/policy.yaml", "new.yaml", "--suite", "cases/refunds.yaml")
    code, out, _ = policy(*words)
    assert code == 0
    assert out.splitlines() == [
        "widened: more is let through",
        "  payments.refund: ask support_manager -> allow",
        "      where 50 < amount_usd <= 60 and customer_tier in ['pro', 'standard']",
        "      was payments.refund/3 (cases/policy.yaml:9); now payments.refund/1 (new.yaml:5)",
        '      such as {args: {amount_usd: 60}, context: {customer_tier: "pro"}}',
        "written otherwise",
        "  new.yaml:5: rule payments.refund/1: if amount_usd <= 50 and customer_tier in ['standard','pro']: allow -> "
        "if amount_usd <= 60 and customer_tier in ['standard','pro']: allow",
        "cases/policy.yaml -> new.yaml: 1 widened; 20 cells of 1 tool compared",
    ]
    assert policy(*words, "--fail-on-widening")[0] == 1
    assert policy("diff", "new.yaml", "cases/policy.yaml", "--fail-on-widening")[0] == 0
    assert policy("diff", "cases", "cases", "--fail-on-widening")[1].endswith(
        "cases -> cases: no call is decided otherwise; 16 cells of 1 tool compared\n"
    )


def test_diff_of_revisions_and_folders(history: Path, policy: Run) -> None:
    for before in ("v1:cases/policy.yaml", "HEAD:cases", "HEAD:./cases/", "v1:cases"):
        code, out, err = policy("diff", before, "cases", "--fail-on-widening")
        assert (code, err) == (1, ""), before
        assert f"{before}".split(":")[0] in out
        assert "50 < amount_usd <= 60" in out
    assert policy("diff", "v1:cases", "HEAD:cases", "--fail-on-widening")[0] == 0


def test_a_base_is_taken_from_the_same_revision(history: Path, policy: Run) -> None:
    (history / "cases" / "base.yaml").write_text(
        "version: 1\npolicy: {tool: '*', tier: 2, rules: [{id: b, if: 'args.x > 5', deny: true}]}\n"
    )
    child = "version: 1\npolicy: {extends: ./base.yaml, tool: email.send, id: mail, rules: [{require_approval: m}]}\n"
    (history / "cases" / "mail.yaml").write_text(child)
    git(history, "add", ".")
    git(history, "commit", "-qm", "two")
    (history / "cases" / "base.yaml").write_text(
        "version: 1\npolicy: {tool: '*', tier: 2, rules: [{id: b, if: 'args.x > 9', deny: true}]}\n"
    )
    code, out, _ = policy("diff", "HEAD:cases/mail.yaml", "cases/mail.yaml", "--no-suite", "--fail-on-widening")
    assert code == 1
    assert "where 5 < args.x <= 9" in out
    assert "was mail/b (HEAD:cases/base.yaml:2); now mail/1 (cases/mail.yaml:2)" in out


def test_markdown_and_json(history: Path, policy: Run) -> None:
    out = policy("diff", "HEAD:cases", "cases", "--format", "markdown")[1]
    assert out.startswith("### Policy change\n\n**Widened: more is let through**\n")
    assert (
        "| payments.refund | `50 < amount_usd <= 60 and customer_tier in ['pro', 'standard']` | ask support\\_manager | allow |"
        in out
    )
    assert "No call is decided otherwise." in policy("diff", "cases", "cases", "--format", "markdown")[1]
    found = json.loads(policy("diff", "HEAD:cases", "cases", "--format", "json")[1])
    assert (found["widens"], [c["direction"] for c in found["changes"]]) == (True, ["widened"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("nowhere.yaml", "cases"), "nowhere.yaml: no such file or folder, and no REV:path of git"),
        (("v9:cases", "cases"), "git knows no revision 'v9'"),
        (("HEAD:other.yaml", "cases"), "there is no 'other.yaml' in revision HEAD"),
        ((":cases", "cases"), "expected REV:path"),
        (("--", "-x:cases", "cases"), "expected REV:path"),
        (("HEAD:cases/refunds.yaml", "cases"), "no policy file"),
        (("empty", "cases"), "empty: there are no policies"),
        (("bad.yaml", "cases"), "bad.yaml:2:10: unknown key 'toool'"),
        (("cases", "bad.yaml"), "bad.yaml:2:10: unknown key 'toool'"),
    ],
)
def test_sides_that_cannot_be_compared_are_exit_2(words: tuple[str, ...], says: str, history: Path, policy: Run) -> None:
    (history / "empty").mkdir()
    (history / "bad.yaml").write_text("version: 1\npolicy: {toool: x, tier: 1}\n")
    code, out, err = policy("diff", *words)
    assert (code, out) == (2, "")
    assert says in err


def test_without_a_repository(shop: Path, policy: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(shop.parent))
    assert "this is no git repository" in policy("diff", "HEAD:cases", "cases")[2]
    monkeypatch.setenv("PATH", "")
    assert "git is not installed" in policy("diff", "HEAD:cases", "cases")[2]


def test_a_widening_that_cannot_be_ruled_out_fails(shop: Path, policy: Run) -> None:
    one = CLEAN.replace("> 50", "> 50 and amount_usd != context.last")
    Path("one.yaml").write_text(one)
    Path("two.yaml").write_text(
        one.replace("payments.refund\n", "payments.refund\n  id: x\n").replace("id: x", "id: payments.refund")
    )
    assert policy("diff", "one.yaml", "two.yaml", "--fail-on-widening", "--no-suite")[0] == 0  # nothing is written otherwise
    Path("two.yaml").write_text(one.replace('"amount_usd <= 50"', '"amount_usd <= 50 and 1 <= amount_usd"'))
    code, out, _ = policy("diff", "one.yaml", "two.yaml", "--fail-on-widening", "--no-suite")
    assert code == 1
    assert "partial: one.yaml -> two.yaml: no call is decided otherwise" in out


def test_many_calls_are_cut_and_duties_have_no_rule(shop: Path, policy: Run) -> None:
    kinds = ", ".join(f"'{n}'" for n in "abcdefgh")
    rule = f'{{if: "args.a in [{kinds}] and args.b in [{kinds}]", allow: true}}'
    one = f"version: 1\npolicy:\n  tool: x.y\n  tier: 2\n  rules:\n    - {rule}\n"
    Path("one.yaml").write_text(one + "    - log: {redact_fields: [a], retain_days: 9}\n")
    apart = "".join(f"    - {{if: \"args.a == '{n}' and args.b == '{n}'\", deny: true}}\n" for n in "abcdefgh")
    Path("two.yaml").write_text(one + apart + "    - log: {redact_fields: [a, b], retain_days: 9}\n")
    out = policy("diff", "one.yaml", "two.yaml", "--no-suite")[1]
    assert "      and 3 cells more" in out
    assert "  x.y: redact a; keep 9 days -> redact a, b; keep 9 days" in out
    assert "<br>and 3 cells more |" in policy("diff", "one.yaml", "two.yaml", "--no-suite", "--format", "markdown")[1]


def test_what_is_partial_stands_in_the_markdown_too(shop: Path, policy: Run) -> None:
    Path("one.yaml").write_text(CLEAN.replace("> 50", "> 50 and amount_usd != context.last"))
    out = policy("diff", "one.yaml", "one.yaml", "--no-suite", "--format", "markdown")[1]
    assert "No call that was tried is decided otherwise." in out
    assert "- partial: payments.refund: two attributes are compared" in out
    assert "- partial: nobody names the tier of payments.refund" in out


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("{m: [dana]}", "{m: [dana, mallory]}", "widened: role m: dana -> dana, mallory (two.yaml:2)"),
        ("{m: [dana, eve]}", "{m: [eve]}", "narrowed: role m: dana, eve -> eve (two.yaml:2)"),
        ("{m: [dana]}", "{m: [eve]}", "changed: role m: dana -> eve (two.yaml:2)"),
        ("{m: [dana]}", None, "widened: role m: dana -> anybody (one.yaml:2)"),
        (None, "{m: [dana]}", "narrowed: role m: anybody -> dana (two.yaml:2)"),
        ("{m: [dana]}", "{m: [dana], n: [eve]}", ""),
        ("{m: [dana, eve]}", "{m: [eve, dana]}", ""),
    ],
)
def test_who_has_a_role_is_compared_too(before: str | None, after: str | None, says: str, shop: Path, policy: Run) -> None:
    for name, roles in (("one.yaml", before), ("two.yaml", after)):
        text = CLEAN.replace("boss", "m").replace("payments.refund\n", "payments.refund\n  tier: 2\n")
        Path(name).write_text(text if roles is None else text.replace("version: 1", f"version: 1\nroles: {roles}"))
    words = ("diff", "one.yaml", "two.yaml", "--no-suite", "--fail-on-widening")
    code, out, _ = policy(*words)
    way, _, role = says.partition(": ")
    assert code == (way in ("widened", "changed"))
    found = json.loads(policy(*words, "--format", "json")[1])
    assert [r["direction"] for r in found["roles"]] == ([way] if says else [])
    assert found["changes"] == []
    if says:
        assert f"  {role}" in out
        assert f"1 {way}" in out
        assert f"- {role}" in policy(*words, "--format", "markdown")[1].replace("\\>", ">")
    assert bool(found["written"]) == (bool(says) or "n:" in str(after))
