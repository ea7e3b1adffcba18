"""``model.yaml``: reading and writing it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ...errors import CassetteError, Mistake
from ...schema import document
from ...schema.parsed import ParsedCache
from ...schema.values import Json, JsonObject, NotJson
from ..reading import END, START, again, read_text, relative, the_case, whole_document
from .bodies import plain_value, to_bytes, to_value
from .delta import Deltas, whole
from .exchange import Exchange, ModelCassette, Request, Response
from .identity import equal_answers
from .shape import FORMAT, check

__all__ = ["dump", "equal_answers", "loads", "read"]

_VCRPY = re.compile(r'^(?:interactions:|\{\s*"(?:version|interactions)")', re.MULTILINE)
_JSON_TYPE = "application/json"


def dump(cassette: ModelCassette) -> str:
    """The text of the file; reading it gives every byte of every body back."""
    try:
        return _text(cassette, structured=True)
    except NotJson:  # a value that our YAML cannot say, such as keys of thousands of characters: kept as the text that came
        return _text(cassette, structured=False)


def _text(cassette: ModelCassette, *, structured: bool) -> str:
    asked, answered = Deltas(), Deltas()
    value: JsonObject = {"format": FORMAT, "case": cassette.case}
    if cassette.endpoint is not None:
        value["endpoint"] = cassette.endpoint
    value["requests"] = [
        {
            "request": {**_place(exchange.request, cassette.endpoint or ""), **_body(exchange.request, i, asked, structured)},
            **({"overlap": exchange.overlap} if exchange.overlap else {}),
            "response": {**_head(exchange.response), **_body(exchange.response, i, answered, structured)},
        }
        for i, exchange in enumerate(cassette.exchanges, 1)
    ]
    return f"{START}{document.write(value)}{END}"


def _place(request: Request, endpoint: str) -> JsonObject:
    out: JsonObject = {"method": request.method, "path": request.path}
    if request.query:
        out["query"] = _pairs(request.query)
    if request.endpoint != endpoint:
        out["endpoint"] = request.endpoint
    return out


def _head(response: Response) -> JsonObject:
    return {"status": response.status, **({"headers": _pairs(response.headers)} if response.headers else {})}


def _body(side: Request | Response, number: int, deltas: Deltas, structured: bool) -> JsonObject:
    form = to_value(side.body, side.content_type) if structured else plain_value(side.body)
    out: JsonObject = {}
    if isinstance(side, Request) and side.content_type != _usual_type(form):
        out["content-type"] = side.content_type
    if "style" in form:
        out["style"] = form.pop("style")
    delta = deltas.add(number, form["json"]) if "json" in form else None
    return {**out, **(form if delta is None else delta)}


def _usual_type(form: JsonObject) -> str:
    return _JSON_TYPE if "json" in form else ""


def _pairs(pairs: Sequence[tuple[str, str]]) -> Json:
    """A mapping, or a list of pairs where a name stands twice."""
    mapping = dict(pairs)
    return mapping if len(mapping) == len(pairs) else [list(pair) for pair in pairs]


def read(path: Path, *, case: str | None = None, shown: str | None = None, cache: ParsedCache | None = None) -> ModelCassette:
    """The cassette at `path`; raises `CassetteError` (damaged) or `MissingCassette`. Options as in `tape.cassette.read`."""
    name = shown or relative(path)
    text = read_text(path, name)
    kept = cache.get("model", text) if cache is not None else None
    cassette = _from_kept(kept, name) if kept is not None else loads(text, file=name, cure=again(path), cache=cache)
    the_case(cassette.case, case, text, path, name)
    return cassette


def loads(text: str, *, file: str, cure: str = "", cache: ParsedCache | None = None) -> ModelCassette:
    """The cassette that `text` writes; `file` and `cure` are for messages."""
    foreign = _VCRPY.search(text) if not text.startswith(START) else None
    if foreign is not None:
        line = text.count("\n", 0, foreign.start()) + 1
        raise CassetteError("is a cassette of vcrpy, not a recording of pytest-agentops", path=file, line=line, cure=cure)
    built = ModelCassette(case="", file=file)

    def checked(doc: document.Document) -> list[Mistake]:
        return check(doc) or _build(doc, built)

    whole_document(text, file, cure, FORMAT, checked)
    if cache is not None:
        cache.put("model", _to_kept(built), text)
    return built


def _build(doc: document.Document, into: ModelCassette) -> list[Mistake]:
    """Fills the cassette from a document of the right shape; gives what only shows when bodies are put together."""
    value = doc.value
    mistakes: list[Mistake] = []
    into.case, into.endpoint = value.get("case", ""), value.get("endpoint")
    before: dict[str, list[Json]] = {"request": [], "response": []}
    for i, entry in enumerate(value["requests"]):
        bodies: list[bytes] = []
        for side, known in before.items():
            form = entry[side]
            try:
                if "like" in form:
                    form = {**form, "json": whole(form, known[form["like"] - 1])}
                bodies.append(to_bytes(form))
            except ValueError as error:
                mistakes.append(doc.mistake(("requests", i, side), str(error)))
            known.append(form.get("json"))
        if not mistakes:
            line, _ = doc.position(("requests", i))
            into.exchanges.append(_exchange(entry, bodies[0], bodies[1], into.endpoint or "", line))
    return mistakes


def _exchange(entry: JsonObject, asked: bytes, answered: bytes, endpoint: str, line: int) -> Exchange:
    response = entry["response"]
    return Exchange(
        request=_read_request(entry["request"], asked, endpoint),
        response=Response(status=response["status"], headers=_read_pairs(response.get("headers")), body=answered),
        overlap=entry.get("overlap", 0),
        line=line,
    )


def _read_request(value: JsonObject, body: bytes, endpoint: str) -> Request:
    return Request(
        method=value["method"],
        path=value["path"],
        query=tuple(sorted(_read_pairs(value.get("query")))),
        body=body,
        content_type=value.get("content-type", _usual_type(value)),
        endpoint=value.get("endpoint", endpoint),
    )


def _read_pairs(value: Json) -> tuple[tuple[str, str], ...]:
    pairs = value.items() if isinstance(value, dict) else value or ()
    return tuple((name, item) for name, item in pairs)


# ---- the parsed cache: bodies put together already, as texts of one character a byte


def _to_kept(cassette: ModelCassette) -> JsonObject:
    rows = [
        [
            *(e.request.method, e.request.path, e.request.query, e.request.body.decode("latin-1")),
            *(e.request.content_type, e.request.endpoint),
            *(e.response.status, e.response.headers, e.response.body.decode("latin-1"), e.overlap, e.line),
        ]
        for e in cassette.exchanges
    ]
    return {"case": cassette.case, "endpoint": cassette.endpoint, "rows": rows}


def _from_kept(kept: JsonObject, file: str) -> ModelCassette:
    exchanges = [
        Exchange(
            request=Request(
                method=method,
                path=path,
                query=tuple((name, item) for name, item in query),
                body=body.encode("latin-1"),
                content_type=content_type,
                endpoint=endpoint,
            ),
            response=Response(
                status=status, headers=tuple((name, item) for name, item in headers), body=answer.encode("latin-1")
            ),
            overlap=overlap,
            line=line,
        )
        for method, path, query, body, content_type, endpoint, status, headers, answer, overlap, line in kept["rows"]
    ]
    return ModelCassette(case=kept["case"], endpoint=kept["endpoint"], exchanges=exchanges, file=file)
