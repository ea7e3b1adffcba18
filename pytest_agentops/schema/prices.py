"""What a suite file says of money: its own prices of models, and the service levels that it wants to reach over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypeAlias

from .limits import STRICT, Count, Says, Share

Amount: TypeAlias = Annotated[float, Says(minimum=0)] | str
"""Dollars: a number, or a decimal text that keeps its digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPrice:
    """What one model asks for a million tokens; tokens of a kind without a price make the cost unknown."""

    __pydantic_config__ = STRICT
    input_usd_per_million: Amount
    """Tokens of the request that are not told apart below."""
    output_usd_per_million: Amount
    """Tokens of the answer, reasoning included unless it has a price of its own."""
    cached_usd_per_million: Amount | None = None
    """Of the input: read from the provider's cache."""
    cache_write_usd_per_million: Amount | None = None
    """Of the input: written to the provider's cache."""
    reasoning_usd_per_million: Amount | None = None
    """Of the output; default: the price of output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """What a suite wants to reach over time; no build fails by it (gates do that), `pytest-agentops scorecard` shows it."""

    __pydantic_config__ = STRICT
    success_rate: Share | None = None
    """At least this share of the runs succeeds."""
    cost_per_success_usd: Amount | None = None
    """At most this much for each success."""
    intervention_rate: Share | None = None
    """At most this share of the runs needs a human."""
    policy_blocks: Count | None = None
    """At most so many calls of a session are denied by a policy."""
