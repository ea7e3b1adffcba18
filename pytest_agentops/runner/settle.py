"""After the agent: how the run ended, what was left unplayed, what it cost, and whether the recording is kept."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from ..errors import BudgetExceeded, CassetteMiss, Interrupted, ToolBlocked, ToolError, ToolRejected
from ..schema import money
from ..schema.bill import Bill
from ..schema.run import BudgetUse, Problem, ProblemKind, Run, Usage
from ..schema.values import JsonObject
from ..tape.cassette import record_command
from .budget import TrialTimeout
from .forks import fork_notes
from .governance import report_unused
from .keep import keep, settle_pins
from .network import network_guard, refused
from .state import settle_state

if TYPE_CHECKING:
    from .setting import Setting


def ended(setting: Setting, run: Run, failure: BaseException | None) -> None:
    """The run's outcome and the sentence on why it stopped; what the guard latched wins over what the agent made of it."""
    meter, session = setting.meter, setting.session
    cause = _cause(failure)
    if session.missed_model and isinstance(cause, Exception):
        cause = session.missed_model  # whatever the SDK made of it
    if meter.timed_out or isinstance(cause, TrialTimeout):
        run.outcome, run.stop = "timed_out", f"the trial's {meter.seconds:g} seconds were over (budget.seconds)"
    elif meter.interrupted is not None or isinstance(cause, Interrupted):
        run.outcome, run.stop = "interrupted", _question(meter.interrupted or cause)
    elif meter.exceeded is not None or isinstance(cause, BudgetExceeded):
        run.outcome, run.stop = "budget_exceeded", str(meter.exceeded or cause)
    elif session.cut_off is not None:
        run.outcome, run.stop = "blocked", session.cut_off
    elif isinstance(cause, (ToolBlocked, ToolRejected)):
        run.outcome, run.stop = "blocked", f"the agent did not catch: {cause}"
    elif cause is not None:
        run.outcome, run.stop = "error", _failure_sentence(cause, session.first_miss)
    elif session.finished is not None:
        run.outcome, run.stop = session.finished
    if setting.plan.swapped and session.first_miss is not None:
        # how the new model would have gone on nobody knows: that is no failure of its own
        run.outcome = "unanswerable"
        run.stop = _miss_sentence(session.first_miss.data)
    if run.outcome != "error" or isinstance(cause, CassetteMiss):  # a miss has its report: a traceback would repeat it
        run.error = None
    elif run.error is not None:
        run.error = str(session.membrane.hide(run.error))
    run.stop = None if run.stop is None else str(session.membrane.hide(run.stop))


def _question(error: BaseException | None) -> str:
    """Whom a call needed, and how a case answers for them."""
    cure = error.cure if isinstance(error, Interrupted) else ""
    return f"{error}\n{cure}" if cure else str(error)


_OURS = (TrialTimeout, BudgetExceeded, Interrupted, CassetteMiss, ToolBlocked, ToolRejected)


def _cause(failure: BaseException | None) -> BaseException | None:
    """What the agent failed with: the guard's own error where an SDK wrapped it; of a task group's failures the guard's own,
    else the only one.
    """
    if not isinstance(failure, BaseExceptionGroup):
        inner = failure
        while inner is not None and not isinstance(inner, _OURS):
            inner = inner.__cause__
        return failure if inner is None else inner
    causes = [_cause(inner) for inner in failure.exceptions]
    ours = [c for c in causes if isinstance(c, _OURS)]
    return ours[0] if ours else causes[0] if len(causes) == 1 else failure


def _failure_sentence(failure: BaseException, first: Problem | None) -> str:
    if isinstance(failure, CassetteMiss):  # of several, the first: what came after follows from it
        return _miss_sentence(first.data if first is not None else failure.data)
    if isinstance(failure, ToolError):
        kind = f"{failure.error.type}: " if failure.error is not None else ""
        return f"the agent did not catch the error of {failure.tool}: {kind}{failure}"
    return f"the agent raised {type(failure).__name__}: {failure}"


def _miss_sentence(data: JsonObject) -> str:
    reason = data.get("reason", "miss")
    what = data.get("tool") or (f"{data['method']} {data['path']}" if "path" in data else "a call")
    if reason == "no-answer":
        return f"no canned answer fits {what}"
    return f"the recording had no answer for {what} ({reason})"


def settle(setting: Setting, run: Run) -> None:
    """Fill in the rest of the run."""
    session = setting.session
    run.calls, run.messages, run.said, run.turns = session.calls, session.messages, session.said, session.turns
    run.problems = session.problems  # the list itself: a call after the end is seen as long as anybody looks
    run.model_steps = session.model_steps
    run.setup_read = session.setup_read
    run.membrane = session.membrane
    if run.outcome == "timed_out" and setting.player is not None and setting.player.unused():
        session.diverged()  # what was not made in time is not unused
    _network(setting, run)
    _forked(setting)
    settle_state(setting, run)
    if _expects_all(setting, run):
        _unused(setting)
        _unused_model(setting)
    settle_pins(setting, run)
    _cost(setting, run)
    _governed(setting, run)
    keep(setting, run)
    labels = set(session.labels)
    if any(call.source == "stub" for call in run.calls):
        labels.add("stub")
    if setting.answers.dry_runs:
        labels.add("dry_run")
    players = (setting.player, setting.model.player if setting.model else None)
    if any(player is not None and player.racy for player in players):
        labels.add("racy")
    run.labels = sorted(labels)


