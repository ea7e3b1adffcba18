"""The table of the terminal summary: the four numbers first. The only module that imports tabulate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from ..schema.values import Json, JsonObject

UNKNOWN = "unknown"
NONE = "-"
TOTAL = "all suites"


MANY = 50
"""More suites than this are not listed: the worst are."""


def table(suites: Mapping[str, JsonObject], total: JsonObject, *, errors: Mapping[str, int] | None = None) -> str:
    """A row a suite (its metrics as the results file has them), and one over all where there are several.

    `errors` counts the cases of a suite that ended as an error, which their runs' successes do not show.
    """
    errors = errors or {}
    if len(suites) > MANY:
        worst = sorted(suites, key=lambda name: (suites[name]["task_success_rate"] or 0.0, -errors.get(name, 0), name))[:MANY]
        left = f"\nand {len(suites) - MANY} more suites, none of them worse; .agentops/results.json has them all"
        return table({name: suites[name] for name in worst}, total, errors=errors) + left
    from tabulate import tabulate

    rows = [_row(name, metrics) for name, metrics in sorted(suites.items())]
    if len(rows) != 1:
        rows.append(_row(TOTAL, total))
    head = ["suite", "success", "cost/success", "interventions", "policy blocks", "cost", "tokens", "calls"]
    several = any("pass^k" in row for row in rows)
    if several:
        head.insert(2, "pass^k")
    if any(errors.values()):
        head.insert(2, "errors")
        rows = [{**row, "errors": str(errors.get(row["suite"], 0))} for row in rows]
        if len(rows) > 1:
            rows[-1]["errors"] = str(sum(errors.values()))
    lines = [[row.get(name, NONE) for name in head] for row in rows]
    align = ["left"] + ["right"] * (len(head) - 1)
    return tabulate(lines, headers=head, tablefmt="simple", colalign=align, disable_numparse=True)


def _row(name: str, metrics: JsonObject) -> dict[str, str]:
    row = {
        "suite": name,
        "success": _rate(metrics),
        "cost/success": _per_success(metrics),
        "interventions": share(metrics.get("intervention_rate")),
        "policy blocks": _count(metrics.get("policy_blocks")),
        "cost": money(metrics.get("cost_usd")),
        "tokens": _tokens(metrics.get("tokens")),
        "calls": _count(metrics.get("tool_calls")),
    }
    hat = metrics.get("pass_hat_k") or {}
    if len(hat) > 1:
        k = max(hat, key=int)
        row["pass^k"] = f"{share(hat[k])} (k={k})"
    return row


def _rate(metrics: JsonObject) -> str:
    if metrics.get("task_success_rate") is None:
        return NONE
    return f"{share(metrics['task_success_rate'])} ({metrics['successes']}/{metrics['runs']})"


def _per_success(metrics: JsonObject) -> str:
    if not metrics.get("successes"):
        return NONE  # no success: there is no such number
    return money(metrics.get("cost_per_success_usd"))


def share(rate: Json) -> str:
    """``91.7 %``; 100 and 0 only where it is all and none."""
    if rate is None:
        return NONE
    shown = f"{rate * 100:.1f}"
    if shown == "100.0" and rate < 1:
        shown = "99.9"
    if shown == "0.0" and rate > 0:
        shown = "0.1"
    return f"{shown.removesuffix('.0')} %"


def _count(value: Json) -> str:
    return NONE if value is None else f"{value:,}".replace(",", " ")


def money(value: Json) -> str:
    """Dollars with four digits that count, at least cents."""
    if value is None:
        return UNKNOWN
    amount = Decimal(str(value))
    if amount == 0:
        return "$0"
    places = max(2, 3 - amount.adjusted())
    return f"${amount:.{places}f}"


def _tokens(value: Json) -> str:
    if not value:
        return UNKNOWN if value is None else NONE
    return _count((value.get("input") or 0) + (value.get("output") or 0))


def grid(head: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """A table of texts; the first `left` columns stand left, the others right."""
    from tabulate import tabulate

    align = ["left" if column < left else "right" for column in range(len(head))]
    return tabulate(rows, headers=head, tablefmt="simple", colalign=align if rows else None, disable_numparse=True)
