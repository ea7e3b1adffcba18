"""What a session writes beside its results: reports, the page of a job, the history."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import HEAD, Project

SLO = 'slo: {success_rate: 0.9}\nprices: {m: {input_usd_per_million: 0, output_usd_per_million: "0"}}\n'
CASES = """
- {id: good, task: hello}
- {id: bad, task: hello, expect: {output: {contains: bye}, python: ./checks.py:graded}}
"""
CHECKS = """
def graded(run):
    run.charge_eval("0.003")
"""


@pytest.fixture
def suite(project: Project) -> Project:
    project.suite(CASES, head=HEAD + SLO)
    project.write("cases/demo/checks.py", CHECKS)
    project.record()
    (project.path / ".agentops" / "history.jsonl").unlink()
    return project


def test_reports_are_written_and_a_job_gets_its_page(suite: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    words = [f"--agent-report={name}:out/evals.{name}" for name in ("md", "csv")]
    assert suite.evals(*words).ret == 1
    out = suite.path / "out"
    assert sorted(path.name for path in out.iterdir()) == ["evals.csv", "evals.md"]
    assert page.read_text() == (out / "evals.md").read_text()
    assert "- [demo/bad](cases/demo/demo.yaml#L" in page.read_text()


def test_a_page_that_cannot_be_written_fails_the_session(suite: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(suite.path))
    result = suite.evals("-k", "good")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["ERROR: GITHUB_STEP_SUMMARY=*: the report cannot be added: *"])


def test_every_session_adds_a_line(suite: Project) -> None:
    for words in ((), ("-k", "good")):
        suite.evals(*words)
    lines = [json.loads(line) for line in (suite.path / ".agentops/history.jsonl").read_text().splitlines()]
    assert [(line["selection"], line["verdict"], line["suites"]["demo"]["whole"]) for line in lines] == [
        ("all", "fail", True),
        ("partial", "pass", False),
    ]


def test_what_judges_cost_stands_apart(suite: Project) -> None:
    result = suite.evals()
    result.stdout.fnmatch_lines(["judges and simulated users: $0.003, not part of the runs' cost"])
    metrics = suite.results["metrics"]
    assert (metrics["cost_usd"], metrics["eval_cost_usd"]) == ("0", "0.003")
    assert "prices" not in suite.results, "no model was asked: no table was needed"


@pytest.mark.parametrize("workers", [(), ("-p", "xdist", "-n2")])
def test_half_a_surrogate_pair_is_told_and_breaks_nothing(project: Project, workers: tuple[str, ...]) -> None:
    agent = """
def agent(task, tools):
    if task.text == "raises":
        raise ValueError("odd \\ud800")
    if task.text == "calls":
        tools.call("look.up", q="odd \\ud800")
    return "odd \\ud800" if task.text == "says" else "even"
"""
    head = "version: 1\nagent: ./agent.py:agent\ncontracts: {look.up: {effect: read, tier: 0, answers: [{result: 1}]}}\n"
    cases = "".join(f"- {{id: {text}, task: {text}}}\n" for text in ("raises", "calls", "says", "nothing"))
    project.suite(cases, head=head, agent=agent)
    result = project.apart(*workers, "--agent-evals")
    result.assert_outcomes(passed=1, failed=3)
    assert project.statuses == {"raises": "failed", "calls": "failed", "says": "failed", "nothing": "passed"}
    half = r"\ud800 at 4 is half of a surrogate pair, which is no text"
    result.stdout.fnmatch_lines_random(
        [
            r"  stopped:  the agent raised ValueError: odd \ud800",
            f"  stopped:  the agent did not catch: look.up: $.q: {half}",
            f"*the agent returned what JSON cannot say: $: {half}",
        ]
    )
