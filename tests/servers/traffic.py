"""Two simple kinds of traffic for tests of the tap: one that hears everything, one that answers from what was heard."""

from __future__ import annotations

import threading

from pytest_agentops.errors import CassetteMiss
from pytest_agentops.tape.model.exchange import Exchange, Request, Response


class Heard:
    """Sends everything and keeps what it is told, in the order of issue."""

    def __init__(self) -> None:
        self.issued: list[Request] = []
        self.told: list[tuple[str, str]] = []
        """``(word, path)`` in the order of the calls."""
        self.lost: list[Request] = []
        self._answers: dict[int, Response] = {}
        self._lock = threading.Lock()

    @property
    def exchanges(self) -> list[Exchange]:
        """What was answered."""
        return [Exchange(request=r, response=self._answers[id(r)]) for r in self.issued if id(r) in self._answers]

    def passes(self, request: Request) -> bool:
        return False

    def answer(self, request: Request) -> Response | None:
        with self._lock:
            self.issued.append(request)
            self.told.append(("answer", request.path))
        return None

    def arrived(self, request: Request, response: Response) -> None:
        with self._lock:
            assert any(request is one for one in self.issued), "not the object that answer() got"
            assert id(request) not in self._answers, "told twice"
            self._answers[id(request)] = response
            self.told.append(("arrived", request.path))

    def failed(self, request: Request) -> None:
        with self._lock:
            assert any(request is one for one in self.issued), "not the object that answer() got"
            self.lost.append(request)
            self.told.append(("failed", request.path))


class Replayed(Heard):
    """Answers each request once, the first with equal method, path, query and body; a miss where there is none."""

    def __init__(self, heard: Heard) -> None:
        super().__init__()
        self.left = heard.exchanges

    def answer(self, request: Request) -> Response | None:
        super().answer(request)
        with self._lock:
            for exchange in self.left:
                if _key(exchange.request) == _key(request):
                    self.left.remove(exchange)
                    return exchange.response
        raise CassetteMiss(f"no answer for {request.method} {request.path}", data={"reason": "changed-request"})

    def arrived(self, request: Request, response: Response) -> None:
        raise AssertionError(f"{request.path} was sent in replay")

    failed = arrived  # type: ignore[assignment]


def _key(request: Request) -> object:
    body = request.body
    if (mark := request.content_type.partition("boundary=")[2]) and request.content_type.startswith("multipart/"):
        body = body.replace(mark.encode(), b"boundary")
    return request.method, request.path, request.query, body
