"""Whether a YAML value is a model cassette; words are made only where something is wrong."""

from __future__ import annotations

from collections.abc import Iterator

from ...errors import Mistake
from ...schema.document import Document
from ...schema.sentences import shown
from ...schema.suggest import did_you_mean
from ...schema.values import Json, JsonObject
from ..shape import Path, Shape, kind_of, mapping
from .bodies import FORMS
from .jsontext import STYLES
from .stream import HOLDS

FORMAT = 1
"""The only format there is; a higher number was written by a newer version."""

_TEXT = (str,)
_TOP: Shape = {"format": (int,), "case": _TEXT, "endpoint": (str, type(None)), "requests": (list,)}
_ENTRY: Shape = {"request": (dict,), "overlap": (int,), "response": (dict,)}
_LIKE: Shape = {"like": (int,), "drop": (list,), "order": (list,), "style": _TEXT}
_BODY: Shape = {**_LIKE, "json": (object,), "events": (list,), "text": _TEXT, "base64": _TEXT}
_PLACE: Shape = {"method": _TEXT, "path": _TEXT, "query": (dict, list), "endpoint": _TEXT, "content-type": _TEXT}
_REQUEST: Shape = {**_PLACE, **_BODY}
_RESPONSE: Shape = {"status": (int,), "headers": (dict, list), **_BODY}
_EVENT: Shape = {"event": _TEXT, "json": (object,), "change": (dict,), "data": _TEXT, "text": _TEXT, "cut": _TEXT}
_EVENT |= {"style": _TEXT, "pad": (int,)}


def check(doc: Document) -> list[Mistake]:
    """All that is wrong with the file; empty for a good one."""
    return list(_mistakes(doc))


def _mistakes(doc: Document) -> Iterator[Mistake]:
    value = doc.value
    if not isinstance(value, dict):
        yield doc.mistake((), f"found {kind_of(value)}", "a recording is a mapping with format, case and requests", value=True)
        return
    yield from mapping(doc, (), value, _TOP, required=("format", "requests"), needs="a recording needs format and requests")
    if isinstance(value.get("format"), int) and value["format"] != FORMAT:
        yield doc.mistake(("format",), f"format is {value['format']}", f"expected {FORMAT}")
    if isinstance(value.get("requests"), list):
        for i, entry in enumerate(value["requests"]):
            yield from _entry(doc, i, entry)


def _entry(doc: Document, index: int, entry: Json) -> Iterator[Mistake]:
    here: Path = ("requests", index)
    if not isinstance(entry, dict):
        yield doc.mistake(here, f"found {kind_of(entry)}", "an entry is a mapping with request and response")
        return
    yield from mapping(doc, here, entry, _ENTRY, required=("request", "response"), needs="every entry needs it")
    overlap = entry.get("overlap", 0)
    if isinstance(overlap, int) and not 0 <= overlap <= index:
        yield doc.mistake((*here, "overlap"), f"overlap is {overlap}", f"{index} requests stand before this one")
    if isinstance(entry.get("request"), dict):
        yield from _request(doc, (*here, "request"), entry["request"], index)
    if isinstance(entry.get("response"), dict):
        yield from _response(doc, (*here, "response"), entry["response"], index)


def _request(doc: Document, here: Path, value: JsonObject, before: int) -> Iterator[Mistake]:
    yield from mapping(doc, here, value, _REQUEST, required=("method", "path"), needs="every request needs it")
    yield from _pairs(doc, (*here, "query"), value.get("query", {}))
    yield from _body(doc, here, value, before)


def _response(doc: Document, here: Path, value: JsonObject, before: int) -> Iterator[Mistake]:
    yield from mapping(doc, here, value, _RESPONSE, required=("status",), needs="every response needs it")
    status = value.get("status", 200)
    if isinstance(status, int) and not 100 <= status <= 999:
        yield doc.mistake((*here, "status"), f"status is {status}", "expected one of HTTP, like 200")
    yield from _pairs(doc, (*here, "headers"), value.get("headers", {}))
    yield from _body(doc, here, value, before)


def _pairs(doc: Document, here: Path, value: Json) -> Iterator[Mistake]:
    """Names and texts: a mapping, or a list of pairs."""
    pairs = list(value.items()) if isinstance(value, dict) else value if isinstance(value, list) else []
    for i, pair in enumerate(pairs):
        if len(pair) != 2 if isinstance(pair, (list, tuple)) else True:
            yield doc.mistake((*here, i), f"found {shown(pair)}", "expected a pair of texts, like [tag, new]")
        elif not all(isinstance(item, str) for item in pair):
            place = pair[0] if isinstance(value, dict) else i
            yield doc.mistake((*here, place), f"found {shown(pair[1])}", "expected a text; quote a number")


def _body(doc: Document, here: Path, value: JsonObject, before: int) -> Iterator[Mistake]:
    said = [form for form in FORMS if form in value]
    if len(said) > 1:
        yield doc.mistake(here, f"there are {' and '.join(said)}", f"a body is one of {', '.join(FORMS)}, or none if it is empty")
    yield from _style(doc, here, value)
    yield from _like(doc, here, value, before)
    if isinstance(value.get("events"), list):
        for i, event in enumerate(value["events"]):
            yield from _event(doc, (*here, "events", i), event, last=i == len(value["events"]) - 1)


def _like(doc: Document, here: Path, value: JsonObject, before: int) -> Iterator[Mistake]:
    if "like" not in value:
        for key in ("drop", "order"):
            if key in value:
                yield doc.mistake((*here, key), f"{key} without like", "it says how this one differs from another")
        return
    like = value["like"]
    if isinstance(like, int) and not 1 <= like <= before:
        allowed = f"1 to {before} stand before this one" if before else "none stands before this one"
        yield doc.mistake((*here, "like"), f"like is {like}", allowed)
    if "json" not in value:
        yield doc.mistake(here, "'json' is missing", "with like it holds what differs, {} if nothing does")
    for key in ("drop", "order"):
        if not all(isinstance(item, str) for item in value.get(key) or ()):
            yield doc.mistake((*here, key), f"found {shown(value[key])}", "expected a list of keys")


def _style(doc: Document, here: Path, value: JsonObject) -> Iterator[Mistake]:
    style = value.get("style", "")
    for word in style.split() if isinstance(style, str) else ():
        if word not in STYLES:
            allowed = f"expected words of {', '.join(STYLES)}"
            yield doc.mistake((*here, "style"), f"unknown style {shown(word)}", allowed, did_you_mean(word, STYLES))


def _event(doc: Document, here: Path, event: Json, *, last: bool) -> Iterator[Mistake]:
    if not isinstance(event, dict):
        yield doc.mistake(here, f"found {kind_of(event)}", f"an event is a mapping with one of {', '.join(HOLDS)}")
        return
    yield from mapping(doc, here, event, _EVENT, required=())
    yield from _style(doc, here, event)
    said = [key for key in HOLDS if key in event]
    if len(said) != 1:
        found = f"there are {' and '.join(said)}" if said else f"none of {', '.join(HOLDS)} is there"
        yield doc.mistake(here, found, "an event has one of them")
    if "cut" in event and not last:
        yield doc.mistake((*here, "cut"), "cut is not the last event", "it is what came after the last whole one")
    pad = event.get("pad", 0)
    if isinstance(pad, int) and not 0 <= pad <= 100_000:
        yield doc.mistake((*here, "pad"), f"pad is {pad}", "expected a number of blanks")
