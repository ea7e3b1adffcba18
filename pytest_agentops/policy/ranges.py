"""Recorded runs under the policies of now, and the ranges of what their calls were made with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from .attributes import Kind, Prepared
from .binding import Policies
from .played import Judged, PlayedRun
from .words import plain_number


@dataclass(slots=True)
class Range:
    """The values of one argument that were seen."""

    tool: str
    name: str
    calls: int = 0
    low: Decimal | None = None
    high: Decimal | None = None
    texts: set[str] = field(default_factory=set)
    others: bool = False
    """There were values that are neither."""
    missing: bool = False
    """Some calls were without it."""
    listed: bool = False
    """Its texts are words that policies tell apart, never free text."""
    allowed_up_to: str = ""
    """What the policies allow alone: ``200``, ``any amount``; empty where they do not look at it."""

    def note(self, value: Prepared) -> None:
        """One more call had it."""
        self.calls += 1
        kind, inner = value
        if kind is Kind.NUMBER:
            number = Decimal(inner)
            self.low = number if self.low is None else min(self.low, number)
            self.high = number if self.high is None else max(self.high, number)
        elif kind is Kind.TEXT:
            self.texts.add(inner)
        else:
            self.others = True

    @property
    def wider(self) -> bool:
        """Whether the policies allow more than was ever used."""
        return bool(self.allowed_up_to) and self.high is not None and self.allowed_up_to != plain_number(self.high)


@dataclass(frozen=True, slots=True)
class Seen:
    """A run under the policies of now."""

    run: PlayedRun
    side: Policies
    every: Sequence[Judged]

    @property
    def known(self) -> Iterator[Judged]:
        """The calls of which it is clear what the policies say."""
        return (judged for judged in self.every if not judged.unknown)

    @property
    def used(self) -> Iterator[Judged]:
        """Those of them that were let through, and reached their tool."""
        return (judged for judged in self.known if judged.decision.verdict != "deny" and judged.call.reached)
