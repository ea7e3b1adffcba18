"""Setting a trial up: its recording, its tools, its guard, its model layer."""

from __future__ import annotations

import datetime as dt
import sys
import traceback
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..errors import AgentOpsError, LoadError, MissingCassette, NetworkBlocked
from ..redact.membrane import Membrane
from ..schema.pins import Pins
from ..tape.cassette import ToolsCassette, missing, read
from ..tape.player import Player
from ..tape.recorder import Recorder
from ..tape.store import folder_for
from ..tape.values import TrialValues
from ..tools.toolbox import Toolbox
from .answers import TapeAnswers
from .budget import BudgetMeter
from .governance import govern, hidden_again, policy_pin, redacted_fields
from .guard import Guard
from .invoke import AgentLoop, ToolLoop
from .model import ModelLayer
from .modes import Plan, has_recording
from .network import network_guard
from .session import Session
from .setting import Setting, Trial
from .surroundings import offline

if TYPE_CHECKING:
    from ..tape.model.exchange import ModelCassette

_LEAVING = "Quitting debugger"
"""What pytest says when a person leaves its debugger."""


def ends_the_session(error: BaseException) -> bool:
    """A person's Ctrl-C, or leaving the debugger; pytest.exit() in an agent is the trial's failure, like sys.exit()."""
    left = isinstance(error, pytest.exit.Exception) and error.returncode is None and error.msg == _LEAVING
    return left or isinstance(error, KeyboardInterrupt)


def played_from(trial: Trial, chosen: Plan) -> tuple[Path, str]:
    """The folder that is replayed, and the name of the case that it is a recording of.

    With the model live, a variant that has no recording of its own uses its case's: what tools answer does not depend on who
    asks.
    """
    own, case = trial.folder, trial.case
    if chosen.mode == "hybrid" and not chosen.write and case.variant is not None and not has_recording(own):
        base = folder_for(trial.cassettes, case.suite, case.id, trial.number)
        if has_recording(base):
            return base, case.id
    return own, case.name


def set_up(trial: Trial, chosen: Plan, membrane: Membrane) -> Setting:
    """Everything that the trial needs, made anew; raises `AgentOpsError` where something cannot be had."""
    case = trial.case
    network_guard().children.clear()  # what fixtures of the case connected to stays its own
    cassette, toolbox = _recording_and_tools(trial, chosen)
    contracts = toolbox.contracts
    membrane.hide(case.fields.setup)  # secrets that the case itself names get the same placeholder in every mode
    replayed = cassette if not chosen.live else None
    values = TrialValues(
        live=chosen.live,
        clock=case.fields.clock or (replayed.clock if replayed else None),
        seed=replayed.seed if replayed else None,
    )
    redacted = redacted_fields(trial.policies, contracts) if trial.policies else {}
    if cassette is not None and redacted:
        cassette = hidden_again(cassette, redacted, membrane)
    player = _player(trial, chosen, cassette, toolbox)
    meter = BudgetMeter(case.fields.budget)
    session = Session(
        contracts=contracts,
        membrane=membrane,
        values=values,
        meter=meter,
        folder=trial.folder,
        player=player,
        redacted=redacted,
        ledger=trial.ledger if chosen.live else None,
        suite=case.suite,
        suite_usd=case.suite_budget.get("usd"),
    )
    meter.on_degrade = session.degraded
    recorder, tool_loop = Recorder() if chosen.tools.write else None, ToolLoop()
    answers = TapeAnswers(
        plan=chosen.tools,
        toolbox=toolbox,
        membrane=membrane,
        values=values,
        player=player,
        recorder=recorder,
        latch=session.latch,
        run_async=tool_loop.run,
        spend=session.spend,
        still_open=session.still_open,
    )
    governance = govern(trial, chosen, session, toolbox, cassette, meter, tool_loop.run)
    session.guard = Guard(governance.stages, answers)
    model_cassette = _model_cassette(trial, chosen, cassette)
    return Setting(
        trial=trial,
        plan=chosen,
        folder=trial.folder,
        cassette=cassette,
        toolbox=toolbox.bind(session),
        session=session,
        meter=meter,
        player=player,
        recorder=recorder,
        answers=answers,
        model=_model_layer(trial, chosen, session, cassette, model_cassette),
        model_cassette=model_cassette,
        agent_loop=AgentLoop(),
        tool_loop=tool_loop,
        governance=governance,
        before=toolbox.snapshot() if chosen.tools.live else None,
    )


def _recording_and_tools(trial: Trial, chosen: Plan) -> tuple[ToolsCassette | None, Toolbox]:
    """Tools that all answer from the YAML need no recording; with any other one, a missing recording is an error."""
    if not chosen.replay:
        return None, _make_toolbox(trial, chosen)
    try:
        cassette = _cassette(trial, chosen)
    except MissingCassette as absent:
        if chosen.tools.live or chosen.write or has_recording(played_from(trial, chosen)[0]):
            raise
        try:
            toolbox = _make_toolbox(trial, chosen)
        except AgentOpsError:
            raise absent from None
        if not _answers_by_itself(toolbox):
            raise
        return None, toolbox
    return cassette, _make_toolbox(trial, chosen)


