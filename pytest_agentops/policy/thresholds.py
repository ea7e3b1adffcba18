"""Thresholds of a policy: whether every `allow` ends at an amount of the call, above which a person is asked.

Only a number among the tool's own arguments is an amount of the call: what the tool is, the session used up or the context
says bounds nothing that the agent asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from decimal import Decimal
from typing import TypeAlias

from .attributes import Kind, Path, Prepared
from .cells import FREE, canonical
from .conditions import All, Atom, Attribute, Comparison, Condition, Constant, Membership, Node, Not, Some, readings
from .model import Policy, Rule

Outcomes: TypeAlias = frozenset[bool | None]
_ANY: Outcomes = frozenset([True, False, None])
_UNKNOWN: Outcomes = frozenset([None])


def has_thresholds(policy: Policy, declared: Collection[str]) -> bool:
    """Whether every `allow` ends at an amount above which a person is asked; a policy that allows nothing has none."""
    allows = [rule for rule in policy.rules if rule.verdict == "allow"]
    return policy.default != "allow" and bool(allows) and all(bounded(policy, rule, declared) for rule in allows)


def bounded(policy: Policy, rule: Rule, declared: Collection[str]) -> bool:
    """Whether a rule holds only up to an amount, never without one, and a person may be asked above it."""
    if rule.condition is None:
        return False
    for path in _amounts(rule.condition, declared):
        above = _Above(path, _top(policy, path, declared) + 1, declared)
        if (
            True not in _outcomes(rule.condition.root, above.outcomes)
            and True not in _outcomes(rule.condition.root, above.outcomes_of_another_kind)
            and _asks(policy, above)
        ):
            return True
    return False


class _Above:
    """Calls in which one argument is above all the numbers that it is compared with, or is no number; all else is free."""

    def __init__(self, path: Path, top: Decimal, declared: Collection[str]) -> None:
        self.path = path
        self.declared = declared
        self._top: Prepared = (Kind.NUMBER, top)
        self._free = False

    def get(self, path: Path) -> Prepared | None:
        if canonical(path, self.declared) == self.path:
            return self._top
        self._free = True
        return FREE

    def outcomes(self, atom: Atom) -> Outcomes:
        self._free = False
        found = atom.holds(self)
        return _ANY if self._free else frozenset([found])

    def outcomes_of_another_kind(self, atom: Atom) -> Outcomes:
        """The same where the argument is missing, null, a text or whatever: what is held against numbers is unknown."""
        if isinstance(atom, Comparison):
            pairs = ((atom.left, atom.right), (atom.right, atom.left))
            numbers = any(self._is(one) and isinstance(c, Constant) and c.prepared[0] is Kind.NUMBER for one, c in pairs)
        else:
            numbers = isinstance(atom, Membership) and self._is(atom.needle) and _only_numbers(atom)
        return _UNKNOWN if numbers else _ANY

    def _is(self, term: object) -> bool:
        return isinstance(term, Attribute) and canonical(term.path, self.declared) == self.path


def _only_numbers(atom: Membership) -> bool:
    return bool(atom.constants) and all(constant.prepared[0] is Kind.NUMBER for constant in atom.constants)


def _outcomes(node: Node, of: Callable[[Atom], Outcomes]) -> Outcomes:
    """All that a condition may come to, whatever the free attributes are."""
    if isinstance(node, Not):
        return frozenset(None if one is None else not one for one in _outcomes(node.of, of))
    if not isinstance(node, (All, Some)):
        return of(node)
    strong = isinstance(node, Some)  # the value that decides alone
    found: Outcomes = frozenset([not strong])
    for part in node.parts:
        found = frozenset(_joined(one, other, strong) for one in found for other in _outcomes(part, of))
    return found


def _joined(one: bool | None, other: bool | None, strong: bool) -> bool | None:
    if strong in (one, other):
        return strong
    return None if None in (one, other) else not strong


def _amounts(condition: Condition, declared: Collection[str]) -> list[Path]:
    """The arguments that are compared with numbers."""
    found = (canonical(r.path, declared) for r in readings(condition) if r.number is not None and r.use != "len")
    return [path for path in dict.fromkeys(found) if path[0] == "args"]


def _top(policy: Policy, path: Path, declared: Collection[str]) -> Decimal:
    """The highest number that any condition holds against the argument."""
    looks = (reading for _, condition in policy.conditions for reading in readings(condition) if reading.use != "len")
    return max(Decimal(r.number) for r in looks if r.number is not None and canonical(r.path, declared) == path)


def _asks(policy: Policy, above: _Above) -> bool:
    """Whether a person may be asked there; where a rule asks only in some of these calls, the rest falls to deny."""
    if policy.default == "require_approval":
        return True
    asking = (rule for rule in policy.rules if rule.verdict == "require_approval")
    return any(rule.condition is None or True in _outcomes(rule.condition.root, above.outcomes) for rule in asking)
