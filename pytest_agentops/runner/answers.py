"""Where a call's answer comes from: the recording, a canned answer of the YAML, or the real tool."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from ..errors import CassetteMiss, LoadError, ToolFailed
from ..schema.call import ErrorInfo
from ..schema.run import Problem
from ..schema.validate import holds_placeholder
from ..schema.values import Json, JsonObject, NotJson, jsonable
from ..tape.recorder import Recorder, Slot
from ..tape.values import TrialValues
from ..tools.arguments import ainvoke, canned, check, invoke
from .guard import Pending
from .inside import inside_tool
from .modes import Layer

if TYPE_CHECKING:
    from ..redact.membrane import Membrane
    from ..tape.player import Player
    from ..tools.tool import Tool
    from ..tools.toolbox import Toolbox


class TapeAnswers:
    """Answers from the tape where the plan replays, from the tool where it is live, and keeps what was live."""

    def __init__(
        self,
        *,
        plan: Layer,
        toolbox: Toolbox,
        membrane: Membrane,
        values: TrialValues,
        player: Player | None,
        recorder: Recorder | None,
        latch: Callable[[Problem], None],
        run_async: Callable[..., Json],
        spend: Callable[[Decimal], None] = lambda usd: None,
        still_open: Callable[[str], None] = lambda tool: None,
    ) -> None:
        self.plan = plan
        self.toolbox = toolbox
        self.membrane = membrane
        self.values = values
        self.player = player
        self.recorder = recorder
        self.latch = latch
        self.run_async = run_async
        self.spend = spend
        self.still_open = still_open
        self.broken = False
        """A live answer could not be kept: the recording must not replace a good one."""
        self.live_writes = 0
        self.dry_runs = 0
        """Writes in whose place their dry run was called (a policy in shadow mode)."""

    def prepared(self, pending: Pending) -> bool:
        """Answer without the real tool, if the plan has such an answer."""
        return self._stub(pending) or self._replay(pending)

    def _stub(self, pending: Pending) -> bool:
        if pending.contract.answers is None:
            return False
        pending.call.source = "stub"
        answer = canned(pending.contract, pending.call.sent or pending.args)
        if answer is None:
            text = (
                f"{pending.call.tool}: no canned answer fits these arguments\n"
                f"  cure: add one under contracts.{pending.call.tool}.answers (an entry without args fits every call)"
            )
            pending.call.source = "none"
            self.latch(Problem(kind="miss", text=text, data={"reason": "no-answer", "tool": pending.call.tool}))
            raise CassetteMiss(text, data={"reason": "no-answer", "tool": pending.call.tool})
        pending.result = self.membrane.hide(answer.result, pending.sensitive)
        pending.error = ErrorInfo.from_json(answer.error) if answer.error else None
        return True

    def _replay(self, pending: Pending) -> bool:
        if self.player is None:
            return False
        folded = self.values.fold(pending.args)
        try:
            ticket = self.player.take(pending.call.tool, folded)
        except CassetteMiss as miss:
            if self.plan.live and self._may_go_live(pending):
                return False
            self.latch(Problem(kind="miss", text=miss.report, data=miss.data))
            raise
        pending.ticket = ticket
        pending.call.source = "replay"
        if self.recorder is not None:
            self.recorder.replayed(ticket.recording)
        error = ticket.recording.error
        pending.error = None if error is None else replace(error, message=self.values.unfold(error.message))
        # passing the membrane reserves the recording's placeholders, so that new ones get other numbers
        pending.result = self.membrane.hide(self.values.unfold(ticket.result), pending.sensitive)
        return True

    def _may_go_live(self, pending: Pending) -> bool:
        """new_episodes: a write after a replayed call, or a read after a replayed write, would meet a world that never was."""
        played = self.player.played if self.player is not None else []
        if pending.contract.writes:
            return not played
        return not any(self.player.writes(r) for r in played if self.player is not None)

    def call(self, pending: Pending) -> None:
        real = self._real(pending)
        slot = self._begin(pending)
        try:
            tool = self._tool(pending)
            with inside_tool():
                value = self.run_async(ainvoke(tool, real)) if tool.is_async else invoke(tool, real)
        except LoadError as error:
            raise self._unusable(error) from error
        except Exception as error:
            self._keep_error(pending, slot, error)
        else:
            self._keep(pending, slot, value)

    async def acall(self, pending: Pending) -> None:
        real = self._real(pending)
        slot = self._begin(pending)
        try:
            tool = self._tool(pending)
            # a sync tool runs in place: what it holds (a database handle, a browser) may belong to this thread
            with inside_tool():
                value = await ainvoke(tool, real) if tool.is_async else invoke(tool, real)
        except LoadError as error:
            raise self._unusable(error) from error
        except Exception as error:
            self._keep_error(pending, slot, error)
        else:
            self._keep(pending, slot, value)

    def _tool(self, pending: Pending) -> Tool:
        """The tool, or its dry run for a write under a policy in shadow mode."""
        tool = self.toolbox.tool(pending.call.tool)
        if not (pending.shadowed and pending.contract.writes and tool.dry_run is not None):
            return tool
        dry = tool.dry()
        self.dry_runs += 1
        return dry

    def _real(self, pending: Pending) -> JsonObject:
        """The arguments with the real values back in place; they too must fit: a schema accepts a placeholder anywhere."""
        real: JsonObject = self.membrane.reveal(pending.call.sent or pending.args)
        if holds_placeholder(pending.args) and check(pending.contract, real, placeholders=False):
            message = f"{pending.call.tool}: what stands behind a placeholder in the arguments does not fit the contract"
            pending.call.sent = None
            raise pending.stop(message, decision="invalid", reason="schema_invalid")
        return real

    def _begin(self, pending: Pending) -> Slot | None:
        tool = pending.call.tool
        if self.toolbox.tool(tool).function is None:
            text = (
                f"{tool} is declared in YAML only ({pending.contract.where}): it has no code to run live\n"
                f"  cure: give it canned answers (contracts.{tool}.answers), or a tool with code, or replay a recording"
            )
            raise self._unusable(LoadError(text, ref=tool))
        self.still_open(tool)
        if pending.contract.cost_usd:
            self.spend(pending.contract.cost_usd)
        pending.call.source = "live"
        self.live_writes += pending.contract.writes
        if self.player is not None:
            pending.ticket = self.player.note_issued(tool, self.values.fold(pending.args))
        if self.recorder is None:
            return None
        return self.recorder.begin(tool, self.values.fold(pending.args))

    def _unusable(self, error: LoadError) -> LoadError:
        """The tool cannot be called as it is written: no answer of the tool, and nothing for the agent to replan about."""
        self.broken = True
        self.latch(Problem(kind="setup", text=str(error), data={"tool": error.ref}))
        return error

    def _keep(self, pending: Pending, slot: Slot | None, value: object) -> None:
        tool = pending.call.tool
        try:
            plain = jsonable(value)
        except NotJson as error:
            text = f"{tool}: the result does not serialise: {error}\n  cure: return JSON values, a dataclass or a pydantic model"
            self.broken = True
            self.latch(Problem(kind="serialise", text=text, data={"tool": tool, "path": error.path}))
            raise ToolFailed(text, tool=tool, reason="result_invalid") from error
        hidden = self.membrane.hide(plain, pending.sensitive)
        if slot is not None:
            slot.result(self.values.fold(hidden))
        pending.result = hidden
        if pending.contract.passthrough:
            pending.clear = self.membrane.hide(plain, pending.sensitive, passthrough=pending.contract.passthrough)
            pending.in_clear = True

    def _keep_error(self, pending: Pending, slot: Slot | None, error: Exception) -> None:
        message = str(self.membrane.hide(str(error)))
        pending.error = ErrorInfo(type=type(error).__name__, message=message, retryable=bool(getattr(error, "retryable", False)))
        if slot is not None:
            slot.error(replace(pending.error, message=self.values.fold(message)))

    def settled(self, pending: Pending) -> None:
        if self.player is not None and pending.ticket is not None:
            self.player.returned(pending.ticket)
