"""Two decisions on one call: does the second let more through, less, or something else?"""

from __future__ import annotations

from typing import Literal, TypeAlias

from ..schema.policy import VERDICT_ORDER, ApprovalNeed, Decision, Obligations
from . import words

Direction: TypeAlias = Literal["widened", "changed", "narrowed"]
DIRECTIONS: tuple[Direction, ...] = ("widened", "changed", "narrowed")
"""In the order in which a reviewer has to look at them. `changed` is neither: other people are asked, say."""


def direction(before: Decision, after: Decision) -> Direction | None:
    """How the second decides otherwise; None where it does not. What cannot be put in an order is `changed`, never `narrowed`."""
    one, other = VERDICT_ORDER.index(before.verdict), VERDICT_ORDER.index(after.verdict)
    if one != other:
        return "widened" if other < one else "narrowed"
    return _way(_looser(before.approvals, after.approvals), _looser(after.approvals, before.approvals))


def of_duties(before: Obligations, after: Obligations) -> Direction | None:
    """The same of what comes with a decision: less redacted, or kept for a shorter time, is widened."""
    return _way(_fewer(before, after), _fewer(after, before))


def _way(looser: bool, tighter: bool) -> Direction | None:
    if looser:
        return "changed" if tighter else "widened"
    return "narrowed" if tighter else None


def _looser(before: tuple[ApprovalNeed, ...], after: tuple[ApprovalNeed, ...]) -> bool:
    """Whether somebody who had to agree need not any more, or has more time or more freedom."""
    now = {need.role: need for need in after}
    for need in before:
        kept = now.get(need.role)
        if kept is None or kept.count < need.count or kept.expires_s > need.expires_s:
            return True
        if kept.escalate_to != need.escalate_to:  # who takes over has no order: it is looser either way
            return True
        if need.allow_edit is not None and (kept.allow_edit is None or not set(kept.allow_edit) <= set(need.allow_edit)):
            return True
    return False


def _fewer(before: Obligations, after: Obligations) -> bool:
    """Whether a field is not redacted any more, or a call is kept for a shorter time."""
    shorter = before.retain_days is not None and (after.retain_days is None or after.retain_days < before.retain_days)
    return shorter or not set(before.redact_fields) <= set(after.redact_fields)


def _may_edit(need: ApprovalNeed) -> str:
    edit = "" if need.allow_edit is None else f", may edit {', '.join(need.allow_edit) or 'nothing'}"
    return edit + (f", escalates to {', '.join(need.escalate_to)}" if need.escalate_to else "")


def whole(decision: Decision, *, other: Decision) -> str:
    """A decision in words, with what it differs in from the other one."""
    said = words.outcome(decision)
    if words.people(decision.approvals) == words.people(other.approvals) and decision.approvals != other.approvals:
        details = (f"expires {need.expires_s} s{_may_edit(need)}" for need in decision.approvals)
        said += f" ({'; '.join(details)})"
    return said


def duties(obligations: Obligations) -> str:
    """``redact card_number; keep 365 days``."""
    fields = ", ".join(obligations.redact_fields) or "nothing"
    days = obligations.retain_days
    return f"redact {fields}; keep {'as nobody says' if days is None else f'{days} days'}"
