"""The loop carried out, sync or async: requests are sent, and the calls of one answer run at once."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, MutableMapping
from typing import TYPE_CHECKING

from ...schema.call import ToolResult
from ...schema.values import Json
from .client import async_client, client
from .loop import Batch, Memory, Request, turn
from .options import Options
from .reply import Asked

if TYPE_CHECKING:
    from ...runner.session import Session
    from ...runner.task import Task
    from ...tools.toolbox import Toolbox

MOMENT = 0.001
"""Seconds between two looks at whether a call has been issued."""


def run(options: Options, task: Task, tools: Toolbox, memories: MutableMapping[Session, Memory]) -> Json:
    """One turn, in the agent's thread."""
    steps = turn(options, task, tools, memories.setdefault(task.session, Memory()))
    try:
        wanted = next(steps)
        with client(options) as ask:
            while True:
                if isinstance(wanted, Request):
                    wanted = steps.send(ask(wanted.body))
                else:
                    wanted = steps.send(call_together(wanted, tools, task.session, at_once=options.in_parallel))
    except StopIteration as end:
        return end.value


async def run_async(options: Options, task: Task, tools: Toolbox, memories: MutableMapping[Session, Memory]) -> Json:
    """Like `run`, in the agent's loop."""
    steps = turn(options, task, tools, memories.setdefault(task.session, Memory()))
    try:
        wanted = next(steps)
        async with async_client(options) as ask:
            while True:
                answer: Awaitable[object] = (
                    ask(wanted.body) if isinstance(wanted, Request) else acall_together(wanted, tools, options)
                )
                wanted = steps.send(await answer)
    except StopIteration as end:
        return end.value


async def acall_together(batch: Batch, tools: Toolbox, options: Options) -> list[ToolResult]:
    """The results in the order of the calls. Tasks start in their order, and a sync tool runs in place."""
    import asyncio

    if not options.in_parallel:
        return [await tools.aattempt(call.name, call.read()) for call in batch.calls]
    return list(await asyncio.gather(*(tools.aattempt(call.name, call.read()) for call in batch.calls)))


def call_together(batch: Batch, tools: Toolbox, session: Session, *, at_once: bool) -> list[ToolResult]:
    """The results in the order of the calls. A single call, or one after the other, runs in this thread."""
    if len(batch.calls) < 2 or not at_once:
        return [tools.attempt(call.name, call.read()) for call in batch.calls]
    calls = []
    for call in batch.calls:
        calls.append(_Call(call, tools))
        calls[-1].start(session)
    for one in calls:
        one.thread.join()
    return [one.value() for one in calls]


class _Call:
    """One of several calls, in a thread of its own."""

    def __init__(self, asked: Asked, tools: Toolbox) -> None:
        self._asked = asked
        self._tools = tools
        self._result: ToolResult | None = None
        self._error: BaseException | None = None
        self.thread = threading.Thread(target=self._work, name=f"agentops-call-{asked.name}", daemon=True)

    def _work(self) -> None:
        try:
            self._result = self._tools.attempt(self._asked.name, self._asked.read())
        except BaseException as error:  # the end of the trial's time is one
            self._error = error

    def start(self, session: Session) -> None:
        """Start it, and wait until it is under way: calls are issued, logged and matched in the model's order."""
        number = len(session.calls)
        self.thread.start()
        while self.thread.is_alive() and not (len(session.calls) > number and session.calls[number].reached):
            self.thread.join(MOMENT)

    def value(self) -> ToolResult:
        if self._error is not None:
            raise self._error
        if self._result is None:
            raise RuntimeError(f"{self._asked.name} gave neither a result nor an error")
        return self._result
