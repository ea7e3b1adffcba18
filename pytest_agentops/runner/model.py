"""The model layer of one trial: every HTTP request that the agent's own clients make outside of tools.

It is answered from the recording or sent for real, as the plan says; kept where the plan writes; and every model answer is
counted with its tokens and its cost, whatever SDK asked for it.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..errors import BudgetExceeded, CassetteMiss, Interrupted
from ..schema.run import Problem
from .budget import TrialTimeout
from .inside import is_inside_tool
from .modes import Layer

if TYPE_CHECKING:
    from ..schema.prices import ModelPrice
    from ..tape.model.exchange import Exchange, ModelCassette, Request, Response
    from ..tape.model.player import ModelPlayer
    from ..tape.model.recorder import ModelRecorder, Slot
    from .session import Session


class ModelLayer:
    """Answers, counts and keeps the requests of one trial; safe to use from threads and tasks."""

    def __init__(
        self,
        *,
        layer: Layer,
        session: Session,
        player: ModelPlayer | None,
        recorder: ModelRecorder | None,
        allow: Sequence[str] = (),
        priced_at: dt.datetime | None = None,
        prices: Mapping[str, ModelPrice] | None = None,
        absent: str = "",
    ) -> None:
        self.layer = layer
        self.session = session
        self.player = player
        self.recorder = recorder
        self.absent = absent
        """What to say of a request where there is no recording at all (canned answers need none, a model does)."""
        self.priced_at = priced_at
        """The moment whose prices hold: the recording's, so that its cost stays the same; None: now."""
        self.prices = prices or {}
        """The suite's own: they win."""
        self.requests: list[Request] = []
        """As they were issued, on the side of the files (uuids folded)."""
        self._allow = frozenset(allow)
        self._slots: dict[int, Slot] = {}
        self._answered: set[tuple[str, str, bytes]] = set()
        """Requests that were billed."""
        self._lock = threading.Lock()

    # ---- what the tap asks

    def passes(self, request: Request) -> bool:
        """Whether a request is none of ours: a tool's, or to a place that the case lets through in every mode."""
        return is_inside_tool() or self._is_allowed(request.endpoint)

    def _is_allowed(self, endpoint: str) -> bool:
        if not self._allow:
            return False
        parts = urlsplit(endpoint)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return not self._allow.isdisjoint((f"{parts.hostname}:{port}", f"[{parts.hostname}]:{port}"))

    def answer(self, request: Request) -> Response | None:
        """The recorded answer; None if the request has to be sent. Raises a miss, or what ends the run."""
        session = self.session
        session.model_request(f"{request.method} {request.path}")
        folded = request.mapped(session.values.fold_text)
        with self._lock:
            self.requests.append(folded)
        exchange = self._recorded(folded)
        if exchange is None:
            session.may_spend(self._least(request))
            if self.recorder is not None:
                self._slots[id(request)] = self.recorder.begin(folded)
            return None
        response = _at_once(exchange.response.mapped(session.values.unfold_text))
        self._count(request, response, exchange.request.endpoint)
        return response

    def _least(self, request: Request) -> Decimal | None:
        """What a request costs at least: nothing where the suite says so, else nobody knows."""
        if not self.prices:
            return None
        from ..cost.own import find, price_of_nothing
        from ..cost.usage import Answer
        from ..tape.model.conversation import named_model

        own = find(self.prices, Answer(model=named_model(request)))
        return Decimal(0) if own is not None and price_of_nothing(own) else None

    def _recorded(self, request: Request) -> Exchange | None:
        if self.absent:
            self.session.latch(Problem(kind="cassette", text=self.absent))
            raise CassetteMiss(self.absent, data={"reason": "no-recording", "method": request.method, "path": request.path})
        if self.player is None:
            return None
        try:
            exchange = self.player.find(request) if self.layer.live else self.player.take(request)
        except CassetteMiss as miss:
            self._missed(miss)
            raise
        if exchange is not None and self.recorder is not None:
            self.recorder.replayed(exchange)
        return exchange

    def _missed(self, miss: CassetteMiss) -> None:
        """A miss of its own, or what follows from a call that the guard stopped: then that is the cause."""
        if "counterfactual" in self.session.labels:
            self.session.diverged_at_model(miss)
        else:
            self.session.missed_model = self.session.missed_model or miss
            self.session.latch(Problem(kind="miss", text=miss.report, data={**miss.data, "layer": "model"}))

    def arrived(self, request: Request, response: Response) -> None:
        """A real answer."""
        slot = self._slots.pop(id(request), None)
        if slot is not None:
            slot.answered(response.mapped(self.session.values.fold_text))
        self._count(request, response, request.endpoint, paid=True)

    def failed(self, request: Request) -> None:
        """No answer came: the server is down, or it hung up."""
        slot = self._slots.pop(id(request), None)
        if slot is not None:
            slot.failed()

    def _count(self, request: Request, response: Response, endpoint: str, *, paid: bool = False) -> None:
        """Tokens and cost of a model answer; what was refused with an error is not billed and is no step.

        The price is that of who really answered (`endpoint`), wherever a replay thinks it asks.
        """
        from ..cost.prices import cost
        from ..cost.usage import read_answer

        answer = read_answer(
            path=request.path,
            request=request.body,
            status=response.status,
            content_type=response.content_type,
            body=response.body,
        )
        if answer is None or not answer.billed:
            return
        spent = cost(answer, url=endpoint + request.path, at=self.priced_at, own=self.prices)
        key = (request.method, request.path, request.body)
        with self._lock:
            again = key in self._answered
            self._answered.add(key)
        if paid:
            self.session.paid(spent)
        # a limit that this answer went over is latched by the meter, and stops the next call or request
        with suppress(BudgetExceeded, Interrupted, TrialTimeout):
            self.session.answered(answer.usage, spent, answer.model, step=answer.step, again=again)

    # ---- afterwards

    @property
    def added(self) -> int:
        """How many real answers were kept."""
        return 0 if self.recorder is None else self.recorder.added

    def unused(self) -> list[Exchange]:
        """Recorded requests that this run did not make."""
        return [] if self.player is None else self.player.unused()

    def cassette(self, case: str, before: ModelCassette | None) -> ModelCassette | None:
        """The model layer to be kept: the new one where it was live, else the old one; None if no request was made."""
        if self.recorder is None:
            return before
        made = self.recorder.cassette(case=case, before=before if self.player is not None else None)
        return made if made.exchanges or made.unanswered else None


def _at_once(response: Response) -> Response:
    """A recorded refusal, to be tried again at once: a replay does not wait as its SDK had to."""
    if response.status < 400:
        return response
    others = tuple(pair for pair in response.headers if not pair[0].startswith("retry-after"))
    return replace(response, headers=(*others, ("retry-after", "0"), ("retry-after-ms", "1")))
