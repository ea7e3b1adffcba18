"""Calling an agent: sync in the main thread, async in a loop of its own, both within the trial's seconds."""

from __future__ import annotations

import inspect
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..schema.values import Json
from .budget import BudgetMeter, TrialTimeout

if TYPE_CHECKING:
    import asyncio

GRACE = 0.25
"""Seconds that threads which the agent left behind get to show that they still call tools."""


def call_agent(agent: Callable[..., Any], args: tuple[object, ...], meter: BudgetMeter) -> Json:
    """The agent's return value; raises `TrialTimeout` when the seconds are over."""
    with _alarm(meter):
        value = agent(*args)
        if inspect.isawaitable(value):
            return _run(value, meter)
        return value


def _run(awaitable: Awaitable[Json], meter: BudgetMeter) -> Json:
    import asyncio

    async def bounded() -> Json:
        try:
            async with asyncio.timeout(meter.left):
                return await awaitable
        except TimeoutError:
            if meter.left > 0:  # the agent's own time-out
                raise
            meter.timed_out = True
            raise TrialTimeout from None

    return asyncio.run(bounded())


@contextmanager
def _alarm(meter: BudgetMeter) -> Iterator[None]:
    """Interrupt a sync agent when its seconds are over, where the platform can (SIGALRM, main thread, nobody else's timer)."""
    usable = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    if not usable or signal.getitimer(signal.ITIMER_REAL)[0] > 0:
        yield
        return

    def over(signum: int, frame: object) -> None:
        meter.timed_out = True
        raise TrialTimeout

    before = signal.signal(signal.SIGALRM, over)
    # the alarm is the second line: an async agent is cancelled, and a tool call refused, a moment earlier
    signal.setitimer(signal.ITIMER_REAL, meter.left + 0.05)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def wait_for_threads(before: set[threading.Thread]) -> None:
    """Give threads that the agent started and left behind a moment, so that a late tool call is seen and not lost."""
    deadline = time.monotonic() + GRACE
    for thread in set(threading.enumerate()) - before:
        thread.join(max(0.0, deadline - time.monotonic()))


class ToolLoop:
    """An event loop in a thread of its own, for async tools that a sync agent calls; started on first use."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def run(self, coroutine: Any) -> Json:
        """Run the coroutine there and wait for its value."""
        import asyncio

        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="agentops-tools", daemon=True)
                self._thread.start()
            loop = self._loop
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result()

    def close(self) -> None:
        """Stop the loop; tools that still run are cancelled."""
        import asyncio

        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return

        async def cancel() -> None:
            others = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(cancel(), loop).result(timeout=5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=5)
        loop.close()
        self._loop = self._thread = None
