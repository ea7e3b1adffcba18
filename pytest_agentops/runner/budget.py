"""Hard limits of one trial: steps, tool calls and seconds."""

from __future__ import annotations

import threading
import time

from ..errors import BudgetExceeded
from ..schema.case import DEFAULT_SECONDS, DEFAULT_STEPS, DEFAULT_TOOL_CALLS, Budget


class TrialTimeout(BaseException):
    """The trial's seconds are over. No `Exception`: an agent's ``except Exception`` must not catch it."""


class BudgetMeter:
    """Counts what the trial used; going over raises, and stays over (thread-safe)."""

    def __init__(self, budget: Budget | None) -> None:
        budget = budget or Budget()
        self.max_steps = budget.steps if budget.steps is not None else DEFAULT_STEPS
        self.max_tool_calls = budget.tool_calls if budget.tool_calls is not None else DEFAULT_TOOL_CALLS
        self.seconds = budget.seconds if budget.seconds is not None else DEFAULT_SECONDS
        self.tool_calls = 0
        self.model_steps = 0
        self.exceeded: BudgetExceeded | None = None
        self.timed_out = False
        self._deadline = time.monotonic() + self.seconds
        self._lock = threading.Lock()

    def start(self) -> None:
        """The clock runs from here."""
        self._deadline = time.monotonic() + self.seconds

    @property
    def left(self) -> float:
        """Seconds left, never under 0."""
        return max(0.0, self._deadline - time.monotonic())

    def tool_call(self) -> None:
        """One attempted tool call; without a model it is a step too."""
        with self._lock:
            self.tool_calls += 1
            self._check_clock()
            if self.tool_calls > self.max_tool_calls:
                self._over("tool_calls", self.max_tool_calls, self.tool_calls)
            if self.model_steps == 0 and self.tool_calls > self.max_steps:
                self._over("steps", self.max_steps, self.tool_calls)

    def model_answer(self) -> None:
        """One model answer."""
        with self._lock:
            self.model_steps += 1
            self._check_clock()
            if self.model_steps > self.max_steps:
                self._over("steps", self.max_steps, self.model_steps)

    def check(self) -> None:
        """Raise if a limit was gone over or the seconds are over."""
        with self._lock:
            self._check_clock()

    def _check_clock(self) -> None:
        if self.timed_out or time.monotonic() > self._deadline:
            self.timed_out = True
            raise TrialTimeout
        if self.exceeded is not None:
            raise self.exceeded

    def _over(self, what: str, limit: float, used: float) -> None:
        self.exceeded = BudgetExceeded(what, limit, used)
        raise self.exceeded
