from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

import pytest_agentops.scoring.checks as checks
from pytest_agentops.errors import AgentOpsError
from pytest_agentops.schema.case import Expect
from pytest_agentops.schema.run import Problem, Run, State, Turn
from pytest_agentops.schema.verdict import CheckResult
from pytest_agentops.scoring.expectations import built_in
from pytest_agentops.scoring.judge import judge, verdict


def judged(case, **run):
    the_run = Run(**run)
    judge(the_run, case)
    return the_run


# --- the outcome


def test_completed_is_meant_where_no_outcome_is_named(make_case):
    run = judged(make_case(expect={"output": {"contains": "x"}}), output="x")
    assert run.success
    assert [c.name for c in run.checks] == ["outcome", "output"]
    run = judged(make_case(expect={"output": {"contains": "x"}}), output="x", outcome="blocked", stop="policy said no")
    assert not run.success
    assert run.checks[0].why == "the run ended as blocked, wanted completed: policy said no"
    assert (run.checks[0].measured, run.checks[0].wanted) == ("blocked", "completed")


def test_a_case_without_expectations_says_so(make_case):
    run = judged(make_case())
    assert run.success
    assert [c.why for c in run.checks] == ["the case expects nothing but to complete: no other check was made"]
    assert run.checks[0].where == "cases/shop.yaml:7"
    assert not judged(make_case(), outcome="error").success


NOTHING = "the case expects nothing but to complete: no other check was made"


@pytest.mark.parametrize(
    "expect", [{}, {"calls": {"include": []}}, {"calls": {"include": [], "order": "any_order", "args": "exact"}}]
)
def test_expectations_that_ask_nothing_say_so_too(make_case, made, expect):
    run = judged(make_case(expect=expect), calls=[made("a")])
    assert run.success
    assert [c.why for c in run.checks if c.name == "outcome"] == [NOTHING]
    failed = judged(make_case(expect=expect), outcome="blocked")
    assert "wanted completed" in failed.checks[0].why


@pytest.mark.parametrize(
    "fields",
    [
        {"expect": {"outcome": "completed"}},
        {"expect": {"steps": 0}},
        {"expect": {"calls": {"include": [], "extra": "forbid"}}},
        {"expect": {"calls": {"include": [], "never": ["a"]}}},
        {"expect": {"calls": {"include": []}, "steps": 0}},
        {"expect": {"any": [{"outcome": "completed"}]}},
        {"turns": [{"user": "a", "expect": {"said": {"not_contains": "x"}}}]},
    ],
)
def test_where_something_is_asked_nobody_says_otherwise(make_case, fields):
    run = judged(make_case(**fields), turns=[Turn(user="a")])
    assert run.success, run.checks
    assert [c.why for c in run.checks] == [""] * len(run.checks)


@pytest.mark.parametrize("outcome", ["completed", "interrupted", "blocked", "budget_exceeded", "timed_out", "error"])
def test_an_outcome_that_is_wanted(make_case, outcome):
    case = make_case(expect={"outcome": outcome})
    assert judged(case, outcome=outcome).success
    assert not judged(case, outcome="completed" if outcome != "completed" else "blocked").success


def test_an_unanswerable_run_is_never_a_success(make_case):
    assert not judged(make_case(expect={"outcome": "unanswerable"}), outcome="unanswerable").success


@pytest.mark.parametrize("kind", ["miss", "unused", "cassette", "closed", "serialise", "secret", "network", "setup"])
@pytest.mark.parametrize("outcome", ["completed", "error", "budget_exceeded", "timed_out"])
def test_a_fatal_problem_fails_whatever_the_checks_say(make_case, made, kind, outcome):
    problems = [Problem(kind=kind, text="x")]
    run = judged(make_case(expect={"outcome": outcome}), outcome=outcome, problems=problems, calls=[made("a")])
    assert [c.name for c in run.checks] == ["outcome"]
    assert all(c.passed for c in run.checks)
    assert not run.success


@pytest.mark.parametrize("kind", ["cassette", "setup"])
def test_a_run_that_never_began_is_not_checked(make_case, kind):
    """The reason is all there is to say; it is no success, not even where an error is wanted."""
    run = judged(make_case(expect={"outcome": "error", "steps": 3}), outcome="error", problems=[Problem(kind=kind, text="x")])
    assert run.checks == []
    assert not run.success


def test_a_warning_does_not(make_case):
    assert judged(make_case(), problems=[Problem(kind="unused_warning", text="x")]).success


