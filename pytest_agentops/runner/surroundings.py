"""What a replay changes around the agent: no network, and placeholder keys so that SDK clients can be made without a key."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from .network import network_guard

if TYPE_CHECKING:
    from .modes import Plan
    from .setting import Trial

KEY_VARIABLES = (
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "AZURE_OPENAI_API_KEY",
    "GOOGLE_API_KEY",
    "GEMINI_API_KEY",
    "MISTRAL_API_KEY",
    "GROQ_API_KEY",
    "COHERE_API_KEY",
)
"""Provider keys that an SDK refuses to start without; unset ones hold the placeholder while agents are imported and run."""

PLACEHOLDER_KEY = "replay"
REPLAY_FLAG = "PYTEST_AGENTOPS_REPLAY"
"""Set for child processes, which the network guard does not see."""


def around(trial: Trial, chosen: Plan) -> AbstractContextManager[None]:
    """What holds while a trial runs: the network is off unless its model is live; a live tool has its own way out."""
    if chosen.model.live:
        return online()
    network = trial.case.fields.network
    return offline(network.allow if network else (), tools=chosen.tools.live)


@contextmanager
def online() -> Iterator[None]:
    """The network as it is without us, also where a replay around it is off (``--agent-record=stale``, the second run)."""
    flag = os.environ.pop(REPLAY_FLAG, None)
    try:
        with network_guard().off():
            yield
    finally:
        if flag is not None:
            os.environ[REPLAY_FLAG] = flag


@contextmanager
def offline(allow: Sequence[str] = (), *, tools: bool = False) -> Iterator[None]:
    """No network, placeholder keys, the replay flag for children; everything is put back afterwards.

    With `tools`, code inside a tool is let out, and children are not told of a replay.
    """
    guard, environ = network_guard(), os.environ
    if guard.is_on(allow, tools=tools) and not tools and environ.get(REPLAY_FLAG) == "1":
        yield  # inside another one like it
        return
    before = {name: environ.get(name) for name in (*KEY_VARIABLES, REPLAY_FLAG)}
    added = {name: PLACEHOLDER_KEY for name in KEY_VARIABLES if not before[name]}
    if before[REPLAY_FLAG] != "1" and not tools:
        added[REPLAY_FLAG] = "1"
    environ.update(added)
    try:
        with guard.on(allow, tools=tools):
            yield
    finally:
        for name in added:
            value = before[name]
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
