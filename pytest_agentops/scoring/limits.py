"""Absolute gates: a metric must lie in a range. What is unknown lies in none."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ..schema import money
from ..schema.gates import PassHatK
from ..schema.values import Json, decimal
from ..schema.verdict import Metrics
from . import statistics
from .finding import Finding

_MONEY = ("cost_usd", "cost_per_success_usd")


def judge(name: str, spec: Any, metrics: Metrics, *, live: bool) -> Finding:
    """One metric against its range; with `confidence` the bound of a live rate must lie in it, too."""
    value = _value(name, spec, metrics)
    low, high = getattr(spec, "min", None), getattr(spec, "max", None)
    wanted = " and ".join(
        [
            *([f"at least {_number(name, low)}"] if low is not None else []),
            *([f"at most {_number(name, high)}"] if high is not None else []),
        ]
    )
    shown: Json = money.text(value) if name in _MONEY and isinstance(value, Decimal) else value
    if value is None:
        return Finding(result="fail", why=_unknown(name, spec, metrics), wanted=wanted)
    ok = (low is None or decimal(value) >= decimal(low)) and (high is None or decimal(value) <= decimal(high))
    label = f"{name} (k={spec.k})" if isinstance(spec, PassHatK) else name
    finding = Finding(
        result="pass" if ok else "fail",
        why=f"{label} is {_number(name, value)}{_counts(name, metrics)}",
        wanted=wanted,
        measured=shown,
    )
    if wanted:
        finding.why += f", wanted {wanted}"
    confidence = getattr(spec, "confidence", None)
    if confidence is not None and ok:
        if live:
            _with_confidence(finding, name, spec, metrics, confidence)
        else:
            finding.details.append(f"a replay is the same every time: confidence {confidence:g} is for live runs")
    return finding


def lost(spec: Any, metrics: Metrics, why: str) -> Finding:
    """The success rate of a suite that was stopped since it can no longer reach its `min`."""
    wanted = f"at least {spec.min:g}"
    return Finding(result="fail", why=f"{why}; stopped after {metrics.runs}", wanted=wanted, measured=metrics.task_success_rate)


def _with_confidence(finding: Finding, name: str, spec: Any, metrics: Metrics, confidence: float) -> None:
    """What is in the range must be so beyond luck; else the gate fails, as it would for the bound itself."""
    runs, hits = rated(name, metrics)
    sides = (("min", statistics.lower_bound, "at least"), ("max", statistics.upper_bound, "at most"))
    for side, bound_of, words in sides:
        limit = getattr(spec, side)
        if limit is None:
            continue
        bound = bound_of(hits, runs, confidence)
        assert bound is not None
        finding.why += f", {words} {bound:.3f} with {100 * confidence:g} % confidence (Wilson, one-sided)"
        if (bound < limit) if side == "min" else (bound > limit):
            finding.result = "fail"
            needed = statistics.runs_to_prove(limit if side == "min" else 1 - limit, confidence)
            if needed is not None and needed > runs:
                finding.details.append(f"{runs} runs cannot prove {limit:g}: {needed} without one that is otherwise are needed")


def rated(name: str, metrics: Metrics) -> tuple[int, int]:
    """Runs of a rate, and those that count for it."""
    runs = metrics.runs - metrics.unanswerable
    rate = metrics.task_success_rate if name == "task_success_rate" else metrics.intervention_rate
    return runs, round((rate or 0) * runs)


def _value(name: str, spec: Any, metrics: Metrics) -> int | float | Decimal | None:
    if isinstance(spec, PassHatK):
        rate: float | None = metrics.pass_hat_k.get(str(spec.k))
        return rate
    if name == "tokens":
        return None if metrics.tokens is None else sum(metrics.tokens.values())
    value = getattr(metrics, name)
    return Decimal(value) if isinstance(value, str) else value


def _unknown(name: str, spec: Any, metrics: Metrics) -> str:
    if isinstance(spec, PassHatK):
        return f"pass_hat_k of k={spec.k} is undefined: a case has fewer trials"
    if name == "cost_per_success_usd" and metrics.cost_usd is not None and not metrics.successes:
        return f"{name} is undefined: no run succeeded, and all cost ${metrics.cost_usd}"
    return f"{name} is unknown, and unknown is within no limit"


def _number(name: str, value: float | Decimal) -> str:
    return f"${money.text(decimal(value))}" if name in _MONEY else f"{value:g}"


def _counts(name: str, metrics: Metrics) -> str:
    if name == "task_success_rate":
        return f" ({metrics.successes} of {metrics.runs - metrics.unanswerable} runs)"
    if name == "cost_per_success_usd":
        return f" ({metrics.successes} successes for ${metrics.cost_usd})"
    return ""
