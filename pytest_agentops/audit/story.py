"""Whether what a sound chain tells makes sense: nothing ran undecided or unapproved, every call has one end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from ..schema.values import JsonObject
from .approved import Request, lacking
from .findings import Code
from .payload import Payloads, unredacted

Told: TypeAlias = tuple[Code, int | None, str]

_OPEN_TO_ALL = ("allow", "require_approval")


@dataclass(slots=True)
class _CallStory:
    """One call, as the log tells it."""

    decision: JsonObject | None = None
    called: bool = False
    ends: int = 0
    since: int = 0


@dataclass(slots=True)
class _Attempt:
    """One try at a trial: ids of calls and requests count within it, and nothing that was allowed in an earlier one holds."""

    calls: dict[str, _CallStory] = field(default_factory=dict)
    requests: dict[str, Request] = field(default_factory=dict)
    over: bool = False


@dataclass(slots=True)
class _Teller:
    payloads: Payloads
    canaries: Sequence[str]
    trials: dict[tuple[str, str], list[_Attempt]] = field(default_factory=dict)
    """Case and trial -> its attempts; a rerun is another one."""
    erased: dict[str, int] = field(default_factory=dict)
    kept: list[tuple[int, JsonObject]] = field(default_factory=list)

    def tell(self, i: int, record: JsonObject) -> Iterator[Told]:
        event = record["event"]
        if "payload_digest" in record and event != "retention.erased":
            self.kept.append((i, record))
        if event == "retention.erased":
            self.erased[str(record.get("payload_digest"))] = i
        elif event == "trial.start":
            yield from self.began(i, record)
        elif event == "trial.end":
            self.attempt(record).over = True
        elif event == "policy.decision":
            yield from self.decided(i, record)
        elif event == "approval.requested":
            approval = record.get("approval") or {}
            self.attempt(record).requests[str(approval.get("request_id"))] = Request(approval)
        elif event == "approval.decided":
            yield from self.answered(i, record)
        elif event == "tool.call":
            yield from self.ran(i, record)
        elif event == "tool.result":
            yield from self.ended(i, record)

    def began(self, i: int, record: JsonObject) -> Iterator[Told]:
        attempts = self.trials.setdefault(_trial(record), [])
        if attempts and attempts[-1].calls and not attempts[-1].over:
            yield "E_TERMINAL", i, f"trial {record.get('trial')} of {record.get('case')} began again before it had ended"
        attempts.append(_Attempt())

    def attempt(self, record: JsonObject) -> _Attempt:
        return self.trials.setdefault(_trial(record), [_Attempt()])[-1]

    def call(self, i: int, record: JsonObject) -> _CallStory:
        return self.attempt(record).calls.setdefault(str(record.get("tool_call_id")), _CallStory(since=i))

    def decided(self, i: int, record: JsonObject) -> Iterator[Told]:
        call = self.call(i, record)
        if call.called or call.ends:
            yield "E_UNAUTHORISED", i, f"{record.get('tool')}: decided on after it had run or ended"
        call.decision = record

    def answered(self, i: int, record: JsonObject) -> Iterator[Told]:
        approval = record.get("approval") or {}
        request = self.attempt(record).requests.get(str(approval.get("request_id")))
        if request is None:
            yield "E_APPROVAL", i, "an answer to a request that nobody made"
        else:
            request.answers.append(approval)

    def ran(self, i: int, record: JsonObject) -> Iterator[Told]:
        call = self.call(i, record)
        tool, decision = record.get("tool"), call.decision
        if call.called or call.ends:
            yield "E_UNAUTHORISED", i, f"{tool}: ran a second time on one decision"
        call.called = True
        if decision is None or decision.get("decision") not in _OPEN_TO_ALL:
            said = "no decision before it" if decision is None else f"the decision was {decision.get('decision')}"
            yield "E_UNAUTHORISED", i, f"{tool} ran: {said}"
        elif decision.get("action_digest") != record.get("action_digest"):
            yield "E_UNAUTHORISED", i, f"{tool} ran with other arguments than were decided on"
        elif decision.get("decision") == "require_approval":
            request = self.attempt(record).requests.get(str(record.get("request_id")))
            why = "no approval was asked for" if request is None else lacking(request, record)
            if why:
                yield "E_APPROVAL", i, f"{tool} ran: {why}"

    def ended(self, i: int, record: JsonObject) -> Iterator[Told]:
        call = self.call(i, record)
        call.ends += 1
        if call.ends > 1:
            yield "E_TERMINAL", i, f"{record.get('tool')}: a second end of one call"
        elif call.decision is None:
            yield "E_TERMINAL", i, f"{record.get('tool')}: an end without a decision"
        elif record.get("status") in ("ok", "error") and not call.called:
            yield "E_UNAUTHORISED", i, f"{record.get('tool')}: an answer, but no record that it was let through"

    def left(self, *, over: bool) -> Iterator[Told]:
        """Calls without an end; in a session that was killed that is what happened, and W_OPEN says so."""
        attempts = (attempt for attempts in self.trials.values() for attempt in attempts)
        for call_id, call in (item for attempt in attempts for item in attempt.calls.items()):
            if over and not call.ends:
                yield "E_TERMINAL", call.since, f"call {call_id}: decided on, and no end of it"

    def beside(self) -> Iterator[Told]:
        """The payload files against the records that name them."""
        for i, record in self.kept:
            digest = str(record["payload_digest"])
            try:
                value = self.payloads.value(digest)
            except (ValueError, OSError, RecursionError) as error:
                yield "E_PAYLOAD", i, f"the payload {digest} is not what was written: {error}"
                continue
            if value is None and digest not in self.erased:
                yield "E_PAYLOAD", i, f"the payload {digest} is gone, and no retention.erased says so"
            elif value is not None and digest in self.erased:
                yield "E_PAYLOAD", i, f"the payload {digest} is said to be erased and is there still: run audit erase again"
            elif value is not None:
                yield from self.leaks(i, record, value)

    def leaks(self, i: int, record: JsonObject, value: JsonObject) -> Iterator[Told]:
        clear = unredacted(value, record.get("redact_fields") or [])
        if clear:
            yield "E_LEAK", i, f"in the payload, not redacted: {', '.join(clear)}"
        raw = self.payloads.read(str(record["payload_digest"])) or b""
        if any(canary and canary.encode() in raw for canary in self.canaries):
            yield "E_LEAK", i, "a text that must not be kept stands in the payload"


def story(good: Sequence[tuple[int, JsonObject]], payloads: Payloads, canaries: Sequence[str] = ()) -> Iterator[Told]:
    """What does not make sense: (code, place, message)."""
    teller = _Teller(payloads, canaries)
    for i, record in good:
        yield from teller.tell(i, record)
    yield from teller.left(over=any(record["event"] == "run.end" for _, record in good))
    yield from teller.beside()


def _trial(record: JsonObject) -> tuple[str, str]:
    return str(record.get("case")), str(record.get("trial"))
