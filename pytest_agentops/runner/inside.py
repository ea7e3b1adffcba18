"""Whether the running code belongs to a tool: what a tool sends over the network is the tool's, not the model layer's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from ..tools.direct import AGENTS, INSIDE, is_agents


@contextmanager
def inside_tool() -> Iterator[None]:
    """Everything in the block, and the tasks it starts, belongs to a tool; threads and pools too, where it is `carried`."""
    token = INSIDE.set(True)
    try:
        yield
    finally:
        INSIDE.reset(token)


def is_inside_tool() -> bool:
    return INSIDE.get()


@contextmanager
def carried() -> Iterator[None]:
    """Until the block ends, a thread belongs to who starts it, and a job of a thread pool to who gives it.

    Python's threads do not inherit context, so without this a tool's request from a thread of its own would be taken for the
    agent's. A job says whose it is even if it is nobody's: the worker may have been started for a tool's job.
    """
    from concurrent.futures import ThreadPoolExecutor

    start, submit = threading.Thread.start, ThreadPoolExecutor.submit

    def started(thread: threading.Thread) -> None:
        if is_inside_tool():
            setattr(thread, "run", partial(_as, True, False, thread.run))  # noqa: B010
        start(thread)

    def submitted(pool: ThreadPoolExecutor, job: Callable[..., Any], /, *args: Any, **options: Any) -> Any:
        return submit(pool, partial(_as, is_inside_tool(), is_agents(), job), *args, **options)

    setattr(threading.Thread, "start", started)  # noqa: B010
    setattr(ThreadPoolExecutor, "submit", submitted)  # noqa: B010
    try:
        yield
    finally:
        setattr(threading.Thread, "start", start)  # noqa: B010
        setattr(ThreadPoolExecutor, "submit", submit)  # noqa: B010


def _as(inside: bool, agents: bool, job: Callable[..., Any], /, *args: Any, **options: Any) -> Any:
    tool, agent = INSIDE.set(inside), AGENTS.set(agents)
    try:
        return job(*args, **options)
    finally:
        INSIDE.reset(tool)
        AGENTS.reset(agent)
