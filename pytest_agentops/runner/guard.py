"""The guard: the pipeline that every tool call passes, in every mode.

Stages look at a call in order before it is answered, and in reverse order after. A stage stops a call by raising; the first
one wins.
The answer itself (recording, canned answer or the real tool) is the only part that may wait, so sync and async share the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..errors import ToolBlocked, ToolFailed
from ..schema.call import Call, Decision, ErrorInfo, Reason
from ..schema.contract import Contract
from ..schema.values import Json, JsonObject


@dataclass(slots=True)
class Pending:
    """One call on its way: what the log keeps (`call`), and what only the guard knows."""

    call: Call
    contract: Contract
    args: JsonObject
    """The arguments on the placeholder side, as the agent gave them."""
    result: Json = None
    """The answer on the placeholder side: what is logged and checked."""
    clear: Json = None
    """The answer as the agent gets it, where the contract lets secrets through."""
    in_clear: bool = False
    error: ErrorInfo | None = None
    ticket: Any = None
    """The tape's mark of a recording or a slot in play."""

    def stop(self, message: str, *, decision: Decision, reason: Reason, rule: str | None = None) -> ToolBlocked:
        """The error that stops this call; the log says why."""
        self.call.decision = decision
        self.call.reason = reason
        self.call.rule = rule
        self.call.error = ErrorInfo(type=reason, message=message)
        return ToolBlocked(message, tool=self.call.tool, reason=reason, rule=rule)


class Stage(Protocol):
    """One part of the guard."""

    name: str

    def before(self, pending: Pending) -> None:
        """Let the call through, change it, or raise to stop it."""

    def after(self, pending: Pending) -> None:
        """Look at the answer; raise to turn it into an error."""


class Answers(Protocol):
    """Where answers come from; `prepared` covers what needs no waiting."""

    def prepared(self, pending: Pending) -> bool:
        """Answer from a recording or a canned answer; False if the real tool has to be called."""

    def call(self, pending: Pending) -> None:
        """Call the real tool and keep its answer in `pending`."""

    async def acall(self, pending: Pending) -> None:
        """Like `call`, for async tools."""

    def settled(self, pending: Pending) -> None:
        """The call is over, with an answer or without."""


class Guard:
    """Runs calls through the stages; it keeps no state of its own."""

    def __init__(self, stages: Sequence[Stage], answers: Answers) -> None:
        self.stages = tuple(stages)
        self.answers = answers

    def run(self, pending: Pending) -> Json:
        """The whole way, sync."""
        self._admit(pending)
        try:
            if not self.answers.prepared(pending):
                self.answers.call(pending)
        finally:
            self.answers.settled(pending)
        return self._settle(pending)

    async def arun(self, pending: Pending) -> Json:
        """The whole way, async."""
        self._admit(pending)
        try:
            if not self.answers.prepared(pending):
                await self.answers.acall(pending)
        finally:
            self.answers.settled(pending)
        return self._settle(pending)

    def _admit(self, pending: Pending) -> None:
        for stage in self.stages:
            stage.before(pending)

    def _settle(self, pending: Pending) -> Json:
        for stage in reversed(self.stages):
            stage.after(pending)
        if pending.error is not None:
            raise _failed(pending, pending.error)
        return pending.clear if pending.in_clear else pending.result


def _failed(pending: Pending, error: ErrorInfo) -> ToolFailed:
    tool = pending.call.tool
    pending.call.error = error
    pending.call.reason = "tool_failed"
    return ToolFailed(error.message or error.type, tool=tool, reason="tool_failed", error=error)