@pytest.mark.parametrize(("kind", "outcome"), [("budget", "budget_exceeded"), ("timeout", "timed_out"), ("agent", "error")])
def test_the_reason_of_a_wanted_outcome_is_no_failure(make_case, kind, outcome):
    problems = [Problem(kind=kind, text="x")]
    assert judged(make_case(expect={"outcome": outcome}), outcome=outcome, problems=problems).success
    assert judged(make_case(expect={"any": [{"outcome": outcome}]}), outcome=outcome, problems=problems).success
    assert not judged(make_case(), outcome=outcome, problems=problems).success
    assert not judged(make_case(), problems=problems).success
    assert not judged(
        make_case(expect={"outcome": outcome}), outcome=outcome, problems=[*problems, Problem(kind="miss", text="")]
    ).success


# --- checks


def test_every_check_must_pass_and_all_are_made(make_case):
    run = judged(
        make_case(expect={"output": {"contains": "x"}, "steps": 1, "said": {"contains": "y"}}), output="x", model_steps=1
    )
    assert not run.success
    assert [(c.name, c.passed) for c in run.checks] == [("outcome", True), ("output", True), ("said", False), ("steps", True)]
    assert [c.where for c in run.checks] == [
        "cases/shop.yaml:7",
        "cases/shop.yaml:10",
        "cases/shop.yaml:12",
        "cases/shop.yaml:11",
    ]


def test_a_check_is_a_module_of_the_keys_name():
    keys = {f.name for f in fields(Expect)}
    modules = {path.stem for path in Path(checks.__path__[0]).glob("*.py")} - {"__init__"}
    assert modules == keys
    for key in modules:
        assert callable(built_in(key))
    with pytest.raises(AgentOpsError, match="not supported by this version"):
        built_in("telepathy")


def test_checks_from_outside(make_case):
    def polite(wanted, run, context):
        return context.result(wanted in run.output, wanted=wanted, why="rude")

    case = make_case(more_checks={"polite": "please"})
    run = Run(output="no")
    judge(run, case, extra_checks={"polite": polite})
    assert run.checks[-1] == CheckResult(name="polite", passed=False, wanted="please", why="rude", where="cases/shop.yaml:7")
    assert not run.success
    with pytest.raises(AgentOpsError, match=r"expect\.polite: no check of that name"):
        judge(run, case)


def test_results_are_json(make_case):
    import json

    expect = {
        "calls": {"include": ["a", {"b": {"x": {"$gt": 1}}}], "count": {"a": {"max": 2}}},
        "output": {"any": [{"contains": ["x"]}]},
        "cost": {"usd": {"max": 1}},
        "any": [{"steps": 1}, {"state": {"$.a": 1}}],
        "state": {"$.a": 1},
        "changed_only": [],
    }
    run = judged(make_case(expect=expect))
    wanted = {c.name: c.as_json()["wanted"] for c in run.checks}
    assert json.loads(json.dumps(wanted)) == {"outcome": "completed", **expect}


# --- any


def test_any_needs_one_alternative_in_full(make_case):
    case = make_case(expect={"any": [{"output": {"contains": "a"}, "steps": 1}, {"output": {"contains": "b"}}]})
    assert judged(case, output="a", model_steps=1).success
    assert judged(case, output="b").success
    run = judged(case, output="a", model_steps=2)
    assert not run.success
    assert run.checks[-1].where == "cases/shop.yaml:10"
    assert run.checks[-1].why == (
        "none of the alternatives holds:\n"
        "  any[0].steps: steps: 2 instead of exactly 1 (model answers)\n"
        '  any[1].output: contains: "b" is not in the output\n'
        '    the output: "a"'
    )


def test_any_with_outcomes(make_case):
    """One that names no outcome means completed as soon as another names one."""
    case = make_case(expect={"any": [{"outcome": "blocked"}, {"output": {"contains": "x"}}]})
    assert judged(case, outcome="blocked").success
    assert judged(case, output="x").success
    assert not judged(case, output="x", outcome="error").success
    assert not judged(case, output="y").success
    nested = make_case(expect={"any": [{"any": [{"outcome": "blocked"}, {"steps": 0}]}]})
    assert judged(nested, outcome="blocked").success
    assert judged(nested).success
    assert not judged(nested, outcome="error").success


def test_any_beside_other_checks(make_case):
    case = make_case(expect={"outcome": "blocked", "any": [{"steps": 0}, {"steps": 1}]})
    assert judged(case, outcome="blocked").success
    assert not judged(case).success


# --- turns


