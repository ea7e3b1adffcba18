"""One request on its way: issued, then answered from a recording, or sent and answered, or failed. Knows no HTTP library.

The patches tell `Flights` what they see; `Flights` tells the traffic, each request once and in the order of issue, whatever
thread or task it comes from. What a client library does below a request that is away already (its own transport, an app behind
it) is not seen a second time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from .exchange import Request, Response


class Traffic(Protocol):
    """Who hears of the requests and may answer them. Calls come from any thread."""

    def passes(self, request: Request) -> bool:
        """Whether the request is none of the model layer (a tool made it): it is sent for real and never told again."""

    def answer(self, request: Request) -> Response | None:
        """The recorded answer; None sends the request. What it raises ends the request: see `Halted`."""

    def arrived(self, request: Request, response: Response) -> None:
        """The answer of a request that was sent; `request` is the very object that `answer` got."""

    def failed(self, request: Request) -> None:
        """A request that was sent has no whole answer: refused, cut off, timed out, or still open when the tap was left."""


class Halted(BaseException):
    """What the traffic raised, on its way to the agent; the error itself is its ``__cause__``.

    It is no Exception: SDKs catch those, wrap them as a connection error and repeat the request with pauses.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(slots=True, eq=False)
class Flight:
    """One request that the traffic knows, or that it let pass (then `told` is False)."""

    request: Request
    told: bool = True
    answer: Response | None = None
    away: bool = False
    """Sent for real, and not answered yet."""


@dataclass(slots=True, eq=False)
class Watch:
    """One call of a client library, in the thread or task that makes it."""

    flight: Flight | None = None
    body: bytes | None = None
    """The body, where the library's patch cannot tell what will be sent."""
    content_type: str = ""


_WATCH: ContextVar[Watch | None] = ContextVar("agentops_watch", default=None)


def is_away() -> bool:
    """Whether this thread or task is below a request that has been sent."""
    watch = _WATCH.get()
    return watch is not None and watch.flight is not None and watch.flight.away


class Flights:
    """Every request between entering and leaving a tap."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._lock = threading.Lock()
        self._open: dict[Flight, None] = {}
        self._closed = False

    @contextmanager
    def watch(self, body: bytes | None = None, content_type: str = "") -> Iterator[None]:
        """Around one call of a client library: a request it issued and got no answer for has failed when the call ends."""
        if is_away():
            yield
            return
        before = _WATCH.get()
        watch = Watch(body=body, content_type=content_type)
        _WATCH.set(watch)
        try:
            yield
        finally:
            _WATCH.set(before)
            if watch.flight is not None:
                self._over(watch.flight)

    @property
    def current(self) -> Flight | None:
        """The latest request of the call that this thread or task is in."""
        watch = _WATCH.get()
        return None if watch is None else watch.flight

    def told_body(self) -> tuple[bytes | None, str]:
        """The body and its type where the watch was told; of the first request of a call, redirects have their own."""
        watch = _WATCH.get()
        return (None, "") if watch is None or watch.flight is not None else (watch.body, watch.content_type)

    def again(self, flight: Flight) -> None:
        """A library asks a second time for the same request, now inside a call that is watched."""
        watch = _WATCH.get()
        if watch is not None and watch.flight is None:
            watch.flight = flight

    def issue(self, request: Request) -> Flight | None:
        """Ask the traffic; None where this is no request of its own (below one that is away, or after the tap was left)."""
        watch = _WATCH.get()
        if self._closed or is_away():
            return None
        flight = Flight(request)
        if watch is not None:
            watch.flight = flight
        try:
            if self._traffic.passes(request):
                flight.told, flight.away = False, True
                return flight
            with self._lock:
                self._open[flight] = None
            flight.answer = self._traffic.answer(request)
        except Exception as error:
            self._close(flight)
            raise Halted(error) from error
        except BaseException:
            self._close(flight)
            raise
        flight.away = flight.answer is None
        if not flight.away:
            self._close(flight)
        return flight

    def landed(self, flight: Flight, response: Response) -> None:
        """The answer of a request that was sent; one that comes after the tap was left is not told."""
        flight.away = False
        if self._close(flight):
            try:
                self._traffic.arrived(flight.request, response)
            except Exception as error:
                raise Halted(error) from error

    def leave(self) -> None:
        """The tap is left: what is still open has failed, what comes later is not told."""
        with self._lock:
            self._closed = True
            left = list(self._open)
        for flight in left:
            self._over(flight)

    def _over(self, flight: Flight) -> None:
        flight.away = False
        if self._close(flight):
            self._traffic.failed(flight.request)

    def _close(self, flight: Flight) -> bool:
        """Whether it was open until now; only one caller gets True."""
        with self._lock:
            return self._open.pop(flight, flight) is None
