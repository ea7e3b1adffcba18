"""Between the shapes of vcr's stubs and ours: requests, answers, compressed bodies. vcr itself is not imported."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from importlib import import_module
from typing import Any

from .exchange import KEPT_HEADERS, Request, Response, without_keys

_BARE_IP6 = re.compile(r"(?<=//)[0-9A-Fa-f.]*(?::[0-9A-Fa-f.]*){2,}(?=[/?#]|$)")
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


def request_of(seen: Any, body: bytes | None = None, content_type: str = "") -> Request:
    """From vcr's request; `body` and `content_type` where the patch of the library knows better what will be sent."""
    headers = seen.headers
    stated = _text(headers.get("content-type") or "")
    uri = _BARE_IP6.sub(_in_brackets, seen.uri)
    return Request.of(seen.method, uri, _body(seen) if body is None else body, stated or content_type)


def _in_brackets(found: re.Match[str]) -> str:
    """The patches leave out the brackets of an IPv6 host, and a port that the scheme stands for."""
    host, _, port = found[0].rpartition(":")
    return f"[{host}]:{port}" if port.isdigit() and _is_ip6(host) else f"[{found[0]}]"


def _is_ip6(host: str) -> bool:
    import ipaddress

    try:
        return bool(ipaddress.IPv6Address(host))
    except ValueError:
        return False


def _body(seen: Any) -> bytes:
    """The bytes that will be sent; a body given in pieces is one body."""
    given = seen._body if isinstance(getattr(seen, "_body", None), list) else seen.body_bytes
    if given is None:
        return b""
    if isinstance(given, list):
        return b"".join(piece.encode() if isinstance(piece, str) else bytes(piece) for piece in given)
    return given.encode() if isinstance(given, str) else bytes(given)


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def response_of(seen: Mapping[str, Any]) -> Response:
    """From the mapping that vcr's stubs hand over: the headers that are kept, and the body as the client reads it."""
    pairs = seen["headers"].items() if isinstance(seen["headers"], Mapping) else seen["headers"]
    headers: dict[str, list[str]] = {}
    for name, values in pairs:
        headers.setdefault(_text(name).lower(), []).extend(_values(values))
    headers["location"] = [without_keys(value) for value in headers.get("location", ())]
    body = bytes(seen["body"].get("string") or b"")
    encodings = [word.strip().lower() for value in headers.get("content-encoding", ()) for word in value.split(",")]
    try:
        for encoding in reversed(encodings):
            body = decompressed(body, encoding)
    except ValueError:
        pass  # the client could not read it either: it gets the very bytes again, with their header
    else:
        headers.pop("content-encoding", None)
    kept = tuple((name, value) for name in KEPT_HEADERS for value in headers.get(name, ()))
    return Response(status=int(seen["status"]["code"]), headers=kept, body=body)


def _values(values: Any) -> Iterable[str]:
    return [_text(values)] if isinstance(values, (str, bytes)) else map(_text, values)


def decompressed(body: bytes, encoding: str) -> bytes:
    """The body without one encoding; some libraries have taken it off already. ValueError: it cannot be read."""
    if encoding in ("identity", "") or not body:
        return body
    try:
        if encoding in ("gzip", "x-gzip"):
            return gzip.decompress(body) if body.startswith(_GZIP) else body
        if encoding == "deflate":
            return _inflated(body)
        if encoding == "br":
            return bytes(_library("brotli", "brotlicffi").decompress(body))
        if encoding == "zstd":
            return bytes(_library("zstandard").decompress(body)) if body.startswith(_ZSTD) else body
    except (OSError, EOFError, zlib.error, ImportError) as error:
        raise ValueError(f"a body that is no whole {encoding}") from error
    except Exception:  # brotli's and zstandard's own errors: no such body, so it has been decompressed already
        return body
    raise ValueError(f"unknown encoding {encoding}")


def _inflated(body: bytes) -> bytes:
    """Servers send ``deflate`` with and without the frame of zlib; what is neither has been decompressed already."""
    for frame in (zlib.MAX_WBITS, -zlib.MAX_WBITS):
        unpack = zlib.decompressobj(frame)
        try:
            found = unpack.decompress(body) + unpack.flush()
        except zlib.error:
            continue
        if unpack.eof and not unpack.unused_data:
            return found
    return body


def _library(*names: str) -> Any:
    for name in names[:-1]:
        try:
            return import_module(name)
        except ImportError:
            continue
    return import_module(names[-1])


def played(response: Response) -> dict[str, Any]:
    """The mapping that vcr's stubs make an answer of; a fresh one each time, they change it."""
    headers = {"content-length": [str(len(response.body))]}
    for name, value in response.headers:
        headers.setdefault(name, []).append(value)
    status = {"code": response.status, "message": _phrase(response.status)}
    return {"status": status, "headers": headers, "body": {"string": response.body}}


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


async def aiohttp_body(session: Any, options: dict[str, Any]) -> tuple[bytes | None, str]:
    """What aiohttp will send for ``json=`` and for forms, which its patch sees only as objects; None: the patch knows.

    A form can be read once, so its payload takes its place in `options`.
    """
    if options.get("json") is not None:
        dumps = getattr(session, "_json_serialize_bytes", None) or session.json_serialize
        text = dumps(options["json"])
        return text if isinstance(text, bytes) else str(text).encode(), "application/json"
    data = options.get("data")
    aiohttp = import_module("aiohttp")
    if isinstance(data, (Mapping, list, tuple)):
        data = aiohttp.FormData(data)
    if isinstance(data, aiohttp.FormData):
        data = options["data"] = data()
    if not isinstance(data, aiohttp.Payload):
        return None, ""
    return await data.as_bytes(), str(data.headers.get("content-type") or "")
