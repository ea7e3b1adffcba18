"""The scorecard: each suite over time beside the service levels that it wants to reach, and what a volume of tasks would cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias

from ..schema.values import Json, JsonObject
from .history import History, Session
from .table import UNKNOWN, grid, money, share

Slos: TypeAlias = Mapping[str, JsonObject]
"""Suite -> its `slo`, as the file says it."""

_METRIC = {
    "success_rate": "task_success_rate",
    "cost_per_success_usd": "cost_per_success_usd",
    "intervention_rate": "intervention_rate",
    "policy_blocks": "policy_blocks",
}
"""Key of `slo` -> key of the metrics."""
_HEADS = ("success", "cost/success", "interventions", "policy blocks")
_NEAR = 1e-9


def meets(key: str, target: Json, value: Json) -> bool | None:
    """Whether a number is within its target; None if it is not known. A cost for each success without a success misses."""
    if value is None:
        return None
    wanted, found = Decimal(str(target)), Decimal(str(value))
    return found >= wanted - Decimal(_NEAR) if key == "success_rate" else found <= wanted


def missed(slo: JsonObject, metrics: JsonObject) -> list[str]:
    """The keys of `slo` that a session did not reach; what is unknown is not reached."""
    return [key for key, name in _METRIC.items() if slo.get(key) is not None and not meets(key, slo[key], metrics.get(name))]


def scorecard(history: History, slos: Slos, *, last: int, volume: tuple[int, str] | None = None) -> Iterator[str]:
    """A table a suite, the oldest session first, and the forecast below."""
    for suite, sessions in history.items():
        slo = slos.get(suite, {})
        shown = sessions[-last:]
        yield suite
        yield grid(("when", "commit", "mode", *_HEADS), [*_target(slo), *(_row(session, slo) for session in shown)], left=3)
        if slo:
            good = sum(not missed(slo, session.metrics) for session in shown)
            newest = missed(slo, shown[-1].metrics)
            now = f"missed now: {', '.join(newest)}" if newest else "reached now"
            yield f"service level: reached in {good} of {len(shown)} sessions, {now}"
        if volume is not None:
            yield from _forecast(shown[-1], *volume)
        yield ""


def _target(slo: JsonObject) -> list[Sequence[str]]:
    if not slo:
        return []
    shown = [
        "" if slo.get("success_rate") is None else f">= {share(slo['success_rate'])}",
        "" if slo.get("cost_per_success_usd") is None else f"<= {money(slo['cost_per_success_usd'])}",
        "" if slo.get("intervention_rate") is None else f"<= {share(slo['intervention_rate'])}",
        "" if slo.get("policy_blocks") is None else f"<= {slo['policy_blocks']}",
    ]
    return [("target", "", "", *shown)]


_SHOW: Mapping[str, Callable[[Json], str]] = {
    "success_rate": share,
    "cost_per_success_usd": money,
    "intervention_rate": share,
    "policy_blocks": lambda value: "-" if value is None else str(value),
}


def _row(session: Session, slo: JsonObject) -> Sequence[str]:
    bad = missed(slo, session.metrics)
    cells = []
    for key, name in _METRIC.items():
        value = session.metrics.get(name)
        no_success = key == "cost_per_success_usd" and not session.metrics.get("successes")
        cells.append(("-" if no_success else _SHOW[key](value)) + (" !" if key in bad else ""))
    return (f"{session.at:%Y-%m-%d %H:%M}", (session.commit or "-")[:8], session.mode, *cells)


def _forecast(session: Session, number: int, period: str) -> Iterator[str]:
    """What so many tasks would come to, if they went as in the newest session."""
    metrics = session.metrics
    runs = metrics["runs"]
    rate, touched = metrics.get("task_success_rate"), metrics.get("intervention_rate")
    cost = metrics.get("cost_usd")
    spent = UNKNOWN if cost is None else money(str(Decimal(cost) / runs * number))
    done = UNKNOWN if rate is None else f"{round(rate * number):,}".replace(",", " ")
    humans = UNKNOWN if touched is None else f"{round(touched * number):,}".replace(",", " ")
    tasks = f"{number:,}".replace(",", " ")
    runs_of = f"{runs} runs of {session.at:%Y-%m-%d}"
    yield f"at {tasks} tasks a {period}, as in the {runs_of}: {spent}, {done} successes, a human in {humans}"
