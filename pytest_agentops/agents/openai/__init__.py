"""The built-in agent `openai`: a plain loop of model answers, tool calls and their results, until a final text.

It speaks the chat completions API, or Responses, to whatever serves them: OpenAI, Azure, vLLM, TensorRT-LLM, llama.cpp. With
``strategy: json_schema`` it needs no tool calls of the server, only output that is held to a schema.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from .reply import ModelError
from .steps import Done, Step

if TYPE_CHECKING:
    from ...runner.session import Session
    from ...runner.task import Task
    from ...schema.values import Json
    from ...tools.toolbox import Toolbox
    from .loop import Memory

__all__ = ["Done", "ModelError", "Step", "openai"]


def openai(**options: Any) -> Callable[[Task, Toolbox], Json | Awaitable[Json]]:
    """The agent with these options, which are those of YAML; raises `LoadError` with all that is wrong with them."""
    from .options import read

    chosen = read(options)
    memories: WeakKeyDictionary[Session, Memory] = WeakKeyDictionary()
    """What was said in a trial so far, tool exchanges included: its next turn goes on from there."""

    def agent(task: Task, tools: Toolbox) -> Json:
        from .run import run

        return run(chosen, task, tools, memories)

    async def async_agent(task: Task, tools: Toolbox) -> Json:
        from .run import run_async

        return await run_async(chosen, task, tools, memories)

    return async_agent if chosen.is_async else agent
