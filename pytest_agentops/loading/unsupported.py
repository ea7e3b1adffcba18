"""Keys of the format that this version knows and does not do yet: refused when the file is read, never accepted and ignored."""

from __future__ import annotations

UNSUPPORTED: tuple[str, ...] = (
    "policies",
    "prices",
    "runbooks",
    "slo",
    "gates",
    "approvals",
    "faults",
    "budget.usd",
    "budget.tokens",
    "budget.degrade",
    "expect.policy",
    "expect.interventions",
    "expect.budget",
    "expect.detectors",
)
"""Dotted paths, of the suite file and of a case (or of `defaults`) alike."""
