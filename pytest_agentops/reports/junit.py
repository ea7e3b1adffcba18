"""What JUnit XML says of a case: properties, since xunit2 has no attributes for file and line."""

from __future__ import annotations

from decimal import Decimal

from ..schema import money
from ..schema.values import Json, JsonObject
from ..scoring.metrics import Tally

PREFIX = "agentops."


def properties(case: JsonObject) -> list[tuple[str, str]]:
    """Names and texts for `user_properties`; what is unknown is left out, never 0."""
    runs: list[JsonObject] = case.get("trials") or []
    tally = Tally()
    tally.add(case["id"], case.get("variant"), runs)
    metrics = tally.metrics()  # they know which stages there are: what is counted by none is unknown
    values: dict[str, Json] = {
        "case": case["id"],
        "suite": case.get("suite"),
        "variant": case.get("variant"),
        "file": case.get("file"),
        "line": case.get("line"),
        "status": case.get("status"),
        "mode": _one(runs, "mode"),
        "outcome": _one(runs, "outcome"),
        "trials": len(runs),
        "successes": sum(bool(r.get("success")) for r in runs),
        "cost_usd": _cost(runs),
        "tokens_input": _tokens(runs, "input"),
        "tokens_output": _tokens(runs, "output"),
        "steps": sum(r.get("steps") or 0 for r in runs),
        "tool_calls": sum(len(r.get("calls") or ()) for r in runs),
        "interventions": metrics.interventions,
        "policy_blocks": metrics.policy_blocks,
        "failed_checks": _failed(runs) or None,
        "labels": ",".join(sorted({label for r in runs for label in r.get("labels") or ()})) or None,
        "events": ",".join(r["events"] for r in runs if r.get("events")) or None,
    }
    return [(PREFIX + name, str(value)) for name, value in values.items() if value is not None]


def _one(runs: list[JsonObject], key: str) -> str | None:
    """The word that all trials share, or the words in the order of the trials."""
    words = [str(r[key]) for r in runs if r.get(key) is not None]
    return ",".join(words if len(set(words)) > 1 else words[:1]) or None


def _cost(runs: list[JsonObject]) -> str | None:
    stated = [r.get("cost_usd") for r in runs]
    return money.text(money.total([None if c is None else Decimal(c) for c in stated])) if runs else None


def _tokens(runs: list[JsonObject], side: str) -> int | None:
    counts = [r.get("tokens") for r in runs]
    return sum(c[side] for c in counts if c is not None) if runs and None not in counts else None


def _failed(runs: list[JsonObject]) -> str:
    names = dict.fromkeys(c["name"] for r in runs for c in r.get("checks") or () if not c.get("passed"))
    return ",".join(names)
