"""The lines below the table."""

from __future__ import annotations

from typing import Any

from pytest_agentops.notes import Notes

from .conftest import TOOLS, Project


def run(*labels: str, outcome: str = "completed", stale: tuple[str, ...] = ()) -> dict[str, Any]:
    check = {"name": "outcome", "passed": True, "why": ""}
    return {
        "labels": [*labels],
        "outcome": outcome,
        "stale": [*stale],
        "problems": [],
        "checks": [check],
        "pins": {"policy": "p"},
    }


def test_runs_that_are_not_counted_are_named() -> None:
    notes = Notes()
    for _ in range(2):
        notes.of_run("s/b", run("counterfactual"))
    notes.of_run("s/a", run("counterfactual", "racy"))
    notes.of_run("s/c", run(outcome="unanswerable"))
    assert notes.lines()[:2] == [
        "1 run not counted (unanswerable: s/c): no recording answers a call of the live model: not comparable (exit code 1)",
        "3 runs not counted (counterfactual: s/a, s/b): the guard stopped a call that the recorded run had made",
    ]


def test_stale_recordings_are_grouped_by_suite_and_cause() -> None:
    notes = Notes()
    changed = "orders.get: its contract changed since the recording (f28103 -> 930116)"
    for case in "gfedcba":
        for _ in range(3):
            notes.of_run(f"shop/{case}", run(stale=(f"{changed}; its recorded call still fits",)))
    notes.of_run("shop/h", run(stale=(f"{changed}, and the recorded call at x.yaml:3 no longer fits: result\n  cure: x",)))
    notes.of_run("bank/a", run(stale=(f"{changed}; its 2 recorded calls still fit",)))
    for tool in "uvwxyz":
        notes.of_run("bank/b", run(stale=(f"{tool}: the tool is gone since the recording was made",)))
    gone = "the tool is gone since the recording was made: b"
    assert notes.lines() == [
        "stale: 8 differences between recordings and today; --agent-record=stale records anew",
        f"  shop: {changed}: a, b, c, d, e and 3 more",
        f"  bank: {changed}: a",
        *(f"  bank: {tool}: {gone}" for tool in "uvw"),
        "  and 3 more",
    ]


BLOCKED = """
def blocked(task, tools):
    return tools.attempt("sums.add", {"a": 1, "b": 2}).ok
"""


def test_a_run_that_the_guard_turned_into_another_one_is_named(project: Project) -> None:
    case = "- {id: one, task: add, agent: './agent.py:blocked', tools: './tools.py:add', replay: {unused: ignore}}"
    project.suite(case, agent=BLOCKED)
    project.record().assert_outcomes(passed=1)
    stricter = "contracts: {sums.add: {parameters: {type: object, properties: {a: {minimum: 5}}}}}\n"
    project.suite(case, agent=BLOCKED, head="version: 1\nagent: ./agent.py:blocked\n" + stricter)
    result = project.evals()
    result.stdout.fnmatch_lines(
        ["1 run not counted (counterfactual: demo/one): the guard stopped a call that the recorded run had made"]
    )
    assert project.results["metrics"]["runs"] == 0


def test_a_contract_that_changed_is_one_line_for_all_trials(project: Project) -> None:
    cases = "- {id: one, task: add, agent: ./agent.py:adder, tools: ./tools.py:add, trials: 3}"
    project.suite(cases)
    project.record().assert_outcomes(passed=1)
    project.suite(cases, tools=TOOLS.replace("b: int", "b: int, c: int = 0"))
    result = project.evals()
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            "stale: 1 difference between recordings and today; --agent-record=stale records anew",
            "  demo: sums.add: its contract changed since the recording (* -> *): one",
            "results: *",
        ],
        consecutive=True,
    )
