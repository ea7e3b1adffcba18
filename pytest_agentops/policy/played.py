"""Recorded runs, put before policies once more: the same calls in the same order, with the sums that limits then see."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from ..schema.case import Principal
from ..schema.contract import Contract
from ..schema.policy import Decision, Request
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
    reached: bool = True
    failed: bool = False


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


def decided(run: PlayedRun, policies: Policies) -> Iterator[tuple[Request, Decision]]:
    """What these policies decide about every call of a run. What is not denied is charged to the limits, as if people agreed."""
    spent: dict[str, Decimal] = {}
    for number, call in enumerate(run.calls):
        request = Request(
            tool=call.tool,
            args=call.args,
            context=run.context,
            principal=run.principal,
            now=run.now,
            session={"tool_calls": number},
            spent=dict(spent),
            able=frozenset(["redact", "retain"]),
        )
        decision = decide(policies, request)
        if decision.verdict != "deny":
            for charge in decision.charges:
                spent[charge.limit] = spent.get(charge.limit, Decimal(0)) + charge.amount
        yield request, decision


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
