"""Past the cap of cells: each rule alone, then every two of them, over what these two look at. What it cannot see it says."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ..axis import Axis
from ..binding import BoundTool
from ..builder import Builder
from ..cells import Predicate
from ..explained import says
from ..model import Policy, Rule
from ..regions import rules_builder
from .finding import Finding, found

MAX_PAIRS = 20_000
PAIR_CAP = 20_000
"""Cells of one pair."""


def in_pairs(policy: Policy, tool: BoundTool, findings: list[Finding], partial: list[str]) -> None:
    """POL004 and POL005 as far as they show between two rules."""
    builder = rules_builder(policy, tool)
    asked = {rule.id: () if rule.condition is None else builder.condition(rule.condition) for rule in policy.rules}
    axes = builder.axes()
    size = prod(len(axis.entries) for axis in axes)
    partial.append(
        f"{size} cells are too many: rules were compared in pairs; gaps, missing and unbounded attributes were not looked for"
    )
    partial += builder.partial
    never: set[str] = set()
    for rule in policy.rules:
        table = builder.projected(axes, asked[rule.id], PAIR_CAP)
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
            finding = _pair(builder, axes, (*asked[one.id], *asked[other.id]), one, other, policy, last=other is ordered[-1])
            findings += [finding] if finding is not None else []
            if finding is not None and finding.code == "POL004":
                shadowed.add(other.id)


def shadow_cure(rule: Rule, by: Sequence[Rule], policy: Policy) -> str:
    """What to do with a rule to which others leave nothing; denies, and what a base says, come first wherever it stands."""
    if rule.verdict != "deny" and all(other.verdict == "deny" for other in by):
        return "denies always come first: narrow them, or remove the rule"
    if by[0].file != policy.file:
        where = "here" if rule.file == policy.file else "in the base"
        return f"the rules of a base come first, {by[0].id} is in {by[0].file}: remove the rule {where}, or extend another base"
    return f"move it before {by[0].id}, or remove it"


def _pair(
    builder: Builder, axes: Sequence[Axis], asked: Sequence[Predicate], one: Rule, other: Rule, policy: Policy, *, last: bool
) -> Finding | None:
    table = builder.projected(axes, asked, PAIR_CAP)
    if table is None:
        return None
    (first, maybe), (later, _) = table.holds(one.condition), table.holds(other.condition)
    taken = first if one.verdict == other.verdict == "deny" else first | maybe
    if later and not later & ~taken and table.is_exact(one.condition) and table.is_exact(other.condition):
        said = f"rule {other.id} never decides: it is shadowed by {one.id} (line {one.line})"
        shown = next(table.box_words(box) for box, _ in table.boxes(later, 1))
        return found("POL004", "error", other, said, shadow_cure(other, [one], policy), cell=shown)
    both = first & later
    if not both or "deny" in (one.verdict, other.verdict) or one.effect == other.effect or (last and other.condition is None):
        return None
    said = f"rules {one.id} ({says(one)}) and {other.id} ({says(other)}, line {other.line}) both hold; the first decides"
    cure = "make the conditions exclude each other, or pin the order with a test for this call"
    return found("POL005", "warning", one, said, cure, cell=next(table.box_words(box) for box, _ in table.boxes(both, 1)))
