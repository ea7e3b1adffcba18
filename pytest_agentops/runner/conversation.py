"""The turns of a trial: each calls the agent with the conversation so far; the last reply is the output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..schema.case import Principal, Turn
from ..schema.run import Problem
from ..schema.values import Json, NotJson, canonical, copied, jsonable
from .invoke import call_agent
from .setting import Setting
from .state import after_turn
from .task import Task


def converse(setting: Setting) -> Json:
    """Every turn in its order."""
    output: Json = None
    texts = turns_of(setting.trial.case.fields.turns or (setting.trial.case.fields.task or "",))
    for number, text in enumerate(texts, start=1):
        if not _plays_user(setting):
            setting.session.user(text)
        output = _one_turn(setting, text)
        if number < len(texts):
            after_turn(setting)
    return output


def turns_of(turns: Sequence[str | Turn]) -> list[str]:
    """What the user says, turn by turn."""
    return [turn.user if isinstance(turn, Turn) else turn for turn in turns]


def _plays_user(setting: Setting) -> bool:
    return bool(getattr(setting.trial.agent, "plays_user", False))


def _one_turn(setting: Setting, text: str) -> Json:
    value = call_agent(setting.trial.agent, (_task(setting, text), setting.toolbox), setting.meter, setting.agent_loop)
    session = setting.session
    try:
        plain = jsonable(value)
    except NotJson as error:
        wrong = f"the agent returned what JSON cannot say: {error}\n  cure: return text, a JSON value, or None"
        session.latch(Problem(kind="agent", text=wrong))
        return None
    hidden = session.membrane.hide(plain)
    if not _plays_user(setting) and hidden is not None:
        if isinstance(hidden, str):
            session.say(hidden)
        else:
            session.record_message({"role": "assistant", "content": canonical(hidden)})
    return hidden


def _task(setting: Setting, text: str) -> Task:
    case, session = setting.trial.case, setting.session
    fields = case.fields
    return Task(
        text=text,
        messages=[dict(m) for m in session.messages if m.get("role") in ("user", "assistant")],
        model=fields.model,
        prompt=fields.prompt,
        context=copied(fields.context or {}),  # the policies read the case's own
        setup=fields.setup or {},
        principal=Principal() if fields.principal is None else replace(fields.principal),
        thread=f"{case.suite}/{case.name}.t{setting.trial.number}",
        session=session,
    )
