"""What a recorded exchange says, as one text: so that a new recording that says the same leaves the old file alone.

What a model API makes anew for each answer (ids, times, durations) does not count, also where a later request names it. In any
other answer, and in the arguments of a tool call, an ``id`` is what the agent asked for, and counts.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from ...schema.values import Json, JsonObject, canonical
from .bodies import to_value
from .exchange import Exchange, ModelCassette, Request, Response
from .match import key
from .stream import HOLDS, events_json

_NEW_EACH_TIME = frozenset(
    (
        *("id", "item_id", "call_id", "response_id", "responseId", "request_id", "previous_response_id"),
        *("created", "created_at", "createTime", "completed_at", "system_fingerprint"),
        *("signature", "encrypted_content", "thoughtSignature", "obfuscation"),
        *("timings", "total_duration", "load_duration", "prompt_eval_duration", "eval_duration"),
    )
)
_NOT_THE_MODELS = frozenset(("input", "args", "arguments", "metadata", "tools", "instructions"))
"""What stands below comes from the agent or goes to its tools."""
_KINDS = re.compile(r"message$|message_|content_block_|response\.|error$")
_TEXTS = re.compile(r'"([^"\\]+)"')


def equal_answers(old: ModelCassette, new: ModelCassette) -> bool:
    """Whether both recorded the same; the order among overlapping requests and the overlaps themselves do not count."""
    from ..overlap import same_but_for_order

    return old.case == new.case and same_but_for_order(_marked(old.exchanges), _marked(new.exchanges))


def _marked(exchanges: Sequence[Exchange]) -> list[tuple[str, int]]:
    return list(zip(identities(exchanges), (exchange.overlap for exchange in exchanges), strict=True))


def identities(exchanges: Sequence[Exchange]) -> list[str]:
    """One text an exchange. An id is named after the answer that it came with, so that their order does not count."""
    settled = [_settled(exchange.response) for exchange in exchanges]
    names: dict[str, str] = {}
    for text, ids in settled:
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        for i, found in enumerate(ids):
            names.setdefault(found, f"<{digest}.{i}>")
    return [f"{key(_named(e.request, names))} {text}" for e, (text, _) in zip(exchanges, settled, strict=True)]


def _named(request: Request, names: dict[str, str]) -> Request:
    return request.mapped(lambda text: _TEXTS.sub(lambda m: f'"{names.get(m[1], m[1])}"', text)) if names else request


def _settled(response: Response) -> tuple[str, list[str]]:
    """The answer without what is new each time, and the texts that were taken out, in order."""
    ids: dict[str, int] = {}
    form = to_value(response.body, response.content_type)
    if "json" in form:
        form = {"json": _without(form["json"], ids)}
    elif "events" in form:
        values = events_json(form["events"])
        form = {"events": [_event(event, value, ids) for event, value in zip(form["events"], values, strict=True)]}
    return canonical([response.status, [list(pair) for pair in response.headers], form]), list(ids)


def _event(event: JsonObject, value: Json, ids: dict[str, int]) -> Json:
    """Its name and all it holds; not how it is written."""
    return [event.get("event"), {hold: event[hold] for hold in HOLDS if hold in event and hold not in ("json", "change")}] + (
        [_without(value, ids)] if "json" in event or "change" in event else []
    )


def _without(value: Json, ids: dict[str, int]) -> Json:
    return _walk(value, ids) if isinstance(value, dict) and _is_model_answer(value) else value


def _is_model_answer(value: JsonObject) -> bool:
    return (
        bool({"choices", "candidates", "error"} & value.keys())
        or {"done", "model"} <= value.keys()
        or value.get("object") == "response"
        or bool(_KINDS.match(str(value.get("type", ""))))
    )


def _walk(value: Json, ids: dict[str, int]) -> Json:
    if isinstance(value, list):
        return [_walk(item, ids) for item in value]
    if not isinstance(value, dict):
        return value
    out: JsonObject = {}
    for name, item in value.items():
        if name not in _NEW_EACH_TIME or (isinstance(item, (dict, list)) and name != "timings"):
            out[name] = item if name in _NOT_THE_MODELS else _walk(item, ids)
        elif isinstance(item, str):
            out[name] = f"<{ids.setdefault(item, len(ids))}>"
    return out
