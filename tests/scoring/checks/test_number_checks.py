from __future__ import annotations

from decimal import Decimal

import pytest

from pytest_agentops.schema.run import Usage


@pytest.mark.parametrize(
    ("wanted", "fields", "why"),
    [
        ({"usd": {"max": 0.01}}, {"cost_usd": Decimal("0.01")}, ""),
        ({"usd": {"min": 0.01}}, {"cost_usd": Decimal("0.0100")}, ""),
        ({"usd": {"max": 0.3}}, {"cost_usd": Decimal("0.1") * 3}, ""),
        ({"usd": {"max": 0}}, {"cost_usd": Decimal(0)}, ""),
        ({"usd": {"max": 0.01}}, {"cost_usd": Decimal("0.010001")}, "usd: 0.010001 is more than the wanted max 0.01"),
        ({"usd": {"min": 1}}, {"cost_usd": Decimal("0.5")}, "usd: 0.5 is less than the wanted min 1"),
        (
            {"usd": {"max": 1}},
            {"cost_usd": None},
            "usd: the cost of this run is unknown, and unknown never passes: "
            "a model answer states neither cost nor usage, or the model was never seen",
        ),
        (
            {"usd": {"max": 1}},
            {"cost_usd": None, "usage": Usage(input=1, output=1)},
            "usd: the cost of this run is unknown, and unknown never passes: "
            "the usage is known, but there is no price for the model",
        ),
        ({"tokens": {"max": 30}}, {"usage": Usage(input=10, output=20)}, ""),
        (
            {"tokens": {"max": 29}},
            {"usage": Usage(input=10, output=20)},
            "tokens: 30 is more than the wanted max 29 (10 input + 20 output)",
        ),
        (
            {"tokens": {"max": 29}},
            {"usage": None},
            "tokens: the usage of this run is unknown, and unknown never passes: a model answer stated none",
        ),
        (
            {"usd": {"max": 1}, "tokens": {"max": 1}},
            {"cost_usd": Decimal(2), "usage": Usage(input=2, output=0)},
            "usd: 2 is more than the wanted max 1\ntokens: 2 is more than the wanted max 1 (2 input + 0 output)",
        ),
    ],
)
def test_cost(check, wanted, fields, why):
    result = check("cost", wanted, **fields)
    assert result.why == why
    assert result.passed == (why == "")


def test_cost_measured_is_a_decimal_text(check):
    assert check(
        "cost", {"usd": {"max": 1}, "tokens": {"max": 9}}, cost_usd=Decimal("0.10"), usage=Usage(input=1, output=2)
    ).measured == {
        "usd": "0.1",
        "tokens": 3,
    }


@pytest.mark.parametrize(
    ("wanted", "steps", "why"),
    [
        (3, 3, ""),
        ({"max": 3}, 3, ""),
        ({"min": 3, "max": 3}, 3, ""),
        ({}, 3, ""),
        (2, 3, "steps: 3 instead of exactly 2 (model answers)"),
        ({"max": 2}, 3, "steps: 3 is more than the wanted max 2 (model answers)"),
        ({"min": 4}, 3, "steps: 3 is less than the wanted min 4 (model answers)"),
    ],
)
def test_steps(check, wanted, steps, why):
    result = check("steps", wanted, model_steps=steps)
    assert (result.why, result.passed, result.measured) == (why, why == "", steps)


def test_without_a_model_each_call_is_a_step(check, made):
    assert check("steps", 2, calls=[made("a"), made("b")]).passed
    assert check("steps", 0).passed
    assert check("steps", 0, calls=[made("a")]).why == "steps: 1 instead of exactly 0 (tool calls, no model answered)"
