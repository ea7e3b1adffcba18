"""Whether what an import would write loads: the same reader that pytest will use says so, before anything is written."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from ...errors import CaseFileError, Mistake
from ...schema.values import JsonObject, canonical

MANY = 1000
"""Trials of the case that a line's fields are tried on: how many there will be is not known yet."""


def case_mistakes(case: JsonObject | None, known: dict[str, str]) -> str:
    """What is wrong with a line's `case`, or an empty text. `known` keeps answers: lines repeat each other."""
    if not case:
        return ""
    text = canonical(case)
    if text not in known:
        task = {} if "task" in case or "turns" in case else {"task": "x"}
        suite = {"version": 1, "agent": "transcript", "cases": [{"id": "x", **task, "trials": MANY, **case}]}
        known[text] = "; ".join(f"case: {_words(m)}" for m in _mistakes(suite, "x"))
    return known[text]


def suite_mistakes(suite: JsonObject) -> list[str]:
    """What is wrong with the whole suite: its contracts, since the cases were looked at line by line."""
    return [_words(m) for m in _mistakes(suite, suite["suite"])]


def _mistakes(suite: JsonObject, name: str) -> Sequence[Mistake]:
    from ...loading.suite import load_suite
    from ...schema.document import write

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.yaml"
        path.write_text(write(suite), encoding="utf-8")
        try:
            load_suite(path, Path(folder))
        except CaseFileError as problem:
            return problem.mistakes
    return ()


def _words(mistake: Mistake) -> str:
    return ", ".join(part for part in (mistake.found, mistake.allowed, mistake.hint) if part)
