"""Keeps the answers of live requests, in the order in which the requests were issued."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field

from ..overlap import merged
from .exchange import Exchange, ModelCassette, Request, Response
from .match import key


@dataclass(eq=False, slots=True)
class Slot:
    """The place of one request in the recording, taken when it was issued; say once what came of it."""

    request: Request
    overlap: int
    recorder: ModelRecorder = field(repr=False)
    response: Response | None = None
    ended: bool = False
    played: Exchange | None = None
    """Set where the answer came from the recording that is being added to."""

    def answered(self, response: Response) -> None:
        """The whole answer came, whatever its status: an error that a provider sends is an answer."""
        with self.recorder._lock:
            self.response, self.ended = response, True

    def failed(self) -> None:
        """No answer will come: the server is down, or it cut the answer off."""
        with self.recorder._lock:
            self.ended = True


class ModelRecorder:
    """The requests of one live trial; safe to use from threads and tasks."""

    def __init__(self) -> None:
        self._slots: list[Slot] = []
        self._lock = threading.Lock()

    def begin(self, request: Request) -> Slot:
        """A request was issued."""
        with self._lock:
            slot = Slot(request, self._overlap(), self)
            self._slots.append(slot)
            return slot

    def replayed(self, exchange: Exchange) -> None:
        """A request was answered from the recording that this one adds to: it keeps its place among the new ones."""
        with self._lock:
            slot = Slot(exchange.request, 0, self, response=exchange.response, ended=True, played=exchange)
            self._slots.append(slot)

    def _overlap(self) -> int:
        """How many of the requests directly before are still unanswered."""
        count = 0
        for slot in reversed(self._slots):
            if slot.ended:
                break
            count += 1
        return count

    @property
    def added(self) -> int:
        """How many live answers were kept."""
        with self._lock:
            return sum(slot.response is not None and slot.played is None for slot in self._slots)

    @property
    def unanswered(self) -> tuple[str, ...]:
        """``METHOD path`` of requests that never got an answer.

        One that failed and was answered when the client sent it again is not among them: in replay the answer comes at once.
        """
        with self._lock:
            return _unanswered(self._slots)

    def cassette(self, *, case: str, before: ModelCassette | None = None) -> ModelCassette:
        """The recording; `before` is the one that it adds to."""
        with self._lock:
            now = _without_gaps(self._slots)
            late = _unanswered(self._slots)
        exchanges = merged(before.exchanges, now) if before is not None else now
        places = Counter(exchange.request.endpoint for exchange in exchanges if exchange.request.endpoint)
        endpoint = places.most_common(1)[0][0] if places else before.endpoint if before is not None else None
        return ModelCassette(case=case, exchanges=exchanges, endpoint=endpoint, unanswered=late)


def _without_gaps(slots: list[Slot]) -> list[Exchange]:
    """The answered requests; an overlap counts only requests that are there."""
    out: list[Exchange] = []
    for i, slot in enumerate(slots):
        if slot.played is not None:
            out.append(slot.played)
        elif slot.response is not None:
            there = sum(other.response is not None for other in slots[i - slot.overlap : i])
            out.append(Exchange(request=slot.request, response=slot.response, overlap=there))
    return out


def _unanswered(slots: list[Slot]) -> tuple[str, ...]:
    out: list[str] = []
    answered_later: set[str] = set()
    if all(slot.response is not None for slot in slots):
        return ()
    for slot in reversed(slots):
        name = key(slot.request)
        if slot.response is not None:
            answered_later.add(name)
        elif not (slot.ended and name in answered_later):
            out.append(f"{slot.request.method} {slot.request.path}")
    return tuple(reversed(out))
