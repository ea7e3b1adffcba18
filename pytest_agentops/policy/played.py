"""Recorded runs, put before policies once more: the same calls in the same order, with the sums that limits then see."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from ..schema.call import POLICY_REASONS
from ..schema.case import Principal
from ..schema.contract import Contract
from ..schema.policy import Decision, Request, Verdict
from ..schema.values import JsonObject
from .binding import Policies, bind
from .decide import decide
from .model import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayedCall:
    """One attempt of the agent, as it was recorded."""

    tool: str
    args: JsonObject
    decision: str | None = None
    """What the guard decided then; None where nobody decided (a conversation from elsewhere)."""
    rule: str | None = None
    reason: str | None = None
    repeated: bool = False
    """It got the stored answer of an earlier call with its idempotency key."""
    reached: bool = True
    failed: bool = False

    @property
    def judged(self) -> bool:
        """Whether what policies say of it counts: not where a contract refused it, it was a repeat, or a budget stopped it."""
        return self.decision not in ("invalid", "budget") and not self.repeated

    def charged(self, verdict: Verdict) -> bool:
        """Whether limits are charged: what was stopped after the policies is given back; nobody rejects unasked."""
        if verdict == "deny":
            return False
        by_policy = self.decision == "deny" and self.reason in POLICY_REASONS
        by_people = self.decision == "rejected" or str(self.reason).startswith("approval_")
        return self.reached or by_policy or (by_people and verdict == "allow")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayedRun:
    """One trial, as it was recorded, with the world that its policies saw."""

    id: str
    trial: int = 1
    calls: tuple[PlayedCall, ...] = ()
    context: JsonObject = field(default_factory=dict)
    principal: Principal = field(default_factory=Principal)
    now: dt.datetime | None = None
    success: bool | None = None
    """None: nobody judged it."""
    cost_usd: Decimal | None = None
    interventions: tuple[JsonObject, ...] = ()
    counterfactual: bool = False
    """It had left its recording before: what it did is no evidence of what agents do."""
    pinned: bool = True
    """Whether it says which policies it ran under."""
    without_model: bool = False
    """No model answered: its steps are its calls, and only tools cost something."""
    contracts: Mapping[str, Contract] = field(default_factory=dict, repr=False)
    """The tools of its case, as far as they are known."""
    policies: tuple[str, ...] | None = None
    """The places of the policy files that its case names now; None: nobody says, so all are meant."""
    own: Mapping[str, tuple[Policy, ...]] = field(default_factory=dict, repr=False)
    """What those files say now: where a comparison is about some of them, the others hold on both sides."""
    suite: str = ""
    """The place of the suite's file."""
    place: str = ""
    """Where it is kept: file:line, for people."""

    @property
    def name(self) -> str:
        return f"{self.id} (trial {self.trial})"


@dataclass(frozen=True, slots=True)
class Judged:
    """A call that came to the policies, and what they decide about it."""

    number: int
    """Of the run's calls, from 1."""
    call: PlayedCall
    request: Request
    decision: Decision

    @property
    def unknown(self) -> tuple[str, ...]:
        """What of the session the decision depends on and no recording tells: then it is none."""
        return tuple(name for name in self.decision.unknown if name.startswith("session."))


def decided(run: PlayedRun, policies: Policies) -> Iterator[Judged]:
    """What these policies decide about every call that came to them, with what it is then charged to limits."""
    spent: dict[str, Decimal] = {}
    usd = Decimal(0)
    for number, call in enumerate(run.calls):
        if call.judged:
            request = Request(
                tool=call.tool,
                args=call.args,
                context=run.context,
                principal=run.principal,
                now=run.now,
                session=_session(run, number, usd),
                spent=dict(spent),
                able=frozenset(["redact", "retain"]),
            )
            decision = decide(policies, request)
            if call.charged(decision.verdict):
                for charge in decision.charges:
                    spent[charge.limit] = spent.get(charge.limit, Decimal(0)) + charge.amount
            yield Judged(number + 1, call, request, decision)
        if call.reached and call.tool in run.contracts:
            usd += run.contracts[call.tool].cost_usd or 0


def _session(run: PlayedRun, calls: int, usd: Decimal) -> dict[str, int | float | Decimal]:
    """What is known of the session before the call: where a model answered, only the number of calls. Times are never known."""
    known: dict[str, int | float | Decimal] = {"tool_calls": calls}
    return known | {"steps": calls, "tokens": 0, "usd": usd} if run.without_model else known


class Binder:
    """Policies bound to the tools of runs; once for all runs that share them."""

    def __init__(self, under: Callable[[PlayedRun], tuple[Policy, ...]]) -> None:
        self._under = under
        self._known: dict[tuple[int, tuple[str, ...], frozenset[str]], Policies] = {}

    def of(self, run: PlayedRun) -> Policies:
        mine = self._under(run)
        called = frozenset(call.tool for call in run.calls if call.tool not in run.contracts)
        key = (id(run.contracts), tuple(policy.where for policy in mine), called)
        if key not in self._known:
            tools = {**{name: Contract(name=name, open=True) for name in called}, **run.contracts}
            self._known[key] = bind(mine, tools)
        return self._known[key]
