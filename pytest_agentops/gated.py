"""What the process that collects suites says of their gates: to the controller, which judges, and to their author."""

from __future__ import annotations

import warnings

import pytest

from .loading.gates import gates_of
from .loading.variant import LoadedSuite
from .schema.gates import Gates
from .schema.values import JsonObject
from .scoring.statistics import runs_to_prove


def told(suite: LoadedSuite, trials: int | None) -> JsonObject:
    """What the controller must know of a suite to judge it; `trials` replaces what its cases say."""
    head = suite.variants[0].head
    return {
        "file": suite.file,
        "gates": head.gates,
        "places": head.gate_places,
        "variants": len(suite.variants),
        "trials": sum(trials or variant.trials for variant in suite.variants if variant.skip is None),
    }


def unproven(name: str, gates: Gates, runs: int) -> str | None:
    """Why a threshold cannot be proven with so many runs, and how many would do."""
    spec = getattr(gates, name, None)
    confidence = getattr(spec, "confidence", None)
    if spec is None or confidence is None:
        return None
    share = spec.min if spec.min is not None else None if spec.max is None else 1 - spec.max
    needed = None if share is None else runs_to_prove(share, confidence)
    side = "min" if spec.min is not None else "max"
    limit = f"{name}: {side} {getattr(spec, side)} with {100 * confidence:g} % confidence"
    if share is not None and needed is None:
        return f"{limit} is proven by no number of runs; leave `confidence` out"
    if needed is not None and needed > runs:
        return f"{limit} cannot be proven with {runs} runs: {needed} would do (raise `trials`, or lower `{side}` or `confidence`)"
    return None


def warn_of_unproven(suite: LoadedSuite, known: JsonObject) -> None:
    """A threshold that these trials cannot prove is told before anything runs."""
    if not any(isinstance(spec, dict) and spec.get("confidence") for spec in known["gates"].values()):
        return
    gates = gates_of(known["gates"])
    for name, (line, col) in known["places"].items():
        why = unproven(name, gates, known["trials"])
        if why:
            place = f"{suite.file}:{line}:{col}"
            warnings.warn_explicit(pytest.PytestWarning(f"{place}: {why}"), None, suite.file, line)
