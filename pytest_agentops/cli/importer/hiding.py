"""Secrets leave a line before anything of it is grouped, compared or written; a replay then sees the same placeholders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ...schema.transcript import Asked, Message
from ...schema.values import JsonObject
from .conversation import Answered
from .lines import Line

if TYPE_CHECKING:
    from ...redact.membrane import Membrane


def hidden(line: Line, membrane: Membrane, declared: Mapping[str, JsonObject]) -> Line:
    """The line on the placeholder side of its own run's membrane; `declared` names the tools' `sensitive` arguments."""

    def asked(call: Asked) -> Asked:
        keys: Sequence[str] = declared.get(call.tool, {}).get("sensitive", ())
        return replace(call, args=membrane.hide(call.args, keys))

    def message(said: Message) -> Message:
        return replace(said, content=membrane.hide(said.content), calls=tuple(map(asked, said.calls)))

    def answered(call: Answered) -> Answered:
        error = replace(call.error, message=membrane.hide(call.error.message)) if call.error else None
        return replace(call, asked=asked(call.asked), result=membrane.hide(call.result), error=error)

    out = replace(
        line,
        transcript=replace(line.transcript, messages=tuple(map(message, line.transcript.messages))),
        answered=tuple(map(answered, line.answered)),
        before=membrane.hide(line.before),
        after=membrane.hide(line.after),
        case=membrane.hide(line.case),
    )
    return out if out == line else replace(out, notes=(*line.notes, "holds secrets: placeholders stand in for them"))
