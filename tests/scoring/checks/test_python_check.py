from __future__ import annotations

import pytest

from pytest_agentops.schema.run import Run
from pytest_agentops.scoring.judge import judge


def returns(value):
    return lambda run: value


def bare_assert(run):
    amount = 3
    assert amount == 4


def said_assert(run):
    raise AssertionError("3 of 4 lines")


def pytest_fail(run):
    pytest.fail("not this way")


async def is_async(run):
    return True


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (returns(None), ""),
        (returns(True), ""),
        (returns(False), "./c.py:f: returned False"),
        (returns("too much"), "./c.py:f: too much"),
        (returns(""), "./c.py:f: returned an empty text"),
        (returns(1), "./c.py:f: returned 1 (a int); a check gives None, True, False or a text"),
        (returns([]), "./c.py:f: returned [] (a list); a check gives None, True, False or a text"),
        (said_assert, "./c.py:f: 3 of 4 lines"),
        (pytest_fail, "./c.py:f: failed: not this way"),
        (is_async, "./c.py:f: is async; a check is an ordinary function"),
        (None, "./c.py:f: the function was not loaded"),
    ],
)
def test_answers(check, function, why):
    result = check("python", "./c.py:f", python={"./c.py:f": function} if function else {})
    assert result.why == why
    assert result.passed == (why == "")


def test_a_bare_assertion_shows_its_line(check):
    why = check("python", "f", python={"f": bare_assert}).why
    assert "assert amount == 4" in why or "assert 3 == 4" in why


def test_all_of_a_list_must_pass(check):
    python = {"a": returns(None), "b": returns("b"), "c": returns("c")}
    assert check("python", ["a", "b", "c"], python=python).why == "b: b\nc: c"


def test_the_case_comes_where_it_is_wanted(check, make_case):
    seen = []

    class Checker:
        def method(self, run, case):
            seen.append((run.output, case.id))

    python = {
        "f": lambda run, case: seen.append((run.output, case.id)),
        "g": Checker().method,
        "h": lambda *args: seen.append(len(args)),
    }
    assert check("python", ["f", "g", "h"], python=python, output="x").passed
    assert seen == [("x", "refund"), ("x", "refund"), 2]
    assert check("python", "k", python={"k": lambda run, *, strict=True: strict}).passed


def test_any_other_exception_is_outcome_error(make_case):
    def broken(run):
        return run.nothing

    run = Run()
    judge(run, make_case(expect={"python": "f"}), python={"f": broken})
    assert run.outcome == "error"
    assert not run.success
    assert "AttributeError" in run.error
    assert "return run.nothing" in run.error
    assert [(c.name, c.passed) for c in run.checks] == [("outcome", False), ("python", False)]
    assert "test_python_check.py" in run.checks[1].why

    # not even a case that expects an error is met by a check that breaks
    run = Run(outcome="error")
    judge(run, make_case(expect={"outcome": "error", "python": "f"}), python={"f": broken})
    assert not run.success


def test_a_check_cannot_skip_what_it_found(check):
    result = check("python", "f", python={"f": lambda run: pytest.skip("later")})
    assert not result.passed
    assert "later" in result.why


def test_where_an_object_lies_is_not_told(check):
    def check_it(run):
        raise AssertionError(f"not {object()!r}")

    assert check("python", "f", python={"f": check_it}).why == "f: not <object object>"
