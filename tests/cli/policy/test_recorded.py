"""``policy coverage``, ``backtest``, ``privilege`` and ``promotion`` over results and conversations."""

from __future__ import annotations

import gzip
import json
import os
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
        "cost per success $0.1000, "
        "intervention rate 0.0%, policy blocks 0",
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
    assert policy("test", "enough.yaml", "--no-suite")[1].endswith("there are no tests in 1 policy\n")
    assert json.loads(policy("privilege", *RESULTS, "--format", "json")[1])["called"] == {"payments.refund": 3}
    code, out, _ = policy("promotion", *RESULTS)
    assert code == 0
    assert "payments.refund, tier 3: too little evidence" in out
    assert "  299 runs without a wrong one would prove it, 297 more" in out
    assert json.loads(policy("promotion", *RESULTS, "--format", "json")[1])["tools"][0]["runs_needed"] == 299


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
