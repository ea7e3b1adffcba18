"""One trial from the case to the run: set up the session, run the agent, settle what is left, keep the recording."""

from __future__ import annotations

import os
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import AgentOpsError, CassetteError
from ..redact.membrane import Membrane
from ..schema.case import Case, Principal, Turn
from ..schema.parsed import ParsedCache
from ..schema.run import Mode, Problem, Run, State
from ..schema.values import Json, NotJson, jsonable
from ..tape.cassette import ToolsCassette, read
from ..tape.player import Player
from ..tape.recorder import Recorder
from ..tape.store import folder_for
from ..tape.values import TrialValues
from ..tools.toolbox import Toolbox
from .answers import TapeAnswers
from .budget import BudgetMeter
from .guard import Guard
from .invoke import ToolLoop, call_agent, wait_for_threads
from .modes import Plan, Record, plan
from .network import network_guard
from .session import Session
from .settle import ended, settle
from .stages import BudgetStage, ContractStage
from .surroundings import offline
from .task import Task


@dataclass(slots=True, kw_only=True)
class Trial:
    """Everything one trial needs; the doors fill it in."""

    case: Case
    number: int
    agent: Callable[..., Any]
    """``agent(task, tools)``; with a true attribute `plays_user` it brings the user's messages itself (a transcript)."""
    make_toolbox: Callable[[], Toolbox]
    mode: Mode
    record: Record
    cassettes: Path
    """The cassettes' root folder."""
    enforce_contracts: bool = True
    cache: ParsedCache | None = None
    """Parsed recordings of earlier sessions."""


@dataclass(slots=True, kw_only=True)
class Stage:
    """One trial, set up: what the parts below share."""

    trial: Trial
    plan: Plan
    folder: Path
    cassette: ToolsCassette | None
    toolbox: Toolbox
    session: Session
    meter: BudgetMeter
    player: Player | None
    recorder: Recorder | None
    answers: TapeAnswers
    loop: ToolLoop
    before: Json = None
    """The toolbox's state before the agent ran, on the placeholder side; None where it is not live."""


def run_trial(trial: Trial) -> Run:
    """Run the agent once; never raises for what the agent, the tools or the recording did wrong: the run says so."""
    started = time.perf_counter()
    case = trial.case
    folder = folder_for(trial.cassettes, case.suite, case.name, trial.number)
    chosen = plan(trial.mode, trial.record, recorded=(folder / "tools.yaml").exists())
    run = Run(trial=trial.number, mode=chosen.mode, task=_task_text(case))
    run.cassette = os.path.relpath(folder, trial.cassettes.parent).replace(os.sep, "/")
    try:
        with _surroundings(trial, chosen):
            stage = _set_up(trial, chosen, folder)
            _perform(stage, run)
    except (AgentOpsError, OSError) as error:
        _not_started(run, error)
    run.duration_s = time.perf_counter() - started
    return run


def _task_text(case: Case) -> str:
    turns = case.fields.turns
    if case.fields.task is not None or not turns:
        return case.fields.task or ""
    return turns[0].user if isinstance(turns[0], Turn) else turns[0]


def _surroundings(trial: Trial, chosen: Plan) -> AbstractContextManager[None]:
    if chosen.live:
        return nullcontext()
    network = trial.case.fields.network
    return offline(network.allow if network else ())


def _not_started(run: Run, error: Exception) -> None:
    kind = "cassette" if isinstance(error, CassetteError) else "setup"
    run.outcome = "error"
    run.stop = str(error)
    run.problems.append(Problem(kind=kind, text=str(error)))  # type: ignore[arg-type]


def _set_up(trial: Trial, chosen: Plan, folder: Path) -> Stage:
    case = trial.case
    cassette = read(folder / "tools.yaml", case=f"{case.suite}/{case.name}", cache=trial.cache) if chosen.replay else None
    network_guard().drain()
    toolbox = trial.make_toolbox()
    contracts = toolbox.contracts
    membrane = Membrane(os.environ)
    for known in (_task_text(case), case.fields.setup):
        membrane.hide(known)  # secrets that the case itself names get the same placeholder in every mode
    replayed = cassette if not chosen.live else None
    values = TrialValues(
        live=chosen.live,
        clock=case.fields.clock or (replayed.clock if replayed else None),
        seed=replayed.seed if replayed else None,
    )
    how = case.fields.replay
    player = Player(cassette, contracts, order=how.order if how else "any") if cassette else None
    recorder = Recorder() if chosen.write else None
    meter = BudgetMeter(case.fields.budget)
    session = Session(contracts=contracts, membrane=membrane, values=values, meter=meter, folder=folder, player=player)
    loop = ToolLoop()
    answers = TapeAnswers(
        plan=chosen,
        toolbox=toolbox,
        membrane=membrane,
        values=values,
        player=player,
        recorder=recorder,
        latch=session.latch,
        run_async=loop.run,
    )
    stages = (ContractStage(contracts, enforce=trial.enforce_contracts), BudgetStage(meter))
    session.guard = Guard(stages, answers)
    return Stage(
        trial=trial,
        plan=chosen,
        folder=folder,
        cassette=cassette,
        toolbox=toolbox.bind(session),
        session=session,
        meter=meter,
        player=player,
        recorder=recorder,
        answers=answers,
        loop=loop,
    )


def _perform(stage: Stage, run: Run) -> None:
    session = stage.session
    threads = set(threading.enumerate())
    if stage.plan.live:
        stage.before = _snapshot(stage)
    stage.meter.start()
    failure: BaseException | None = None
    try:
        run.output = _converse(stage)
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # TrialTimeout and an agent's own BaseExceptions too
        failure = error
        run.error = "".join(traceback.format_exception(error))
    wait_for_threads(threads)
    session.close()
    stage.loop.close()
    ended(stage, run, failure)
    settle(stage, run)


def _converse(stage: Stage) -> Json:
    """The turns, each a call of the agent with the conversation so far; the last reply is the output."""
    case = stage.trial.case
    turns = case.fields.turns or (case.fields.task or "",)
    output: Json = None
    for turn in turns:
        text = turn.user if isinstance(turn, Turn) else turn
        if not getattr(stage.trial.agent, "plays_user", False):
            stage.session.user(text)
        output = _one_turn(stage, text)
        if stage.plan.live and stage.session.turns:
            stage.session.turns[-1].state = State(before=stage.before, after=_snapshot(stage), known=True, why="")
    return output


def _one_turn(stage: Stage, text: str) -> Json:
    fields = stage.trial.case.fields
    session = stage.session
    task = Task(
        text=text,
        messages=[dict(m) for m in session.messages if m.get("role") in ("user", "assistant")],
        model=fields.model,
        prompt=fields.prompt,
        context=fields.context or {},
        setup=fields.setup or {},
        principal=fields.principal or Principal(),
        thread=f"{stage.trial.case.suite}/{stage.trial.case.name}.t{stage.trial.number}",
        session=session,
    )
    value = call_agent(stage.trial.agent, (task, stage.toolbox), stage.meter)
    try:
        plain = jsonable(value)
    except NotJson as error:
        text = f"the agent returned what JSON cannot say: {error}\n  cure: return text, a JSON value, or None"
        session.latch(Problem(kind="agent", text=text))
        return None
    hidden = session.membrane.hide(plain)
    if isinstance(hidden, str) and not getattr(stage.trial.agent, "plays_user", False):
        session.say(hidden)
    return hidden


def _snapshot(stage: Stage) -> Json:
    state = stage.toolbox.snapshot()
    return None if state is None else stage.session.values.fold(stage.session.membrane.hide(state))
