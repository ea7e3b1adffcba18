"""Plays a recording: gives each call the recorded answer that belongs to it, or a miss."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from ..errors import CassetteMiss
from ..schema.contract import Contract
from ..schema.pins import Pins
from ..schema.values import Json, JsonObject, copied, same
from .history import History, Made, Refusal, is_read, touches
from .matching import Fold, Keys
from .overlap import overlapped
from .recording import Contracts, Recording, ToolsCassette

Order: TypeAlias = Literal["any", "per_tool", "strict"]
Unused: TypeAlias = Literal["error", "warn", "ignore"]
Tier: TypeAlias = Literal["exact", "normalised"]
Standing: TypeAlias = Literal["waiting", "played", "not_made"]


@dataclass(eq=False, slots=True)
class Entry:
    """One recording and what became of it in this run."""

    index: int
    recording: Recording
    key: str
    standing: Standing = "waiting"
    writes_then: int = 0
    """How many writes this run had issued when it was last played."""


@dataclass(eq=False, slots=True, kw_only=True)
class Ticket:
    """A call in flight."""

    key: str
    write: Made | None = field(default=None, repr=False)


@dataclass(eq=False, slots=True, kw_only=True)
class Played(Ticket):
    """A call in flight that a recording answers."""

    recording: Recording
    tier: Tier
    repeated: bool = False

    @property
    def result(self) -> Json:
        """A copy of the recorded result, the caller's own."""
        return copied(self.recording.result)


