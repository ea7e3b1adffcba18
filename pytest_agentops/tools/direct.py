"""Calls of a tool's function beside the toolbox: a decorated function tells who watches before it runs.

Whether the running code belongs to a tool is a context variable. Who watches is one list a process: a thread that the agent
starts inherits no context, and it is just such calls that must be seen. A function that nobody decorated cannot tell, and nor
can one that is dug out of the wrapper's closure.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from .look import dressed

INSIDE: ContextVar[bool] = ContextVar("pytest_agentops_inside_tool", default=False)
AGENTS: ContextVar[bool] = ContextVar("pytest_agentops_agents_job", default=False)
"""Whether the running job was given by an agent to a thread that is older than its trial."""


class _Watcher:
    """Whose calls are told to whom."""

    def __init__(self, tell: Callable[[str], None], older: Collection[threading.Thread]) -> None:
        self.tell = tell
        self._older = frozenset(older) - {threading.main_thread(), threading.current_thread()}

    def concerns(self) -> bool:
        """Whether the running code is the agent's."""
        return AGENTS.get() or threading.current_thread() not in self._older


class _Strays(_Watcher):
    """Threads that outlive their trial."""

    def __init__(self, tell: Callable[[str], None], threads: Collection[threading.Thread]) -> None:
        super().__init__(tell, ())
        self.threads = frozenset(threads)

    def concerns(self) -> bool:
        return threading.current_thread() in self.threads


_WATCHERS: list[_Watcher] = []


@contextmanager
def watching(tell: Callable[[str], None], *, older: Collection[threading.Thread] = ()) -> Iterator[None]:
    """Until the block ends, `tell` hears the name of every decorated tool that is called from outside of a tool; it may raise.

    What the threads `older` do is not the agent's, unless they do it for the agent.
    """
    watcher = _Watcher(tell, older)
    _WATCHERS.append(watcher)
    try:
        yield
    finally:
        _WATCHERS.remove(watcher)


def watch_strays(tell: Callable[[str], None], threads: Collection[threading.Thread]) -> None:
    """Go on telling of these threads, for as long as they live."""
    dead = [w for w in _WATCHERS if isinstance(w, _Strays) and not any(thread.is_alive() for thread in w.threads)]
    _WATCHERS[:] = [*(w for w in _WATCHERS if w not in dead), _Strays(tell, threads)]


def is_agents() -> bool:
    """Whether the running code is that of an agent on trial."""
    return not INSIDE.get() and any(watcher.concerns() for watcher in tuple(_WATCHERS))


def watched(function: Callable[..., Any], name: Callable[[], str], *, is_async: bool) -> Callable[..., Any]:
    """The same function, which says when it is called directly."""

    def tell() -> None:
        if _WATCHERS and not INSIDE.get():
            for watcher in tuple(_WATCHERS):
                if watcher.concerns():
                    watcher.tell(name())

    if is_async:

        async def acalled(*args: Any, **kwargs: Any) -> Any:
            tell()
            return await function(*args, **kwargs)

        return dressed(acalled, function)

    def called(*args: Any, **kwargs: Any) -> Any:
        tell()
        return function(*args, **kwargs)

    return dressed(called, function)
