"""What a recording of a trial's tool calls is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from ..schema.call import ErrorInfo
from ..schema.contract import Contract
from ..schema.pins import Pins
from ..schema.values import Json, JsonObject, canonical

Contracts: TypeAlias = Mapping[str, Contract]

FORMAT = 1
"""The only format there is; a higher number was written by a newer version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One recorded call; all values are on the placeholder side. Do not change `args` and `result`: they are shared."""

    tool: str
    args: JsonObject
    result: Json = None
    error: ErrorInfo | None = None
    overlap: int = 0
    """How many calls issued directly before this one were still in flight when it was issued."""
    line: int = 0
    """Where it stands in its file; 0 for one that comes from no file."""

    @property
    def answer(self) -> JsonObject:
        """``{result: ...}`` or ``{error: ...}``."""
        return {"result": self.result} if self.error is None else {"error": self.error.as_json()}

    def as_json(self) -> JsonObject:
        """The entry in ``calls:``."""
        overlap = {"overlap": self.overlap} if self.overlap else {}
        return {"tool": self.tool, "args": self.args, **overlap, **self.answer}

    @property
    def identity(self) -> str:
        """One text for recordings that say the same; `overlap` and `line` do not count."""
        return canonical([self.tool, self.args, self.answer])


@dataclass(slots=True, kw_only=True)
class ToolsCassette:
    """The tools layer of one recorded trial: the file ``tools.yaml``."""

    case: str
    """``suite/case`` or ``suite/case~variant``."""
    calls: list[Recording] = field(default_factory=list)
    """In the order of issue."""
    recorded_at: str | None = None
    with_: str | None = None
    """What wrote it: ``pytest-agentops 0.1.0``."""
    pins: Pins = field(default_factory=Pins)
    layers: tuple[str, ...] = ("tools",)
    endpoint: str | None = None
    clock: str | None = None
    """What task.now() starts from in replay."""
    seed: int | None = None
    """What task.random is seeded from in replay; None if the run did not use it."""
    state_before: Json = None
    state_after: Json = None
    has_state: bool = False
    approvals: list[JsonObject] = field(default_factory=list)
    """What people answered at the terminal, each bound to the digest of its call (`approvals.recorded`)."""
    file: str = ""
    """How messages name its file."""
    unanswered: tuple[str, ...] = ()
    """Tools of calls that were issued and never answered; they are not in `calls`. Such a recording is not kept."""

    def place(self, recording: Recording) -> str:
        """``file:line`` of a recording."""
        return f"{self.file}:{recording.line}" if recording.line else self.file

    def as_json(self) -> JsonObject:
        """The file's value, keys in their fixed order."""
        out: JsonObject = {"format": FORMAT, "case": self.case}
        recorded = {"at": self.recorded_at, "with": self.with_}
        if any(recorded.values()):
            out["recorded"] = {key: value for key, value in recorded.items() if value is not None}
        out["pins"] = self.pins.as_json()
        out["layers"] = list(self.layers)
        for key, value in (("endpoint", self.endpoint), ("clock", self.clock), ("seed", self.seed)):
            if value is not None:
                out[key] = value
        out["calls"] = [call.as_json() for call in self.calls]
        if self.approvals:
            out["approvals"] = self.approvals
        if self.has_state:
            out["state"] = {"before": self.state_before, "after": self.state_after}
        return out
