"""How long calls are kept, where two `log` rules say different times for one call: found over a decision table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from ..errors import Mistake
from ..schema.contract import Contract
from .attributes import declared_names
from .model import LogRule, Policy


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two rules that hold for the same call and name different days."""

    one: LogRule
    other: LogRule
    cell: str
    """The calls, in words."""
    exact: bool
    """Whether there surely is such a call."""

    @property
    def days(self) -> tuple[int | None, int | None]:
        return self.one.obligations.retain_days, self.other.obligations.retain_days


def conflicts(
    pairs: Sequence[tuple[LogRule, LogRule]], contract: Contract, facts: Mapping[str, Any], partial: list[str] | None = None
) -> Iterator[Conflict]:
    """Those of the pairs that disagree about some call; of a rule that disagrees with several, the first.

    Pairs that look at too much to be compared are noted as `partial`.
    """
    differ = [(a, b) for a, b in pairs if _days(a) != _days(b) and None not in (_days(a), _days(b))]
    if not differ:
        return
    from .table import Table

    table = _table([rule for pair in differ for rule in pair], contract, facts)
    told: set[str] = set()
    for one, other in differ:
        found = table if isinstance(table, Table) else _table([one, other], contract, facts)
        if not isinstance(found, Table):
            if partial is not None:
                partial.append(
                    f"rules {one.id} and {other.id} look at {found.size} cells, too many: their times were not compared"
                )
            continue
        if other.id in told:
            continue
        both = found.holds(one.condition)[0] & found.holds(other.condition)[0]
        if both:
            told.add(other.id)
            cell = next(found.box_words(box) for box, _ in found.boxes(both, 1))
            yield Conflict(one, other, cell, found.is_exact(one.condition) and found.is_exact(other.condition))


def pairs_of(policy: Policy) -> list[tuple[LogRule, LogRule]]:
    """Every two `log` rules of one policy."""
    return list(combinations(policy.logs, 2))


def contradictions(policy: Policy, contract: Contract, facts: Mapping[str, Any]) -> Iterator[Mistake]:
    """Where a policy contradicts itself. What it adds to the base that it extends is no contradiction: the longer time counts."""
    own = [(one, other) for one, other in pairs_of(policy) if one.file == other.file]
    for conflict in conflicts(own, contract, facts):
        if conflict.exact:
            one, other = conflict.one, conflict.other
            said = f"retain_days: {_days(other)} here and {_days(one)} on line {one.line}, for the same calls of {contract.name}"
            yield other.source.mistake(said, f"where {conflict.cell}", "make the conditions exclude each other", key="log")


def _days(rule: LogRule) -> int | None:
    return rule.obligations.retain_days


def _table(rules: Sequence[LogRule], contract: Contract, facts: Mapping[str, Any]) -> Any:
    from .builder import Builder

    builder = Builder(contract, declared_names(contract), facts)
    for rule in rules:
        if rule.condition is not None:
            builder.condition(rule.condition)
    return builder.build()
