"""Money over many runs: a suite's budget, the session's, unknown prices, runs that cost far more than is usual."""

from __future__ import annotations

import json

import pytest

from pytest_agentops.reports.history import read

from .conftest import Project

AGENT = """
def calls(task, tools):
    done = 0
    for _ in range(task.setup.get("times", 1)):
        done += tools.attempt("sums.add", {"a": 1, "b": done}).ok
    if task.setup.get("fails"):
        raise ValueError("lost")
    return str(done)
"""
TOOLS = """
from pytest_agentops import tool

@tool("sums.add", effect="read", tier=0, cost_usd="0.10")
def add(a: int, b: int) -> int:
    return a + b
"""
HEAD = "version: 1\nagent: ./agent.py:calls\ntools: ./tools.py:add\n"
EVEN = "".join(f"- {{id: c{n}, task: go}}\n" for n in range(4))


def suite(project: Project, cases: str, head: str = "", name: str = "demo") -> None:
    project.suite(cases, name=name, head=HEAD + head, agent=AGENT, tools=TOOLS)


def test_a_suite_over_its_budget(project: Project) -> None:
    suite(project, EVEN)
    project.record()
    suite(project, EVEN, "budget: {usd: 0.35}\n")
    result = project.evals()
    assert result.ret == 1, "every case passed, and together they cost too much"
    result.stdout.fnmatch_lines(["ERROR: suite demo: budget exceeded: 0.4 usd, the limit is 0.35 (budget.usd) ($0.35*)"])
    assert project.results["verdict"] == "budget_exceeded"
    assert set(project.statuses.values()) == {"passed"}
    suite(project, EVEN, "budget: {usd: 0.4}\n")
    assert project.evals("-q").ret == 0
    assert project.results["verdict"] == "pass"


def test_a_suite_of_unknown_cost_is_over(project: Project) -> None:
    suite(project, "- {id: one, task: go, model: gpt-4o-mini}", "budget: {usd: 100}\n")
    project.record()
    result = project.evals()
    assert result.ret == 1
    result.stdout.fnmatch_lines(["ERROR: suite demo: budget exceeded: an unknown number of usd*"])


def test_live_the_suites_budget_stops_the_rest(project: Project) -> None:
    suite(project, EVEN, "budget: {usd: 0.15}\n")
    result = project.evals("--agent-mode=live")
    assert result.ret == 1
    outcomes = [case["trials"][0]["outcome"] for case in project.results["cases"]]
    assert outcomes == ["completed", "budget_exceeded", "budget_exceeded", "budget_exceeded"]
    assert (project.path / ".agentops/spend").read_text().splitlines() == ["demo 0.10"]
    assert "budget.usd of the suite demo" in result.stdout.str()


@pytest.mark.parametrize(("limit", "used"), [("tool_calls", 4), ("steps", 4)])
def test_a_suite_over_another_limit(limit: str, used: int, project: Project) -> None:
    suite(project, EVEN)
    project.record()
    suite(project, EVEN, f"budget: {{{limit}: {used - 1}, seconds: 0.000001}}\n")
    result = project.evals()
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [f"ERROR: suite demo: budget exceeded: {used} {limit}, the limit is {used - 1} (budget.{limit})*"]
    )
    result.stdout.no_fnmatch_line("*budget.seconds*")  # a replay takes the time of no agent
    assert project.results["verdict"] == "budget_exceeded"
    suite(project, EVEN, f"budget: {{{limit}: {used}}}\n")
    assert project.evals("-q").ret == 0


def test_a_suite_of_unknown_tokens_is_over(project: Project) -> None:
    suite(project, "- {id: one, task: go, model: gpt-4o-mini}", "budget: {tokens: 100}\n")
    project.record()
    result = project.evals()
    assert result.ret == 1
    result.stdout.fnmatch_lines(["ERROR: suite demo: budget exceeded: an unknown number of tokens*"])


@pytest.mark.parametrize(("limit", "paid"), [("tool_calls: 2", 2), ("seconds: 0.000001", 1)])
def test_live_no_run_begins_when_the_suite_has_used_up_its_limit(limit: str, paid: int, project: Project) -> None:
    suite(project, EVEN, f"budget: {{{limit}}}\n")
    result = project.evals("--agent-mode=live")
    assert result.ret == 1
    runs = [case["trials"][0] for case in project.results["cases"]]
    assert [run["outcome"] for run in runs] == ["completed"] * paid + ["budget_exceeded"] * (4 - paid)
    assert [len(run["calls"]) for run in runs] == [1] * paid + [0] * (4 - paid)
    assert f"(budget.{limit.partition(':')[0]} of the suite demo)" in result.stdout.str()


def test_the_sessions_budget_over_two_suites(project: Project) -> None:
    suite(project, EVEN, name="a")
    suite(project, EVEN, name="b")
    result = project.evals("--agent-mode=live", "--agent-budget-usd=0.55")
    assert result.ret == 1
    outcomes = [case["trials"][0]["outcome"] for case in project.results["cases"]]
    assert outcomes.count("completed") == 5
    assert outcomes.count("budget_exceeded") == 3
    assert "--agent-budget-usd" in result.stdout.str()
    history, _ = read(project.path / ".agentops/history.jsonl")
    assert list(history) == ["a"], "b was not measured: it had no money"
    assert project.evals("-q", "--agent-mode=live", "--agent-budget-usd=5").ret == 0, "what an earlier session spent is over"


