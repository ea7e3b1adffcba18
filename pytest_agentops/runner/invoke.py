"""Calling an agent: sync in the main thread, async in a loop of its own, both within the trial's seconds."""

from __future__ import annotations

import inspect
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from ..errors import LoadError
from ..schema.values import Json
from .budget import BudgetMeter, TrialTimeout

if TYPE_CHECKING:
    import asyncio

GRACE = 0.25
"""Seconds that threads which the agent left behind get to show that they still call tools."""
AGAIN = 0.1
"""Seconds between two alarms: an agent that swallows the first gets another."""
CLOSE = 0.5
"""Seconds that tasks which the agent left behind get to end when they are cancelled."""


def call_agent(agent: Callable[..., Any], args: tuple[object, ...], meter: BudgetMeter, loop: AgentLoop) -> Json:
    """The agent's return value; raises `TrialTimeout` when the seconds are over."""

    def over() -> None:
        meter.timed_out = True

    # the alarm is the second line: an async agent is cancelled, and a tool call refused, a moment earlier
    with _alarm(meter.left + 0.05, over, more=lambda: meter.left):
        value = agent(*args)
        return loop.run(value, meter) if inspect.isawaitable(value) else value


class AgentLoop:
    """The event loop of an async agent; one for all turns of a trial, so that its clients and locks live on."""

    def __init__(self) -> None:
        self._runner: asyncio.Runner | None = None

    def run(self, awaitable: Awaitable[Json], meter: BudgetMeter) -> Json:
        """What the agent's coroutine returns; it is cancelled when the seconds are over."""
        import asyncio

        if _in_a_loop():
            if inspect.iscoroutine(awaitable):
                awaitable.close()
            raise LoadError(
                "an async agent has a loop of its own and cannot be run inside another", hint="use a plain `def` test"
            )

        async def bounded() -> Json:
            limit = asyncio.timeout(meter.left)
            running = asyncio.get_running_loop()

            def later() -> None:  # a human was asked: those seconds are not the agent's
                running.call_soon_threadsafe(lambda: None if limit.expired() else limit.reschedule(running.time() + meter.left))

            value: Json = None
            meter.on_extended.append(later)
            try:
                async with limit:
                    value = await awaitable
            except TimeoutError:
                if not limit.expired():  # the agent's own time-out
                    raise
            finally:
                meter.on_extended.remove(later)
            if limit.expired():  # also if the agent made nothing of its cancellation
                meter.timed_out = True
                raise TrialTimeout
            return value

        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner.run(bounded())

    def close(self) -> None:
        """Cancel what the agent left running; a task that will not end is abandoned."""
        if self._runner is not None:
            with suppress(TrialTimeout), _alarm(CLOSE):
                self._runner.close()


def _in_a_loop() -> bool:
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@contextmanager
def _alarm(seconds: float, over: Callable[[], None] = lambda: None, *, more: Callable[[], float] = lambda: 0.0) -> Iterator[None]:
    """Raise `TrialTimeout` in the block when its seconds are over, again and again until it is left.

    `more` says how many are left after all: while a human is asked, they do not run.

    Only where the platform can: SIGALRM, the main thread, nobody else's timer.
    """
    usable = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    if not usable or signal.getitimer(signal.ITIMER_REAL)[0] > 0:
        yield
        return
    armed = True

    def ring(signum: int, frame: object) -> None:
        if not armed:
            return
        left = more()
        if left > 0:
            signal.setitimer(signal.ITIMER_REAL, left + 0.05, AGAIN)
            return
        over()
        raise TrialTimeout

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    try:
        try:
            yield
        finally:
            armed = False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def wait_for_threads(before: set[threading.Thread], *, besides: threading.Thread | None = None) -> list[threading.Thread]:
    """Give threads that the agent started and left behind a moment, so that a late tool call is seen and not lost.

    Gives back those that still run.
    """
    deadline = time.monotonic() + GRACE
    started = [thread for thread in threading.enumerate() if thread not in before and thread is not besides]
    for thread in started:
        while not _joined(thread, deadline) and time.monotonic() < deadline:
            time.sleep(0.001)
    return [thread for thread in started if thread.is_alive() or thread.ident is None]


def _joined(thread: threading.Thread, deadline: float) -> bool:
    """Waits for a thread; False for one that is listed but has not started yet, which cannot be waited for."""
    try:
        thread.join(max(0.0, deadline - time.monotonic()))
    except RuntimeError:
        return False
    return True


class ToolLoop:
    """An event loop in a thread of its own, for async tools that a sync agent calls; started on first use."""

    def __init__(self) -> None:
        self.thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()

    def run(self, coroutine: Any) -> Json:
        """Run the coroutine there and wait for its value."""
        import asyncio

        if threading.current_thread() is self.thread:
            coroutine.close()
            raise LoadError("an async tool called another one with call(), which would wait for itself", hint="await acall(...)")
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self.thread = threading.Thread(target=self._loop.run_forever, name="agentops-tools", daemon=True)
                self.thread.start()
            loop = self._loop
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result()

    def close(self) -> None:
        """Stop the loop; tools that still run are cancelled, and one that will not end is left to its daemon thread."""
        loop, thread = self._loop, self.thread
        if loop is None or thread is None:
            return
        import asyncio  # 20 ms, which a run without async tools need not pay

        async def cancel() -> None:
            others = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.wait(others, timeout=CLOSE) if others else None

        with suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(cancel(), loop).result(timeout=CLOSE + 1)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=1)
        if not thread.is_alive():
            loop.close()
        self._loop = self.thread = None
