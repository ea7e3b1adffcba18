"""Autonomy tiers and effects of a tool."""

from __future__ import annotations

from enum import IntEnum
from typing import Literal, TypeAlias

Effect: TypeAlias = Literal["read", "write", "irreversible"]

EFFECT_ORDER: tuple[Effect, ...] = ("read", "write", "irreversible")
"""From harmless to strict; an override may only move to the right."""


class Tier(IntEnum):
    """How far an agent may act alone; a tool that declares none is `PRODUCTION` (fail closed)."""

    READ_ONLY = 0
    DRAFT = 1
    LOW_RISK_WRITE = 2
    HIGH_RISK_WRITE = 3
    PRODUCTION = 4
