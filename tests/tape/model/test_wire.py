"""From the shapes of the client libraries to ours: bodies in pieces, compressed bodies, the headers that are kept."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import Any

import pytest
from vcr.request import Request as Seen

from pytest_agentops.tape.model.exchange import Response
from pytest_agentops.tape.model.wire import decompressed, played, request_of, response_of

TEXT = b'{"text": "abcabcabcabc"}'


def raw_deflate(data: bytes) -> bytes:
    pack = zlib.compressobj(wbits=-15)
    return pack.compress(data) + pack.flush()


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzip.compress(TEXT, mtime=0), "gzip"),
        (gzip.compress(TEXT[:5], mtime=0) + gzip.compress(TEXT[5:], mtime=0), "gzip"),
        (zlib.compress(TEXT), "deflate"),
        (raw_deflate(TEXT), "deflate"),
        (TEXT, "gzip"),
        (TEXT, "deflate"),
        (TEXT, "zstd"),
        (TEXT, "identity"),
    ],
)
def test_a_body_is_decompressed_where_the_library_has_not_done_it(body: bytes, encoding: str) -> None:
    seen = {"status": {"code": 200}, "headers": {"Content-Encoding": [encoding]}, "body": {"string": body}}
    answer = response_of(seen)
    assert answer.body == TEXT
    assert answer.headers == ()


@pytest.mark.parametrize("body", [gzip.compress(TEXT, mtime=0)[:-9], gzip.compress(TEXT, mtime=0)[:12] + b"broken"])
def test_a_body_that_cannot_be_decompressed_is_kept_with_its_header(body: bytes) -> None:
    """The client gets in replay what it could not read live."""
    seen = {"status": {"code": 200}, "headers": {"content-encoding": "gzip"}, "body": {"string": body}}
    answer = response_of(seen)
    assert (answer.body, answer.headers) == (body, (("content-encoding", "gzip"),))


def test_an_unknown_encoding_is_kept() -> None:
    with pytest.raises(ValueError, match="unknown encoding snappy"):
        decompressed(b"x", "snappy")


def test_only_the_headers_that_a_client_acts_on_are_kept() -> None:
    headers = {"Set-Cookie": ["a=SECRET"], "X-Request-Id": ["1"], "Retry-After": ["3"], "CONTENT-TYPE": ["text/plain"]}
    answer = response_of({"status": {"code": 429}, "headers": headers, "body": {}})
    assert answer == Response(status=429, headers=(("content-type", "text/plain"), ("retry-after", "3")), body=b"")
    listed = response_of({"status": {"code": 429}, "headers": list(headers.items()), "body": {"string": None}})
    assert listed == answer


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (None, b""),
        ("ä", "ä".encode()),
        (bytearray(b"x"), b"x"),
        (io.BytesIO(b"file"), b"file"),
        (iter([b"a", "b", b"c"]), b"abc"),
        ([b"a", b"b"], b"ab"),
    ],
)
def test_a_body_is_told_as_the_bytes_that_are_sent(body: Any, told: bytes) -> None:
    assert request_of(Seen("POST", "http://h/x", body, {})).body == told


def test_a_request_is_told_without_what_may_change_between_places() -> None:
    seen = Seen(
        "post", "https://user:pw@h:8/x?key=SECRET&b=1", b"", {"Content-Type": ["application/json"], "Authorization": "SECRET"}
    )
    told = request_of(seen, b"body", "text/plain")
    assert "SECRET" not in repr(told)
    assert "pw" not in repr(told)
    assert (told.method, told.content_type, told.body) == ("POST", "application/json", b"body")


def test_what_is_played_is_fresh_each_time_and_has_its_length() -> None:
    answer = Response(status=418, headers=(("content-type", "text/plain"),), body=b"tea")
    first, second = played(answer), played(answer)
    assert first == second
    assert first["headers"] is not second["headers"]
    assert first["headers"] == {"content-type": ["text/plain"], "content-length": ["3"]}
    assert first["status"] == {"code": 418, "message": "I'm a Teapot"}
    assert played(Response(status=599))["status"] == {"code": 599, "message": ""}


@pytest.mark.parametrize(
    ("uri", "endpoint"),
    [
        ("http://::1:8080/a", "http://[::1]:8080"),
        ("http://::1/a", "http://[::1]"),
        ("https://2001:db8::1/a?b=c:d:e", "https://[2001:db8::1]"),
        ("http://[::1]:8080/a", "http://[::1]:8080"),
        ("http://h:8080/a:b:c", "http://h:8080"),
    ],
)
def test_an_ipv6_host_as_the_patches_write_it(uri: str, endpoint: str) -> None:
    request = request_of(Seen("GET", uri, b"", {}))
    assert request.endpoint == endpoint
    assert request.path.startswith("/a")


def test_a_place_to_go_is_kept_without_its_keys() -> None:
    headers = {"Location": ["https://me:k@h/x?sig=S&y=1"]}
    answer = response_of({"status": {"code": 302}, "headers": headers, "body": {}})
    assert answer.headers == (("location", "https://h/x?sig=<<key>>&y=1"),)
