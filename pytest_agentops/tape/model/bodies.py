"""A body as something that people read and compare, from which the very bytes come back.

`to_value` gives a mapping with at most one of the keys ``json``, ``events`` (a stream), ``text``, ``base64``; none for an empty
body. JSON and streams are taken apart only where putting them together again gives the same bytes, else the body is kept as
text, and what is no text as base64. ``style`` says in a few words how the bytes differ from compact JSON.
"""

from __future__ import annotations

import base64

from ...schema.values import JsonObject
from .jsontext import dump_json, json_form
from .stream import stream_text, stream_value

FORMS = ("json", "events", "text", "base64")


def to_value(body: bytes, content_type: str) -> JsonObject:
    """The readable form; `to_bytes` of it is `body`."""
    if not body:
        return {}
    plain = plain_value(body)
    text, kind = plain.get("text", ""), content_type.lower()
    form: JsonObject | None = None
    if "event-stream" in kind or text.startswith(("data:", "event:")):
        form = stream_value(text) if text else None
    elif "json" in kind or text.startswith(("{", "[")):
        form = json_form(text)
    return form or plain


def plain_value(body: bytes) -> JsonObject:
    """The form that nothing can be wrong with: text, or base64."""
    try:
        return {"text": body.decode("utf-8")} if body else {}
    except UnicodeDecodeError:
        return {"base64": base64.encodebytes(body).decode()}


def to_bytes(value: JsonObject) -> bytes:
    """The bytes of a form, whose shape is known to be right; raises `ValueError` for base64 that is none."""
    if "json" in value:
        return dump_json(value["json"], value.get("style", "")).encode()
    if "events" in value:
        return stream_text(value["events"], value.get("style", "")).encode()
    if "base64" in value:
        return base64.b64decode("".join(value["base64"].split()), validate=True)
    text: str = value.get("text", "")
    return text.encode()
