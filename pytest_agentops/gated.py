"""What the process that collects suites says of their gates: to the controller, which judges, and to their author."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import pytest

from .loading.gates import gates_of, session_gates
from .loading.variant import LoadedSuite
from .schema.gates import LIMITS, Gates
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
    """Why a threshold cannot be proven with so many runs, and how many would do; of two, the one that takes more runs."""
    spec = getattr(gates, name, None)
    confidence = getattr(spec, "confidence", None)
    if spec is None or confidence is None:
        return None
    shares = {"min": spec.min, "max": None if spec.max is None else 1 - spec.max}
    # nothing has to be proven of a share that every rate reaches, and what takes the greater share takes more runs
    share, side = max(((share, side) for side, share in shares.items() if share), default=(0, ""))
    if not share:
        return None
    needed = runs_to_prove(share, confidence)
    limit = f"{name}: {side} {getattr(spec, side)} with {100 * confidence:g} % confidence"
    if needed is None:
        return f"{limit} is proven by no number of runs; leave `confidence` out"
    if needed > runs:
        eased = "lower `min` or" if side == "min" else "raise `max` or lower"
        return f"{limit} cannot be proven with {runs} runs: {needed} would do (raise `trials`, or {eased} `confidence`)"
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


def warn_of_session(config: pytest.Config, lines: tuple[str, ...], known: Iterable[JsonObject]) -> None:
    """The same for gates over the whole session, when all suites are collected."""
    where = ini_file(config)
    _, gates = session_gates(lines, where)
    runs = sum(suite["trials"] for suite in known)
    for why in filter(None, (unproven(name, gates, runs) for name in LIMITS) if gates is not None else ()):
        warnings.warn_explicit(pytest.PytestWarning(f"{where}: agentops_gates: {why}"), None, where, 1)


def ini_file(config: pytest.Config) -> str:
    """What the file of the ini values is called."""
    return config.inipath.name if config.inipath is not None else "agentops_gates"
