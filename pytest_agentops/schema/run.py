"""The record of one trial: everything a check, a report or a results file may ask about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Literal, Protocol, TypeAlias

from . import money
from .bill import Bill
from .call import Call
from .case import Outcome
from .governed import Limit
from .pins import Pins
from .values import Json, JsonObject, decimal
from .verdict import CheckResult

Mode: TypeAlias = Literal["replay", "hybrid", "tools-live", "live"]
ProblemKind: TypeAlias = Literal[
    "miss",
    "unused",
    "unused_warning",
    "approval_unused",
    "cassette",
    "bypass",
    "closed",
    "contract",
    "forked",
    "budget",
    "timeout",
    "agent",
    "serialise",
    "secret",
    "network",
    "setup",
]

UNPAID = "unpaid"
"""The label of a run that was stopped, or not begun, for want of money that it shares with others: the session's, its suite's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one or more model answers; `input` includes cached ones, `output` includes reasoning."""

    input: int
    output: int
    cached: int = 0
    """Of `input`: read from the provider's cache."""
    cache_write: int = 0
    """Of `input`: written to the provider's cache."""
    reasoning: int = 0
    """Of `output`."""

    @property
    def is_possible(self) -> bool:
        """Whether no part is less than nothing or more than its whole."""
        least = min(self.input, self.output, self.cached, self.cache_write, self.reasoning)
        return least >= 0 and self.cached + self.cache_write <= self.input and self.reasoning <= self.output

    def __add__(self, other: Usage) -> Usage:
        return Usage(**{part.name: getattr(self, part.name) + getattr(other, part.name) for part in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The toolbox's state around the run; `known` is False, with `why`, where a replay cannot tell it."""

    before: Json = None
    after: Json = None
    known: bool = False
    why: str = "the toolbox offers no state"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that fails the trial whatever the checks say, latched when it happened (`text` is for people, whole)."""

    kind: ProblemKind
    text: str
    data: JsonObject = field(default_factory=dict)

    @property
    def fatal(self) -> bool:
        return self.kind not in ("unused_warning", "approval_unused")


class Hides(Protocol):
    """What keeps secrets out of files (redact.membrane.Membrane)."""

    def hide(self, value: Json, /) -> Json:
        """A copy without secrets."""

    def scan(self, data: bytes, /) -> Sequence[str]:
        """The kinds of secrets in bytes that are about to be kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetUse:
    """What became of the trial's budget."""

    exceeded: str | None = None
    """The limit that ended the run: usd, tokens, steps, tool_calls, seconds."""
    degraded: tuple[JsonObject, ...] = ()
    """The steps of `degrade` that were taken, with the share that had been used."""
    share: float | None = None
    """The greatest share of a declared limit that was used; None where none is declared or one is unknown."""


@dataclass(slots=True, kw_only=True)
class Run:
    """One trial, as it went."""

    trial: int = 1
    outcome: Outcome = "completed"
    mode: Mode = "replay"
    task: str = ""
    calls: list[Call] = field(default_factory=list)
    messages: list[JsonObject] = field(default_factory=list)
    """The conversation in chat form: user, assistant and tool messages, in order."""
    said: list[str] = field(default_factory=list)
    """Every text to the user."""
    turns: list[Turn] = field(default_factory=list)
    output: Json = None
    """The final reply: text, a JSON value, or None."""
    state: State = field(default_factory=State)
    model_steps: int = 0
    """Model answers; `steps` falls back to tool calls where there were none."""
    usage: Usage | None = None
    """None: unknown. A run that met no model and names none has Usage(0, 0)."""
    cost_usd: Decimal | None = None
    bill: Bill = field(default_factory=Bill, repr=False)
    """What the cost is made of."""
    costs: JsonObject = field(default_factory=dict)
    """The cost by model and by tool, and what was spent twice; set when the run is judged."""
    eval_cost_usd: Decimal | None = Decimal(0)
    """What judges and simulated users cost: no part of `cost_usd`. None: unknown."""
    interventions: list[JsonObject] = field(default_factory=list)
    """Every human act on the run, with its source; a script is not a person."""
    unexpected_policy_blocks: int = 0
    """Calls that a policy denied and that the case does not speak of; set when the run is judged."""
    spend_spike: str | None = None
    """`fail` where the case says that a cost far above the suite's median fails it."""
    detected: dict[str, str] = field(default_factory=dict)
    """Runbook detector -> what it saw; set when the run is judged."""
    budget: BudgetUse = field(default_factory=BudgetUse)
    problems: list[Problem] = field(default_factory=list)
    error: str | None = None
    """What the agent raised, with its traceback, where the outcome is error."""
    stop: str | None = None
    """One sentence on why a run that did not complete ended."""
    labels: list[str] = field(default_factory=list)
    """racy, counterfactual, stub, recorded, ...: what a reader must know about how the run was made."""
    pins: Pins | None = None
    recorded_model: str | list[str] | None = None
    """In hybrid: the model that the tools' answers were recorded with; `pins.model` is the one that ran."""
    stale: list[str] = field(default_factory=list)
    """Pins that changed since the recording, one sentence each."""
    cassette: str | None = None
    events: str | None = None
    duration_s: float = 0.0
    checks: list[CheckResult] = field(default_factory=list)
    success: bool = False
    membrane: Hides | None = field(default=None, repr=False, compare=False)
    """The trial's; what is kept of the run passes it. Not part of the results."""
    setup_read: bool = False
    """Whether the agent asked for `task.setup`; not part of the results."""

    @property
    def steps(self) -> int:
        """Model answers; in a run with no model, tool calls."""
        return self.model_steps or len(self.calls)

    @property
    def policy_blocks(self) -> int:
        """Calls that a policy denied."""
        return sum(call.blocked_by_policy for call in self.calls)

    @property
    def miss(self) -> JsonObject | None:
        """The first replay miss as data."""
        return next((p.data for p in self.problems if p.kind == "miss"), None)

    def charge_eval(self, usd: str | int | float | Decimal | None) -> None:
        """What looking at the run cost, such as a judge's model; for checks. None where it is not known."""
        known = None if usd is None else money.usd(usd)
        if known is not None and not (known.is_finite() and known >= 0):
            raise ValueError(f"charge_eval: {usd!r} is no amount: dollars from 0, or None where the cost is unknown")
        self.eval_cost_usd = money.total([self.eval_cost_usd, known])

    def as_json(self) -> JsonObject:
        """A RUN of the results file (fixed)."""
        return {
            "trial": self.trial,
            "success": self.success,
            "outcome": self.outcome,
            "mode": self.mode,
            "cost_usd": money.text(self.cost_usd),
            **({"costs": self.costs} if self.costs else {}),
            **({"eval_cost_usd": money.text(self.eval_cost_usd)} if self.eval_cost_usd != 0 else {}),
            "tokens": None if self.usage is None else {"input": self.usage.input, "output": self.usage.output},
            "steps": self.steps,
            "calls": [c.as_json() for c in self.calls],
            "interventions": self.interventions,
            "policy_blocks": self.policy_blocks,
            "unexpected_policy_blocks": self.unexpected_policy_blocks,
            "checks": [c.as_json() for c in self.checks],
            "output": self.output,
            "pins": self.pins.as_json() if self.pins else None,
            **({"recorded_model": self.recorded_model} if self.mode == "hybrid" else {}),
            "duration_s": round(self.duration_s, 6),
            "miss": self.miss,
            "problems": [{"kind": p.kind, "text": p.text} for p in self.problems],
            "error": self.error,
            "labels": self.labels,
            **({"detected": self.detected} if self.detected else {}),
            **({"spend_spike": self.spend_spike} if self.spend_spike else {}),
            **({"degraded": list(self.budget.degraded)} if self.budget.degraded else {}),
            "stale": self.stale,
            "cassette": self.cassette,
            "events": self.events,
        }


@dataclass(slots=True, kw_only=True)
class Turn:
    """What one turn of the conversation did: slices of the run."""

    user: str
    calls: list[Call] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    state: State = field(default_factory=State)


def used_by(run: JsonObject) -> dict[Limit, Decimal | None]:
    """What a RUN, as the results file has it, used beside money; None where it is not known. A replay's seconds are nobody's."""
    tokens = run["tokens"]
    return {
        "tokens": None if tokens is None else Decimal(tokens["input"] + tokens["output"]),
        "steps": Decimal(run["steps"]),
        "tool_calls": Decimal(len(run["calls"])),
        "seconds": Decimal(0) if run["mode"] == "replay" else decimal(run["duration_s"]),
    }
