"""Plays the model layer of a recording: gives each request the recorded answer that belongs to it, or a miss."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ...errors import CassetteMiss
from ...schema.pins import Pins
from ..overlap import overlapped
from .exchange import Exchange, ModelCassette, Request
from .match import key

Unused: TypeAlias = Literal["error", "warn", "ignore"]


@dataclass(eq=False, slots=True)
class Entry:
    """One recorded exchange and whether it was played."""

    index: int
    exchange: Exchange
    key: str
    played: bool = False


class ModelPlayer:
    """The model layer of one trial; safe to use from threads and tasks. Each recorded answer is given once, in recorded order."""

    def __init__(self, cassette: ModelCassette, *, unused: Unused = "error", pins: Pins | None = None) -> None:
        self.cassette = cassette
        self.policy: Unused = unused
        self.pins = pins
        """The recording's pins, for the miss report."""
        self.played: list[Exchange] = []
        """In the order in which they were played."""
        self.asked: list[Request] = []
        """The requests of this run so far, misses too."""
        self.misses: list[CassetteMiss] = []
        self.racy = False
        """Equal requests were in flight at once when they were recorded, with different answers: who gets which is chance."""
        self._lock = threading.Lock()
        self.entries = [Entry(i, exchange, key(exchange.request)) for i, exchange in enumerate(cassette.exchanges)]
        self._by_key: dict[str, list[Entry]] = {}
        for entry in self.entries:
            self._by_key.setdefault(entry.key, []).append(entry)
        self._waiting = {name: deque(entries) for name, entries in self._by_key.items()}

    def take(self, request: Request) -> Exchange:
        """The recorded exchange for this request, taken; raises `CassetteMiss` with the whole report."""
        wanted = key(request)
        with self._lock:
            found = self._take(request, wanted)
            if found is not None:
                return found
            miss = self._miss(request, wanted)
            self.misses.append(miss)
        raise miss

    def find(self, request: Request) -> Exchange | None:
        """Like `take`, for a layer that can send what the recording lacks: then it is no miss, and no report is made."""
        wanted = key(request)
        with self._lock:
            return self._take(request, wanted)

    def unused(self) -> list[Exchange]:
        """What was not played, in recorded order."""
        with self._lock:
            return [entry.exchange for entry in self.entries if not entry.played]

    def unused_report(self, exchanges: Sequence[Exchange]) -> str:
        """The text for exchanges that were not played."""
        from .report import unused_text

        return unused_text(self, exchanges)

    # ---- below: with the lock held

    def _take(self, request: Request, wanted: str) -> Exchange | None:
        self.asked.append(request)
        waiting = self._waiting.get(wanted)
        if not waiting:
            return None
        entry = waiting.popleft()
        entry.played = True
        self.played.append(entry.exchange)
        self.racy = self.racy or self._races(entry)
        return entry.exchange

    def _races(self, entry: Entry) -> bool:
        """Whether an equal request with another answer was in flight with this one when they were recorded."""
        return any(_at_once(entry, other) and not _same_answer(entry, other) for other in self._by_key[entry.key])

    def _miss(self, request: Request, wanted: str) -> CassetteMiss:
        from .report import explain

        report, data = explain(self, request, self._by_key.get(wanted, ()))
        return CassetteMiss(report, data=data)


def _at_once(a: Entry, b: Entry) -> bool:
    first, second = (a, b) if a.index < b.index else (b, a)
    return first is not second and overlapped(first.index, second.index, second.exchange.overlap)


def _same_answer(a: Entry, b: Entry) -> bool:
    from .identity import identities

    return identities([a.exchange]) == identities([b.exchange])
