"""When a request is a recorded one: method, path, query and what its body says.

A JSON body counts by its value: the order of keys and the blanks between them do not count, 1 is 1.0, and the ids that pair tool
calls with their results count only by which call they name. Nothing else is ignored: another prompt, tool schema, model,
temperature or stream flag, and null where nothing was, is another request.
"""

from __future__ import annotations

import hashlib
import json
import re
from decimal import Context, Decimal

from ...schema.values import MAX_EXPONENT, Json, JsonObject, dumps, number
from .exchange import Request

_BOUNDARY = re.compile(rb"--([^\r\n]{1,70})\r?\n")
_NAMED_BOUNDARY = re.compile(r'multipart/.*;\s*boundary="?([^";]{1,70})"?', re.IGNORECASE)


def key(request: Request) -> str:
    """The match key of a request."""
    place = dumps([request.method, request.path, request.query])
    value = normalised(request)
    what = b"json " + dumps(value, sort_keys=True).encode("utf-8", "surrogatepass") if value is not None else _raw(request)
    return hashlib.sha256(place.encode("utf-8", "surrogatepass") + b"\n" + what).hexdigest()


def normalised(request: Request) -> Json:
    """What of a JSON body counts, the caller's own; None for any other body."""
    text = request.body
    if text[:1] not in (b"{", b"[") and text.lstrip()[:1] not in (b"{", b"["):
        return None
    try:
        value = _DECODER.decode(text.decode())
    except (ValueError, RecursionError, ArithmeticError):  # no JSON, or none that has one meaning: its bytes count
        return None
    if isinstance(value, dict):
        _number_calls(value)
    return value


def _number(text: str) -> int | float | Decimal:
    """1 for 1.0 and 1e0; a Decimal only where a float would lose digits."""
    value = Decimal(text)
    if abs(value.adjusted()) > MAX_EXPONENT:
        raise ValueError(f"{text} is too great")
    if value == value.to_integral_value():
        return int(value)
    found = number(text)
    return found.normalize(Context(prec=len(found.as_tuple().digits))) if isinstance(found, Decimal) else found


def _object(pairs: list[tuple[str, Json]]) -> JsonObject:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice: which one counts is the server's choice")
    return found


def _refused(text: str) -> Json:
    raise ValueError(f"{text} is not JSON")


_DECODER = json.JSONDecoder(parse_float=_number, parse_constant=_refused, object_pairs_hook=_object)


def _number_calls(body: JsonObject) -> None:
    """Replace the ids of tool calls by their ordinal of first appearance: providers make new ones each time."""
    seen: dict[str, str] = {}

    def swap(holder: JsonObject, name: str) -> None:
        found = holder.get(name)
        if isinstance(found, str):
            holder[name] = seen.setdefault(found, f"call#{len(seen) + 1}")

    for field in ("messages", "input"):
        for item in _objects(body.get(field)):
            for call in _objects(item.get("tool_calls")):  # chat
                swap(call, "id")
            swap(item, "tool_call_id")
            swap(item, "call_id")  # Responses
            for block in _objects(item.get("content")):  # Anthropic
                if str(block.get("type", "")).endswith("tool_use"):
                    swap(block, "id")
                swap(block, "tool_use_id")


def _objects(value: Json) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _raw(request: Request) -> bytes:
    """The bytes of any other body; the boundary of a multipart body, which is random, is always the same word."""
    body = request.body
    named = _NAMED_BOUNDARY.match(request.content_type)
    boundary = named[1].encode() if named else None
    if boundary is None:  # a recording may not say its content type
        first = _BOUNDARY.match(body)
        boundary = first[1] if first and body.rstrip().endswith(b"--" + first[1] + b"--") else None
    return b"raw " + (body.replace(b"--" + boundary, b"--boundary") if boundary else body)
