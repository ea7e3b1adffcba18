"""Counts and amounts: exactly n, or between min and max."""

from __future__ import annotations

from decimal import Decimal

from ..schema.case import Bounds, CountBounds
from ..schema.values import decimal

Limit = int | Bounds | CountBounds


def misses(limit: Limit, measured: int | Decimal) -> str:
    """Why a measured number is not as wanted; empty if it is. Both ends of a range belong to it."""
    if isinstance(limit, (Bounds, CountBounds)):
        if limit.max is not None and measured > decimal(limit.max):
            return f"{number(measured)} is more than the wanted max {number(limit.max)}"
        if limit.min is not None and measured < decimal(limit.min):
            return f"{number(measured)} is less than the wanted min {number(limit.min)}"
        return ""
    return "" if measured == limit else f"{number(measured)} instead of exactly {number(limit)}"


def number(value: float | Decimal) -> str:
    """A number as a person would write it."""
    text = format(value, "f") if isinstance(value, Decimal) else repr(value)
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text
