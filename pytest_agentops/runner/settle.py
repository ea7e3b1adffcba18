"""After the agent: how the run ended, what was left unplayed, what it cost, and whether the recording is kept."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BudgetExceeded, CassetteError, CassetteMiss, SecretFound, ToolBlocked, ToolError, ToolRejected
from ..schema.pins import Pins, contract_digest
from ..schema.run import Problem, Run, Usage
from ..tape.stale import staleness
from ..tape.store import save, save_partial
from .budget import TrialTimeout
from .network import network_guard
from .state import settle_state

if TYPE_CHECKING:
    from .setting import Setting


def ended(setting: Setting, run: Run, failure: BaseException | None) -> None:
    """The run's outcome and the sentence on why it stopped; what the guard latched wins over what the agent made of it."""
    meter, session = setting.meter, setting.session
    cause = _cause(failure)
    if meter.timed_out or isinstance(cause, TrialTimeout):
        run.outcome, run.stop = "timed_out", f"the trial's {meter.seconds:g} seconds were over (budget.seconds)"
    elif meter.exceeded is not None or isinstance(cause, BudgetExceeded):
        run.outcome, run.stop = "budget_exceeded", str(meter.exceeded or cause)
    elif isinstance(cause, (ToolBlocked, ToolRejected)):
        run.outcome, run.stop = "blocked", f"the agent did not catch: {cause}"
    elif cause is not None:
        run.outcome, run.stop = "error", _failure_sentence(cause)
    elif session.finished is not None:
        run.outcome, run.stop = session.finished
    if run.outcome != "error" or isinstance(cause, CassetteMiss):  # a miss has its report: a traceback would repeat it
        run.error = None
    elif run.error is not None:
        run.error = str(session.membrane.hide(run.error))
    run.stop = None if run.stop is None else str(session.membrane.hide(run.stop))


def _cause(failure: BaseException | None) -> BaseException | None:
    """What the agent failed with; of a task group's failures the guard's own, else the only one."""
    if not isinstance(failure, BaseExceptionGroup):
        return failure
    causes = [_cause(inner) for inner in failure.exceptions]
    ours = [c for c in causes if isinstance(c, (TrialTimeout, BudgetExceeded, CassetteMiss, ToolBlocked, ToolRejected))]
    return ours[0] if ours else causes[0] if len(causes) == 1 else failure


def _failure_sentence(failure: BaseException) -> str:
    if isinstance(failure, CassetteMiss):
        return f"the recording had no answer ({failure.data.get('reason', 'miss')})"
    if isinstance(failure, ToolError):
        return f"the agent did not catch the tool's error: {failure}"
    return f"the agent raised {type(failure).__name__}: {failure}"


def settle(setting: Setting, run: Run) -> None:
    """Fill in the rest of the run."""
    session = setting.session
    run.calls, run.messages, run.said, run.turns = session.calls, session.messages, session.said, session.turns
    run.problems = session.problems  # the list itself: a call after the end is seen as long as anybody looks
    run.model_steps = len(session.usages)
    run.setup_read = session.setup_read
    if run.outcome == "timed_out" and setting.player is not None and setting.player.unused():
        session.diverged()  # what was not made in time is not unused
    _network(setting, run)
    settle_state(setting, run)
    _unused(setting, run)
    _pins(setting, run)
    _cost(setting, run)
    if setting.plan.write:
        _keep(setting, run)
    labels = set(session.labels)
    if any(call.source == "stub" for call in run.calls):
        labels.add("stub")
    if setting.player is not None and setting.player.racy:
        labels.add("racy")
    run.labels = sorted(labels)


def _network(setting: Setting, run: Run) -> None:
    blocked, children = network_guard().drain()
    for address in dict.fromkeys(blocked):
        text = (
            f"network is off in replay, and the run tried to connect to {address}\n"
            "  cure: reach it inside a tool (its answer is recorded), or allow it in the case: "
            f'network: {{allow: ["{address}"]}}'
        )
        setting.session.latch(Problem(kind="network", text=text, data={"address": address}))
    if children and not setting.plan.live:
        setting.session.labels.add("child_process")


def _unused(setting: Setting, run: Run) -> None:
    player = setting.player
    if player is None:
        return
    how = setting.trial.case.fields.replay
    policy = how.unused if how else "error"
    if any(p.kind == "miss" for p in setting.session.problems):
        return  # the miss report lists what was not played; a second report would only repeat it
    expected = setting.trial.case.fields.expect
    if run.outcome in ("timed_out", "budget_exceeded") and (expected is None or expected.outcome != run.outcome):
        return  # the case fails for being stopped; what was not reached says nothing more
    left = player.unused()
    writes = [r for r in left if player.writes(r)]
    if setting.plan.write or "counterfactual" in setting.session.labels:
        left = writes  # reads may fall away behind a stopped call, or be replaced by new episodes; writes never silently
    fatal = writes if policy != "error" else left
    for recordings, kind in ((fatal, "unused"), ([r for r in left if r not in fatal], "unused_warning")):
        if recordings and not (kind == "unused_warning" and policy == "ignore"):
            setting.session.latch(Problem(kind=kind, text=player.unused_report(recordings), data={"count": len(recordings)}))  # type: ignore[arg-type]


def _pins(setting: Setting, run: Run) -> None:
    contracts = setting.session.contracts
    called = sorted({call.tool for call in run.calls if call.reached and call.tool in contracts})
    run.pins = Pins(tools={name: contract_digest(contracts[name]) for name in called})
    if setting.cassette is None:
        return
    for sentence, fatal in staleness(setting.cassette, contracts):
        run.stale.append(sentence)
        if fatal:
            setting.session.latch(Problem(kind="cassette", text=sentence))


def _cost(setting: Setting, run: Run) -> None:
    session, model = setting.session, setting.trial.case.fields.model
    tools = sum(
        (
            setting.session.contracts[c.tool].cost_usd or Decimal(0)
            for c in run.calls
            if c.reached and c.tool in session.contracts
        ),
        Decimal(0),
    )
    if not session.usages and model is not None:
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
    run.usage = Usage(input=sum(u.input for u in known), output=sum(u.output for u in known))


def _keep(setting: Setting, run: Run) -> None:
    """Write the recording where the agent ended by itself or was stopped by the guard; else leave the old one and say so."""
    recorder, session = setting.recorder, setting.session
    if recorder is None or (setting.player is not None and not recorder.added):
        return
    cassette = recorder.cassette(
        case=f"{setting.trial.case.suite}/{setting.trial.case.name}",
        pins=run.pins or Pins(),
        values=session.values,
        before=setting.cassette if setting.player is not None else None,
        state=run.state if run.state.known else None,
    )
    path = setting.folder / "tools.yaml"
    try:
        if not _is_good(setting, run, path):
            save_partial(path, cassette, session.membrane.scan)
            session.labels.add("not_recorded")
        elif save(path, cassette, session.membrane.scan):
            session.labels.add("recorded")
    except SecretFound as error:
        session.latch(Problem(kind="secret", text=str(error)))
    except (CassetteError, OSError) as error:
        session.latch(Problem(kind="cassette", text=str(error)))


def _is_good(setting: Setting, run: Run, path: Path) -> bool:
    """Whether the run ended in a way that makes its recording worth replaying."""
    if setting.answers.broken or any(p.kind in ("miss", "closed") for p in setting.session.problems):
        return False
    expect = setting.trial.case.fields.expect
    if run.outcome == (expect.outcome if expect and expect.outcome else "completed"):
        return True
    # an agent that crashed has no good recording to spoil, if it is the first
    return not path.exists() if run.outcome == "error" else run.outcome != "timed_out"
