"""Whom policies ask, and whether those people can ever agree: the one rule for files, suites and the linter."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from ..errors import Mistake
from ..schema.policy import ApprovalNeed
from ..schema.sentences import shown
from ..schema.suggest import did_you_mean
from .model import LimitRule, Policy, PolicyFile, Rule, roles_of

Roles = Mapping[str, Collection[str]]
Wrong = tuple[str, str, str]
"""What was found, what was allowed, the cure."""


def asked(policy: Policy) -> Iterator[tuple[Policy | Rule | LimitRule, str, ApprovalNeed]]:
    """Everybody whom the policy may ask, with the place and the key that says so."""
    for rule in policy.rules:
        if rule.need is not None:
            yield rule, "require_approval", rule.need
    for limit in policy.limits:
        if limit.need is not None:
            yield limit, "limit", limit.need
    for key, need in (("default", policy.default_need), ("on_unknown", policy.on_unknown)):
        if need is not None:
            yield policy, key, need


def never(role: str, count: int, roles: Roles) -> Wrong | None:
    """Why so many people of the role can never approve; None if they can."""
    if role not in roles:
        allowed = f"expected one of {', '.join(roles)}" if roles else "`roles` names none"
        return f"nobody has the role {shown(role)}", allowed, did_you_mean(role, roles)
    have = len(roles[role])
    if have < count:
        return f"{count} people of the role {shown(role)} can never approve", f"the role has {have}", "ask fewer, or add people"
    return None


def between(files: Sequence[PolicyFile]) -> Iterator[Mistake]:
    """Roles that are right in their own file and wrong beside the others, that name the role or others."""
    roles = roles_of(files)
    if roles is None or len(files) < 2:
        return
    for policy in (policy for file in files for policy in file.policies):
        for placed, key, need in asked(policy):
            for role, count in ((need.role, need.count), *((role, 1) for role in need.escalate_to)):
                why = None if role is None else never(role, count, roles)
                if why is not None and role is not None:
                    inherited = placed.file != policy.file
                    where = policy.source if inherited else placed.source
                    yield where.mistake(*_told(why, role, files), key="extends" if inherited else key)


def _told(why: Wrong, role: str, files: Sequence[PolicyFile]) -> Wrong:
    """With what each file says of the role, where several do: only who stands in all of them has it."""
    says = [f"{file.file}: {', '.join(file.roles[role])}" for file in files if file.roles and role in file.roles]
    if len(says) < 2:
        return why
    return why[0], f"{why[1]}: only who stands in every file that names it has it ({'; '.join(says)})", why[2]
