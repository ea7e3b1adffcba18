"""Hard limits of one trial: money, tokens, steps, tool calls and seconds; and what happens before they are used up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING

from ..errors import AgentOpsError, BudgetExceeded
from ..schema.case import DEFAULT_SECONDS, DEFAULT_STEPS, DEFAULT_TOOL_CALLS, Budget, Degrade
from ..schema.governed import SHARED
from ..schema.values import decimal

if TYPE_CHECKING:
    from ..schema.run import Usage


class TrialTimeout(BaseException):
    """The trial's seconds are over. No `Exception`: an agent's ``except Exception`` must not catch it."""


class BudgetMeter:
    """Counts what the trial used; going over raises, and stays over (thread-safe)."""

    def __init__(self, budget: Budget | None) -> None:
        budget = budget or Budget()
        self.max_steps = budget.steps if budget.steps is not None else DEFAULT_STEPS
        self.max_tool_calls = budget.tool_calls if budget.tool_calls is not None else DEFAULT_TOOL_CALLS
        self.max_usd = None if budget.usd is None else decimal(budget.usd)
        self.max_tokens = budget.tokens
        self.seconds = budget.seconds if budget.seconds is not None else DEFAULT_SECONDS
        self.tool_calls = 0
        self.model_steps = 0
        self.usd: Decimal | None = Decimal(0)
        """Spent so far; None where a model answer had no known price."""
        self.tokens: int | None = 0
        self.exceeded: BudgetExceeded | None = None
        self.interrupted: AgentOpsError | None = None
        """A call needs a human, and nobody answered: nothing more is let through."""
        self.timed_out = False
        self.degraded: tuple[Degrade, ...] = ()
        """The steps of `degrade` that were taken so far."""
        self.on_extended: list[Callable[[], None]] = []
        """Told when the deadline moved: a human was asked."""
        self.on_degrade: Callable[[Degrade, str, float], None] = lambda step, limit, share: None
        """Told of every step that is taken: what, because of which limit, at which share."""
        self._steps_left = list(budget.degrade or ())
        self._named = tuple(name for name in SHARED if getattr(budget, name) is not None)
        self._deadline = time.monotonic() + self.seconds
        self._paused_at: float | None = None
        self._waiting = 0
        """How many calls wait for a human."""
        self._lock = threading.RLock()

    def start(self) -> None:
        """The clock runs from here."""
        self._deadline = time.monotonic() + self.seconds

    @property
    def left(self) -> float:
        """Seconds left, never under 0."""
        return max(0.0, self._deadline - (self._paused_at or time.monotonic()))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """While a human is asked, the agent's seconds do not run."""
        with self._lock:
            self._waiting += 1
            self._paused_at = self._paused_at or time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1
                if not self._waiting and self._paused_at is not None:
                    self._deadline += time.monotonic() - self._paused_at
                    self._paused_at = None
            for told in self.on_extended:
                told()

    # ---- counting

    def tool_call(self) -> None:
        """One attempted tool call; without a model it is a step too."""
        with self._lock:
            self.tool_calls += 1
            self._check_clock()
            if self.tool_calls > self.max_tool_calls:
                self._over("tool_calls", self.max_tool_calls, self.tool_calls)
            if self.model_steps == 0 and self.tool_calls > self.max_steps:
                self._over("steps", self.max_steps, self.tool_calls)
            if self._steps_left:
                self._degrade()

    def model_answer(self, usage: Usage | None = None, cost_usd: Decimal | None = None, *, step: bool = True) -> None:
        """One billed model answer, with what it used; an unknown price or usage is over a limit on it."""
        with self._lock:
            self.model_steps += step
            self.usd = None if self.usd is None or cost_usd is None else self.usd + cost_usd
            self.tokens = None if self.tokens is None or usage is None else self.tokens + usage.input + usage.output
            self._check_clock()
            if self.model_steps > self.max_steps:
                self._over("steps", self.max_steps, self.model_steps)
            self._check_spent()
            self._degrade()

    def charge(self, cost_usd: Decimal) -> None:
        """A tool's price, known before it is called: a call that does not fit is not made."""
        with self._lock:
            if self.max_usd is not None and self.usd is not None and self.usd + cost_usd > self.max_usd:
                self._over("usd", float(self.max_usd), float(self.usd + cost_usd))
            self.usd = None if self.usd is None else self.usd + cost_usd
            self._degrade()

    def refund(self, cost_usd: Decimal) -> None:
        """The tool was not reached after all."""
        with self._lock:
            self.usd = None if self.usd is None else self.usd - cost_usd

    def check(self) -> None:
        """Raise if a limit was gone over, a human is needed or the seconds are over."""
        with self._lock:
            self._check_clock()

    # ---- asking

    def facts(self) -> dict[str, int | float | Decimal]:
        """What conditions read as ``session.*``, without the call that asks; what is unknown is left out."""
        with self._lock:
            calls = max(0, self.tool_calls - 1)
            found: dict[str, int | float | Decimal | None] = {
                "steps": self.model_steps or calls,
                "tool_calls": calls,
                "tokens": self.tokens,
                "usd": self.usd,
                "seconds": round(self.seconds - self.left, 3),
            }
        return {name: value for name, value in found.items() if value is not None}

    @property
    def model(self) -> str | None:
        """The model that the strictest step taken so far names; None while there is none."""
        named = [step for step in self.degraded if step.model is not None]
        return max(named, key=lambda step: step.at).model if named else None

    def share(self) -> float | None:
        """The greatest share of a declared limit that was used; None where one is unknown or none is declared."""
        with self._lock:
            shares = [self._share(name) for name in self._named]
        known = [share for share in shares if share is not None]
        return max(known) if known and len(known) == len(shares) else None

    # ---- below: with the lock held

    def _share(self, name: str) -> float | None:
        """Exact as decimals are: four cents of five are 0.8."""
        used, limit = self._used(name)
        if used is None or limit is None:
            return None
        return float(Decimal(used) / Decimal(limit)) if limit else (1.0 if used else 0.0)

    def _used(self, name: str) -> tuple[Decimal | int | None, Decimal | int | None]:
        if name == "usd":
            return self.usd, self.max_usd
        if name == "tokens":
            return self.tokens, self.max_tokens
        if name == "steps":
            return self.model_steps or self.tool_calls, self.max_steps
        return self.tool_calls, self.max_tool_calls

    def _degrade(self) -> None:
        """Take every step whose share is reached; where the share is unknown, all of them."""
        for step in list(self._steps_left):
            names = (step.of,) if step.of is not None else self._named
            for name in names:
                share = self._share(name)
                if share is None or share >= step.at:
                    self._steps_left.remove(step)
                    self.degraded = (*self.degraded, step)
                    self.on_degrade(step, name, 1.0 if share is None else share)
                    break

    def _check_clock(self) -> None:
        if self.timed_out or not self.left:
            self.timed_out = True
            raise TrialTimeout
        if self.interrupted is not None:
            raise self.interrupted
        if self.exceeded is not None:
            raise self.exceeded

    def _check_spent(self) -> None:
        if self.max_usd is not None and (self.usd is None or self.usd > self.max_usd):
            self._over("usd", float(self.max_usd), None if self.usd is None else float(self.usd))
        if self.max_tokens is not None and (self.tokens is None or self.tokens > self.max_tokens):
            self._over("tokens", self.max_tokens, self.tokens)

    def _over(self, what: str, limit: float, used: float | None) -> None:
        self.exceeded = BudgetExceeded(what, limit, used)
        raise self.exceeded
