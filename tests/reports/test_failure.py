"""The failure text, whole."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from pytest_agentops.reports.failure import explain
from pytest_agentops.schema.call import Call
from pytest_agentops.schema.case import Case, CaseFields
from pytest_agentops.schema.run import Problem, Run, Usage
from pytest_agentops.schema.verdict import CheckResult, Verdict

CASE = Case(id="small", suite="refunds", variant="m1", file="cases/refunds/refunds.yaml", line=12, fields=CaseFields(task="x"))
RERUN = "pytest --agent-evals cases/refunds/refunds.yaml::small~m1"
MISS = """CassetteMiss [changed-args] refunds/small~m1, trial 1, step 3: payments.refund
  called    payments.refund(amount=93.5)

  fix       agent is wrong      -> fix the agent or prompt; the cassette is right"""
CALLS = CheckResult(
    name="calls",
    passed=False,
    wanted=["orders.get", {"payments.refund": {"amount_usd": 30}}],
    measured=["orders.get"],
    why="missing: payments.refund(amount_usd=30)\nextra: email.send()",
    where="cases/refunds/refunds.yaml:21",
)
RUN = Run(
    checks=[CheckResult(name="cost", passed=True), CALLS],
    cost_usd=Decimal("0.0120"),
    usage=Usage(input=10, output=3),
    model_steps=2,
    calls=[Call(tool="orders.get", args={})],
)


def one(run: Run) -> str:
    return explain(CASE, [run], Verdict(passed=False, trials=1, successes=0, wanted="1 of 1 trials"), rerun=RERUN)


def test_a_check() -> None:
    assert one(RUN) == (
        "check calls failed\n"
        "refunds/small~m1   cases/refunds/refunds.yaml:12\n"
        "\n"
        "replay: completed after 2 steps and 1 tool call, $0.012, 10+3 tokens\n"
        "\n"
        "  check calls failed   cases/refunds/refunds.yaml:21\n"
        '    wanted    ["orders.get", {"payments.refund": {"amount_usd": 30}}]\n'
        '    measured  ["orders.get"]\n'
        "    why       missing: payments.refund(amount_usd=30)\n"
        "              extra: email.send()\n"
        "\n"
        "run it again: pytest --agent-evals cases/refunds/refunds.yaml::small~m1"
    )


def test_after_a_miss_that_ended_the_run_the_checks_are_named() -> None:
    run = Run(
        outcome="error",
        checks=[
            CheckResult(name="outcome", passed=False, wanted="completed", measured="error", where="a.yaml:3"),
            CheckResult(name="calls", passed=False, wanted=[], measured=[]),
            CheckResult(name="said", passed=True),
        ],
        problems=[Problem(kind="miss", text=MISS)],
    )
    assert "  not met either, since the run broke off there: outcome (a.yaml:3), calls\n" in one(run)
    assert "check calls failed\n" not in one(run).partition("\n")[2]


def test_a_miss_is_shown_whole_and_before_the_checks() -> None:
    run = Run(
        outcome="completed",
        stop="the recording had no answer (changed-args)",
        checks=[CheckResult(name="outcome", passed=False, wanted="completed", measured="error")],
        problems=[Problem(kind="miss", text=MISS), Problem(kind="unused_warning", text="1 recorded read was not played")],
        error="Traceback (most recent call last):\n  ...\nCassetteMiss",
        stale=["the schema of payments.refund changed"],
        labels=["racy"],
        cassette="cassettes/refunds/small~m1",
        events=".agentops/runs/refunds/small~m1.jsonl",
    )
    assert one(run) == (
        "a call that the recording cannot answer, outcome error\n"
        "refunds/small~m1   cases/refunds/refunds.yaml:12\n"
        "\n"
        "replay: completed after 0 steps and 0 tool calls, cost unknown, tokens unknown, racy\n"
        "  stopped:  the recording had no answer (changed-args)\n"
        "\n"
        "  CassetteMiss [changed-args] refunds/small~m1, trial 1, step 3: payments.refund\n"
        "    called    payments.refund(amount=93.5)\n"
        "\n"
        "    fix       agent is wrong      -> fix the agent or prompt; the cassette is right\n"
        "\n"
        "  warning:\n"
        "    1 recorded read was not played\n"
        "\n"
        "  check outcome failed\n"
        "    wanted    completed\n"
        "    measured  error\n"
        "\n"
        "  the agent's traceback:\n"
        "    Traceback (most recent call last):\n"
        "      ...\n"
        "    CassetteMiss\n"
        "\n"
        "  changed since the recording:\n"
        "    the schema of payments.refund changed\n"
        "\n"
        "  recording: cassettes/refunds/small~m1\n"
        "  events:    .agentops/runs/refunds/small~m1.jsonl\n"
        "\n"
        "run it again: pytest --agent-evals cases/refunds/refunds.yaml::small~m1"
    )


@pytest.mark.parametrize(
    ("problem", "headline"),
    [
        (Problem(kind="miss", text="x", data={"reason": "changed-args", "tool": "a.b"}), "miss [changed-args] a.b"),
        (Problem(kind="miss", text="x", data={"reason": "exhausted"}), "miss [exhausted]"),
        (Problem(kind="cassette", text="cassettes/s/a/tools.yaml: there is no recording\n  cure: x"), "no recording"),
        (Problem(kind="cassette", text="c/s/a/model.yaml: there is no model.yaml in the recording's folder"), "no recording"),
        (Problem(kind="cassette", text="a.b: its contract changed since the recording (a -> b), and ..."), "contract changed"),
        (Problem(kind="cassette", text="c/s/a/tools.yaml:3:1: unknown key 'cals'"), "a recording that cannot be used"),
        (Problem(kind="cassette", text="c/s/a/model.yaml: not written: no answer came for POST /v1"), "nothing recorded"),
        (Problem(kind="cassette", text="c/s/a/tools.yaml: cannot be written: Permission denied"), "nothing recorded"),
        (Problem(kind="network", text="x"), "a connect in replay"),
    ],
)
def test_the_headline_says_what_is_wrong(problem: Problem, headline: str) -> None:
    assert one(Run(problems=[problem])).splitlines()[0] == headline
    several = [Run(problems=[problem]), Run(trial=2, problems=[problem])]
    text = explain(CASE, several, Verdict(passed=False, trials=2, successes=0, wanted="2 of 2 trials"), rerun=RERUN)
    assert text.splitlines()[0] == f"0 of 2 trials passed, wanted 2 of 2 trials: {headline}"


def test_the_headline_counts_the_trials_that_ran() -> None:
    verdict = Verdict(passed=False, trials=5, successes=0, wanted="at least 1 of 5 trials")
    text = explain(CASE, [replace(RUN, trial=n) for n in range(1, 5)], verdict, rerun=RERUN)
    assert text.splitlines()[0] == "0 of 4 trials passed (1 did not run), wanted at least 1 of 5 trials: check calls failed"


def test_misses_that_differ_in_the_trial_alone_are_shown_once() -> None:
    def missed(trial: int, amount: int = 93) -> Run:
        folder = "small~m1" if trial == 1 else f"small~m1.t{trial}"
        text = (
            f"CassetteMiss [changed-args] refunds/small~m1, trial {trial}, call 2: payments.refund\n"
            f"  called    payments.refund(amount={amount})\n"
            f"  closest   payments.refund(amount=30)   cassettes/refunds/{folder}/tools.yaml:16 (not played)"
        )
        return Run(trial=trial, outcome="error", problems=[Problem(kind="miss", text=text)])

    runs = [missed(1), missed(2), missed(3), missed(4, amount=94)]
    text = explain(CASE, runs, Verdict(passed=False, trials=4, successes=0, wanted="4 of 4 trials"), rerun=RERUN)
    assert text.count("CassetteMiss") == 2
    assert [line.partition(":")[0] for line in text.splitlines() if line.startswith("trial")] == [
        "trials 1, 2, 3 of 4",
        "trial 4 of 4",
    ]


def test_trials_that_failed_alike_are_shown_once() -> None:
    runs = [RUN, replace(RUN, trial=2, events="e2"), replace(RUN, trial=3, success=True), replace(RUN, trial=4, checks=[])]
    verdict = Verdict(passed=False, trials=4, successes=1, wanted="4 of 4 trials")
    lines = explain(CASE, runs, verdict, rerun=RERUN).splitlines()
    assert lines[0] == "1 of 4 trials passed, wanted 4 of 4 trials: check calls failed"
    heads = [line for line in lines if line.startswith("trial")]
    facts = "replay: completed after 2 steps and 1 tool call, $0.012, 10+3 tokens"
    assert heads == [f"trials 1, 2 of 4: {facts}", f"trial 4 of 4: {facts}"]


def test_a_recording_that_no_longer_fits_is_told_once_and_first() -> None:
    text = "a.b: its contract changed since the recording (x -> y), and the recorded call at f:3 no longer fits: z\n  cure: c"
    checks = [CheckResult(name="outcome", passed=False, wanted="completed", measured="blocked")]
    run = Run(
        outcome="blocked", checks=checks, problems=[Problem(kind="cassette", text=text)], stale=[text, "c.d: gone\n  cure: e"]
    )
    lines = one(run).splitlines()
    assert lines[0] == "contract changed, outcome blocked"
    assert lines[5:] == [
        "  a.b: its contract changed since the recording (x -> y), and the recorded call at f:3 no longer fits: z",
        "    cure: c",
        "",
        "  check outcome failed",
        "    wanted    completed",
        "    measured  blocked",
        "",
        "  changed since the recording:",
        "    c.d: gone",
        "      cure: e",
        "",
        f"run it again: {RERUN}",
    ]


def test_a_verdict_without_a_reason_in_the_runs() -> None:
    verdict = Verdict(passed=False, trials=0, successes=0, wanted="1 of 1 trials", why="no trial ran")
    assert explain(CASE, [], verdict, rerun="r").splitlines() == [
        "no trial ran",
        "refunds/small~m1   cases/refunds/refunds.yaml:12",
        "",
        "  no trial ran",
        "",
        "run it again: r",
    ]


def test_findings_are_told() -> None:
    text = one(replace(RUN, calls=[Call(tool="t", args={}, findings=["schema_invalid: $.a: not a number"])]))
    assert "  did not fit, but was let through:\n    t: schema_invalid: $.a: not a number\n" in text


def test_long_values_and_tracebacks_are_cut() -> None:
    check = CheckResult(name="output", passed=False, wanted={"contains": ["x" * 1000]}, measured="a\nb")
    run = replace(RUN, checks=[check], error="\n".join(f"line {i}" for i in range(200)))
    text = one(run)
    assert "… (1018 characters)" in text
    assert '    measured  "a\\nb"\n' in text
    assert "line 0\n    ... 170 lines\n    line 171\n" in text
    assert text.count("\n") < 50


def test_a_missing_file_of_ours_needs_no_traceback() -> None:
    trace = (
        "Traceback (most recent call last):\n  ...\npytest_agentops.errors.MissingCassette: x: there is none\n  cure: import it"
    )
    assert "traceback" not in one(replace(RUN, error=trace))
    assert "traceback" in one(replace(RUN, error="Traceback (most recent call last):\n  ...\nValueError: x"))


@pytest.mark.parametrize("value", [None, "", 0, [], {}, False])
def test_every_value_is_shown(value: object) -> None:
    check = CheckResult(name="steps", passed=False, wanted=3, measured=value)
    assert "    measured  " in one(replace(RUN, checks=[check]))