def _answers_by_itself(toolbox: Toolbox) -> bool:
    """Whether there are tools, none has code, and all have canned answers."""
    names = toolbox.names
    return bool(names) and all(
        toolbox.tool(name).function is None and toolbox.contracts[name].answers is not None for name in names
    )


def _cassette(trial: Trial, chosen: Plan) -> ToolsCassette:
    folder, name = played_from(trial, chosen)
    return read(folder / "tools.yaml", case=f"{trial.case.suite}/{name}", shown=_shown(trial, folder), cache=trial.cache)


def _shown(trial: Trial, folder: Path, file: str = "tools.yaml") -> str:
    return f"{trial.cassettes.name}/{folder.parent.name}/{folder.name}/{file}"


def _player(trial: Trial, chosen: Plan, cassette: ToolsCassette | None, toolbox: Toolbox) -> Player | None:
    if cassette is None or not chosen.tools.replay:
        return None
    how = trial.case.fields.replay
    pins = Pins(policy=policy_pin(trial.policies))
    order = how.order if how else "any"
    return Player(cassette, toolbox.contracts, order=order, repeat_reads=chosen.swapped, pins=pins)


def _model_cassette(trial: Trial, chosen: Plan, cassette: ToolsCassette | None) -> ModelCassette | None:
    """The recorded model layer, where it is needed; a header that speaks of one that is not there is a missing recording."""
    if cassette is None or not (chosen.model.replay or chosen.tools.write):
        return None
    if "model" not in cassette.layers and cassette.pins.model is None:
        return None
    from ..tape.model.file import read as read_model

    folder, name = played_from(trial, chosen)
    path = folder / "model.yaml"
    shown = _shown(trial, folder, path.name)
    if not path.exists():
        raise missing(path, shown=shown)
    return read_model(path, case=f"{trial.case.suite}/{name}", shown=shown, cache=trial.cache)


_CLIENTS = ("openai", "anthropic", "httpx", "httpx2", "requests", "urllib3", "aiohttp")
"""Who asks models; loading the tap costs a third of a second, which a suite of plain functions need not pay."""


def _model_layer(
    trial: Trial, chosen: Plan, session: Session, cassette: ToolsCassette | None, recorded: ModelCassette | None
) -> ModelLayer | None:
    """None where nothing of a model is recorded, nothing may be asked live and no HTTP client is there that could ask.

    One that is imported later meets the network guard.
    """
    absent = cassette is None and not chosen.model.live
    if recorded is None and not chosen.model.live and not absent and not any(name in sys.modules for name in _CLIENTS):
        return None
    from ..tape.model.exchange import ModelCassette
    from ..tape.model.player import ModelPlayer
    from ..tape.model.recorder import ModelRecorder

    case = trial.case
    if recorded is None and chosen.model.replay:  # a request is a miss then, or a new episode
        recorded = ModelCassette(case=f"{case.suite}/{case.name}", file=_shown(trial, trial.folder, "model.yaml"))
    network = case.fields.network
    return ModelLayer(
        layer=chosen.model,
        session=session,
        player=ModelPlayer(recorded, pins=cassette.pins if cassette else None) if recorded and chosen.model.replay else None,
        recorder=ModelRecorder() if chosen.model.write else None,
        allow=network.allow if network else (),
        priced_at=_moment(cassette) if chosen.model.replay else None,
        prices=case.prices,
        absent=str(missing(trial.folder / "tools.yaml", shown=_shown(trial, trial.folder))) if absent else "",
    )


def _moment(cassette: ToolsCassette | None) -> dt.datetime | None:
    """When the recording was made."""
    text = cassette and (cassette.clock or cassette.recorded_at)
    if not text:
        return None
    moment = dt.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _make_toolbox(trial: Trial, chosen: Plan) -> Toolbox:
    """The trial's tools. Where they are not live they are made for their contracts alone, with no network."""
    network = trial.case.fields.network
    shut = not chosen.tools.live and chosen.model.live  # without a live model, the network is off already
    try:
        with offline(network.allow if network else ()) if shut else nullcontext():
            return trial.make_toolbox()
    except BaseException as error:  # pytest.skip() in a factory too: a case cannot be skipped from inside
        if ends_the_session(error):
            raise
        if isinstance(error, AgentOpsError) and not isinstance(error, NetworkBlocked):
            raise
        frame = traceback.extract_tb(error.__traceback__)[-1]
        text = f"the tools could not be made: {type(error).__name__}: {error} ({Path(frame.filename).name}:{frame.lineno})"
        if not chosen.tools.live:
            text += (
                "\n  cure: in replay a factory is called for its contracts only: connect on first use, inside a tool, "
                "or declare the tools in YAML (contracts:)"
            )
        raise LoadError(text) from error
