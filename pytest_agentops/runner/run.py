"""One trial from the case to the run: set up the session, run the agent, settle what is left, keep the recording."""

from __future__ import annotations

import os
import threading
import time
import traceback
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from ..errors import AgentOpsError, CassetteError, LoadError, NetworkBlocked
from ..redact.membrane import Membrane
from ..schema.run import Problem, Run
from ..tape.cassette import ToolsCassette, read
from ..tape.player import Player
from ..tape.recorder import Recorder
from ..tape.store import folder_for
from ..tape.values import TrialValues
from ..tools.toolbox import Toolbox
from .answers import TapeAnswers
from .budget import BudgetMeter
from .conversation import converse, turns_of
from .guard import Guard
from .invoke import AgentLoop, ToolLoop, wait_for_threads
from .modes import Plan, has_recording, plan
from .network import network_guard
from .session import Session
from .setting import Setting, Trial
from .settle import ended, settle
from .stages import BudgetStage, ContractStage
from .surroundings import offline
from .trace import trace_of

__all__ = ["Trial", "run_trial"]

_PASSING = (KeyboardInterrupt, pytest.exit.Exception)
"""What ends the session, not the trial: a person's Ctrl-C, or leaving the debugger."""


def run_trial(trial: Trial) -> Run:
    """Run the agent once; never raises for what the agent, the tools or the recording did wrong: the run says so."""
    started = time.perf_counter()
    case = trial.case
    folder = folder_for(trial.cassettes, case.suite, case.name, trial.number)
    chosen = plan(trial.mode, trial.record, recorded=has_recording(folder))
    task = case.fields.task or turns_of(case.fields.turns or ("",))[0]
    run = Run(trial=trial.number, mode=chosen.mode, task=str(Membrane(os.environ).hide(task)))
    run.cassette = f"{trial.cassettes.name}/{folder.parent.name}/{folder.name}"
    try:
        with _surroundings(trial, chosen):
            setting = _set_up(trial, chosen, folder)
            _perform(setting, run)
            setting.session.on_late = trial.on_late
    except (AgentOpsError, OSError) as error:
        _not_started(run, error)
    run.duration_s = time.perf_counter() - started
    return run


def _surroundings(trial: Trial, chosen: Plan) -> AbstractContextManager[None]:
    if chosen.live:
        return nullcontext()
    network = trial.case.fields.network
    return offline(network.allow if network else ())


def _not_started(run: Run, error: Exception) -> None:
    run.outcome = "error"
    text = str(Membrane(os.environ).hide(str(error)))
    run.stop = text
    run.problems.append(Problem(kind="cassette" if isinstance(error, CassetteError) else "setup", text=text))


def _set_up(trial: Trial, chosen: Plan, folder: Path) -> Setting:
    case = trial.case
    cassette = _cassette(trial, folder) if chosen.replay else None
    network_guard().drain()
    toolbox = _make_toolbox(trial, chosen)
    contracts = toolbox.contracts
    membrane = Membrane(os.environ)
    for known in (case.fields.task, case.fields.setup):
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
    tool_loop = ToolLoop()
    answers = TapeAnswers(
        plan=chosen,
        toolbox=toolbox,
        membrane=membrane,
        values=values,
        player=player,
        recorder=recorder,
        latch=session.latch,
        run_async=tool_loop.run,
    )
    session.guard = Guard((ContractStage(contracts, enforce=trial.enforce_contracts), BudgetStage(meter)), answers)
    return Setting(
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
        agent_loop=AgentLoop(),
        tool_loop=tool_loop,
        before=toolbox.snapshot() if chosen.live else None,
    )


def _cassette(trial: Trial, folder: Path) -> ToolsCassette:
    case = trial.case
    shown = f"{trial.cassettes.name}/{folder.parent.name}/{folder.name}/tools.yaml"
    cassette = read(folder / "tools.yaml", case=f"{case.suite}/{case.name}", shown=shown, cache=trial.cache)
    if "model" in cassette.layers or cassette.pins.model is not None:
        raise CassetteError("it has a model layer, which this version cannot replay", path=shown, cure="upgrade pytest-agentops")
    return cassette


def _make_toolbox(trial: Trial, chosen: Plan) -> Toolbox:
    """The trial's tools. In replay they are made for their contracts alone, with no network."""
    try:
        return trial.make_toolbox()
    except BaseException as error:  # pytest.skip() in a factory too: a case cannot be skipped from inside
        if isinstance(error, _PASSING):
            raise
        if isinstance(error, AgentOpsError) and not isinstance(error, NetworkBlocked):
            raise
        frame = traceback.extract_tb(error.__traceback__)[-1]
        text = f"the tools could not be made: {type(error).__name__}: {error} ({Path(frame.filename).name}:{frame.lineno})"
        if not chosen.live:
            text += (
                "\n  cure: in replay a factory is called for its contracts only: connect on first use, inside a tool, "
                "or declare the tools in YAML (contracts:)"
            )
        raise LoadError(text) from error


def _perform(setting: Setting, run: Run) -> None:
    session = setting.session
    threads = set(threading.enumerate())
    setting.meter.start()
    failure: BaseException | None = None
    try:
        run.output = converse(setting)
    except _PASSING:
        session.close()
        raise
    except BaseException as error:  # TrialTimeout, sys.exit() and pytest.skip() in an agent are its failures, too
        failure = error
        run.error = trace_of(error)
    setting.agent_loop.close()
    wait_for_threads(threads, besides=setting.tool_loop.thread)
    session.close()
    setting.tool_loop.close()
    ended(setting, run, failure)
    settle(setting, run)
