"""One line of a transcripts file: its keys, checked; its conversation is `conversation`'s work."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ...schema import values
from ...schema.suggest import closest
from ...schema.transcript import NotATranscript, Transcript, cost, kind, optional_text, outcome, shown
from ...schema.values import Json, JsonObject
from .conversation import Answered, conversation, tool_name

VERSION = 1
KEYS = ("v", "id", "trial", "model", "agent_cost_usd", "outcome", "state", "tools", "messages", "case")
OURS = ("id", "trials")
"""Case fields that the import itself states."""


class Malformed(Exception):
    """A line that cannot be imported, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One run, read."""

    number: int
    id: str
    trial: int | None
    """As the line states it; None: the next of its id."""
    transcript: Transcript
    answered: tuple[Answered, ...]
    """Every tool call with its recorded answer, in the order of issue."""
    has_state: bool
    before: Json
    after: Json
    tools: Mapping[str, JsonObject] | None
    """Name to the contract's fields; None where the line states no tools."""
    case: JsonObject | None
    notes: tuple[str, ...]


def physical_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of each line that is not blank; a name that ends in .gz is unpacked."""
    import gzip

    opened = gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # noqa: SIM115 (the next line closes it)
    with opened as stream:
        for number, raw in enumerate(stream, start=1):
            text = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
            if text.strip():
                yield number, text


def parse(number: int, raw: bytes) -> Line:
    """The line's run; raises `Malformed` with the place in the line."""
    try:
        return _line(number, _object(raw))
    except NotATranscript as problem:
        where = _place(problem.path)
        raise Malformed(f"{where}: {problem}" if where else str(problem)) from None


def _object(raw: bytes) -> JsonObject:
    try:
        value = values.loads(raw.decode("utf-8"))
        values.dumps(value).encode("utf-8")  # half a surrogate pair is JSON, but no text that a file can hold
    except UnicodeDecodeError as problem:
        raise Malformed(f"not UTF-8 (byte {problem.start + 1})") from None
    except UnicodeEncodeError:
        raise Malformed("holds half a surrogate pair (\\ud800 to \\udfff), which is no text") from None
    except RecursionError:
        raise Malformed("nested too deeply") from None
    except ValueError as problem:
        raise Malformed(f"not JSON: {problem}") from None
    if not isinstance(value, dict):
        raise Malformed(f"expected a JSON object, found {kind(value)}")
    return value


def _line(number: int, line: JsonObject) -> Line:
    if line.get("v", VERSION) != VERSION:
        raise NotATranscript(("v",), f"version {shown(line['v'])} is not known; this version reads {VERSION}")
    talk = conversation(line.get("messages"))
    has_state, before, after = _state(line.get("state"))
    run_id, trial = _id(line.get("id")), _trial(line.get("trial"))
    transcript = Transcript(
        messages=talk.messages,
        source_id=run_id,
        source_trial=1 if trial is None else trial,
        model=optional_text(line.get("model"), ("model",)),
        outcome=outcome(line.get("outcome"), ("outcome",)),
        agent_cost_usd=cost(line.get("agent_cost_usd"), ("agent_cost_usd",)),
    )
    return Line(
        number=number,
        id=run_id,
        trial=trial,
        transcript=transcript,
        answered=talk.answered,
        has_state=has_state,
        before=before,
        after=after,
        tools=_tools(line.get("tools")),
        case=_case(line.get("case")),
        notes=(*_strange_keys(line), *talk.notes),
    )


def _id(value: Json) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not re.search(r"[A-Za-z0-9]", value):
        raise NotATranscript(("id",), f"expected text with a letter or digit in it, found {shown(value)}")
    return value


def _trial(value: Json) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise NotATranscript(("trial",), f"expected a whole number, found {shown(value)}")
    return value


def _state(value: Json) -> tuple[bool, Json, Json]:
    if value is None:
        return False, None, None
    if not isinstance(value, dict):
        raise NotATranscript(("state",), f"expected {{before, after}}, found {kind(value)}")
    return "after" in value, value.get("before"), value.get("after")


def _tools(value: Json) -> dict[str, JsonObject] | None:
    """Contract fields of the function schemas; other keys of a function (`strict`) are the provider's and left out."""
    if value is None:
        return None
    if not isinstance(value, list):
        raise NotATranscript(("tools",), f"expected a list, found {kind(value)}")
    out: dict[str, JsonObject] = {}
    for i, item in enumerate(value):
        function = item.get("function", item) if isinstance(item, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(function, dict) or not isinstance(name, str) or not name:
            raise NotATranscript(("tools", i), "expected {type: function, function: {name, parameters}}")
        tool_name(name, ("tools", i))
        fields: JsonObject = {}
        if function.get("description"):
            fields["description"] = function["description"]
        fields["parameters"] = function.get("parameters") or {"type": "object"}
        if name in out and values.canonical(out[name]) != values.canonical(fields):
            raise NotATranscript(("tools", i), f"tool {name!r} is declared twice with different schemas")
        out[name] = fields
    return out


def _case(value: Json) -> JsonObject | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise NotATranscript(("case",), f"expected case fields, found {kind(value)}")
    for key in OURS:
        if key in value:
            raise NotATranscript(("case", key), f"{key!r} is stated by the import itself (from the line's `id` and `trial`)")
    return value


def _strange_keys(line: JsonObject) -> Iterator[str]:
    """Unknown keys are the exporter's own business, unless one looks like a slip of the pen."""
    for key in line:
        near = None if key in KEYS else closest(key, KEYS)
        if near and near not in line:
            yield f"key {key!r} is not read; did you mean {near!r}?"


def _place(path: tuple[str | int, ...]) -> str:
    """``messages[5].tool_calls[0]``"""
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).removeprefix(".")
