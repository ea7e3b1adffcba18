"""What a check, a trial and a case came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from .values import Json, JsonObject

Status: TypeAlias = Literal["passed", "failed", "error", "skipped", "xfailed", "xpassed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One assertion on a run. `why` is for people and may have many lines; `where` is ``file:line`` of the key in the YAML."""

    name: str
    passed: bool
    measured: Json = None
    wanted: Json = None
    why: str = ""
    where: str | None = None

    def as_json(self) -> JsonObject:
        return {
            "name": self.name,
            "passed": self.passed,
            "measured": self.measured,
            "wanted": self.wanted,
            "why": self.why,
            "where": self.where,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a variant passed, over all its trials."""

    passed: bool
    trials: int
    successes: int
    wanted: str
    """The pass rule in words: ``3 of 3 trials``."""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """The numbers over a set of runs; rates have 6 places and are None without runs, money is text, unknown is None."""

    runs: int = 0
    successes: int = 0
    task_success_rate: float | None = None
    cost_usd: str | None = None
    cost_per_success_usd: str | None = None
    intervention_rate: float | None = None
    interventions: int | None = None
    interventions_by_kind: JsonObject | None = None
    """approve, edit, reject, escalate -> how often; those that there were."""
    policy_blocks: int | None = None
    unexpected_policy_blocks: int | None = None
    tool_calls: int = 0
    tokens: JsonObject | None = None
    pass_hat_k: JsonObject = field(default_factory=dict)
    cost_by_model: JsonObject = field(default_factory=dict)
    cost_by_tool: JsonObject = field(default_factory=dict)
    confusion_cost_usd: JsonObject = field(default_factory=lambda: dict.fromkeys(("failed", "retries", "loops"), "0"))
    """What bought nothing: all of the runs that failed; in the others, `retries` and the later rounds of `loops`."""
    eval_cost_usd: str | None = "0"
    """What judges and simulated users cost, which is no part of the runs' cost."""
    unanswerable: int = 0
    """Runs that met a miss while the model was live: they failed, and are in no rate."""

    def as_json(self) -> JsonObject:
        apart = {"unanswerable": self.unanswerable} if self.unanswerable else {}
        return {
            "runs": self.runs,
            "successes": self.successes,
            "task_success_rate": self.task_success_rate,
            "cost_usd": self.cost_usd,
            "cost_per_success_usd": self.cost_per_success_usd,
            "intervention_rate": self.intervention_rate,
            "interventions": self.interventions,
            "interventions_by_kind": self.interventions_by_kind,
            "policy_blocks": self.policy_blocks,
            "unexpected_policy_blocks": self.unexpected_policy_blocks,
            "tool_calls": self.tool_calls,
            "tokens": self.tokens,
            "pass_hat_k": self.pass_hat_k,
            "cost_by_model": self.cost_by_model,
            "cost_by_tool": self.cost_by_tool,
            "confusion_cost_usd": self.confusion_cost_usd,
            "eval_cost_usd": self.eval_cost_usd,
            **apart,
        }
