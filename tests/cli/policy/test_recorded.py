"""``policy coverage``, ``backtest``, ``privilege`` and ``promotion`` over results and conversations."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import FOUNDING, SUITE, TESTS, Said

Run = Callable[..., Said]
REAL = Path(os.environ.get("AGENTOPS_REAL_DATA", "../shared/data")).resolve()
HUMAN = """\
version: 1
policies:
  - {id: rest, tool: "*", tier: 2, rules: [{allow: true}]}
  - {id: changes, tool: update_reservation_flights, rules: [{require_approval: agent_desk}]}
"""


def result(ident: str, *amounts: float, **more: Any) -> dict[str, Any]:
    calls = [
        {
            "tool": "payments.refund",
            "args": {"amount_usd": a},
            "decision": "allow",
            "rule": None,
            "source": "replay",
            "error": None,
        }
        for a in amounts
    ]
    trial = {
        "trial": 1,
        "success": True,
        "cost_usd": "0.10",
        "calls": calls,
        "interventions": [],
        "labels": [],
        "pins": None,
        **more,
    }
    return {
        "id": f"refunds/{ident}",
        "suite": "refunds",
        "variant": None,
        "file": "cases/refunds.yaml",
        "line": 12,
        "trials": [trial],
    }


@pytest.fixture
def ran(shop: Path) -> Path:
    """The shop after a session: two cases, one of which refunds 45."""
    suite = SUITE.replace("cases: [{id: small, task: x}]", "cases: [{id: small, task: x}, {id: larger, task: x}]")
    (shop / "cases" / "refunds.yaml").write_text(suite + "policies: [./policy.yaml]\n")
    (shop / ".agentops").mkdir()
    (shop / ".agentops" / "results.json").write_text(
        json.dumps({"version": 1, "cases": [result("small", 20), result("larger", 45, 20)]})
    )
    (shop / "old.yaml").write_text(FOUNDING.replace("<= 50", "<= 30").replace("> 50", "> 30"))
    return shop


RESULTS = ("--results", ".agentops/results.json")


def test_a_backtest_lists_rules_calls_and_numbers(ran: Path, policy: Run) -> None:
    code, out, _ = policy("backtest", "old.yaml", "--suite", "cases/refunds.yaml", "--baseline", "cases/policy.yaml", *RESULTS)
    assert code == 0
    assert out.splitlines() == [
        "payments.refund/3 (old.yaml:9)",
        "  newly asked: 1 call in 1 run",
        "    refunds/larger (trial 1), call 1: payments.refund: allow -> ask support_manager (cases/refunds.yaml:12)",
        "the four numbers",
        "  all runs, as the baseline decides: 2 runs, success 100.0% (2 of 2), cost per success $0.1000, intervention rate 0.0%, "
        "policy blocks 0",
        "  runs that are decided alike: 1 run, success 100.0% (1 of 1), cost per success $0.1000, intervention rate 0.0%, "
        "policy blocks 0",
        "  runs that are decided otherwise (with the end that they had): 1 run, success 100.0% (1 of 1), "
        "cost per success $0.1000, intervention rate 0.0%, policy blocks 0",
        "  the same calls before and after: policy blocks 0 -> 0, runs with a human 0 -> 1 of 2",
        "note: 2 of 2 runs do not say which policies they ran under: what they were decided by then is not known, "
        "the baseline stands for it",
        "1 newly asked; 1 of 2 runs, 3 calls are affected",
    ]
    assert "nothing is decided otherwise: 2 runs, 3 calls" in policy("backtest", "--baseline", "cases/policy.yaml", *RESULTS)[1]
    words = ("backtest", "old.yaml", "--suite", "cases/refunds.yaml", "--baseline", "cases/policy.yaml", *RESULTS, "--format")
    assert "| payments.refund/3 (old.yaml:9) | newly asked | 1 | refunds/larger (trial 1) |" in policy(*words, "markdown")[1]
    found = json.loads(policy(*words, "json")[1])
    assert [(c["run"], c["call"], c["effect"]) for c in found["changed"]] == [("refunds/larger", 1, "newly asked")]


def test_without_a_baseline_every_call_was_allowed(ran: Path, policy: Run) -> None:
    (ran / "cases" / "policy.yaml").write_text(FOUNDING.replace("allow: true", "deny: true"))
    assert "3 newly blocked; 2 of 2 runs" in policy("backtest", "cases/policy.yaml", *RESULTS)[1]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("backtest",), "there are no recorded runs: name them with --results or --transcripts"),
        (("backtest", "--results", "none.json"), "there is no results file"),
        (("backtest", "--transcripts", "none.jsonl"), "none.jsonl: no such file"),
        (
            ("backtest", *RESULTS, "--baseline", "mail.yaml"),
            "mail.yaml: its policies are for email.send, and no run has such a tool",
        ),
        (("backtest", "cases/refunds.yaml", *RESULTS), "no policy file"),
        (("backtest", "empty", *RESULTS), "there are no policies to test"),
        (("backtest", "--transcripts", "t.jsonl", "--context", "[]"), "--context: expected a mapping"),
        (("backtest", "--transcripts", "t.jsonl", "--context", "{"), "--context: this is no JSON"),
        (("backtest", "--transcripts", "t.jsonl", "--clock", "noon"), "--clock: 'noon' is no time"),
        (("coverage", "--of", "runs"), "--of runs: name them with --results or --transcripts"),
        (("coverage", "empty"), "there are no policies, nothing can be covered"),
        (("coverage", "--min", "rulez=3"), "'rulez' is none of rules, comparisons, boundaries, cells"),
        (("coverage", "--min", "101"), "101 is not between 0 and 100 per cent"),
        (("coverage", "--min", "x"), "'x' is no number of per cent"),
    ],
)
def test_bad_input_is_one_message(words: tuple[str, ...], says: str, ran: Path, policy: Run) -> None:
    (ran / "empty").mkdir()
    (ran / "t.jsonl").write_text("{}\n")
    (ran / "mail.yaml").write_text("version: 1\npolicy: {tool: email.send, rules: [{require_approval: m}]}\n")
    code, _, err = policy(*words)
    assert code in (1, 2)
    assert says in err


def test_cases_whose_suite_is_gone_are_said(ran: Path, policy: Run) -> None:
    (ran / "cases" / "refunds.yaml").write_text("version: 1\ncases: 3\n")
    out = policy("backtest", "cases/policy.yaml", "--no-suite", *RESULTS)[1]
    assert "refunds/small: its suite does not load, so its context and principal are not known" in out


def test_coverage_of_tests_and_runs_apart(ran: Path, policy: Run) -> None:
    code, out, _ = policy("coverage", *RESULTS)
    assert code == 0
    assert "by policy tests" in out
    assert out.count("  total ") == 2
    assert "no run ever exercised: rule payments.refund/2 decides (cases/policy.yaml:7)" in out
    found = json.loads(policy("coverage", *RESULTS, "--format", "json")[1])
    assert (found["tests"][0]["calls"], found["runs"][0]["calls"]) == (2, 3)
    assert found["tests"][0]["cells"]["total"] == 30


def test_the_calls_of_another_suite_exercise_nothing(ran: Path, policy: Run) -> None:
    other = (ran / "cases" / "refunds.yaml").read_text().replace("suite: refunds", "suite: other")
    (ran / "cases" / "other").mkdir()
    (ran / "cases" / "other" / "other.yaml").write_text(other)
    (ran / "cases" / "other" / "policy.yaml").write_text(FOUNDING.replace("policy:", "policy:\n  id: other"))
    asked = result("small", 60)
    write_results(ran, result("small", 20), {**asked, "id": "other/small", "suite": "other", "file": "cases/other/other.yaml"})
    found = json.loads(policy("coverage", *RESULTS, "--format", "json")[1])["runs"]
    assert {one["policy"]: (one["calls"], one["rules"]["covered"]) for one in found} == {
        "payments.refund": (1, 2),
        "other": (1, 2),
    }
    out = policy("coverage", *RESULTS)[1]
    assert "no run ever exercised: rule payments.refund/3 decides (cases/policy.yaml:9)" in out
    assert "no run ever exercised: rule other/1 decides (cases/other/policy.yaml:6)" in out


def test_the_suites_of_an_older_revision_say_who_was_under_what(ran: Path, policy: Run) -> None:
    suite = ran / "cases" / "refunds.yaml"
    today = suite.read_text()
    strict = FOUNDING.replace("policy:", "policy:\n  id: strict").replace("allow: true", "deny: true")
    (ran / "cases" / "strict.yaml").write_text(strict)
    suite.write_text(today.replace("[./policy.yaml]", "[./policy.yaml, ./strict.yaml]"))
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@y.z"]
    for words in (["init", "-q"], ["add", "cases"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], check=True)
    (ran / "cases" / "strict.yaml").unlink()
    suite.write_text(today)
    out = policy("backtest", "cases", "--baseline", "HEAD:cases", *RESULTS)[1]
    assert "note: HEAD:cases/strict.yaml: only the baseline has it, under the cases of 2 runs" in out
    assert "3 newly allowed; 2 of 2 runs, 3 calls are affected" in out


def test_from_a_folder_below_the_rootdir(ran: Path, policy: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ran / "cases")
    words = ("backtest", "policy.yaml", "--baseline", "../old.yaml", "--results", "../.agentops/results.json")
    out = policy(*words)[1]
    assert "1 newly allowed; 1 of 2 runs, 3 calls are affected" in out
    assert "does not load" not in out


def test_a_single_file_stands_for_the_other_whatever_it_is_called(ran: Path, policy: Run) -> None:
    (ran / "new.yaml").write_text((ran / "old.yaml").read_text().replace("policy:", "policy:\n  id: renamed"))
    for words in (("new.yaml", "--baseline", "cases/policy.yaml"), ("cases/policy.yaml", "--baseline", "new.yaml")):
        assert "1 of 2 runs, 3 calls are affected" in policy("backtest", *words, "--suite", "cases/refunds.yaml", *RESULTS)[1]


def test_a_minimum_is_compared_unrounded_and_what_cannot_be_reached_is_named(ran: Path, policy: Run) -> None:
    share = json.loads(policy("coverage", "--format", "json")[1])["tests"][0]["rules"]
    assert share["percent"] == "50"
    assert policy("coverage", "--min", "rules=50")[0] == 0
    code, out, _ = policy("coverage", "--min", "rules=50.0000001")
    assert code == 1
    assert "FAILED: 50 % of rules are covered by tests, at least 50 % are asked for" in out
    (ran / "cases" / "policy.yaml").write_text(FOUNDING.replace("amount_usd > 50", "amount_usd > 50 and amount_usd < 40") + TESTS)
    code, out, _ = policy("coverage", "--min", "rules=90")
    assert code == 1
    assert "  at most 75 % can be reached; these never can:" in out
    assert "    rule payments.refund/3 decides" in out
    assert policy("coverage", "--of", "runs", "--min", "cells=90", *RESULTS)[0] == 1


def test_privilege_and_promotion(ran: Path, policy: Run) -> None:
    code, out, _ = policy("privilege", *RESULTS, "--write", "enough.yaml")
    assert code == 0
    assert "payments.refund: amount_usd was 20 to 45, alone allowed up to 200" in out
    assert "args.amount_usd > 45" in (ran / "enough.yaml").read_text()
    assert policy("test", "enough.yaml", "--no-suite")[1].endswith(
        "there are no tests in 2 policies\n"
    )  # the log rule is kept beside the ranges
    assert json.loads(policy("privilege", *RESULTS, "--format", "json")[1])["called"] == {"payments.refund": 3}
    code, out, _ = policy("promotion", *RESULTS)
    assert code == 0
    assert "payments.refund, tier 3: too little evidence" in out
    assert "  299 runs without a wrong one would prove it, 297 more" in out
    assert json.loads(policy("promotion", *RESULTS, "--format", "json")[1])["tools"][0]["runs_needed"] == 299


def test_runs_that_left_their_recording_are_no_evidence(ran: Path, policy: Run) -> None:
    write_results(ran, result("small", 20), result("larger", 500, labels=["counterfactual"]))
    assert json.loads(policy("privilege", *RESULTS, "--format", "json")[1])["ranges"][0]["high"] == "20"
    assert json.loads(policy("coverage", *RESULTS, "--format", "json")[1])["runs"][0]["calls"] == 1
    assert policy("promotion", *RESULTS)[1].startswith("1 run;")


def test_no_policy_is_written_that_would_not_do(ran: Path, policy: Run) -> None:
    open_tool = FOUNDING.replace("payments.refund", "look").replace("policy:", "policy:\n  mode: shadow")
    Path("p.yaml").write_text(open_tool)
    asked = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    Path("t.jsonl").write_text(
        json.dumps({"id": "a", "messages": [{"role": "assistant", "content": None, "tool_calls": [asked]}]})
    )
    code, out, _ = policy("privilege", "p.yaml", "--no-suite", "--transcripts", "t.jsonl", "--write", "enough.yaml")
    assert (code, Path("enough.yaml").exists()) == (1, False)
    assert "note: no policy was found that loads and decides the calls of look as they were decided" in out
    assert "a policy that would have been enough" not in out


def test_conversations_are_read_line_by_line(ran: Path, policy: Run) -> None:
    def line(ident: str, amount: float) -> str:
        arguments = json.dumps({"amount_usd": amount})
        asked = {"id": "c", "type": "function", "function": {"name": "payments__refund", "arguments": arguments}}
        messages = [
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": None, "cost_usd": 0.01, "tool_calls": [asked]},
            {"role": "tool", "tool_call_id": "c", "content": "ok"},
        ]
        return json.dumps({"id": ident, "messages": messages})

    Path("t.jsonl").write_text(f"{line('a', 20)}\nnot json\n{line('a', 60)}\n")
    schema = "{type: object, properties: {amount_usd: {type: number}}}"
    Path("c.yaml").write_text(f"payments__refund: {{tier: 2, effect: write, parameters: {schema}}}\n")
    tool = FOUNDING.replace("payments.refund", "payments__refund")
    Path("p.yaml").write_text(tool)
    words = ("backtest", "p.yaml", "--no-suite", "--transcripts", "t.jsonl", "--contracts", "c.yaml")
    code, out, _ = policy(*words, "--context", '{"customer_tier": "pro"}', "--clock", "2026-11-23T12:00:00Z")
    assert code == 0
    assert "a (trial 2), call 1: payments__refund: allow -> ask support_manager (t.jsonl:3)" in out
    assert "note: t.jsonl:2: not read: not JSON" in out


@pytest.mark.skipif(not REAL.is_dir(), reason="the real recorded runs are not here")
def test_the_real_runs_that_changed_flights_are_exactly_those_that_are_sent_to_a_human(ran: Path, policy: Run) -> None:
    data = REAL / "airline-grok3-task11.jsonl.gz"
    made: list[tuple[str, int]] = []
    with gzip.open(data, "rt", encoding="utf-8") as stream:
        for text in stream:
            line = json.loads(text)
            asked = [c["function"]["name"] for m in line["messages"] for c in m.get("tool_calls") or ()]
            made += [(line["id"], n) for n, name in enumerate(asked, start=1) if name == "update_reservation_flights"]
    Path("after.yaml").write_text(HUMAN)
    Path("before.yaml").write_text(HUMAN.rpartition("  - {id: changes")[0])
    words = ("backtest", "after.yaml", "--baseline", "before.yaml", "--no-suite", "--transcripts", str(data), "--format", "json")
    found = json.loads(policy(*words)[1])
    assert made
    assert sorted((c["run"], c["call"]) for c in found["changed"]) == sorted(made)
    assert {c["effect"] for c in found["changed"]} == {"newly asked"}
    assert found["runs"] == 20


def write_results(folder: Path, *cases: dict[str, Any]) -> None:
    (folder / ".agentops" / "results.json").write_text(json.dumps({"version": 1, "cases": cases}))


def test_long_lists_are_cut_and_counterfactual_runs_told_apart(ran: Path, policy: Run) -> None:
    write_results(ran, result("small", *[45] * 25), result("larger", 45, labels=["counterfactual"]))
    words = ("backtest", "old.yaml", "--suite", "cases/refunds.yaml", "--baseline", "cases/policy.yaml", *RESULTS)
    out = policy(*words)[1]
    assert "    and 6 more (--format json lists all)" in out
    assert ", after a call that is decided otherwise (cases/refunds.yaml:12)" in out
    assert "  counterfactual when they were run, told apart: refunds/larger (trial 1)" in out
    assert len(json.loads(policy(*words, "--format", "json")[1])["changed"]) == 26
    assert (
        "- counterfactual when they were run, told apart: refunds/larger (trial 1)" in policy(*words, "--format", "markdown")[1]
    )


def test_runs_of_other_policies_are_left_out(ran: Path, policy: Run) -> None:
    suite = (ran / "cases" / "refunds.yaml").read_text()
    (ran / "cases" / "refunds.yaml").write_text(suite.replace("policies: [./policy.yaml]\n", ""))
    code, out, _ = policy("backtest", "cases/policy.yaml", *RESULTS)
    assert (code, out.splitlines()[-1]) == (0, "no run was played back: none is concerned")
    assert "no run is concerned" in policy("privilege", *RESULTS)[1]
    assert json.loads(policy("backtest", *RESULTS, "--format", "json")[1])["unconcerned"] == 2


def test_clocks_come_from_the_case_or_its_recording(ran: Path, policy: Run) -> None:
    window = FOUNDING + "    - within: {from: '09:00', to: '10:00', tz: UTC}\n"
    (ran / "old.yaml").write_text(window)
    folder = ran / "cassettes" / "refunds" / "small"
    folder.mkdir(parents=True)
    head = "---\nformat: 1\ncase: refunds/small\nrecorded: {at: 2026-11-23, with: x}\n"
    pins = "pins: {model: null, prompt: null, policy: null, tools: {}}\nlayers: [tools]\n"
    (folder / "tools.yaml").write_text(f"{head}{pins}clock: 2026-11-23T09:30:00Z\ncalls: []\n...\n")
    write_results(ran, result("small", 20, cassette="cassettes/refunds/small"), result("larger", 20, cassette="cassettes/none"))
    words = (
        "backtest",
        "old.yaml",
        "--suite",
        "cases/refunds.yaml",
        "--baseline",
        "cases/policy.yaml",
        *RESULTS,
        "--format",
        "json",
    )
    assert [c["run"] for c in json.loads(policy(*words)[1])["changed"]] == ["refunds/larger"]
    (folder / "tools.yaml").write_text("broken: [")
    assert len(json.loads(policy(*words)[1])["changed"]) == 2
    suite = (ran / "cases" / "refunds.yaml").read_text()
    (ran / "cases" / "refunds.yaml").write_text(suite.replace("defaults: {", 'defaults: {clock: "2026-11-23T09:00:00Z", '))
    assert json.loads(policy(*words)[1])["changed"] == []


def test_the_suites_of_results_are_found_by_their_files(ran: Path, policy: Run) -> None:
    out = policy("backtest", "old.yaml", "--no-suite", "--baseline", "cases/policy.yaml", *RESULTS)[1]
    assert "1 newly asked; 1 of 2 runs" in out  # the tier and the context are those of the case
    (ran / "cases" / "policy.yaml").rename(ran / "kept.yaml")
    (ran / "cases" / "policy.yaml").write_text("version: 1\npolicy: {toool: x, tier: 1}\n")
    out = policy("backtest", "old.yaml", "--no-suite", "--baseline", "kept.yaml", *RESULTS)[1]
    assert "note: cases/policy.yaml does not load: cases/policy.yaml:2:1: the key 'tool' is missing" in out
    gone = result("small", 20)
    write_results(ran, {**gone, "file": "cases/gone.yaml", "suite": "gone", "variant": "v"})
    out = policy("backtest", "old.yaml", "--no-suite", *RESULTS)[1]
    assert "refunds/small~v: its suite does not load" in out
    (ran / "cases" / "gone.yaml").write_text("version: 1\ncases: 3\n")
    assert "note: cases/gone.yaml does not load" in policy("backtest", "old.yaml", "--no-suite", *RESULTS)[1]


def test_promotion_says_what_speaks_for_and_against(ran: Path, policy: Run) -> None:
    act = {"kind": "reject", "tool": "payments.refund", "by": "dana"}
    write_results(ran, *[result("small", 60, interventions=[act]) for _ in range(6)])
    out = policy("promotion", *RESULTS)[1]
    assert "payments.refund, tier 3: should move up" in out
    assert "  6 runs, 6 calls: 6 of 6 succeeded; a human was asked in 6, and changed something in 6" in out
    assert "  humans or policies stepped in, in at least 60.7% of the runs" in out


def test_conversations_state_their_costs_and_a_tool_without_a_contract_is_open(ran: Path, policy: Run) -> None:
    asked = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    talk = [{"role": "user", "content": "x"}, {"role": "assistant", "content": None, "tool_calls": [asked]}]
    lines = [json.dumps({"id": n, "messages": talk, "agent_cost_usd": 0.5, "trial": 3}) for n in ("a", "b")]
    Path("t.jsonl").write_text("\n".join(lines))
    Path("p.yaml").write_text('version: 1\npolicy: {tool: "*", tier: 2, rules: [{allow: true}]}\n')
    out = policy("backtest", "p.yaml", "--no-suite", "--transcripts", "t.jsonl")[1]
    assert "note: nobody names the tier of 1 tools (look): it is 4 unless a policy names it" in out
    assert "all runs, as the baseline decides: 2 runs, success not judged, cost per success unknown" in out
    assert "policy coverage" not in out
    assert "look: 2 calls" in policy("coverage", "p.yaml", "--no-suite", "--transcripts", "t.jsonl", "--of", "runs")[1]
