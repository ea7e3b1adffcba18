"""The policy workbench in a session: linted at collection, played back against a baseline."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

POLICY = """\
version: 1
policy:
  tool: payments.refund
  rules:
    - {if: "amount_usd <= 50 and customer_tier in ['standard', 'pro']", allow: true}
    - {if: "amount_usd <= 200 and customer_tier == 'enterprise'", allow: true}
    - {if: "amount_usd > 50", require_approval: support_manager}
"""
SUITE = """\
version: 1
suite: refunds
agent: ./agent.py:agent
policies: [./policy.yaml]
contracts:
  payments.refund:
    parameters: {type: object, properties: {amount_usd: {type: number}}, required: [amount_usd]}
    effect: write
    tier: 3
    answers: [{result: done}]
defaults: {context: {customer_tier: pro}}
cases:
  - {id: small, task: "20"}
  - {id: larger, task: "45"}
"""
AGENT = 'def agent(task, tools):\n    return tools.call("payments.refund", amount_usd=int(task.text))\n'


@pytest.fixture
def shop(pytester: pytest.Pytester) -> pytest.Pytester:
    folder = pytester.mkdir("cases")
    (folder / "policy.yaml").write_text(POLICY)
    (folder / "refunds.yaml").write_text(SUITE)
    (folder / "agent.py").write_text(AGENT)
    (pytester.path / "old.yaml").write_text(POLICY.replace("<= 50", "<= 30").replace("> 50", "> 30"))
    return pytester


def run(pytester: pytest.Pytester, *words: str, apart: bool = False) -> pytest.RunResult:
    """In this process, unless workers are started or `sys.modules` is looked at."""
    start = pytester.runpytest_subprocess if apart or "-n2" in words else pytester.runpytest_inprocess
    return start("--agent-evals", "-p", "no:cacheprovider", *words)


@pytest.mark.parametrize("workers", [(), ("-n2",)])
def test_what_the_linter_finds_is_told_once_and_fails_nothing(workers: tuple[str, ...], shop: pytest.Pytester) -> None:
    done = run(shop, *workers)
    done.assert_outcomes(passed=2)
    done.stdout.fnmatch_lines(
        [
            "*= policies =*",
            "cases/policy.yaml:2:1: POL006 warning: no rule of policy payments.refund applies, the call falls to tier 3: deny",
            "* findings of the policy linter; in full: pytest-agentops policy lint; as errors: --agent-policy-strict",
        ]
    )
    assert done.stdout.str().count("POL006") == 1
    assert "where amount_usd" in run(shop, "-v").stdout.str()
    assert "POL006" not in run(shop, "-q").stdout.str()


def test_the_command_for_all_findings_works_where_pytest_was_started(
    shop: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = shop.mkdir("more")
    for name in ("policy.yaml", "refunds.yaml", "agent.py"):
        text = (shop.path / "cases" / name).read_text()
        (more / name).write_text(text.replace("suite: refunds", "suite: more"))
    assert "in full: pytest-agentops policy lint cases more;" in run(shop, "-o", "agentops_cases=cases more").stdout.str()
    monkeypatch.chdir(more)
    assert "in full: pytest-agentops policy lint ../cases;" in run(shop, "--rootdir=..").stdout.str()


@pytest.mark.parametrize("workers", [(), ("-n2",)])
def test_strict_makes_them_errors_at_collection(workers: tuple[str, ...], shop: pytest.Pytester) -> None:
    done = run(shop, "--agent-policy-strict", *workers)
    assert done.ret == 1
    done.stdout.fnmatch_lines(
        ["*ERROR collecting cases/refunds.yaml*", "cases/policy.yaml:5:8: POL008 *allows amount_usd below 50*"]
    )
    assert run(shop, "-o", "agentops_policy_strict=true", *workers).ret == 1


def test_what_is_partial_is_told_and_strict_fails_it(shop: pytest.Pytester) -> None:
    policy = shop.path / "cases" / "policy.yaml"
    policy.write_text(POLICY.replace('"amount_usd > 50"', '"amount_usd > 50 and amount_usd != context.last"'))
    assert "partial: policy payments.refund" in run(shop).stdout.str()
    assert "two attributes are compared" in run(shop, "--agent-policy-strict").stdout.str()


@pytest.mark.parametrize("workers", [(), ("-n2",)])
def test_tools_of_a_fixture_are_linted_when_they_are_there(workers: tuple[str, ...], shop: pytest.Pytester) -> None:
    """At collection nobody knows them; that the policy names an argument that they do not have shows then."""
    cases = shop.path / "cases"
    suite = SUITE[: SUITE.index("contracts:")] + "tools: box\n" + SUITE[SUITE.index("defaults:") :]
    (cases / "refunds.yaml").write_text(suite)
    (cases / "conftest.py").write_text(
        "import pytest\nfrom pytest_agentops import tool\n\n\n"
        "@tool('payments.refund', effect='write', tier=3)\ndef refund(amount_usd: float) -> str:\n    return 'done'\n\n\n"
        "@pytest.fixture\ndef box():\n    return [refund]\n"
    )
    (cases / "policy.yaml").write_text(POLICY.replace('"amount_usd > 50"', '"amount_usd > 50 or args.amout > 5"'))
    words = ("--agent-mode=live", "--agent-allow-live", *workers)
    done = run(shop, "-v", *words)
    done.assert_outcomes(passed=2)
    assert done.stdout.str().count("POL002 error: args.amout: payments.refund has no such argument") == 1
    strict = run(shop, "--agent-policy-strict", *words)
    assert strict.ret == 1
    assert strict.stdout.str().count("POL002 args.amout: payments.refund has no such argument") >= 2  # every case
    strict.assert_outcomes(failed=2)
    only = run(shop, "--collect-only", "--agent-policy-strict", *workers)
    assert only.ret != 0
    only.stdout.fnmatch_lines(["*partial: cases/refunds.yaml:*: its tools are made when its cases are set up*"])
    assert run(shop, "--collect-only", *workers).ret == 0


@pytest.mark.parametrize("workers", [(), ("-n2",)])
def test_a_baseline_is_played_back(workers: tuple[str, ...], shop: pytest.Pytester) -> None:
    done = run(shop, "--agent-policy-baseline=old.yaml", *workers)
    done.assert_outcomes(passed=2)
    done.stdout.fnmatch_lines(
        [
            "*= policy backtest =*",
            "payments.refund/1 (cases/policy.yaml:5)",
            "  newly allowed: 1 call in 1 run",
            "    refunds/larger (trial 1), call 1: payments.refund: ask support_manager -> allow (cases/refunds.yaml:*)",
            "1 newly allowed; 1 of 2 runs, 2 calls are affected",
        ]
    )
    found = json.loads((shop.path / ".agentops" / "backtest.json").read_text())
    assert [(c["run"], c["effect"]) for c in found["changed"]] == [("refunds/larger", "newly allowed")]


def test_a_run_that_the_change_stopped_is_told_with_the_call_that_it_was_stopped_at(shop: pytest.Pytester) -> None:
    (shop.path / "cases" / "policy.yaml").write_text(POLICY.replace("amount_usd <= 50", "amount_usd <= 30 and amount_usd > 0"))
    (shop.path / "old.yaml").write_text(POLICY)
    done = run(shop, "--agent-policy-baseline=old.yaml")
    done.stdout.fnmatch_lines(
        ["*newly blocked: 1 call in 1 run", "*refunds/larger (trial 1), call 1: payments.refund: allow -> deny*"]
    )


@pytest.mark.parametrize(
    ("baseline", "says"),
    [
        ("nowhere.yaml", "nowhere.yaml: no such file or folder, and no REV:path of git"),
        ("mail.yaml", "mail.yaml: its policies are for email.send, and no run has such a tool"),
        ("bad.yaml", "bad.yaml:2:1: the key 'tool' is missing"),
        ("many", "no case names a policy file that is called like one of it"),
    ],
)
def test_a_baseline_that_is_none_fails_the_session(baseline: str, says: str, shop: pytest.Pytester) -> None:
    (shop.path / "mail.yaml").write_text("version: 1\npolicy: {tool: email.send, rules: [{require_approval: m}]}\n")
    (shop.path / "bad.yaml").write_text("version: 1\npolicy: {toool: x, tier: 1}\n")
    shop.mkdir("many")
    for name in "ab":
        (shop.path / "many" / f"{name}.yaml").write_text(
            POLICY.replace("tool: payments.refund", f"tool: payments.refund\n  id: {name}")
        )
    done = run(shop, f"--agent-policy-baseline={baseline}")
    assert done.ret == 1
    done.stdout.fnmatch_lines([f"ERROR: --agent-policy-baseline: *{says.replace('[', '[[]')}*"])


STRICT = 'version: 1\npolicy: {id: strict, tool: payments.refund, rules: [{if: "amount_usd > 40", deny: true}]}\n'


def copied(shop: pytest.Pytester, name: str = "before") -> Path:
    """The case folder as it is, kept beside it."""
    return Path(shutil.copytree(shop.path / "cases", shop.path / name))


@pytest.mark.parametrize("suites", [True, False])
@pytest.mark.parametrize(("older", "effect"), [(True, "newly allowed"), (False, "newly blocked")])
def test_a_policy_file_that_only_one_side_has_was_absent_on_the_other(
    older: bool, effect: str, suites: bool, shop: pytest.Pytester
) -> None:
    before = copied(shop)
    side = before if older else shop.path / "cases"
    (side / "strict.yaml").write_text(STRICT)
    (side / "refunds.yaml").write_text(SUITE.replace("[./policy.yaml]", "[./policy.yaml, ./strict.yaml]"))
    if not suites:
        (before / "refunds.yaml").unlink()
    said = run(shop, "--agent-policy-baseline=before").stdout
    said.fnmatch_lines([f"*{effect}: 1 call in 1 run", "    refunds/larger (trial 1), call 1: *"])
    alone = "before/strict.yaml: only the baseline has it" if older else "cases/strict.yaml: the baseline has it not"
    said.fnmatch_lines([f"note: {alone}, under the cases of 2 runs"])
    said.fnmatch_lines([f"*all runs, as the baseline decides: 2 runs,*policy blocks {int(older)}"])


def test_files_of_one_name_are_told_apart_by_their_paths(shop: pytest.Pytester) -> None:
    for name in ("a", "b"):
        folder = shop.mkdir(f"cases/{name}")
        for file in ("policy.yaml", "refunds.yaml", "agent.py"):
            text = (shop.path / "cases" / file).read_text()
            (folder / file).write_text(text.replace("suite: refunds", f"suite: {name}"))
    for file in ("policy.yaml", "refunds.yaml", "agent.py"):
        (shop.path / "cases" / file).unlink()
    before = copied(shop)
    (before / "a" / "policy.yaml").write_text((shop.path / "old.yaml").read_text())
    said = run(shop, "--agent-policy-baseline=before").stdout
    said.fnmatch_lines(
        ["payments.refund/1 (cases/a/policy.yaml:5)", "    a/larger (trial 1), call 1: *ask support_manager -> allow*"]
    )
    said.fnmatch_lines(["1 newly allowed; 1 of 4 runs, 4 calls are affected"])
    said = run(shop, "--agent-policy-baseline=old.yaml").stdout
    said.fnmatch_lines(
        ["ERROR: --agent-policy-baseline: old.yaml: it may stand for cases/a/policy.yaml or for cases/b/policy.yaml; *"]
    )
    assert run(shop, "cases/a", "--agent-policy-baseline=old.yaml").ret == 0
    (before / "a" / "policy.yaml").rename(before / "policy.yaml")
    shutil.rmtree(before / "b")
    assert run(shop, "cases/a", "--agent-policy-baseline=before").ret == 0  # what ran tells which of them is meant


PAYING = """\
version: 1
suite: refunds
agent: ./agent.py:agent
policies: [./policy.yaml]
contracts:
  pay:
    parameters: {type: object, properties: {amount: {type: number}, key: {type: string}}, required: [amount]}
    effect: write
    tier: 2
    idempotency_key: key
    answers: [{result: paid}]
