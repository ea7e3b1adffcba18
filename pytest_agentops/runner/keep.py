"""What the run was made with (its pins), and whether and how its recording is kept."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import CassetteError, SecretFound
from ..schema.pins import Pins, contract_digest
from ..schema.run import Problem, Run
from ..schema.values import JsonObject
from ..tape.recording import ToolsCassette
from ..tape.stale import short, staleness

if TYPE_CHECKING:
    from ..tape.model.exchange import ModelCassette
    from .setting import Setting


def settle_pins(setting: Setting, run: Run) -> None:
    """The run's pins, and what of the recording's is stale: a changed contract, prompt or model."""
    contracts = setting.session.contracts
    called = sorted({call.tool for call in run.calls if call.reached and call.tool in contracts})
    run.pins = Pins(policy=setting.governance.pin, tools={name: contract_digest(contracts[name]) for name in called})
    model = setting.model
    if model is not None and model.requests:
        from ..tape.model.pins import first_of, models_of, prompt_digest

        first = first_of(model.requests)
        prompt = None if first is None else prompt_digest(first)
        run.pins = replace(run.pins, model=models_of(model.requests), prompt=prompt)
    if setting.cassette is None:
        return
    if setting.plan.tools.replay:
        for sentence, fatal in staleness(setting.cassette, contracts):
            run.stale.append(sentence)
            if fatal:
                setting.session.latch(Problem(kind="cassette", text=sentence))
    # with the model live a change is what is judged, not a fault of the recording, unless that is to be made anew
    if model is not None and (setting.plan.model.replay or setting.trial.record == "stale"):
        run.stale += _changed(setting.cassette.pins, run.pins)
    was, now = setting.cassette.pins.policy, run.pins.policy
    stopped = "counterfactual" in setting.session.labels or run.outcome in ("blocked", "interrupted")
    if stopped and setting.plan.tools.replay and was != now and (was or now):  # else it changed nothing that anybody could see
        then, today = (short(pin) if pin else "none" for pin in (was, now))
        run.stale.append(f"the policy changed since the recording ({then} -> {today})")
    if setting.plan.mode == "hybrid":
        run.recorded_model = setting.cassette.pins.model


def _changed(then: Pins, now: Pins) -> list[str]:
    """A changed prompt or model: no failure of its own, it fails as the miss that it causes."""
    out = []
    if now.prompt is not None and then.prompt is not None and now.prompt != then.prompt:
        out.append(f"the prompt changed since the recording ({short(then.prompt)} -> {short(now.prompt)})")
    if now.model is not None and then.model is not None and now.model != then.model:
        out.append(f"the model changed since the recording ({_names(then.model)} -> {_names(now.model)})")
    return out


def _names(model: str | list[str]) -> str:
    return model if isinstance(model, str) else ", ".join(model)


def keep(setting: Setting, run: Run) -> None:
    """Write the recording where the agent ended by itself or was stopped by the guard; else leave the old one and say so."""
    recorder, model, session = setting.recorder, setting.model, setting.session
    added = (recorder.added if recorder else 0) + (model.added if model else 0)
    if not setting.plan.write or (setting.plan.replay and not added):
        return
    from ..tape.store import save_partial_recording, save_recording

    tools, asked = _tools(setting, run), _model(setting)
    tools.layers = ("tools",) if asked is None else ("tools", "model")
    tools.endpoint = None if asked is None else asked.endpoint
    try:
        if not _is_good(setting, run):
            save_partial_recording(setting.folder, tools, asked, session.membrane.scan)
            session.labels.add("not_recorded")
        elif save_recording(setting.folder, tools, asked, session.membrane.scan):
            session.labels.add("recorded")
    except (SecretFound, CassetteError, OSError) as error:
        text = str(error).replace(setting.folder.as_posix(), run.cassette or "")  # no path of this machine
        session.latch(Problem(kind="secret" if isinstance(error, SecretFound) else "cassette", text=text))


def _tools(setting: Setting, run: Run) -> ToolsCassette:
    """The tools layer: what was live, or the recording that answered, with this run's pins."""
    pins, name = run.pins or Pins(), f"{setting.trial.case.suite}/{setting.trial.case.name}"
    if setting.recorder is None and setting.cassette is not None:
        return replace(setting.cassette, case=name, pins=replace(pins, tools=setting.cassette.pins.tools))
    if setting.recorder is None:
        raise CassetteError("there are no tool calls to keep", path=setting.folder.as_posix())
    return setting.recorder.cassette(
        case=name,
        pins=pins,
        values=setting.session.values,
        before=setting.cassette if setting.player is not None else None,
        state=run.state if run.state.known else None,
        approvals=_approvals(setting),
    )


def _approvals(setting: Setting) -> list[JsonObject]:
    """What people said; what a script says stands in the case."""
    desk = setting.governance.desk
    if desk is None:
        return []
    from ..approvals.recorded import to_json

    kept = [setting.session.hidden_act(act) for act in to_json(desk.acts)]
    return [*(setting.cassette.approvals if setting.player is not None and setting.cassette is not None else ()), *kept]


def _model(setting: Setting) -> ModelCassette | None:
    case = setting.trial.case
    if setting.model is None:
        return setting.model_cassette
    return setting.model.cassette(f"{case.suite}/{case.name}", setting.model_cassette)


def _is_good(setting: Setting, run: Run) -> bool:
    """Whether the run ended in a way that makes its recording worth replaying."""
    if setting.answers.broken or any(p.kind in ("miss", "closed", "forked") for p in setting.session.problems):
        return False
    if not _would_replay(setting) or any(call.reason == "audit_unavailable" for call in run.calls):
        return False  # what was denied for want of a log would have been made with one
    expect = setting.trial.case.fields.expect
    if run.outcome == (expect.outcome if expect and expect.outcome else "completed"):
        return True
    # an agent that crashed did not end by itself: kept, a missing key or a slip would be replayed from then on
    return run.outcome not in ("error", "timed_out")


def _would_replay(setting: Setting) -> bool:
    """A new model layer beside old tool answers has to use each of them once: else the pair would not replay."""
    player = setting.player
    if player is None or not setting.plan.swapped:
        return True
    return not player.unused() and not player.repeats
