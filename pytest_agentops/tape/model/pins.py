"""What a model layer is made with: the models that its requests name, and a digest of the prompt."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ...schema.values import Json, JsonObject, digest
from .conversation import Conversation, named_model, read
from .exchange import Request

_NO_TALK = re.compile(r"embed|moderation|rerank", re.IGNORECASE)
"""Requests that name a model and have no prompt."""


def models_of(requests: Iterable[Request]) -> str | list[str] | None:
    """The model that the requests name; a sorted list of several; None if no request was a model's."""
    found = sorted({model for request in requests if (model := named_model(request))})
    return found[0] if len(found) == 1 else found or None


def first_of(requests: Iterable[Request]) -> Request | None:
    """The first model request: the one whose prompt is pinned."""
    return next((request for request in requests if _asks(request) is not None), None)


def prompt_digest(request: Request) -> str | None:
    """The pin of what the agent tells the model: system and developer messages, and what the tools say of themselves.

    Null for a request that is no model's. Types and names of arguments are pinned a tool, not here.
    """
    asked = _asks(request)
    if asked is None:
        return None
    return digest(
        {
            "system": ["\n".join(message.lines) for message in asked.system],
            "tools": {name: _prose(definition) for name, definition in asked.tools.items()},
        }
    )


def _asks(request: Request) -> Conversation | None:
    asked = read(request)
    talks = asked is not None and asked.model and asked.messages and not _NO_TALK.search(request.path)
    return asked if talks else None


def _prose(value: Json) -> list[str]:
    """Every description in a tool's definition, in the order of their places."""
    if isinstance(value, list):
        return [text for item in value for text in _prose(item)]
    if not isinstance(value, dict):
        return []
    return [text for name in sorted(value) for text in _own(value, name)]


def _own(holder: JsonObject, name: str) -> list[str]:
    value = holder[name]
    return [value] if name == "description" and isinstance(value, str) else _prose(value)
