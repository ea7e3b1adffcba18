"""Whether the running code belongs to a tool: what a tool sends over the network is the tool's, not the model layer's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_INSIDE: ContextVar[bool] = ContextVar("pytest_agentops_inside_tool", default=False)


@contextmanager
def inside_tool() -> Iterator[None]:
    """Everything in the block, and the tasks it starts, belongs to a tool (threads that it starts by hand do not)."""
    token = _INSIDE.set(True)
    try:
        yield
    finally:
        _INSIDE.reset(token)


def is_inside_tool() -> bool:
    return _INSIDE.get()
