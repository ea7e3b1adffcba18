"""What the model layer keeps: requests as they left the agent's client, and their answers, to the byte."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, unquote_plus, urlsplit

SECRET_QUERY = frozenset(
    (
        *("key", "api_key", "api-key", "apikey", "x-api-key", "subscription-key", "sig", "signature", "password"),
        *("token", "access_token", "auth_token", "refresh_token", "id_token", "secret", "client_secret"),
        *("x-amz-signature", "x-amz-credential", "x-amz-security-token", "x-goog-signature", "x-goog-credential"),
    )
)
"""Query fields that hold a key: their values are never kept and never matched."""

HIDDEN = "<<key>>"
_FIELD = re.compile(r"(?<=[?&])([^=&#]+)=([^&#]*)")
_USER = re.compile(r"(?<=//)[^/?#@]*@")
KEPT_HEADERS = ("content-type", "content-encoding", "retry-after", "retry-after-ms", "x-should-retry", "location")
"""The only response headers that are kept: what changes how a client reads or repeats an answer."""


def without_keys(url: str) -> str:
    """An address as an answer names it, without the keys in its query and before its ``@``."""
    fields = _FIELD.sub(lambda m: f"{m[1]}={HIDDEN}" if unquote_plus(m[1]).lower() in SECRET_QUERY else m[0], url)
    return _USER.sub("", fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, without what may change between two places: scheme, host, port, headers and keys do not count."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    """Sorted; the value of a field that holds a key is ``<<key>>``."""
    body: bytes = b""
    content_type: str = ""
    """Only its media type and a multipart boundary matter."""
    endpoint: str = ""
    """``scheme://host[:port]`` without userinfo: for reading, never matched."""

    @classmethod
    def of(cls, method: str, url: str, body: bytes, content_type: str = "") -> Request:
        """From a whole URL; keys in its query or before its ``@`` are left out."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        host = f"[{host}]" if ":" in host else host
        port = f":{parts.port}" if parts.port is not None else ""
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        query = tuple(sorted((k, HIDDEN if k.lower() in SECRET_QUERY else v) for k, v in pairs))
        return cls(
            method=method.upper(),
            path=parts.path or "/",
            query=query,
            body=body,
            content_type=content_type,
            endpoint=f"{parts.scheme}://{host}{port}",
        )

    def mapped(self, change: Callable[[str], str]) -> Request:
        """The request with `change` applied to its text; a body that is no UTF-8 stays as it is."""
        return replace(self, body=_mapped(self.body, change))


def _mapped(body: bytes, change: Callable[[str], str]) -> bytes:
    try:
        return change(body.decode()).encode()
    except UnicodeDecodeError:
        return body


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One answer: the body as the client reads it, decompressed."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    """Lower-case names, only `KEPT_HEADERS`."""
    body: bytes = b""

    @property
    def content_type(self) -> str:
        return next((value for name, value in self.headers if name == "content-type"), "")

    def mapped(self, change: Callable[[str], str]) -> Response:
        """Like `Request.mapped`."""
        return replace(self, body=_mapped(self.body, change))


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A request and its answer."""

    request: Request
    response: Response
    overlap: int = 0
    """How many requests issued directly before this one were still unanswered when it was issued."""
    line: int = 0
    """Where it stands in its file; 0 for one that comes from no file."""


@dataclass(slots=True, kw_only=True)
class ModelCassette:
    """The model layer of one recorded trial: the file ``model.yaml``."""

    case: str
    """``suite/case`` or ``suite/case~variant``."""
    exchanges: list[Exchange] = field(default_factory=list)
    """In the order of issue."""
    endpoint: str | None = None
    """Where most of the requests went; one that went elsewhere says so itself."""
    file: str = ""
    """How messages name its file."""
    unanswered: tuple[str, ...] = ()
    """``METHOD path`` of requests that never got an answer (server down, cut off); they are not in `exchanges`."""

    def place(self, exchange: Exchange) -> str:
        """``file:line`` of an exchange."""
        return f"{self.file}:{exchange.line}" if exchange.line else self.file
