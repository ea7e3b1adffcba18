"""What a schema cannot say of `prices` and `slo`: texts that must be amounts, and keys that say nothing."""

from __future__ import annotations

import re
from collections.abc import Callable

from ..schema.values import JsonObject

Say = Callable[..., None]
"""``say(path, found, allowed="", hint="")`` notes a mistake."""

_AMOUNT = re.compile(r"\d{1,12}(\.\d{1,12})?")


def check_prices(prices: JsonObject, say: Say) -> None:
    """Note amounts that are none."""
    for model, price in prices.items():
        for key, amount in price.items():
            _amount((model, key), key, amount, say)


def check_slo(slo: JsonObject, say: Say) -> None:
    """Note an amount that is none."""
    _amount(("cost_per_success_usd",), "cost_per_success_usd", slo.get("cost_per_success_usd"), say)


def _amount(place: tuple[str, ...], key: str, amount: object, say: Say) -> None:
    if isinstance(amount, str) and not _AMOUNT.fullmatch(amount):
        say(place, f"{key}: {amount!r} is no amount of dollars", 'expected a decimal from 0, such as "0.15"')
