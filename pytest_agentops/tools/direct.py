"""Calls of a tool's function beside the toolbox: a decorated function tells who watches before it runs.

Whether the running code belongs to a tool is a context variable. Who watches is one list a process: a thread that the agent
starts inherits no context, and it is just such calls that must be seen.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

INSIDE: ContextVar[bool] = ContextVar("pytest_agentops_inside_tool", default=False)

_WATCHERS: list[Callable[[str], None]] = []


@contextmanager
def watching(tell: Callable[[str], None]) -> Iterator[None]:
    """Until the block ends, `tell` hears the name of every decorated tool that is called from outside of a tool; it may raise."""
    _WATCHERS.append(tell)
    try:
        yield
    finally:
        _WATCHERS.remove(tell)


def watched(function: Callable[..., Any], name: Callable[[], str]) -> Callable[..., Any]:
    """The same function, which says when it is called directly."""

    def tell() -> None:
        if _WATCHERS and not INSIDE.get():
            for watcher in tuple(_WATCHERS):
                watcher(name())

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def acalled(*args: Any, **kwargs: Any) -> Any:
            tell()
            return await function(*args, **kwargs)

        return acalled

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        tell()
        return function(*args, **kwargs)

    return called
