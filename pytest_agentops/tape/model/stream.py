"""A stream of server-sent events as its events, and back to the very bytes.

An event is a mapping: ``event`` is its name, and one key says what it holds. ``json`` is JSON; ``change`` is JSON, too: that of
the event before but for the keys that are said; ``data`` is one line that is no JSON; ``text`` is an event of another shape,
as it stands (a comment, several lines). ``cut``, the last, is what stands after the last blank line: an event without its end.
``style`` is the style of its JSON where that is not the stream's, ``pad`` the number of blanks before its last brace.
"""

from __future__ import annotations

from ...schema.values import Json, JsonObject
from .jsontext import dump_json, json_form

HOLDS = ("json", "change", "data", "text", "cut")
_OF_STREAM = ("tight", "crlf")


def stream_value(text: str) -> JsonObject | None:
    """``events`` and, where there is one, ``style``; None for a text that would not come back."""
    newline = "\r\n" if "\r\n\r\n" in text else "\n"
    *blocks, rest = text.split(newline * 2)
    reader = _Reader(newline)
    events = [reader.event(block) for block in blocks]
    if rest:
        events.append({"cut": rest})
    value: JsonObject = {"events": events, **({"style": reader.style} if reader.style else {})}
    return value if stream_text(events, reader.style) == text else None


class _Reader:
    """Takes events apart; the first one with JSON gives the stream its style."""

    def __init__(self, newline: str) -> None:
        self.newline = newline
        self.of_stream = ["crlf"] if newline == "\r\n" else []
        self.of_json: str | None = None
        self.colon = ""
        self.before: Json = None

    @property
    def style(self) -> str:
        return " ".join([*self.of_stream, *(self.of_json or "").split()])

    def event(self, block: str) -> JsonObject:
        lines = block.split(self.newline)
        if not self.colon and (found := next((line for line in lines if line.startswith("data:")), None)):
            self.colon = ": " if found.startswith("data: ") else ":"
            self.of_stream += [] if self.colon == ": " else ["tight"]
        head: JsonObject = {}
        if len(lines) == 2 and lines[0].startswith(f"event{self.colon or ': '}"):
            head["event"] = lines.pop(0).partition(self.colon or ": ")[2]
        if not self.colon or len(lines) != 1 or not lines[0].startswith(f"data{self.colon}"):
            return {"text": block}
        data = lines[0][4 + len(self.colon) :]
        form = self._json(data)
        return {**head, **(form if form is not None else {"data": data})}

    def _json(self, data: str) -> JsonObject | None:
        """JSON, or JSON with blanks before its last brace."""
        got, pad = json_form(data), 0
        if got is None and data.endswith(" }"):
            bare = data[:-1].rstrip(" ")
            got, pad = json_form(f"{bare}}}"), len(data) - 1 - len(bare)
        if got is None:
            return None
        value = got["json"]
        if self.of_json is None:
            self.of_json = got.get("style", "")
        form: JsonObject = self._changed(value)
        self.before = value
        if dump_json(value, self.of_json) != dump_json(value, got.get("style", "")):
            form["style"] = got.get("style", "compact")
        return {**form, "pad": pad} if pad else form

    def _changed(self, value: Json) -> JsonObject:
        """``change`` where both have the same keys in the same order and some of them say the same."""
        before = self.before
        if isinstance(value, dict) and isinstance(before, dict) and list(value) == list(before):
            change = {key: item for key, item in value.items() if dump_json(item, "") != dump_json(before[key], "")}
            if 0 < len(change) < len(value):
                return {"change": change}
        return {"json": value}


def stream_text(events: list[JsonObject], style: str) -> str:
    """The text of the events; their shape is known to be right."""
    words = style.split()
    newline = "\r\n" if "crlf" in words else "\n"
    colon = ":" if "tight" in words else ": "
    of_json = " ".join(word for word in words if word not in _OF_STREAM)
    out: list[str] = []
    for event, value in zip(events, events_json(events), strict=True):
        if "event" in event:
            out.append(f"event{colon}{event['event']}{newline}")
        if "cut" in event:
            out.append(event["cut"])
            continue
        if "text" in event:
            out.append(event["text"])
        elif "data" in event:
            out.append(f"data{colon}{event['data']}")
        else:
            text = dump_json(value, event.get("style", of_json))
            pad = " " * event.get("pad", 0)
            out.append(f"data{colon}{text[:-1]}{pad}{text[-1]}" if pad else f"data{colon}{text}")
        out.append(newline * 2)
    return "".join(out)


def events_json(events: list[JsonObject]) -> list[Json]:
    """The whole JSON of every event that holds JSON, None for the others; a change of nothing raises `ValueError`."""
    values: list[Json] = []
    before: Json = None
    for event in events:
        value: Json = None
        if "change" in event:
            if not isinstance(before, dict):
                raise ValueError("change: there is no mapping of JSON before it")
            value = {**before, **event["change"]}
        elif "json" in event:
            value = event["json"]
        if "change" in event or "json" in event:
            before = value
        values.append(value)
    return values
