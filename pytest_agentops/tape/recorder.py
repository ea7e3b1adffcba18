"""Keeps the answers of live calls, in the order in which the calls were issued."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ..schema.call import ErrorInfo
from ..schema.pins import Pins
from ..schema.run import State
from ..schema.values import Json, JsonObject, copied
from .overlap import merged
from .recording import Recording, ToolsCassette
from .values import TrialValues


@dataclass(eq=False, slots=True)
class Slot:
    """The place of one call in the recording, taken when it was issued; give it its answer once."""

    tool: str
    args: JsonObject
    overlap: int
    recorder: Recorder = field(repr=False)
    value: Json = None
    failure: ErrorInfo | None = None
    answered: bool = False
    played: Recording | None = None
    """Set where the answer came from the recording that is being added to."""

    def result(self, value: Json) -> None:
        """The tool's result, on the placeholder side."""
        with self.recorder._lock:
            self.value, self.answered = copied(value), True

    def error(self, error: ErrorInfo) -> None:
        """The tool's error, on the placeholder side."""
        with self.recorder._lock:
            self.failure, self.answered = error, True

    def recording(self) -> Recording:
        if self.played is not None:
            return self.played
        return Recording(tool=self.tool, args=self.args, result=self.value, error=self.failure, overlap=self.overlap)


class Recorder:
    """The calls of one live trial; safe to use from threads and tasks."""

    def __init__(self) -> None:
        self._slots: list[Slot] = []
        self._lock = threading.Lock()

    def begin(self, tool: str, args: JsonObject) -> Slot:
        """A call was issued (arguments on the placeholder side, volatile values folded)."""
        with self._lock:
            slot = Slot(tool, copied(args), self._overlap(), self)
            self._slots.append(slot)
            return slot

    def replayed(self, recording: Recording) -> None:
        """A call was answered from the recording that this one adds to: it keeps its place among the new ones."""
        with self._lock:
            self._slots.append(Slot(recording.tool, recording.args, 0, self, answered=True, played=recording))

    def _overlap(self) -> int:
        """How many of the calls directly before are still in flight."""
        count = 0
        for slot in reversed(self._slots):
            if slot.answered:
                break
            count += 1
        return count

    @property
    def added(self) -> int:
        """How many live answers were kept."""
        return sum(slot.answered and slot.played is None for slot in self._slots)

    @property
    def unanswered(self) -> list[str]:
        """Tools of calls that never came to an answer; such a run must not replace a good recording."""
        return [slot.tool for slot in self._slots if not slot.answered]

    def cassette(
        self,
        *,
        case: str,
        pins: Pins,
        values: TrialValues | None = None,
        before: ToolsCassette | None = None,
        state: State | None = None,
        approvals: Sequence[JsonObject] = (),
        with_: str | None = None,
    ) -> ToolsCassette:
        """The recording; `before` is the one that it adds to.

        Calls without an answer are left out, and the recording says so: `save_recording` refuses it, `save_partial_recording`
        takes it.
        """
        with self._lock:
            slots = list(self._slots)
            calls = _without_gaps(slots)
        late = tuple(slot.tool for slot in slots if not slot.answered)
        return ToolsCassette(
            case=case,
            calls=merged(before.calls, calls) if before is not None else calls,
            recorded_at=dt.datetime.now(dt.UTC).date().isoformat(),
            approvals=list(approvals),
            with_=with_ if with_ is not None else written_by(),
            pins=pins,
            clock=values.clock if values is not None else None,
            seed=values.recorded_seed if values is not None else None,
            state_before=state.before if state is not None else None,
            state_after=state.after if state is not None else None,
            has_state=state is not None,
            unanswered=late,
        )


def written_by() -> str:
    """``pytest-agentops 0.1.0``."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"pytest-agentops {version('pytest-agentops')}"
    except PackageNotFoundError:
        return "pytest-agentops"


def _without_gaps(slots: list[Slot]) -> list[Recording]:
    """The answered calls; an overlap counts only calls that are there."""
    out: list[Recording] = []
    for i, slot in enumerate(slots):
        if slot.answered:
            there = sum(other.answered for other in slots[i - slot.overlap : i])
            out.append(replace(slot.recording(), overlap=there) if slot.played is None else slot.recording())
    return out
