"""What a results file must hold for those who compare, join and judge it; a ValueError says what another one lacks, and where."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import TypeAlias

from ..schema.values import Json, JsonObject

Kind: TypeAlias = tuple[Callable[[Json], bool], str]
"""Whether a value is one, and what one is called."""


def _is_count(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_money(value: Json) -> bool:
    try:
        return value is None or (isinstance(value, str) and Decimal(value).is_finite())
    except InvalidOperation:
        return False


def _is_tokens(value: Json) -> bool:
    return value is None or (isinstance(value, dict) and all(_is_count(value.get(side)) for side in ("input", "output")))


def _maybe(kind: Kind) -> Kind:
    return lambda value: value is None or kind[0](value), f"{kind[1]} or null"


_TEXT: Kind = (lambda value: isinstance(value, str), "text")
_FLAG: Kind = (lambda value: isinstance(value, bool), "true or false")
_COUNT: Kind = (_is_count, "a count")
_MAPPING: Kind = (lambda value: isinstance(value, dict), "a mapping")
_MAPPINGS: Kind = (
    lambda value: isinstance(value, list) and all(isinstance(item, dict) for item in value),
    "a list of mappings",
)
_MONEY: Kind = (_is_money, "an amount as text, or null")
_TOKENS: Kind = (_is_tokens, "{input, output}, or null")
_LIST: Kind = (lambda value: isinstance(value, list), "a list")

_HEAD = {"mode": _TEXT, "verdict": _TEXT, "selection": _TEXT, "metrics": _MAPPING, "suites": _MAPPING}
_METRICS = {"runs": _COUNT, "successes": _COUNT}
_GATE = {"name": _TEXT, "result": _TEXT}
_ASKED = {"suites": _MAPPING, "gates": _LIST, "whole_folders": _FLAG}
_ASKED_SUITE = {"file": _TEXT, "variants": _COUNT, "trials": _COUNT, "gates": _maybe(_MAPPING)}
_CASE = {"id": _TEXT, "suite": _TEXT, "variant": _maybe(_TEXT), "status": _TEXT, "trials": _MAPPINGS}
_RUN = {
    "trial": _COUNT,
    "success": _FLAG,
    "outcome": _TEXT,
    "mode": _TEXT,
    "cost_usd": _MONEY,
    "tokens": _TOKENS,
    "calls": _MAPPINGS,
}


def fits_head(head: JsonObject) -> JsonObject:
    """What stands above the cases, if it is that."""
    _fits(head, _HEAD, "")
    _fits(head["metrics"], _METRICS, "metrics: ")
    _gates(head.get("gates"), "")
    for name, suite in head["suites"].items():
        place = f"suite {name}: "
        _fits(suite, {"metrics": _MAPPING}, place)
        _fits(suite["metrics"], _METRICS, f"{place}metrics: ")
        _gates(suite.get("gates"), place)
    asked = head.get("asked")
    if asked is not None:
        _fits(asked, _ASKED, "asked: ")
        for name, suite in asked["suites"].items():
            _fits(suite, _ASKED_SUITE, f"asked: suite {name}: ")
    return head


def fits_case(case: Json) -> JsonObject:
    """A case with its runs, if it is one."""
    _fits(case, _CASE, f"case {case['id']}: " if isinstance(case, dict) and "id" in case else "a case: ")
    assert isinstance(case, dict)
    for number, run in enumerate(case["trials"], start=1):
        _fits(run, _RUN, f"case {case['id']}, run {number}: ")
    return case


def _gates(gates: Json, place: str) -> None:
    if gates is not None:
        _fits({"gates": gates}, {"gates": _MAPPINGS}, place)
        for gate in gates:
            _fits(gate, _GATE, f"{place}gate: ")


def _fits(value: Json, wanted: Mapping[str, Kind], place: str) -> None:
    if not isinstance(value, dict):
        raise ValueError(f"{place}expected a mapping")
    for key, (holds, what) in wanted.items():
        if key not in value:
            raise ValueError(f"{place}{key} is missing, expected {what}")
        if not holds(value[key]):
            raise ValueError(f"{place}{key}: expected {what}")