class Player:
    """The recordings of one trial; safe to use from threads and tasks. Each recording is played once."""

    def __init__(
        self,
        cassette: ToolsCassette,
        contracts: Contracts,
        *,
        order: Order = "any",
        unused: Unused = "error",
        repeat_reads: bool = False,
        fold: Fold | None = None,
        pins: Pins | None = None,
    ) -> None:
        self.cassette = cassette
        self.contracts = contracts
        self.order = order
        self.policy: Unused = unused
        self.repeat_reads = repeat_reads
        """hybrid: a read may be played again until a write intervenes."""
        self.pins = pins
        """This run's pins, as far as they are known, for the miss report."""
        self.misses: list[CassetteMiss] = []
        self.stops: list[tuple[str, str]] = []
        """Calls that the guard stopped, each with its reason: what comes after them may follow from them."""
        self.racy = False
        """Equal calls in flight at once whose recorded answers differ: who got which is chance."""
        self._fold = fold
        self._keys: dict[str, Keys] = {}
        self._lock = threading.Lock()
        self._in_flight: list[Ticket] = []
        self._guarded = True
        self.entries = [Entry(i, call, self.keys(call.tool).exact(call.args)) for i, call in enumerate(cassette.calls)]
        self._by_key: dict[str, list[Entry]] = {}
        for entry in self.entries:
            self._by_key.setdefault(entry.key, []).append(entry)
        self._by_loose_key: dict[str, dict[str, list[Entry]]] = {}
        self.history = History(cassette.calls, [entry.key for entry in self.entries], contracts)
        self.played: list[Recording] = []
        """In the order in which they were played."""
        self.repeats = 0
        """How many times a recording was played again."""
        self.issued = 0
        """Calls of this run so far, live ones and misses too."""

    # ---- one call

    def take(self, tool: str, args: JsonObject) -> Played:
        """The recording for this call, taken; raises `CassetteMiss` with the whole report.

        Call `returned` when the answer is handed over.
        """
        with self._lock:
            self.issued += 1
            found = self._find(tool, args)
            if not isinstance(found, _Nothing):
                return self._play(*found)
            miss = self._miss(tool, args, found)
            self.misses.append(miss)
        raise miss

    def returned(self, ticket: Ticket) -> None:
        """The call's answer is about to be handed to the agent."""
        with self._lock:
            if ticket in self._in_flight:
                self._in_flight.remove(ticket)
            if ticket.write is not None:
                ticket.write.returned = True

    def note_issued(self, tool: str, args: JsonObject) -> Ticket:
        """A call beside the recording, which runs live: it counts for the state rule."""
        with self._lock:
            self.issued += 1
            key = self.keys(tool).exact(args)
            ticket = Ticket(key=key, write=self.history.issued(key, self.contracts.get(tool)))
            self._in_flight.append(ticket)
            return ticket

    def not_made(self, tool: str, args: JsonObject) -> bool:
        """The guard stopped this call: its recording, if there is one, will not be played and is not unused."""
        with self._lock:
            for entry in self._by_key.get(self.keys(tool).exact(args), ()):
                if entry.standing == "waiting":
                    entry.standing = "not_made"
                    return True
            return False

    def awaits(self, tool: str, args: JsonObject) -> bool:
        """Whether a recording of this call has not been played yet."""
        with self._lock:
            return any(e.standing == "waiting" for e in self._by_key.get(self.keys(tool).exact(args), ()))

    def repeated(self, tool: str, args: JsonObject) -> bool:
        """The guard answered a call a second time: its second recording, the same to the letter, is not unused."""
        with self._lock:
            for entry in self._by_key.get(self.keys(tool).exact(args), ()):
                if entry.standing == "waiting" and same(entry.recording.args, args):
                    entry.standing = "not_made"
                    return True
            return False

    def stopped(self, tool: str, reason: str) -> None:
        """The guard stopped this call; a later miss tells of it."""
        with self._lock:
            self.stops.append((tool, reason))

    def counterfactual(self) -> None:
        """The run is no longer the recorded one: the state rule is off from here on."""
        with self._lock:
            self._guarded = False

    @property
    def is_counterfactual(self) -> bool:
        return not self._guarded

    # ---- the end

    def unused(self) -> list[Recording]:
        """What was not played, in recorded order; without the calls that the guard stopped."""
        return [entry.recording for entry in self.entries if entry.standing == "waiting"]

    def writes(self, recording: Recording) -> bool:
        """Whether a recorded call may have changed something: all but declared reads."""
        return not is_read(self.contracts.get(recording.tool))

    def unused_report(self, recordings: Sequence[Recording]) -> str:
        """The text for recordings that were not played."""
        from .report import unused_text

        return unused_text(self, recordings)

    @property
    def known_tools(self) -> bool:
        """Whether every recorded tool still has a contract."""
        return all(call.tool in self.contracts for call in self.cassette.calls)

    def undeclared(self) -> list[str]:
        """Recorded tools whose contract declares no effect: plain first-in-first-out, for the summary."""
        tools = {call.tool for call in self.cassette.calls}
        return sorted(t for t in tools if t not in self.contracts or self.contracts[t].effect is None)

    def keys(self, tool: str) -> Keys:
        """The key maker of a tool; one without a contract is taken as it is."""
        found = self._keys.get(tool)
        if found is None:
            contract = self.contracts.get(tool) or Contract(name=tool, open=True)
            found = self._keys[tool] = Keys(contract, self._fold)
        return found

    # ---- below: with the lock held

    def _find(self, tool: str, args: JsonObject) -> tuple[Entry, Tier, bool] | _Nothing:
        """The recording to play, its tier, and whether it is played again; else why there is none."""
        keys = self.keys(tool)
        nothing = _Nothing()
        tiers: tuple[Tier, ...] = ("exact", "normalised")
        for tier in tiers:
            if tier == "exact":
                fitting = self._by_key.get(keys.exact(args), [])
            else:
                fitting = self._loose(tool).get(keys.normalised(args), [])
            for entry in fitting:
                if entry.standing == "waiting" and self._allowed(entry, nothing):
                    return entry, tier, False
            nothing.fitting.extend(e for e in fitting if e not in nothing.fitting)
            if self.repeat_reads and is_read(self.contracts.get(tool)):
                for entry in reversed(fitting):
                    if entry.standing == "played" and self._may_repeat(entry):
                        return entry, tier, True
        return nothing

    def _loose(self, tool: str) -> dict[str, list[Entry]]:
        """The tool's recordings by their key of the second tier; made when first needed."""
        if tool not in self._by_loose_key:
            found = self._by_loose_key[tool] = {}
            for entry in self.entries:
                if entry.recording.tool == tool:
                    found.setdefault(self.keys(tool).normalised(entry.recording.args), []).append(entry)
        return self._by_loose_key[tool]

    def _allowed(self, entry: Entry, nothing: _Nothing) -> bool:
        """Whether this recording may be played now; the first reason against one is kept for the report."""
        first = self._first_in_order(entry)
        if first is not None:
            nothing.before = nothing.before or (entry, first)
            return False
        if not self._guarded:
            return True
        refusal = self.history.refuses(entry.index)
        if refusal is not None:
            nothing.refused = nothing.refused or (entry, refusal)
        return refusal is None

    def _first_in_order(self, entry: Entry) -> Entry | None:
        """The recording that must be played before this one; calls that overlapped have no order."""
        if self.order == "any":
            return None
        alone = self.order == "per_tool"
        in_flight_from = entry.index - entry.recording.overlap
        for earlier in self.entries[:in_flight_from]:
            if earlier.standing == "waiting" and not (alone and earlier.recording.tool != entry.recording.tool):
                return earlier
        return None

    def _may_repeat(self, entry: Entry) -> bool:
        read = self.contracts[entry.recording.tool]
        intervened = any(touches(made.contract, read) for made in self.history.made[entry.writes_then :])
        return not intervened and (not self._guarded or self.history.refuses(entry.index) is None)

    def _play(self, entry: Entry, tier: Tier, repeated: bool) -> Played:
        contract = self.contracts.get(entry.recording.tool)
        write = self.history.issued(entry.key, contract)
        ticket = Played(key=entry.key, write=write, recording=entry.recording, tier=tier, repeated=repeated)
        entry.standing = "played"
        entry.writes_then = len(self.history.made)
        self.racy = self.racy or self._races(entry)
        self._in_flight.append(ticket)
        if repeated:
            self.repeats += 1
        else:
            self.played.append(entry.recording)
        return ticket

    def _races(self, entry: Entry) -> bool:
        """Whether an equal call with another answer is in flight with this one, now or when they were recorded."""
        answer = entry.recording.answer
        now = [t.recording for t in self._in_flight if isinstance(t, Played) and t.key == entry.key]
        then = [e.recording for e in self._by_key[entry.key] if e is not entry and _overlapped(e, entry)]
        return any(not same(other.answer, answer) for other in (*now, *then))

    def _miss(self, tool: str, args: JsonObject, nothing: _Nothing) -> CassetteMiss:
        from .report import explain

        report, data = explain(self, tool, args, before=nothing.before, refused=nothing.refused, fitting=nothing.fitting)
        return CassetteMiss(report, data=data)


@dataclass(slots=True)
class _Nothing:
    """Why no recording could be played."""

    before: tuple[Entry, Entry] | None = None
    """A recording that fits, and the one that must be played before it."""
    refused: tuple[Entry, Refusal] | None = None
    fitting: list[Entry] = field(default_factory=list)
    """Recordings of an equal call, all played (or not allowed)."""


def _overlapped(a: Entry, b: Entry) -> bool:
    first, second = (a, b) if a.index < b.index else (b, a)
    return overlapped(first.index, second.index, second.recording.overlap)
