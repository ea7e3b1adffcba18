"""What a run was charged, answer by answer and call by call: the parts that its cost is the sum of."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One billed model answer."""

    model: str | None
    usd: Decimal | None
    """None: unknown."""
    step: int | None = None
    """Which step of the run it was; None for an embedding and the like."""
    again: bool = False
    """Whether the same request had been answered, and billed, before."""


@dataclass(slots=True, kw_only=True)
class Bill:
    """All of a run."""

    answers: list[Charge] = field(default_factory=list)
    stated_usd: Decimal | None = None
    """What somebody says that all answers cost together; it wins over their sum."""
    calls: dict[int, Decimal] = field(default_factory=dict)
    """Index of a call that reached its tool -> what the contract asks for it, where that is more than nothing."""
