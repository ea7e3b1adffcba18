"""Who has to agree, where several rules ask for people."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..schema.policy import ApprovalNeed


def united(needs: Iterable[ApprovalNeed]) -> tuple[ApprovalNeed, ...]:
    """One need a role: the greatest count, the shortest time, only what every rule lets the approver edit or hand on to."""
    roles: dict[str | None, ApprovalNeed] = {}
    for need in needs:
        known = roles.get(need.role)
        roles[need.role] = need if known is None else _both(known, need)
    named = sum(need.count for role, need in roles.items() if role is not None)
    anybody = roles.pop(None, None)
    if anybody is not None and anybody.count > named:  # those who are named are somebody, too
        roles[None] = replace(anybody, count=anybody.count - named)
    return tuple(roles[role] for role in sorted(roles, key=lambda r: (r is None, r or "")))


def _both(one: ApprovalNeed, other: ApprovalNeed) -> ApprovalNeed:
    if one.allow_edit is None or other.allow_edit is None:
        edit = other.allow_edit if one.allow_edit is None else one.allow_edit
    else:
        edit = tuple(sorted(set(one.allow_edit) & set(other.allow_edit)))
    return ApprovalNeed(
        role=one.role,
        count=max(one.count, other.count),
        distinct_from=tuple(sorted({*one.distinct_from, *other.distinct_from})),
        expires_s=min(one.expires_s, other.expires_s),
        escalate_to=tuple(role for role in one.escalate_to if role in other.escalate_to),
        allow_edit=edit,
    )