def test_checks_of_turns_name_their_own_lines(make_case):
    turns = ["hello", {"user": "refund", "expect": {"said": {"contains": "x"}, "state": {"a": 1}}}]
    lines = {"expect.steps": 11, "turns[1].expect.said": 21, "turns[1].expect.state": 22}
    case = replace(make_case(turns=turns, expect={"steps": 1}), lines=lines)
    for happened in ([Turn(user="hello"), Turn(user="refund")], [Turn(user="hello")]):
        where = {c.name: c.where for c in judged(case, turns=happened).checks}
        assert where == {
            "outcome": "cases/shop.yaml:7",
            "steps": "cases/shop.yaml:11",
            "turns[1].said": "cases/shop.yaml:21",
            "turns[1].state": "cases/shop.yaml:22",
        }


def test_turns_are_checked_on_their_own(make_case, made):
    case = make_case(
        turns=[
            {"user": "hello", "expect": {"calls": {"count": {"*": 0}}, "said": {"contains": "Hi"}}},
            "nothing to check",
            {"user": "refund", "expect": {"calls": {"include": ["refund"]}, "state": {"$.refunds": 1}}},
        ]
    )
    turns = [
        Turn(user="hello", said=["Hi"]),
        Turn(user="-", calls=[made("other")], said=["no"]),
        Turn(user="refund", calls=[made("refund")], state=State(after={"refunds": 1}, known=True)),
    ]
    run = judged(case, turns=turns, calls=[made("other"), made("refund")], said=["Hi", "no"])
    assert run.success, run.checks
    assert [c.name for c in run.checks] == ["outcome", "turns[0].calls", "turns[0].said", "turns[2].calls", "turns[2].state"]

    turns[0] = Turn(user="hello", calls=[made("refund")], said=["Bye"])
    run = judged(case, turns=turns)
    assert [c.name for c in run.checks if not c.passed] == ["turns[0].calls", "turns[0].said"]

    run = judged(case, turns=turns[:1], outcome="error", stop="the agent raised")
    missed = [c for c in run.checks if c.name.startswith("turns[2]")]
    assert {c.why for c in missed} == {"turn 3 never came: the run ended as error after 1 turns: the agent raised"}
    assert not any(c.passed for c in missed)


# --- the verdict


@pytest.mark.parametrize(
    ("pass_if", "outcomes", "passed", "wanted"),
    [
        (None, "1", True, "1 of 1 trials"),
        (None, "0", False, "1 of 1 trials"),
        (None, "110", False, "3 of 3 trials"),
        ({"rate": 1.0}, "111", True, "3 of 3 trials"),
        ({"rate": 0.66}, "110", True, "at least 2 of 3 trials"),
        ({"rate": 0.67}, "110", False, "3 of 3 trials"),
        ({"rate": 0.3}, "1110000000", True, "at least 3 of 10 trials"),
        ({"rate": 0.7}, "1111111000", True, "at least 7 of 10 trials"),
        ({"rate": 0.1}, "1000000000", True, "at least 1 of 10 trials"),
        ({"at_least": 1}, "001", True, "at least 1 of 3 trials"),
        ({"at_least": 2}, "001", False, "at least 2 of 3 trials"),
        ({"rate": 0.3, "at_least": 3}, "110", False, "3 of 3 trials"),
        ({"rate": 1.0, "at_least": 1}, "110", False, "3 of 3 trials"),
        ({"rate": 0.0}, "00", True, "at least 0 of 2 trials"),
    ],
)
def test_verdict(make_case, pass_if, outcomes, passed, wanted):
    rule = {} if pass_if is None else {"pass_if": pass_if}
    case = make_case(trials=len(outcomes), **rule)
    runs = [Run(trial=i, success=o == "1") for i, o in enumerate(outcomes, 1)]
    found = verdict(case, runs)
    assert (found.passed, found.wanted, found.trials, found.successes) == (passed, wanted, len(outcomes), outcomes.count("1"))
    assert bool(found.why) == (not passed)


def test_a_trial_that_never_ran_did_not_succeed(make_case):
    found = verdict(make_case(trials=3), [Run(success=True)])
    assert not found.passed
    assert found.why == "2 of 3 trials did not run"


def test_the_verdict_names_what_failed(make_case):
    bad = CheckResult(name="calls", passed=False)
    runs = [
        Run(trial=1, checks=[bad, replace(bad, name="output", passed=True)], problems=[Problem(kind="miss", text="")]),
        Run(trial=2, success=True),
        Run(trial=3, outcome="unanswerable"),
    ]
    assert verdict(make_case(trials=3), runs).why == "trial 1: calls, miss\ntrial 3: unanswerable"
