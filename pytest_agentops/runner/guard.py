"""The guard: the pipeline that every tool call passes, in every mode.

Stages look at a call in order before it is answered, and in reverse order after. A stage stops a call by raising; the first
one wins, and the stages that had let it through take back what they had put aside for it. A call that a human edited starts
again at the top.
The answer itself (recording, canned answer or the real tool) is the only part that may wait, so sync and async share the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import ToolBlocked, ToolFailed
from ..schema.call import Call, Decision, ErrorInfo, Reason
from ..schema.contract import Contract
from ..schema.values import Json, JsonObject

if TYPE_CHECKING:
    from ..approvals.request import Approval, Outcome
    from ..audit.entry import CallEntry
    from ..schema.policy import ApprovalNeed
    from ..schema.policy import Decision as Decided


@dataclass(slots=True)
class Pending:
    """One call on its way: what the log keeps (`call`), and what only the guard knows."""

    call: Call
    contract: Contract
    args: JsonObject
    """The arguments on the placeholder side, as the agent gave them, or as a human edited them."""
    sensitive: tuple[str, ...] = ()
    """Keys and paths whose values are secrets: the contract's, and those that a policy redacts."""
    result: Json = None
    """The answer on the placeholder side: what is logged and checked."""
    clear: Json = None
    """The answer as the agent gets it, where the contract lets secrets through."""
    in_clear: bool = False
    error: ErrorInfo | None = None
    ticket: Any = None
    """The tape's mark of a recording or a slot in play."""
    policy: Decided | None = None
    """What the policies decided; None where the suite has none."""
    shadowed: bool = False
    """Whether a policy in shadow mode is for this tool."""
    more_needs: tuple[ApprovalNeed, ...] = ()
    """Whom to ask beside those that the policies name."""
    edited: Outcome | None = None
    """The edit that brought the call back to the top."""
    approval: Approval | None = None
    """What a human granted; used up when the call is let through."""
    entry: CallEntry | None = None
    """The call in the audit log."""
    answered: bool = False
    """A stage has the answer already: no tool and no recording is asked."""
    passed: list[Stage] = field(default_factory=list)
    """The stages that let it through."""

    def stop(self, message: str, *, decision: Decision, reason: Reason, rule: str | None = None) -> ToolBlocked:
        """The error that stops this call; the log says why."""
        self.stopped(message, decision=decision, reason=reason, rule=rule)
        return ToolBlocked(message, tool=self.call.tool, reason=reason, rule=rule)

    def stopped(self, message: str, *, decision: Decision, reason: Reason, rule: str | None = None) -> None:
        """Note in the log why this call goes no further."""
        self.call.decision = decision
        self.call.reason = reason
        self.call.rule = rule
        self.call.error = ErrorInfo(type=reason, message=message)


class Edited(Exception):
    """A human changed the arguments: the call goes back to the top."""


class Stage(Protocol):
    """One part of the guard."""

    name: str

    def before(self, pending: Pending) -> None:
        """Let the call through, change it, or raise to stop it."""

    def release(self, pending: Pending) -> None:
        """The call that this stage let through does not reach its tool: take back what was put aside for it."""

    def after(self, pending: Pending) -> None:
        """Look at the answer; raise to turn it into an error."""


class Passive:
    """A stage that puts nothing aside and does not look back, but for what it defines itself."""

    def release(self, pending: Pending) -> None:
        """Nothing was put aside."""

    def after(self, pending: Pending) -> None:
        """Nothing to look at."""


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
        looks_back = (s for s in reversed(self.stages) if not isinstance(s, Passive) or "after" in vars(type(s)))
        self._back: tuple[Stage, ...] = tuple(looks_back)
        self.answers = answers

    def run(self, pending: Pending) -> Json:
        """The whole way, sync."""
        self._admit(pending)
        try:
            if not pending.answered and not self.answers.prepared(pending):
                self.answers.call(pending)
        finally:
            self._over(pending)
        return self._settle(pending)

    async def arun(self, pending: Pending) -> Json:
        """The whole way, async."""
        self._admit(pending)
        try:
            if not pending.answered and not self.answers.prepared(pending):
                await self.answers.acall(pending)
        finally:
            self._over(pending)
        return self._settle(pending)

    def _admit(self, pending: Pending) -> None:
        while True:
            try:
                for stage in self.stages:
                    stage.before(pending)
                    pending.passed.append(stage)
                    if pending.answered:
                        break
                return
            except Edited:
                self._release(pending)
            except BaseException:
                self._release(pending)
                raise

    def _over(self, pending: Pending) -> None:
        if not pending.call.reached:
            self._release(pending)
        self.answers.settled(pending)

    def _release(self, pending: Pending) -> None:
        while pending.passed:
            pending.passed.pop().release(pending)

    def _settle(self, pending: Pending) -> Json:
        for stage in self._back:
            stage.after(pending)
        if pending.error is not None:
            raise _failed(pending, pending.error)
        return pending.clear if pending.in_clear else pending.result


def _failed(pending: Pending, error: ErrorInfo) -> ToolFailed:
    tool = pending.call.tool
    pending.call.error = error
    pending.call.reason = "tool_failed"
    return ToolFailed(error.message or error.type, tool=tool, reason="tool_failed", error=error)
