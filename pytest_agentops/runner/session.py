"""One trial's session: the log of what the agent did, and the doors (`call`, `acall`) through which it does it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import AgentOpsError, BudgetExceeded, CassetteMiss, Interrupted, SessionClosed, ToolBlocked, ToolError, ToolRejected
from ..schema.bill import Charge
from ..schema.call import Call, ErrorInfo
from ..schema.case import Degrade, Outcome
from ..schema.contract import Contract
from ..schema.run import UNPAID, Problem, Turn, Usage
from ..schema.values import Json, JsonObject, NotJson, decimal, jsonable
from .budget import BudgetMeter, TrialTimeout
from .forks import fork_notes
from .guard import Guard, Pending

if TYPE_CHECKING:
    from ..redact.membrane import Membrane
    from ..tape.player import Player
    from ..tape.values import TrialValues
    from .auditing import TrialAudit
    from .ledger import Ledger

_NOBODY = Contract(name="?")
_NOTHING = Decimal(0)
_STOPS = (ToolBlocked, ToolRejected, BudgetExceeded, TrialTimeout, Interrupted)
"""What the guard stops a call with."""


class Session:
    """What one trial did so far; safe to use from threads and tasks."""

    def __init__(
        self,
        *,
        contracts: Mapping[str, Contract],
        membrane: Membrane,
        values: TrialValues,
        meter: BudgetMeter,
        folder: Path,
        player: Player | None,
        redacted: Mapping[str, tuple[str, ...]] | None = None,
        ledger: Ledger | None = None,
        suite: str = "",
        suite_usd: float | None = None,
    ) -> None:
        self.contracts = contracts
        self.redacted = redacted or {}
        """Tool -> the keys and paths that its policies redact."""
        self.ledger = ledger
        """What the whole session really spends; None where nothing is spent, or nothing limits it."""
        self.suite = suite
        self._suite_limit = None if suite_usd is None else decimal(suite_usd)
        self.degradations: list[JsonObject] = []
        """The steps of the budget's `degrade` that were taken."""
        self.audit: TrialAudit | None = None
        self.edits: Callable[[str, JsonObject], Sequence[JsonObject]] = lambda tool, args: ()
        """What a human's edit that was not asked for would have made of a call."""
        self.membrane = membrane
        self.values = values
        self.meter = meter
        self.folder = folder
        """The trial's cassette folder."""
        self.player = player
        self.guard: Guard | None = None
        self.calls: list[Call] = []
        self.messages: list[JsonObject] = []
        self.said: list[str] = []
        self.turns: list[Turn] = []
        self.problems: list[Problem] = []
        self.labels: set[str] = set()
        self.on_late: Callable[[str], None] | None = None
        self.setup_read = False
        self.stated_cost: Decimal | None = None
        """The whole run's model cost where somebody states it; it wins over the sum of the answers."""
        self.usages: list[Usage | None] = []
        self.costs: list[Decimal | None] = []
        self.charges: list[Charge] = []
        self.models: list[str] = []
        self.model_steps = 0
        self.finished: tuple[Outcome, str] | None = None
        self.missed_model: CassetteMiss | None = None
        """The first request of the model layer that the recording could not answer."""
        self.cut_off: str | None = None
        """Why a replay that the guard made another run could not go on."""
        notes = fork_notes()
        self.number = notes.number()
        """Its number in this process."""
        self._forks = notes.forks
        self._pid = os.getpid()
        self._closed = False
        self._running: list[Call] = []
        self._lock = threading.RLock()

    # ---- what the agent does

    def call(self, name: str, args: Mapping[str, object]) -> Json:
        """One tool call through the guard; raises `ToolError`, or what ends the run."""
        pending = self._open(name, args)
        try:
            value = self._guard().run(pending)
        except BaseException as error:
            self._failed(pending, error)
            raise
        self._returned(pending)
        return value

    async def acall(self, name: str, args: Mapping[str, object]) -> Json:
        """Like `call`, awaiting async tools."""
        pending = self._open(name, args)
        try:
            value = await self._guard().arun(pending)
        except BaseException as error:
            self._failed(pending, error)
            raise
        self._returned(pending)
        return value

    def say(self, text: str) -> None:
        """A text to the user."""
        with self._lock:
            hidden = str(self.membrane.hide(text))
            self.said.append(hidden)
            if self.turns:
                self.turns[-1].said.append(hidden)
            self.messages.append({"role": "assistant", "content": hidden})

    def user(self, text: str) -> None:
        """A text of the user: a turn begins."""
        with self._lock:
            hidden = str(self.membrane.hide(text))
            self.turns.append(Turn(user=hidden))
            self.messages.append({"role": "user", "content": hidden})

    def record_message(self, message: JsonObject) -> None:
        """A message as the agent's own loop saw it."""
        with self._lock:
            self.messages.append(self.membrane.hide(message))

    def answered(
        self,
        usage: Usage | None = None,
        cost_usd: Decimal | None = None,
        model: str | None = None,
        *,
        step: bool = True,
        again: bool = False,
    ) -> None:
        """One billed model answer: its tokens and its cost, None where unknown; embeddings and the like are no step.

        `again` says that the same request had been answered before.
        """
        with self._lock:
            self.model_steps += step
            self.usages.append(usage)
            self.costs.append(cost_usd)
            self.charges.append(Charge(model=model, usd=cost_usd, step=self.model_steps if step else None, again=again))
            if model is not None and model not in self.models:
                self.models.append(model)
        if self.audit is not None:
            self.audit.answered(usage, cost_usd, model)
        self.meter.model_answer(usage, cost_usd, step=step)

    def paid(self, usd: Decimal | None) -> None:
        """A live model has answered, at this price; what it was too much is seen at the next call or request."""
        if self.ledger is not None:
            self.ledger.pay(self.suite, usd)

    def spend(self, usd: Decimal) -> None:
        """A live tool is about to be called, at this price; raises where there is no money for it."""
        if self.ledger is not None:
            self._stop_at(self.ledger.spend(self.suite, self._suite_limit, usd))

    def may_spend(self, usd: Decimal | None = _NOTHING) -> None:
        """Raise, and go on raising, when the session or the suite may not spend so much more; None: nobody knows how much."""
        if self.ledger is not None:
            self._stop_at(self.ledger.check(self.suite, self._suite_limit, usd))

    def _stop_at(self, over: BudgetExceeded | None) -> None:
        if over is not None:
            self.labels.add(UNPAID)
            self.meter.exceeded = self.meter.exceeded or over
            raise self.meter.exceeded

    def degraded(self, step: Degrade, limit: str, share: float) -> None:
        """The budget ran low."""
        said = {"model": step.model, "writes": step.writes, "require_approval": step.require_approval}
        taken: JsonObject = {"at": step.at, "of": limit, "share": round(share, 6)}
        taken |= {key: value for key, value in said.items() if value is not None}
        self.degradations.append(taken)
        self.labels.add("degraded")
        if self.audit is not None:
            self.audit.event("budget.soft", {"limit": limit, "share": taken["share"]})
            self.audit.event("degrade", {key: value for key, value in taken.items() if key != "share"})

    def model_request(self, what: str) -> None:
        """A request of the agent's client is about to be answered or sent; raises what ends the run."""
        if self.is_copy:
            raise fork_notes().refuse(self.number, what)
        with self._lock:
            self._refuse_late(what)
        self.may_spend()
        self.meter.check()

    def finish(self, outcome: Outcome, stop: str = "") -> None:
        """How the run ended, where the agent knows better than its return (a transcript that was cut off)."""
        self.finished = (outcome, stop)

    def latch(self, problem: Problem) -> None:
        """Fail the trial, whatever the agent does about it."""
        hidden = Problem(kind=problem.kind, text=str(self.membrane.hide(problem.text)), data=self.membrane.hide(problem.data))
        with self._lock:
            self.problems.append(hidden)

    @property
    def first_miss(self) -> Problem | None:
        """The first call that nothing could answer."""
        return next((problem for problem in self.problems if problem.kind == "miss"), None)

    # ---- the way of one call

    def _guard(self) -> Guard:
        if self.guard is None:
            raise AgentOpsError("the session has no guard yet")
        return self.guard

    @property
    def is_copy(self) -> bool:
        """Whether this is a forked child, with a copy of the session that nobody will look at."""
        return os.getpid() != self._pid

    @property
    def has_forked(self) -> bool:
        """Whether the process forked since the trial began."""
        return fork_notes().forks != self._forks

    def _open(self, name: str, args: Mapping[str, object]) -> Pending:
        if self.is_copy:  # before any lock is taken: the one who held it may not live here
            raise fork_notes().refuse(self.number, name)
        contract = self.contracts.get(name, _NOBODY)
        bad: NotJson | None = None
        try:
            plain = jsonable(dict(args))
        except NotJson as error:
            plain, bad = {}, error
        sensitive = self.sensitive(contract)
        hidden = self.membrane.hide(plain, sensitive)
        call = Call(
            tool=name,
            args=hidden,
            effect=contract.effect,
            ignored=contract.ignored,
            turn=max(0, len(self.turns) - 1),
            step=self.model_steps,
        )
        pending = Pending(call=call, contract=contract, args=hidden, sensitive=sensitive)
        with self._lock:
            self._refuse_late(name)
            self.calls.append(call)
            self._running.append(call)
            if self.turns:
                self.turns[-1].calls.append(call)
        try:
            self.may_spend()
            self.meter.tool_call()
            if bad is not None:
                raise pending.stop(f"{name}: {bad}", decision="invalid", reason="schema_invalid")
        except BaseException as error:
            self._failed(pending, error)
            raise
        return pending

    def sensitive(self, contract: Contract) -> tuple[str, ...]:
        """What of a tool's arguments and results is secret: by its contract, and by the policies' `log` rules."""
        more = self.redacted.get(contract.name)
        return contract.sensitive if more is None else (*contract.sensitive, *more)

    def hidden_act(self, act: JsonObject) -> JsonObject:
        """A human act as files may hold it: what a tool calls sensitive is so in an edit, too."""
        if act.get("edit"):
            keys = self.sensitive(self.contracts.get(act["tool"], _NOBODY))
            act = {**act, "edit": self.membrane.hide(act["edit"], keys)}
        hidden: JsonObject = self.values.fold(self.membrane.hide(act))
        return hidden

    def _refuse_late(self, name: str) -> None:
        if self._closed:
            text = f"{name} was called after the agent had returned; wait for your threads and tasks before returning"
            self.problems.append(Problem(kind="closed", text=text, data={"tool": name}))
            if self.on_late is not None:
                self.on_late(text)
            raise SessionClosed(text)

    def still_open(self, name: str) -> None:
        """Raise where a call that waited, say for a person, would reach its tool when the run is over; `close` has told of it."""
        with self._lock:
            if self._closed:
                raise SessionClosed(f"{name} reaches no tool any more: the agent had returned while it waited")

    def _returned(self, pending: Pending) -> None:
        pending.call.result = pending.result
        self._tool_message(pending.call.tool, pending.result)
        if self.audit is not None:
            self.audit.ended(pending)
        self._done(pending.call)

    def _done(self, call: Call) -> None:
        with self._lock:
            self._running = [other for other in self._running if other is not call]

    def _failed(self, pending: Pending, error: BaseException) -> None:
        call = pending.call
        if isinstance(error, ToolError):
            call.error = call.error or error.error or ErrorInfo(type=error.reason, message=error.message)
            self._tool_message(call.tool, error.as_json())
        elif isinstance(error, (BudgetExceeded, TrialTimeout)):
            call.decision, call.reason = "budget", "budget_exceeded"
            call.error = ErrorInfo(type="budget_exceeded", message=str(error) or "out of time")
        elif isinstance(error, Interrupted):
            call.decision, call.reason = "deny", "approval_unanswered"
            call.error = call.error or ErrorInfo(type="approval_unanswered", message=str(error).partition("\n")[0])
        elif isinstance(error, CassetteMiss):
            call.error = ErrorInfo(type="CassetteMiss", message=str(error.data.get("reason", "miss")))
        else:
            call.error = ErrorInfo(type=type(error).__name__, message=str(self.membrane.hide(str(error))))
        if not call.reached:
            self._stopped(pending, error)
        if self.audit is not None:
            self.audit.ended(pending)
        self._done(call)

    def _stopped(self, pending: Pending, error: BaseException) -> None:
        """A call that the guard stopped while the recorded run made it: from here on the replay is another run."""
        if self.player is None or not isinstance(error, _STOPS):
            return
        tool = pending.call.tool
        self.player.stopped(tool, pending.call.reason or "budget_exceeded")
        edits = self.edits(
            tool, self.values.fold(pending.call.sent or pending.args)
        )  # the recorded run may have made one of them
        if any(self.player.not_made(tool, args) for args in (self.values.fold(pending.args), *edits)):
            self.diverged()

    def answered_again(self, pending: Pending) -> None:
        """An idempotency key came again: where the recorded run had called the tool for it, that recording is not unused."""
        if self.player is not None:
            self.player.repeated(pending.call.tool, self.values.fold(pending.args))

    def beside(self, name: str) -> None:
        """The agent called a tool's function directly: no stage has seen it, so it is refused and fails the trial."""
        if self.is_copy:
            raise fork_notes().refuse(self.number, name)
        text = (
            f"{name} was called beside the guard: the function itself, not the toolbox\n"
            f"  cure: tools.call({name!r}, ...), or tools.functions()[{name!r}] for a framework"
        )
        with self._lock:
            self._refuse_late(name)
        self.latch(Problem(kind="bypass", text=text, data={"tool": name}))
        raise ToolBlocked(text, tool=name, reason="tool_unknown")

    def diverged(self) -> None:
        """The guard made this another run than the recorded one."""
        if self.player is not None:
            self.labels.add("counterfactual")
            self.player.counterfactual()

    def diverged_at_model(self, miss: CassetteMiss) -> None:
        """The guard stopped a call, so the model was asked what the recording does not know: that ends the run."""
        stopped = next((c for c in self.calls if not c.reached), None)
        what = f"{stopped.tool} was stopped ({stopped.reason or stopped.decision})" if stopped else "the guard stopped a call"
        self.cut_off = f"{what}; from there on the recording has no answers of the model"

    def _tool_message(self, name: str, content: Json) -> None:
        with self._lock:
            self.messages.append({"role": "tool", "name": name, "content": content})

    # ---- the end

    def close(self) -> None:
        """The agent has returned: no call is let through any more, and one that still runs is another failure."""
        with self._lock:
            self._closed = True
            running = [] if self.meter.timed_out else [call.tool for call in self._running]
            for name in running:
                text = f"{name} still ran when the agent had returned; wait for your threads and tasks before returning"
                self.problems.append(Problem(kind="closed", text=text, data={"tool": name}))
            if not self._running:  # nobody needs it any more, and it holds the session: memory is free without a collection
                self.guard = None
                self.meter.on_degrade = lambda step, limit, share: None
