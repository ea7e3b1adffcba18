"""What a cost is made of: models, tools, and what was spent for nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from pytest_agentops.schema.bill import Bill, Charge
from pytest_agentops.schema.call import Call
from pytest_agentops.schema.run import Run
from pytest_agentops.scoring.confusion import CostParts
from pytest_agentops.scoring.costs import cost_parts


def call(tool: str, step: int, **args: Any) -> Call:
    return Call(tool=tool, args=args, step=step)


def charge(usd: str | None, step: int | None, *, model: str | None = "m", again: bool = False) -> Charge:
    return Charge(model=model, usd=None if usd is None else Decimal(usd), step=step, again=again)


def test_nothing_was_billed() -> None:
    assert cost_parts(Run()) == {}


def test_models_and_tools() -> None:
    calls = [call("pay", 1), call("look", 1), call("pay", 2, n=2)]
    answers = [charge("0.1", 1), charge("0.02", 2, model="n"), charge("0.3", None, model="emb"), charge("0.4", 3)]
    run = Run(calls=calls, bill=Bill(answers=answers, calls={0: Decimal("0.01"), 2: Decimal("0.01")}))
    assert cost_parts(run) == {"models": {"emb": "0.3", "m": "0.5", "n": "0.02"}, "tools": {"pay": "0.02"}}


def test_one_unknown_answer_makes_its_model_unknown_and_no_other() -> None:
    run = Run(bill=Bill(answers=[charge("0.1", 1), charge(None, 2), charge("0.1", 3, model=None)]))
    assert cost_parts(run) == {"models": {"m": None, "unnamed": "0.1"}}


def test_a_stated_figure_is_of_the_one_model_or_of_none() -> None:
    one = Run(bill=Bill(answers=[charge(None, 1), charge(None, 2)], stated_usd=Decimal("0.7")))
    assert cost_parts(one) == {"models": {"m": "0.7"}}
    two = Run(bill=Bill(answers=[charge(None, 1), charge(None, 2, model="n")], stated_usd=Decimal("0.7")))
    assert cost_parts(two) == {"models": {"unnamed": "0.7"}}


def test_a_request_that_was_billed_again_is_a_retry() -> None:
    run = Run(bill=Bill(answers=[charge("0.1", 1), charge("0.1", 2, again=True)]))
    assert cost_parts(run) == {"models": {"m": "0.2"}, "retries": "0.1"}


def test_the_later_rounds_of_a_loop() -> None:
    calls = [call("look", step, q=1) for step in (1, 2, 3)] + [call("look", 4, q=2)]
    answers = [charge("0.1", 1), charge("0.2", 2), charge("0.4", 3), charge("0.8", 4)]
    run = Run(calls=calls, bill=Bill(answers=answers, calls={1: Decimal("0.05")}))
    assert cost_parts(run)["loops"] == "0.65"  # calls 2 and 3: 0.2 + 0.4 for the model, 0.05 for the tool


def test_an_answer_that_asked_for_something_new_as_well_is_no_loss() -> None:
    calls = [call("look", 1, q=1), call("look", 2, q=1), call("look", 3, q=1), call("pay", 3)]
    run = Run(calls=calls, bill=Bill(answers=[charge("0.1", 1), charge("0.2", 2), charge("0.4", 3)]))
    assert cost_parts(run)["loops"] == "0.2"


def test_a_loop_under_one_stated_figure_is_unknown() -> None:
    calls = [call("look", step, q=1) for step in (1, 2, 3)]
    answers = [charge(None, step) for step in (1, 2, 3)]
    run = Run(calls=calls, bill=Bill(answers=answers, stated_usd=Decimal(1)))
    assert cost_parts(run)["loops"] is None


def result(success: bool, usd: str | None, **costs: Any) -> dict[str, Any]:
    return {"success": success, "cost_usd": usd, "costs": costs}


def test_sums_over_runs() -> None:
    parts, other = CostParts(), CostParts()
    parts.add(result(True, "1", models={"m": "0.7"}, tools={"pay": "0.3"}, retries="0.2", loops="0.1"))
    other.add(result(False, "0.5", models={"m": "0.5"}, retries="0.4"))
    other.add({"success": True, "cost_usd": "0.1", "eval_cost_usd": "0.03"})
    parts.merge(other)
    assert parts.by("models") == {"m": "1.2"}
    assert parts.by("tools") == {"pay": "0.3"}
    assert parts.confusion() == {"failed": "0.5", "retries": "0.2", "loops": "0.1"}, "a failed run is lost whole, and once"
    assert parts.evals == Decimal("0.03")


def test_what_is_unknown_stays_so() -> None:
    parts = CostParts()
    parts.add(result(False, None, models={"m": None}))
    parts.add(result(False, "1", models={"m": "1"}))
    parts.add({**result(True, "1"), "eval_cost_usd": None})
    assert parts.by("models") == {"m": None}
    assert parts.confusion() == {"failed": None, "retries": "0", "loops": "0"}
    assert parts.evals is None


def test_checks_charge_what_a_judge_costs() -> None:
    run = Run()
    assert "eval_cost_usd" not in run.as_json()
    run.charge_eval("0.02")
    run.charge_eval(0.01)
    assert run.as_json()["eval_cost_usd"] == "0.03"
    for wrong in ("-1", float("nan"), float("inf")):
        with pytest.raises(ValueError, match="no amount"):
            run.charge_eval(wrong)
    run.charge_eval(None)
    assert run.as_json()["eval_cost_usd"] is None
