"""Tier promotion: for each tool the evidence of recorded runs, and whether it would bear a lower tier, or asks for a higher one.

What an agent does wrong is counted in runs, not calls: calls of one run are no independent evidence. Bounds are exact
(Clopper and Pearson), one-sided; without a single failure they are the rule of three.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..policy.played import Binder, PlayedRun, decided
from ..policy.standing import Standing
from ..schema.tier import Tier
from .statistics import lower_bound, runs_to_prove

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
    stepped_in: int = 0
    """Runs in which a human or a policy did so, or both."""
    failed: int = 0
    """Runs in which the tool answered with an error."""
    wrong: int = 0
    """Runs that speak against trusting the agent with the tool: failed, or a human or a policy had to step in."""

    @property
    def right_at_least(self) -> float:
        """The share of right runs that is proved."""
        return _proved(self.runs - self.wrong, self.runs)

    @property
    def stepped_in_at_least(self) -> float:
        """The share of runs that is proved in which a human or a policy steps in."""
        return _proved(self.stepped_in, self.runs)

    @property
    def target(self) -> float | None:
        """What must be proved to leave the tier; None at the bottom: a tool that writes is never tier 0."""
        return None if self.tier == 1 and self.writes else TARGETS.get(Tier(self.tier))

    @property
    def needed(self) -> int:
        """How many runs without a single wrong one would prove the target."""
        return 0 if self.target is None else runs_to_prove(self.target, CONFIDENCE, "exact") or 0

    @property
    def advice(self) -> Advice:
        if self.tier < Tier.PRODUCTION and self.stepped_in_at_least > UP_ABOVE:
            return "should move up"
        if self.target is None:
            return "stay"
        if self.right_at_least >= self.target:
            return "may move down"
        return "too little evidence" if self.wrong == 0 else "stay"


def promotion(runs: Sequence[PlayedRun], policies: Standing) -> list[Evidence]:
    """The evidence for every tool that was called."""
    out: dict[str, Evidence] = {}
    binder = Binder(policies.of)
    for run in runs:
        side = binder.of(run)
        denied = {judged.number for judged in decided(run, side) if judged.decision.verdict == "deny" and not judged.unknown}
        for name in dict.fromkeys(call.tool for call in run.calls):
            mine = [(number, call) for number, call in enumerate(run.calls, start=1) if call.tool == name]
            tool = side.tools[name]
            found = out.setdefault(name, Evidence(tool=name, tier=int(tool.tier), writes=tool.contract.writes))
            kinds = {str(act.get("kind")) for act in run.interventions if act.get("tool") == name}
            changed = bool(kinds & set(CHANGED))
            blocked = any(call.decision == "deny" or (call.decision is None and n in denied) for n, call in mine)
            found.runs += 1
            found.calls += len(mine)
            found.judged += run.success is not None
            found.successes += bool(run.success)
            found.asked += bool(kinds)
            found.changed += changed
            found.blocked += blocked
            found.stepped_in += changed or blocked
            found.failed += any(call.failed and call.reached for _, call in mine)
            found.wrong += changed or blocked or run.success is not True
    return [out[name] for name in sorted(out)]


def _proved(runs: int, of: int) -> float:
    return lower_bound(runs, of, CONFIDENCE, "exact") or 0.0
