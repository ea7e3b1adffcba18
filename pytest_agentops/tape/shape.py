"""Whether a YAML value is a tools cassette, and the cassette that it is.

The good file is the usual one and is read thousands of times a session, so words are made only where something is wrong.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import Mistake
from ..schema.call import ErrorInfo
from ..schema.document import Document
from ..schema.pins import Pins
from ..schema.sentences import shown
from ..schema.suggest import did_you_mean
from ..schema.values import Json, JsonObject
from .recording import FORMAT, Recording, ToolsCassette

_TEXT = (str,)
_TEXT_OR_NULL = (str, type(None))
_WORDS = {str: "a text", int: "a whole number", dict: "a mapping", list: "a list", bool: "true or false", type(None): "null"}

Shape = dict[str, tuple[type, ...]]

_TOP: Shape = {
    "format": (int,),
    "case": _TEXT,
    "recorded": (dict, type(None)),
    "pins": (dict, type(None)),
    "layers": (list,),
    "endpoint": _TEXT_OR_NULL,
    "clock": _TEXT_OR_NULL,
    "seed": (int, type(None)),
    "calls": (list,),
    "approvals": (list,),
    "state": (dict, type(None)),
}
_RECORDED: Shape = {"at": _TEXT_OR_NULL, "with": _TEXT_OR_NULL}
_PINS: Shape = {
    "model": (str, list, type(None)),
    "prompt": _TEXT_OR_NULL,
    "policy": _TEXT_OR_NULL,
    "tools": (dict, type(None)),
}
_STATE: Shape = {"before": (object,), "after": (object,)}
_CALL: Shape = {"tool": _TEXT, "args": (dict, type(None)), "overlap": (int,), "result": (object,), "error": (dict,)}
_ERROR: Shape = {"type": _TEXT, "message": _TEXT, "retryable": (bool,)}
LAYERS = ("tools", "model")

Path = tuple[str | int, ...]


def check(doc: Document) -> list[Mistake]:
    """All that is wrong with the file; empty for a good one."""
    return list(_mistakes(doc))


def _mistakes(doc: Document) -> Iterator[Mistake]:
    value = doc.value
    if not isinstance(value, dict):
        yield doc.mistake((), f"found {kind_of(value)}", "a recording is a mapping with format, case and calls", value=True)
        return
    yield from mapping(doc, (), value, _TOP, required=("format", "calls"))
    if isinstance(value.get("format"), int) and value["format"] != FORMAT:
        yield doc.mistake(("format",), f"format is {value['format']}", f"expected {FORMAT}")
    for key, shape in (("recorded", _RECORDED), ("pins", _PINS), ("state", _STATE)):
        if isinstance(value.get(key), dict):
            yield from mapping(doc, (key,), value[key], shape, required=("before", "after") if key == "state" else ())
    yield from _moments(doc, value)
    yield from _pins(doc, value.get("pins"))
    if isinstance(value.get("layers"), list):
        for i, layer in enumerate(value["layers"]):
            if layer not in LAYERS:
                yield doc.mistake(("layers", i), f"unknown layer {shown(layer)}", "expected tools or model")
    if isinstance(value.get("calls"), list):
        for i, call in enumerate(value["calls"]):
            yield from _call(doc, i, call)


def _moments(doc: Document, value: JsonObject) -> Iterator[Mistake]:
    recorded = value.get("recorded")
    at = recorded.get("at") if isinstance(recorded, dict) else None
    for path, text, example in ((("clock",), value.get("clock"), "2026-11-22T09:00:00Z"), (("recorded", "at"), at, "2026-11-22")):
        if isinstance(text, str) and not _is_moment(text):
            yield doc.mistake(path, f"{path[-1]} is {shown(text)}", f"expected a time of ISO 8601, like {example}")


def _is_moment(text: str) -> bool:
    try:
        dt.datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _pins(doc: Document, pins: Json) -> Iterator[Mistake]:
    if not isinstance(pins, dict):
        return
    model = pins.get("model")
    if isinstance(model, list) and not all(isinstance(name, str) for name in model):
        yield doc.mistake(("pins", "model"), f"found {shown(model)}", "expected a text or a list of texts")
    tools = pins.get("tools")
    if isinstance(tools, dict):
        for name, pin in tools.items():
            if not isinstance(pin, str):
                yield doc.mistake(("pins", "tools", name), f"found {kind_of(pin)}", "expected a digest, like sha256:aa11bb22cc33")


def _call(doc: Document, index: int, call: Json) -> Iterator[Mistake]:
    here: Path = ("calls", index)
    if not isinstance(call, dict):
        yield doc.mistake(here, f"found {kind_of(call)}", "a call is a mapping with tool, args and result or error")
        return
    unknown = not (call.keys() <= _CALL.keys())
    yield from mapping(doc, here, call, _CALL, required=("tool",))
    if ("result" in call) == ("error" in call) and not (unknown and "error" not in call):
        found = "both result and error" if "result" in call else "neither result nor error"
        yield doc.mistake(here, f"the call has {found}", "a call has one of them")
    overlap = call.get("overlap", 0)
    if isinstance(overlap, int) and not 0 <= overlap <= index:
        yield doc.mistake((*here, "overlap"), f"overlap is {overlap}", f"{index} calls stand before this one")
    if isinstance(call.get("error"), dict):
        yield from mapping(doc, (*here, "error"), call["error"], _ERROR, required=("type",))


def mapping(
    doc: Document, path: Path, value: JsonObject, shape: Shape, *, required: tuple[str, ...], needs: str = ""
) -> Iterator[Mistake]:
    """Unknown keys, wrong types, missing keys; `needs` says who needs those."""
    for key, inner in value.items():
        types = shape.get(key)
        if types is None:
            allowed = f"expected one of {', '.join(shape)}"
            yield doc.mistake((*path, key), f"unknown key {key!r}", allowed, did_you_mean(key, shape))
        elif not isinstance(inner, types) or (inner.__class__ is bool and bool not in types and object not in types):
            wanted = " or ".join(_WORDS[kind] for kind in types)
            yield doc.mistake((*path, key), f"{key} is {kind_of(inner)}", f"expected {wanted}")
    for key in required:
        if key not in value:
            yield doc.mistake(path, f"{key!r} is missing", needs or _whole(path))


def _whole(path: Path) -> str:
    return (
        "a recording needs format and calls" if not path else f"{path[0]} needs it" if len(path) == 1 else "every call needs it"
    )


def kind_of(value: Any) -> str:
    """What a value is, for a message."""
    return _WORDS.get(type(value), f"the number {value}")


def lines_of_calls(doc: Document) -> list[int]:
    """Where each call stands, from 1."""
    return [doc.position(("calls", i))[0] for i in range(len(doc.value["calls"]))]


def read_value(value: JsonObject, lines: list[int], file: str) -> ToolsCassette:
    """The cassette; the value's shape is known to be right."""
    recorded, pins, state = value.get("recorded") or {}, value.get("pins") or {}, value.get("state")
    return ToolsCassette(
        case=value.get("case", ""),
        calls=[_recording(call, line) for call, line in zip(value["calls"], lines, strict=True)],
        recorded_at=recorded.get("at"),
        with_=recorded.get("with"),
        pins=_read_pins(pins),
        layers=tuple(value.get("layers", ("tools",))),
        endpoint=value.get("endpoint"),
        clock=value.get("clock"),
        seed=value.get("seed"),
        state_before=state["before"] if state else None,
        state_after=state["after"] if state else None,
        has_state=state is not None,
        approvals=value.get("approvals", []),
        file=file,
    )


def _read_pins(value: Mapping[str, Any]) -> Pins:
    return Pins(
        model=value.get("model"),
        prompt=value.get("prompt"),
        policy=value.get("policy"),
        tools=dict(value.get("tools") or {}),
    )


def _recording(call: JsonObject, line: int) -> Recording:
    error = call.get("error")
    return Recording(
        tool=call["tool"],
        args=call.get("args") or {},
        result=call.get("result"),
        error=ErrorInfo.from_json(error) if error is not None else None,
        overlap=call.get("overlap", 0),
        line=line,
    )
