"""Past the cap of cells: each rule alone, then every two of them, over what these two look at. What it cannot see it says."""

from __future__ import annotations

from collections.abc import Sequence

from ..binding import BoundTool
from ..builder import Builder
from ..cells import Predicate
from ..explained import says
from ..model import Policy, Rule
from ..regions import fits
from ..table import Table
from .finding import Finding

MAX_PAIRS = 20_000
PAIR_CAP = 20_000
"""Cells of one pair."""


def in_pairs(policy: Policy, tool: BoundTool, findings: list[Finding], partial: list[str]) -> None:
    """POL004 and POL005 as far as they show between two rules."""
    from .decisions import found

    builder = Builder(tool.contract, tool.declared, tool.facts)
    asked = {rule.id: () if rule.condition is None else builder.condition(rule.condition) for rule in policy.rules}
    for declared in policy.attributes:
        fits(builder, declared)
    axes = builder.axes()
    size = 1
    for axis in axes:
        size *= len(axis.entries)
    partial.append(
        f"{size} cells are too many: rules were compared in pairs; gaps, missing and unbounded attributes were not looked for"
    )
    partial += builder.partial
    never: set[str] = set()
    for rule in policy.rules:
        table = _small(builder, axes, asked[rule.id])
        if table is None:
            partial.append(f"rule {rule.id} (line {rule.line}) looks at too much to be cut into cells")
        elif not table.holds(rule.condition)[0] and table.is_exact(rule.condition):
            never.add(rule.id)
            cure = "no call can fulfil its condition: correct it, or remove the rule"
            findings.append(found("POL004", "error", rule, f"rule {rule.id} never matches", cure))
    ordered = [rule for rule in (*policy.denies, *policy.ordered) if rule.id not in never]
    pairs = [(one, other) for n, one in enumerate(ordered) for other in ordered[n + 1 :]]
    if len(pairs) > MAX_PAIRS:
        partial.append(f"only {MAX_PAIRS} of {len(pairs)} pairs of rules were looked at")
    shadowed: set[str] = set()
    for one, other in pairs[:MAX_PAIRS]:
        if other.id not in shadowed:
            finding = _pair(builder, axes, (*asked[one.id], *asked[other.id]), one, other, other is ordered[-1])
            findings += [finding] if finding is not None else []
            if finding is not None and finding.code == "POL004":
                shadowed.add(other.id)


def _pair(
    builder: Builder, axes: Sequence[object], asked: Sequence[Predicate], one: Rule, other: Rule, last: bool
) -> Finding | None:
    from .decisions import effect, found

    table = _small(builder, axes, asked)
    if table is None:
        return None
    (first, maybe), (later, _) = table.holds(one.condition), table.holds(other.condition)
    taken = first if one.verdict == other.verdict == "deny" else first | maybe
    if later and not later & ~taken and table.is_exact(one.condition) and table.is_exact(other.condition):
        said = f"rule {other.id} never decides: it is shadowed by {one.id} (line {one.line})"
        shown = next(table.box_words(box) for box, _ in table.boxes(later, 1))
        return found("POL004", "error", other, said, f"move it before {one.id}, or remove it", shown)
    both = first & later
    if not both or "deny" in (one.verdict, other.verdict) or effect(one) == effect(other) or (last and other.condition is None):
        return None
    said = f"rules {one.id} ({says(one)}) and {other.id} ({says(other)}, line {other.line}) both hold; the first decides"
    cure = "make the conditions exclude each other, or pin the order with a test for this call"
    return found("POL005", "warning", one, said, cure, next(table.box_words(box) for box, _ in table.boxes(both, 1)))


def _small(builder: Builder, axes: Sequence[object], asked: Sequence[Predicate]) -> Table | None:
    return builder.projected(axes, asked, PAIR_CAP)  # type: ignore[arg-type]
