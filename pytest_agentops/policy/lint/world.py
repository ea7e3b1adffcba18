"""What stands around the policies that are linted: tools, contexts, principals, people."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ...schema.case import Case, Principal
from ...schema.contract import Contract
from ...schema.policy import Duty
from ..model import PolicyFile, roles_of


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What is known around the policies; what is not known is not judged."""

    contracts: Mapping[str, Contract] = field(default_factory=dict)
    elsewhere: Collection[str] = ()
    """Tools of other suites that name the same policies: they are looked at there."""
    context: frozenset[str] | None = None
    """Names that a context has; None: not known."""
    principals: tuple[Principal, ...] = ()
    roles: Mapping[str, Collection[str]] | None = None
    able: frozenset[Duty] = frozenset(["redact", "retain"])
    least_days: int | None = None
    """How long calls are to be kept at least, where somebody says so."""


def world_of(
    files: Sequence[PolicyFile],
    contracts: Mapping[str, Contract],
    cases: Sequence[Case],
    *,
    suites_known: bool = True,
    elsewhere: Collection[str] = (),
    least_days: int | None = None,
) -> World:
    """What policy files and the cases that name them say; without a suite nothing is known of contexts."""
    principals = dict.fromkeys(case.fields.principal for case in cases if case.fields.principal is not None)
    return World(
        contracts=contracts,
        elsewhere=elsewhere,
        context=frozenset(name for case in cases for name in case.fields.context or {}) if suites_known else None,
        principals=tuple(principals),
        roles=roles_of(files),
        least_days=least_days,
    )
