"""What a replay changes around the agent: no network, and placeholder keys so that SDK clients can be made without a key."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from .network import network_guard

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


@contextmanager
def offline(allow: Sequence[str] = ()) -> Iterator[None]:
    """No network, placeholder keys, the replay flag for children; everything is put back afterwards."""
    environ = os.environ
    before = {name: environ.get(name) for name in (*KEY_VARIABLES, REPLAY_FLAG)}
    added = {name: PLACEHOLDER_KEY for name in KEY_VARIABLES if not before[name]}
    added[REPLAY_FLAG] = "1"
    environ.update(added)
    try:
        with network_guard().on(allow):
            yield
    finally:
        for name in added:
            value = before[name]
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