def test_the_sessions_budget_over_two_workers(project: Project) -> None:
    suite(project, "".join(f"- {{id: c{n}, task: go}}\n" for n in range(12)))
    result = project.apart("-p", "xdist", "--agent-evals", "-n2", "--agent-mode=live", "--agent-budget-usd=0.55")
    assert result.ret == 1
    outcomes = [case["trials"][0]["outcome"] for case in project.results["cases"]]
    paid = outcomes.count("completed")
    assert 5 <= paid <= 6, "what is in flight in the other worker finishes"
    assert len((project.path / ".agentops/spend").read_text().splitlines()) == paid


def test_a_replay_may_cost_what_it_likes(project: Project) -> None:
    suite(project, EVEN)
    project.record()
    assert project.evals("-q", "--agent-budget-usd=0.01").ret == 0, "nothing is spent in a replay"


@pytest.mark.parametrize("amount", ["-1", "1e9", "nan", "much", "1,5"])
def test_what_is_no_amount(amount: str, project: Project) -> None:
    suite(project, EVEN)
    assert project.evals(f"--agent-budget-usd={amount}").ret == 4


def test_the_fixture_alone_starts_with_an_empty_purse(project: Project) -> None:
    """Without the flag there is no controller's summary to clear what an earlier session spent."""
    project.write("tools.py", TOOLS)
    project.write(
        "test_it.py",
        """
        import tools

        def test_one(agent_eval):
            agent_eval("go", agent=lambda task, t: t.call("sums.add", a=1, b=2), tools=tools.add)
        """,
    )
    for _ in range(3):
        result = project.run("-q", "--agent-mode=live", "--agent-budget-usd=0.15", "test_it.py")
        assert result.ret == 0, result.stdout.str()


# ---- spikes

SPIKY = EVEN + "- {id: dear, task: go, setup: {times: 9, fails: true}}\n"


def test_a_failed_run_that_cost_many_times_the_median(project: Project) -> None:
    suite(project, SPIKY, "runbooks: {spend_spike: https://runbooks.example/spend}\n")
    result = project.evals("--agent-mode=live")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["spend_spike: demo/dear, trial 1: $0.9 is 9.0 times the median of the suite demo ($0.1); runbook: https://*"]
    )
    run = next(case for case in project.results["cases"] if case["id"] == "demo/dear")["trials"][0]
    assert "spend_spike" in run["labels"]
    assert "spend_spike" in run["detected"]


def test_a_run_that_passed_may_be_dear_unless_the_case_says_no(project: Project) -> None:
    dear = "- {id: dear, task: go, setup: {times: 9}}\n"
    suite(project, EVEN + dear)
    result = project.evals("--agent-mode=live")
    assert result.ret == 0
    result.stdout.no_fnmatch_line("spend_spike*")
    suite(project, EVEN + dear.replace("}}", "}, expect: {detectors: {spend_spike: fail}}}"))
    result = project.evals("--agent-mode=live")
    assert result.ret == 1, result.stdout.str()
    assert project.statuses["dear"] == "failed"
    assert (project.results["metrics"]["successes"], project.results["metrics"]["runs"]) == (4, 5)
    assert project.results["verdict"] == "fail"


def test_few_runs_have_no_usual_cost(project: Project) -> None:
    suite(project, "- {id: a, task: go}\n- {id: dear, task: go, setup: {times: 9, fails: true}}\n")
    project.evals("--agent-mode=live").stdout.no_fnmatch_line("spend_spike*")


# ---- runbooks and detectors


def test_a_runbook_is_printed_with_the_failure(project: Project) -> None:
    agent = (
        AGENT
        + "\ndef loops(task, tools):\n    for _ in range(4):\n        tools.call('sums.add', a=1, b=1)\n    raise ValueError\n"
    )
    head = HEAD.replace(":calls", ":loops") + "runbooks: {loop: ./docs/loops.md}\n"
    project.suite("- {id: one, task: go}", head=head, agent=agent, tools=TOOLS)
    result = project.evals("--agent-mode=live")
    result.stdout.fnmatch_lines(["*loop*sums.add *4 times in a row, from call 1 on*", "*./docs/loops.md*"])
    result.stdout.fnmatch_lines(["loop: 1 case(s) failed, and called the same again and again: demo/one"])
    assert json.dumps(project.results).count("4 times in a row") >= 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("runbooks: {lop: x}\n", "*demo.yaml:*there is no detector 'lop'*did you mean 'loop'*"),
        ("budget: {usd: -1}\n", "*demo.yaml:4:*"),
        ("budget: {token: 5}\n", "*demo.yaml:4:*unknown key 'token'*did you mean 'tokens'*"),
        ("budget: {}\n", "*demo.yaml:4:*a budget that limits nothing*usd, tokens, steps, tool_calls, seconds*"),
        ("budget: {usd: null}\n", "*demo.yaml:4:*a budget that limits nothing*"),
    ],
)
def test_mistakes(text: str, says: str, project: Project) -> None:
    suite(project, EVEN, text)
    result = project.evals()
    assert result.ret == 1
    result.stdout.fnmatch_lines([says])
