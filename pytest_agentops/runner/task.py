"""What an agent is handed besides its tools."""

from __future__ import annotations

import datetime as dt
import random
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..schema.case import Principal
from ..schema.values import Json, JsonObject

if TYPE_CHECKING:
    from .session import Session


class Task:
    """One task, or one turn of a conversation.

    `text` is what the user says now; `messages` the conversation so far in chat form, ending with it. `now()`, `uuid4()` and
    `random` are real where tools are live and reproduced in replay: use them in place of the standard ones wherever the value
    reaches a tool.
    """

    def __init__(
        self,
        *,
        text: str,
        messages: list[JsonObject],
        model: str | None,
        prompt: str | None,
        context: Mapping[str, Json],
        setup: Mapping[str, Json],
        principal: Principal,
        thread: str,
        session: Session,
    ) -> None:
        self.text = text
        self.messages = messages
        self._model = model
        self.prompt = prompt
        self.context = context
        self._setup = setup
        self.principal = principal
        self.thread = thread
        """An id that stays the same over the turns of one trial."""
        self.session = session
        """The trial's own record: for built-in agents and adapters."""

    @property
    def model(self) -> str | None:
        """The model to ask: the case's, or another once its budget says so (`budget.degrade`); read it for every request."""
        return self.session.meter.model or self._model

    @property
    def setup(self) -> Mapping[str, Json]:
        """The case's `setup`; that somebody read it is noted, since one that nobody reads is a mistake."""
        self.session.setup_read = True
        return self._setup

    def now(self) -> dt.datetime:
        """The time, with its zone."""
        return self.session.values.now()

    def uuid4(self) -> uuid.UUID:
        """A fresh id; in replay the same one every time."""
        return self.session.values.uuid4()

    @property
    def random(self) -> random.Random:
        """A random generator of the trial."""
        return self.session.values.random

    def say(self, text: str) -> None:
        """Tell the user something before the final reply; `said` checks see it."""
        self.session.say(text)

    def __repr__(self) -> str:
        return f"Task({self.text!r})"
