"""Conditions and decisions in words: what a reviewer reads in a diff, a finding or an explanation."""

from __future__ import annotations

from ..schema.policy import ApprovalNeed, Decision
from ..schema.values import Json, dumps
from .attributes import Kind, Prepared
from .conditions import Atom, Attribute, Comparison, Constant, Exists, Length, Membership, StartsWith, Term

TRUTH = {True: "true", False: "false", None: "unknown"}


def literal(prepared: Prepared) -> str:
    """A constant as a condition writes it."""
    kind, value = prepared
    if kind is Kind.TEXT:
        return f"'{value}'"
    return {True: "true", False: "false", None: "null"}[value] if kind in (Kind.BOOL, Kind.NULL) else plain_number(value)


def plain_number(value: Json) -> str:
    """``50``, ``0.01``; never an exponent that the file does not have."""
    text = dumps(value)
    return text.removesuffix(".0")


def atom(found: Atom) -> str:
    """One comparison as a condition writes it."""
    if isinstance(found, Comparison):
        return f"{_term(found.left)} {found.op} {_term(found.right)}"
    if isinstance(found, Membership):
        inside = found.options.name if isinstance(found.options, Attribute) else _list(found.constants)
        return f"{_term(found.needle)} in {inside}"
    if isinstance(found, StartsWith):
        return f"startswith({found.of.name}, {literal(found.prefix.prepared)})"
    return f"exists({found.of.name})" if isinstance(found, Exists) else found.of.name


def _list(constants: tuple[Constant, ...]) -> str:
    return f"[{', '.join(literal(c.prepared) for c in constants)}]"


def _term(term: Term) -> str:
    if isinstance(term, Constant):
        return literal(term.prepared)
    return f"len({term.of.name})" if isinstance(term, Length) else term.name


def people(needs: tuple[ApprovalNeed, ...]) -> str:
    """``2 x finance and support_manager``."""
    each = (f"{need.count} x {need.role or 'anybody'}" if need.count > 1 else need.role or "anybody" for need in needs)
    return " and ".join(each)


def outcome(decision: Decision) -> str:
    """``allow``, ``ask support_manager``, ``deny (indeterminate)``."""
    if decision.verdict == "require_approval":
        return f"ask {people(decision.approvals)}"
    return "allow" if decision.verdict == "allow" else f"deny ({decision.reason})"


def by(decision: Decision) -> str:
    """The rule that decided and its place, else the reason."""
    if decision.rule is None:
        return decision.reason
    return f"{decision.rule} ({decision.where})" if decision.where else decision.rule
