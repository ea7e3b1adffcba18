"""The home of vcr: while a tap is open, every request of this process's HTTP clients goes by the traffic first.

vcr patches the clients, nothing else of it is used: its cassette is replaced by one that asks the traffic and keeps nothing. The
patches hold for the process, whatever thread or task makes the request and however old its client is; so one tap at a time.
"""

from __future__ import annotations

import functools
import http.client
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from ...errors import AgentOpsError
from .exchange import Request
from .flight import Flight, Flights, Halted, Traffic, is_away
from .wire import aiohttp_body, played, request_of, response_of

__all__ = ["Halted", "Traffic", "tapped"]

_FLIGHT = "agentops_flight"
_STUB = "_agentops_stub"
_OURS = ("httplib", "requests")
"""Patches of vcr that are left out: our own sees plain connections, however old; requests is seen by the patch of urllib3."""
_REPEATED = (307, 308)
"""Redirects after which the same request is sent again."""
_TRANSPORTS = ("HTTPTransport", "AsyncHTTPTransport", "WSGITransport", "ASGITransport", "MockTransport")


@contextmanager
def tapped(traffic: Traffic, *, skip: Sequence[str] = ()) -> Iterator[None]:
    """Show every request to `traffic` until the block ends; `skip` names patches that are left out, to test the self-test."""
    flights = Flights(traffic)
    with ExitStack() as stack:
        stack.callback(flights.leave)
        cassette = stack.enter_context(_vcr().Cassette.use(path="agentops", skip_patchers=(*_OURS, *skip), flights=flights))
        for target, attribute, around in _around(cassette, flights, skip):
            before = target.__dict__.get(attribute)
            if before is not None:
                setattr(target, attribute, functools.wraps(before)(around(before)))
                stack.callback(setattr, target, attribute, before)
        yield


@functools.cache
def _vcr() -> SimpleNamespace:
    """What is used of vcr. The first tap imports it, and with it all client libraries that it knows and that are installed."""
    from vcr import patch, stubs
    from vcr.cassette import Cassette
    from vcr.persisters.filesystem import CassetteNotFoundError

    with suppress(ImportError):  # a cassette of the agent's own needs it; imported under a tap it would be made of our classes
        import_module("vcr.stubs.requests_stubs")

    class NoFile:
        """Nothing is loaded and nothing is saved."""

        @staticmethod
        def load_cassette(path: str, serializer: Any) -> Any:
            raise CassetteNotFoundError

        @staticmethod
        def save_cassette(path: str, cassette: Any, serializer: Any) -> None:
            raise AssertionError("the tap keeps no file")

    class TapCassette(Cassette):  # type: ignore[misc]
        """What vcr's stubs say: is there an answer (`can_play_response_for`), give it (`play_response`), keep this (`append`)."""

        write_protected = False

        def __init__(self, *, flights: Flights, **more: Any) -> None:
            super().__init__(persister=NoFile, **more)
            self._flights = flights

        def can_play_response_for(self, request: Any) -> bool:
            """Asked once or more for one request; the traffic is asked once."""
            if hasattr(request, _FLIGHT):
                flight = getattr(request, _FLIGHT)
                if flight is not None:
                    self._flights.again(flight)
            else:
                flight = self._flights.issue(request_of(request, *self._flights.told_body()))
                setattr(request, _FLIGHT, flight)
            return flight is not None and flight.answer is not None

        def play_response(self, request: Any) -> Any:
            flight: Flight | None = getattr(request, _FLIGHT, None)
            if flight is None or flight.answer is None:
                error = AgentOpsError(
                    f"a recorded redirect leads to a request that is not recorded: {request.method} {request.uri}"
                )
                raise Halted(error) from error
            return played(flight.answer)

        def append(self, request: Any, response: Any) -> None:
            if not hasattr(request, _FLIGHT):
                self._redirected(request, response)
            elif (flight := getattr(request, _FLIGHT)) is not None and flight.told:
                self._flights.landed(flight, response_of(response))

        def _redirected(self, request: Any, response: Any) -> None:
            """The aiohttp library follows redirects itself and tells each of their requests at the end, as a new object."""
            flight = self._flights.current
            if flight is None or not flight.told:
                return
            if not flight.away:
                flight = self._flights.issue(_after(flight.request, request))
                if flight is None:
                    return
            self._flights.landed(flight, response_of(response))

        def filter_request(self, request: Any) -> Any:
            """Whether an answer shall be appended (asked by the aiohttp stub, which reads the body for it)."""
            flight: Flight | None = getattr(request, _FLIGHT, None)
            return request if flight is not None and flight.told else None

        def find_requests_with_most_matches(self, request: Any) -> list[tuple[Any, list[str], list[str]]]:
            """The aiohttp stub asks this for the next request of a redirect it replays, which it takes for a GET."""
            before = self._flights.current
            if before is not None and before.answer is not None and before.answer.status in _REPEATED:
                request.method, request.body = before.request.method, before.request.body
                request.headers["content-type"] = before.request.content_type
            return [(request, [], [])]

    return SimpleNamespace(Cassette=TapCassette, patch=patch, stubs=stubs)


def _after(before: Request, hop: Any) -> Request:
    """A request that aiohttp made because of a redirect; its stub forgets the body of one that is sent again."""
    again = hop.method.upper() == before.method and hop.method.upper() not in ("GET", "HEAD")
    return request_of(hop, before.body, before.content_type) if again else request_of(hop)


Around = Callable[[Callable[..., Any]], Callable[..., Any]]