def _governed(setting: Setting, run: Run) -> None:
    """What humans did, what became of the budget; and the end of the trial in the audit log."""
    session, governance, meter = setting.session, setting.governance, setting.meter
    if governance.desk is not None:
        run.interventions = [session.hidden_act(act) for act in governance.desk.interventions]
        report_unused(governance, session)
    over = "seconds" if meter.timed_out else meter.exceeded.what if meter.exceeded is not None else None
    run.budget = BudgetUse(exceeded=over, degraded=tuple(session.degradations), share=meter.share())
    if session.audit is not None:
        if over is not None:
            session.audit.event("budget.hard", {"limit": over})
        session.audit.close({"outcome": run.outcome, "cost_usd": money.text(run.cost_usd), "pins": {"policy": governance.pin}})


def _network(setting: Setting, run: Run) -> None:
    blocked, children = network_guard().drain()
    more = ""
    if setting.model is None and setting.cassette is not None:
        more = f"\n  or, if that is its model, which the recorded run did not ask: {record_command(setting.folder.name)}"
    for address in dict.fromkeys(blocked):
        setting.session.latch(Problem(kind="network", text=refused("the run", address) + more, data={"address": address}))
    if children and not setting.plan.live:
        setting.session.labels.add("child_process")


def _forked(setting: Setting) -> None:
    for tool, text in fork_notes().take(setting.session.number):
        setting.session.latch(Problem(kind="forked", text=text, data={"tool": tool}))


def _expects_all(setting: Setting, run: Run) -> bool:
    """Whether what was not played says anything more than the run's failure does."""
    if any(p.kind == "miss" for p in setting.session.problems):
        return False  # the miss report lists what was not played; a second report would only repeat it
    expected = setting.trial.case.fields.expect
    return run.outcome not in ("timed_out", "budget_exceeded", "interrupted") or (
        expected is not None and expected.outcome == run.outcome
    )


def _unused(setting: Setting) -> None:
    player = setting.player
    if player is None:
        return
    policy = _policy(setting)
    left = player.unused()
    writes = [r for r in left if player.writes(r)]
    if setting.plan.live or "counterfactual" in setting.session.labels:
        # reads may fall away behind a stopped call, with another model, or for new episodes; writes never silently
        left = writes
    fatal = writes if policy != "error" else left
    for recordings, kind in ((fatal, "unused"), ([r for r in left if r not in fatal], "unused_warning")):
        if recordings and not (kind == "unused_warning" and policy == "ignore"):
            setting.session.latch(Problem(kind=kind, text=player.unused_report(recordings), data={"count": len(recordings)}))  # type: ignore[arg-type]


def _unused_model(setting: Setting) -> None:
    """Recorded requests that were not made; behind a stopped call, or beside new episodes, they may fall away."""
    layer, policy = setting.model, _policy(setting)
    if layer is None or layer.player is None or setting.plan.model.live or "counterfactual" in setting.session.labels:
        return
    left = layer.unused()
    if left and policy != "ignore":
        kind: ProblemKind = "unused" if policy == "error" else "unused_warning"
        setting.session.latch(Problem(kind=kind, text=layer.player.unused_report(left), data={"count": len(left)}))


def _policy(setting: Setting) -> Literal["error", "warn", "ignore"]:
    how = setting.trial.case.fields.replay
    return how.unused if how else "error"


def _cost(setting: Setting, run: Run) -> None:
    session, model = setting.session, setting.trial.case.fields.model
    asked_for = {
        number: session.contracts[call.tool].cost_usd or Decimal(0)
        for number, call in enumerate(run.calls)
        if call.reached and call.tool in session.contracts
    }
    tools = sum(asked_for.values(), Decimal(0))
    run.bill = Bill(
        answers=session.charges, stated_usd=session.stated_cost, calls={n: usd for n, usd in asked_for.items() if usd}
    )
    if session.missed_model is not None:
        return  # what the rest of the run would have cost nobody knows
    asked = setting.model is not None and bool(setting.model.requests)
    if not session.usages and model is not None and not asked:
        session.labels.add("model_never_seen")
        return
    by_model = session.stated_cost
    if by_model is None and None not in session.costs:
        by_model = sum((c for c in session.costs if c is not None), Decimal(0))
    run.cost_usd = None if by_model is None else by_model + tools
    if any(u is None and c is None for u, c in zip(session.usages, session.costs, strict=True)):
        return
    known = [u for u in session.usages if u is not None]
    if session.usages and not known:
        return
    run.usage = sum(known, Usage(input=0, output=0))
