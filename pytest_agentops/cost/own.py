"""Prices that a suite file gives itself: they win over every other, and what they leave out is unknown."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fnmatch import fnmatchcase

from ..schema import money
from ..schema.prices import Amount, ModelPrice
from ..schema.run import Usage
from .usage import Answer

MILLION = 1_000_000


def find(prices: Mapping[str, ModelPrice], answer: Answer) -> ModelPrice | None:
    """The price for who answered, else for who was asked; a name before a glob, a longer glob before a shorter one."""
    names = [name for name in (answer.model, answer.asked) if name]
    for name in names:
        if name in prices:
            return prices[name]
    for name in names:
        globs = [glob for glob in prices if "*" in glob and fnmatchcase(name, glob)]
        if globs:
            return prices[max(globs, key=lambda glob: (len(glob), glob))]
    return None


def dollars(price: ModelPrice, usage: Usage | None, extras: Mapping[str, int]) -> Decimal | None:
    """What these tokens cost; None where one kind of them has no price, or their counts contradict each other."""
    if price_of_nothing(price):
        return Decimal(0)
    if usage is None or extras or not usage.is_possible:
        return None
    plain_in = usage.input - usage.cached - usage.cache_write
    plain_out = usage.output if price.reasoning_usd_per_million is None else usage.output - usage.reasoning
    parts = [
        (plain_in, price.input_usd_per_million),
        (usage.cached, price.cached_usd_per_million),
        (usage.cache_write, price.cache_write_usd_per_million),
        (plain_out, price.output_usd_per_million),
        (usage.output - plain_out, price.reasoning_usd_per_million),
    ]
    if any(count and asked is None for count, asked in parts):
        return None
    return sum((count * _usd(asked) for count, asked in parts if asked is not None), Decimal(0)) / MILLION


def price_of_nothing(price: ModelPrice) -> bool:
    """Whether nothing is asked for anything, as of a model on one's own machine: then no count need be known."""
    named = (price.cached_usd_per_million, price.cache_write_usd_per_million, price.reasoning_usd_per_million)
    both = (price.input_usd_per_million, price.output_usd_per_million)
    return all(_usd(one) == 0 for one in both) and all(one is None or _usd(one) == 0 for one in named)


def _usd(amount: Amount) -> Decimal:
    return money.usd(amount)