def _around(cassette: Any, flights: Flights, skip: Sequence[str]) -> Iterator[tuple[Any, str, Around]]:
    """What goes around vcr's patches: each call is watched, so that a failure is known; and what vcr does not see itself."""
    for name in ("httpx", "httpx2"):
        module = _module(name)
        for transport in _TRANSPORTS if module else ():
            yield getattr(module, transport), "handle_request", functools.partial(_watched, flights)
            yield getattr(module, transport), "handle_async_request", functools.partial(_watched_async, flights)
    if aiohttp := _module("aiohttp"):
        yield aiohttp.ClientSession, "_request", functools.partial(_watched_aiohttp, flights)
    yield _vcr().stubs.VCRConnection, "getresponse", functools.partial(_watched_connection, flights, cassette)
    yield _vcr().patch, "force_reset", _reset_less
    if "httplib" not in skip:
        yield from _connections(cassette)


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None


def _watched(flights: Flights, call: Callable[..., Any]) -> Callable[..., Any]:
    def watched(*args: Any, **options: Any) -> Any:
        with flights.watch():
            return call(*args, **options)

    return watched


def _watched_async(flights: Flights, call: Callable[..., Any]) -> Callable[..., Any]:
    async def watched(*args: Any, **options: Any) -> Any:
        with flights.watch():
            return await call(*args, **options)

    return watched


def _watched_aiohttp(flights: Flights, call: Callable[..., Any]) -> Callable[..., Any]:
    async def watched(session: Any, method: str, url: Any, **options: Any) -> Any:
        if _is_upgrade(options.get("headers")):
            return await getattr(call, "__wrapped__", call)(session, method, url, **options)
        body, content_type = await aiohttp_body(session, options)
        with flights.watch(body, content_type):
            return await call(session, method, session._build_url(url), **options)

    return watched


def _is_upgrade(headers: Any) -> bool:
    """A websocket: it has no answer that could be read to its end. In replay the network guard refuses it."""
    return isinstance(headers, Mapping) and any(str(name).lower() == "upgrade" for name in headers)


def _watched_connection(flights: Flights, cassette: Any, call: Callable[..., Any]) -> Callable[..., Any]:
    def watched(connection: Any, *args: Any, **options: Any) -> Any:
        if isinstance(connection.cassette, type(cassette)):
            connection.cassette = cassette  # one that was made during an earlier tap, and kept
        with flights.watch():
            return call(connection, *args, **options)

    return watched


def _connections(cassette: Any) -> Iterator[tuple[Any, str, Around]]:
    """Plain connections of `http.client`, by their methods: the class may be imported, and the connection made, before the tap.

    Each request is given to vcr's connection around the real one, which sends it, if it has to be sent, over the real one.
    """
    stubs = _vcr().stubs
    plain, secure = stubs.VCRHTTPConnection._baseclass, stubs.VCRHTTPSConnection._baseclass

    def is_real(connection: Any) -> bool:
        foreign = type(connection).getresponse is not plain.getresponse  # a copy of urllib3, say: it needs its own socket
        return foreign or isinstance(connection, stubs.VCRConnection) or is_away()

    def starts(call: Callable[..., Any]) -> Callable[..., Any]:
        def start(connection: Any, *args: Any, **options: Any) -> Any:
            if is_real(connection):
                return call(connection, *args, **options)
            kind = stubs.VCRHTTPSConnection if isinstance(connection, secure) else stubs.VCRHTTPConnection
            stub = kind.__new__(kind)
            stub.__dict__.update(real_connection=connection, cassette=cassette, _sock=None)
            connection.__dict__[_STUB] = stub
            return getattr(stub, call.__name__)(*args, **options)

        return start

    def goes_on(call: Callable[..., Any]) -> Callable[..., Any]:
        def go_on(connection: Any, *args: Any, **options: Any) -> Any:
            stub = connection.__dict__.get(_STUB)
            if stub is None or stub.cassette is not cassette or is_away():
                return call(connection, *args, **options)
            if call.__name__ == "getresponse":
                del connection.__dict__[_STUB]
            return getattr(stub, call.__name__)(*args, **options)

        return go_on

    def waits(call: Callable[..., Any]) -> Callable[..., Any]:
        def wait(connection: Any) -> Any:
            """Connects when a request is sent, not before: whether one will be sent is not known yet."""
            overridden = getattr(type(connection).connect, "__wrapped__", None) is not call
            return call(connection) if overridden or is_real(connection) else None

        return wait

    for name in ("request", "putrequest"):
        yield plain, name, starts
    for name in ("putheader", "endheaders", "send", "getresponse"):
        yield plain, name, goes_on
    yield plain, "connect", waits
    yield secure, "connect", waits


def _reset_less(reset: Callable[..., Any]) -> Callable[..., Any]:
    """Instead of vcr's `force_reset`, which for a moment takes the patches of all libraries off, in all threads.

    It is there for classes that name themselves in `super()`: httplib2's, and http.client's where a cassette of the agent's own
    has replaced them.
    """

    @contextmanager
    def reset_less() -> Iterator[None]:
        patch = _vcr().patch
        if http.client.HTTPSConnection is not patch._HTTPSConnection:
            with reset():
                yield
        elif (library := sys.modules.get("httplib2")) is not None:
            names = ("HTTPConnectionWithTimeout", "HTTPSConnectionWithTimeout")
            with mock.patch.multiple(library, **{name: getattr(patch, f"_{name}") for name in names}):
                yield
        else:
            yield

    from unittest import mock  # it imports asyncio

    return reset_less
