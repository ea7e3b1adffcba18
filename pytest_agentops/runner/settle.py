"""After the agent: how the run ended, what was left unplayed, what it cost, and whether the recording is kept."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from ..errors import BudgetExceeded, CassetteError, CassetteMiss, SecretFound, ToolBlocked, ToolError, ToolRejected
from ..schema.pins import Pins, contract_digest
from ..schema.run import Problem, Run, State, Usage
from ..tape.stale import staleness
from ..tape.store import save, save_partial
from .budget import TrialTimeout
from .network import network_guard

if TYPE_CHECKING:
    from .run import Stage


def ended(stage: Stage, run: Run, failure: BaseException | None) -> None:
    """The run's outcome and the sentence on why it stopped; what the guard latched wins over what the agent made of it."""
    meter, session = stage.meter, stage.session
    if meter.timed_out or isinstance(failure, TrialTimeout):
        run.outcome, run.stop = "timed_out", f"the trial's {meter.seconds:g} seconds were over (budget.seconds)"
    elif meter.exceeded is not None or isinstance(failure, BudgetExceeded):
        run.outcome, run.stop = "budget_exceeded", str(meter.exceeded or failure)
    elif isinstance(failure, (ToolBlocked, ToolRejected)):
        run.outcome, run.stop = "blocked", f"the agent did not catch: {failure}"
    elif failure is not None:
        run.outcome, run.stop = "error", _failure_sentence(failure)
    elif session.finished is not None:
        run.outcome, run.stop = session.finished
    if run.outcome != "error":
        run.error = None
    elif run.error is not None:
        run.error = str(session.membrane.hide(run.error))


def _failure_sentence(failure: BaseException) -> str:
    if isinstance(failure, CassetteMiss):
        return f"the recording had no answer ({failure.data.get('reason', 'miss')})"
    if isinstance(failure, ToolError):
        return f"the agent did not catch the tool's error: {failure}"
    return f"the agent raised {type(failure).__name__}: {failure}"


def settle(stage: Stage, run: Run) -> None:
    """Fill in the rest of the run."""
    session = stage.session
    run.calls, run.messages, run.said, run.turns = session.calls, session.messages, session.said, session.turns
    run.model_steps = len(session.usages)
    _network(stage, run)
    _state(stage, run)
    _unused(stage, run)
    _pins(stage, run)
    _cost(stage, run)
    run.problems = session.problems
    if stage.plan.write:
        _keep(stage, run)
    labels = set(session.labels)
    if any(call.source == "stub" for call in run.calls):
        labels.add("stub")
    if stage.player is not None and stage.player.racy:
        labels.add("racy")
    run.labels = sorted(labels)


def _network(stage: Stage, run: Run) -> None:
    blocked, children = network_guard().drain()
    for address in dict.fromkeys(blocked):
        text = (
            f"network is off in replay, and the run tried to connect to {address}\n"
            "  cure: reach it inside a tool (its answer is recorded), or allow it in the case: "
            f'network: {{allow: ["{address}"]}}'
        )
        stage.session.latch(Problem(kind="network", text=text, data={"address": address}))
    if children and not stage.plan.live:
        stage.session.labels.add("child_process")


def _state(stage: Stage, run: Run) -> None:
    if stage.plan.live and stage.player is None:
        snapshot = stage.toolbox.snapshot()
        if snapshot is None:
            run.state = State()
        else:
            after = stage.session.values.fold(stage.session.membrane.hide(snapshot))
            run.state = State(before=stage.before, after=after, known=True, why="")
        return
    cassette, player = stage.cassette, stage.player
    if cassette is None or player is None or not cassette.has_state:
        return
    why = _state_unknown(stage)
    run.state = State(before=cassette.state_before, after=cassette.state_after, known=not why, why=why)
    if run.turns and not why:
        run.turns[-1].state = run.state


def _state_unknown(stage: Stage) -> str:
    """Why the recorded state is not this run's state; empty if it is."""
    player = stage.player
    if player is None:
        return "no recording"
    if "counterfactual" in stage.session.labels:
        return "the guard stopped a call that the recorded run had made"
    if stage.answers.live_writes:
        return "a write ran live beside the replayed calls"
    left = [r.tool for r in player.unused() if stage.session.contracts[r.tool].writes] if player.known_tools else []
    if left:
        return f"recorded calls that change state were not made: {', '.join(left)}"
    return ""


def _unused(stage: Stage, run: Run) -> None:
    player = stage.player
    if player is None or stage.plan.write:
        return
    how = stage.trial.case.fields.replay
    policy = how.unused if how else "error"
    if any(p.kind == "miss" for p in stage.session.problems):
        return  # the miss report lists what was not played; a second report would only repeat it
    left = player.unused()
    if not left or "counterfactual" in stage.session.labels:
        return
    writes = [r for r in left if player.writes(r)]
    fatal = writes if policy != "error" else left
    for recordings, kind in ((fatal, "unused"), ([r for r in left if r not in fatal], "unused_warning")):
        if recordings and not (kind == "unused_warning" and policy == "ignore"):
            stage.session.latch(Problem(kind=kind, text=player.unused_report(recordings), data={"count": len(recordings)}))  # type: ignore[arg-type]


def _pins(stage: Stage, run: Run) -> None:
    contracts = stage.session.contracts
    called = sorted({call.tool for call in run.calls if call.reached and call.tool in contracts})
    run.pins = Pins(tools={name: contract_digest(contracts[name]) for name in called})
    if stage.cassette is None:
        return
    for sentence, fatal in staleness(stage.cassette, contracts):
        run.stale.append(sentence)
        if fatal:
            stage.session.latch(Problem(kind="cassette", text=sentence))


def _cost(stage: Stage, run: Run) -> None:
    session, model = stage.session, stage.trial.case.fields.model
    tools = sum(
        (stage.session.contracts[c.tool].cost_usd or Decimal(0) for c in run.calls if c.reached and c.tool in session.contracts),
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
    run.usage = Usage(input=sum(u.input for u in known), output=sum(u.output for u in known))


def _keep(stage: Stage, run: Run) -> None:
    """Write the recording where the agent ended by itself or was stopped by the guard; else leave the old one and say so."""
    recorder, session = stage.recorder, stage.session
    if recorder is None or (stage.player is not None and not recorder.added):
        return
    cassette = recorder.cassette(
        case=f"{stage.trial.case.suite}/{stage.trial.case.name}",
        pins=run.pins or Pins(),
        values=session.values,
        before=stage.cassette if stage.player is not None else None,
        state=run.state if run.state.known else None,
    )
    path = stage.folder / "tools.yaml"
    expected = stage.trial.case.fields.expect
    crashed = run.outcome == "error" and not (expected and expected.outcome == "error") and path.exists()
    try:
        if stage.answers.broken or run.outcome == "timed_out" or crashed or any(p.kind == "miss" for p in session.problems):
            save_partial(path, cassette, session.membrane.scan)
            session.labels.add("not_recorded")
        elif save(path, cassette, session.membrane.scan):
            session.labels.add("recorded")
    except SecretFound as error:
        session.latch(Problem(kind="secret", text=str(error)))
    except (CassetteError, OSError) as error:
        session.latch(Problem(kind="cassette", text=str(error)))