cases:
  - {id: invalid, task: "x1 20-2", approvals: [{role: m, by: dana, decision: approve}]}
  - {id: repeated, task: "300-1 300-1", approvals: [{role: m, by: dana, decision: approve}]}
  - {id: rejected, task: "300-1 300-2", approvals: [{role: m, by: d, decision: reject}, {role: m, by: d, decision: approve}]}
"""


def test_what_came_to_no_policy_then_is_not_judged_now(shop: pytest.Pytester) -> None:
    """Refused by the contract, repeated with its key, rejected by a person: under the same policies nothing is blocked."""
    cases = shop.path / "cases"
    (cases / "policy.yaml").write_text(
        "version: 1\npolicy:\n  tool: pay\n  rules:\n    - {require_approval: m}\n"
        "    - limit: {sum: args.amount, per: session, max: 500}\n    - {if: 'session.steps > 5', deny: true}\n"
    )
    (cases / "refunds.yaml").write_text(PAYING)
    (cases / "agent.py").write_text(
        "def agent(task, tools):\n    for word in task.text.split():\n        amount, _, key = word.partition('-')\n"
        "        tools.attempt('pay', {'amount': int(amount) if amount.isdigit() else amount, **({'key': key} if key else {})})\n"
    )
    copied(shop)
    done = run(shop, "--agent-policy-baseline=before")
    done.assert_outcomes(passed=3)
    done.stdout.fnmatch_lines(
        ["*all runs, as the baseline decides: 3 runs,*policy blocks 0", "nothing is decided otherwise: 3 runs, 6 calls"]
    )


def test_from_a_folder_below_the_rootdir(shop: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.makeini("[pytest]\nagentops_policy_baseline = old.yaml\n")
    monkeypatch.chdir(shop.path / "cases")
    newly = ["    refunds/larger (trial 1), call 1: payments.refund: ask support_manager -> allow (cases/refunds.yaml:*)"]
    done = run(shop)  # an ini file names it from the rootdir, a person from where he stands
    done.stdout.fnmatch_lines(newly)
    assert done.ret == 0
    run(shop, "--agent-policy-baseline=../old.yaml").stdout.fnmatch_lines(newly)
    said = run(shop, "--agent-policy-baseline=old.yaml")
    assert said.ret == 1
    said.stdout.fnmatch_lines(["ERROR: *old.yaml: no such file or folder*"])


def test_a_baseline_in_the_ini_file_fails_no_session_that_it_does_not_concern(shop: pytest.Pytester) -> None:
    shop.makeini("[pytest]\nagentops_policy_baseline = before\n")
    copied(shop)
    other = shop.mkdir("cases/other")
    (other / "other.yaml").write_text(
        "version: 1\nagent: ./agent.py:agent\ncontracts: {look: {answers: [{result: 1}]}}\ncases: [{id: x, task: x}]\n"
    )
    (other / "agent.py").write_text("def agent(task, tools):\n    return tools.call('look')\n")
    done = run(shop, "cases/other")
    assert done.ret == 0
    done.stdout.fnmatch_lines(["no run was played back: none is concerned"])
    assert (shop.path / ".agentops" / "backtest.json").is_file()
    policy = shop.path / "cases" / "policy.yaml"
    policy.write_text(
        POLICY + "  tests: [{name: x, args: {amount_usd: 60}, context: {customer_tier: pro}, expect: require_approval}]\n"
    )
    done = run(shop, "cases/policy.yaml")
    assert done.ret == 0
    done.stdout.fnmatch_lines(["no case ran, so nothing is played back"])
    assert not (shop.path / ".agentops" / "backtest.json").exists()


def test_suites_without_policies_load_nothing_of_it(shop: pytest.Pytester) -> None:
    (shop.path / "cases" / "policy.yaml").unlink()
    (shop.path / "cases" / "refunds.yaml").write_text(SUITE.replace("policies: [./policy.yaml]\n", ""))
    (shop.path / "conftest.py").write_text(
        "import sys\ndef pytest_sessionfinish():\n"
        "    assert not [m for m in sys.modules if m.startswith('pytest_agentops.policy.')], 'loaded'\n"
    )
    run(shop, apart=True).assert_outcomes(passed=2)
