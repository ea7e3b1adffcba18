"""Tier promotion: for each tool the evidence of recorded runs, and whether it would bear a lower tier, or asks for a higher one.

What an agent does wrong is counted in runs, not calls: calls of one run are no independent evidence. Bounds are exact
(Clopper and Pearson), one-sided; without a single failure they are the rule of three.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Literal, TypeAlias

from ..schema.tier import Tier
from .model import Policy
from .played import Binder, PlayedRun, decided

Advice: TypeAlias = Literal["may move down", "should move up", "stay", "too little evidence"]
CONFIDENCE = 0.95
TARGETS = {Tier.DRAFT: 0.90, Tier.LOW_RISK_WRITE: 0.95, Tier.HIGH_RISK_WRITE: 0.99, Tier.PRODUCTION: 0.995}
"""How sure a tool's runs must be right (the lower bound) before it may leave this tier for the one below."""
CHANGED = ("edit", "reject", "escalate")
"""What a human does who does not simply agree."""
UP_ABOVE = 0.10
"""Humans who provably change or stop more than this share of the runs say that the tier is too low."""


@dataclass(slots=True, kw_only=True)
class Evidence:
    """One tool over all runs."""

    tool: str
    tier: int
    writes: bool = True
    runs: int = 0
    calls: int = 0
    judged: int = 0
    successes: int = 0
    asked: int = 0
    """Runs in which a human was asked about it."""
    changed: int = 0
    """Runs in which a human edited, rejected or escalated a call of it."""
    blocked: int = 0
    """Runs in which a policy denied a call of it."""
    failed: int = 0
    """Runs in which the tool answered with an error."""

    @property
    def wrong(self) -> int:
        """Runs that speak against trusting the agent with the tool: failed, or a human or a policy had to step in."""
        return self._wrong

    _wrong: int = 0

    @property
    def right_at_least(self) -> float:
        """The share of right runs that is proved."""
        return lower_bound(self.runs - self._wrong, self.runs)

    @property
    def changed_at_least(self) -> float:
        """The share of runs that humans changed that is proved."""
        return lower_bound(self.changed + self.blocked, self.runs)

    @property
    def target(self) -> float | None:
        """What must be proved to leave the tier; None at the bottom: a tool that writes is never tier 0."""
        return None if self.tier == 1 and self.writes else TARGETS.get(Tier(self.tier))

    @property
    def needed(self) -> int:
        """How many runs without a single wrong one would prove the target."""
        return 0 if self.target is None else runs_needed(self.target)

    @property
    def advice(self) -> Advice:
        if self.tier < Tier.PRODUCTION and self.changed_at_least > UP_ABOVE:
            return "should move up"
        if self.target is None:
            return "stay"
        if self.right_at_least >= self.target:
            return "may move down"
        return "too little evidence" if self._wrong == 0 else "stay"


def promotion(runs: Sequence[PlayedRun], policies: Sequence[Policy]) -> list[Evidence]:
    """The evidence for every tool that was called."""
    out: dict[str, Evidence] = {}
    binder = Binder(policies)
    for run in runs:
        side = binder.of(run)
        decisions = [decision for _, decision in decided(run, side)]
        for name in dict.fromkeys(call.tool for call in run.calls):
            mine = [(call, d) for call, d in zip(run.calls, decisions, strict=True) if call.tool == name]
            tool = side.tools[name]
            found = out.setdefault(name, Evidence(tool=name, tier=int(tool.tier), writes=tool.contract.writes))
            kinds = {str(act.get("kind")) for act in run.interventions if act.get("tool") == name}
            changed = bool(kinds & set(CHANGED))
            blocked = any(call.decision == "deny" or (call.decision is None and d.verdict == "deny") for call, d in mine)
            found.runs += 1
            found.calls += len(mine)
            found.judged += run.success is not None
            found.successes += bool(run.success)
            found.asked += bool(kinds)
            found.changed += changed
            found.blocked += blocked
            found.failed += any(call.failed and call.reached for call, _ in mine)
            found._wrong += changed or blocked or run.success is not True
    return [out[name] for name in sorted(out)]


def lower_bound(good: int, of: int, confidence: float = CONFIDENCE) -> float:
    """The smallest share with which so many or more good ones are still likely: exact, one-sided."""
    if good <= 0 or of <= 0:
        return 0.0
    if good == of:
        return float((1 - confidence) ** (1 / of))
    low, high = 0.0, good / of
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_least(good, of, middle) < 1 - confidence else (low, middle)
    return low


def _at_least(good: int, of: int, share: float) -> float:
    return sum(comb(of, n) * share**n * (1 - share) ** (of - n) for n in range(good, of + 1))


def runs_needed(target: float, confidence: float = CONFIDENCE) -> int:
    """How many runs, all right, prove a share."""
    runs = 1
    while lower_bound(runs, runs, confidence) < target:
        runs += 1
    return runs
