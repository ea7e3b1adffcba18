"""Who may agree, in two versions of policy files: more people for a role let more through, as surely as a rule does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from .compared import Direction
from .model import PolicyFile, roles_of
from .written import TextChange

People: TypeAlias = frozenset[str] | None
"""None: nobody says who has the role, so that anybody may agree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleChange:
    """A role that other people have now, over all files that a case names."""

    direction: Direction
    role: str
    before: People
    after: People
    where: str
    """Where the new side says so; of what it does not say any more, the old one."""

    @property
    def words(self) -> tuple[str, str]:
        """Both in words."""
        return _words(self.before), _words(self.after)


def role_changes(before: Sequence[PolicyFile], after: Sequence[PolicyFile]) -> Iterator[RoleChange]:
    """Roles of which the people differ; a role that nobody had before lets nothing more through by itself."""
    old, new = roles_of(before), roles_of(after)
    for role in dict.fromkeys((*(old or ()), *(new or ()))):
        was = None if old is None else old.get(role, frozenset())
        now = None if new is None else new.get(role, frozenset())
        way = _way(was, now)
        if way is not None and was != frozenset():
            file = next(file for file in (*after, *before) if role in (file.roles or {}))
            yield RoleChange(direction=way, role=role, before=was, after=now, where=_where(file, role))


def _way(was: People, now: People) -> Direction | None:
    if was == now:
        return None
    if was is None or (now is not None and now < was):
        return "narrowed"
    return "widened" if now is None or was < now else "changed"


def written_roles(before: PolicyFile | None, after: PolicyFile | None) -> Iterator[TextChange]:
    """What two versions of one file say otherwise of roles."""
    old, new = ((file.roles if file is not None else None) or {} for file in (before, after))
    for role in dict.fromkeys((*old, *new)):
        file = after if role in new else before
        if set(old.get(role, ())) != set(new.get(role, ())) and file is not None:
            texts = [", ".join(sorted(side[role])) if role in side else None for side in (old, new)]
            yield TextChange(f"roles.{role}", texts[0], texts[1], _where(file, role))


def _where(file: PolicyFile, role: str) -> str:
    line, _ = file.policies[0].source.document.position(("roles", role))
    return f"{file.file}:{line}"


def _words(people: People) -> str:
    return "anybody" if people is None else ", ".join(sorted(people)) or "nobody"
