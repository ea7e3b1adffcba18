"""What a suite file says of policies and budgets: what is expected of them, and what happens when money runs low."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias, get_args

from .call import Reason
from .limits import STRICT, Bounds, Count, CountBounds, Says
from .values import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockedCall:
    """A call that the guard must have stopped, and why."""

    __pydantic_config__ = STRICT
    tool: str
    """A name; `*` stands for anything."""
    args: JsonObject | None = None
    """What the agent asked for (partial, with operators)."""
    reason: Reason | None = None
    rule: str | None = None
    """``refunds/2``: the policy's id and the rule's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyExpect:
    """What the guard must have decided."""

    __pydantic_config__ = STRICT
    blocks: Count | CountBounds | None = None
    """Calls that a policy denied; a bare number means exactly that."""
    blocked: tuple[str | BlockedCall, ...] | None = None
    """Calls that must have been stopped, each entry another one; the others are unexpected. [] says that none is wanted."""
    unexpected_blocks: Count | CountBounds | None = None
    """Calls that a policy denied and that no entry of `blocked` names."""
    approvals: Count | CountBounds | None = None
    """Calls that ran on a human's approval."""


Limit: TypeAlias = Literal["usd", "tokens", "steps", "tool_calls", "seconds"]
Shared: TypeAlias = Literal["usd", "tokens", "steps", "tool_calls"]
"""Limits of which a share may be asked for; seconds would not be the same in a replay."""
SHARED: tuple[Shared, ...] = get_args(Shared)
LIMITS: tuple[Limit, ...] = get_args(Limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetExpect:
    """What must have become of the trial's budget."""

    __pydantic_config__ = STRICT
    exceeded: Limit | Literal["none"] | None = None
    """The limit that ended the run, or none."""
    degraded: Count | CountBounds | None = None
    """How many steps of `budget.degrade` were taken."""
    share: Bounds | None = None
    """The greatest share of a declared limit that was used; 1 is all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Degrade:
    """What happens when a share of a limit is used, before it is used up."""

    __pydantic_config__ = STRICT
    at: Annotated[float, Says(exclusiveMinimum=0, exclusiveMaximum=1)]
    """The share, such as 0.8."""
    of: Shared | None = None
    """The limit; default: whichever of those that the budget names comes first."""
    model: str | None = None
    """What `task.model` is from then on."""
    writes: Literal["deny"] | None = None
    """No tool that may change something is called any more; the agent is told."""
    require_approval: str | None = None
    """Every call asks this role."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteBudget:
    """Limits over all runs of the suite in one session; at least one."""

    __pydantic_config__ = STRICT
    usd: Annotated[float, Says(minimum=0)] | None = None
    tokens: Annotated[int, Says(minimum=0)] | None = None
    steps: Annotated[int, Says(minimum=1)] | None = None
    tool_calls: Annotated[int, Says(minimum=0)] | None = None
    seconds: Annotated[float, Says(exclusiveMinimum=0)] | None = None
    """The time of its runs, added up; only where something is live."""
