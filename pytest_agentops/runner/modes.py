"""Which layer is live and what is written, for each pair of mode and record word."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from ..schema.run import Mode

Record: TypeAlias = Literal["none", "once", "new_episodes", "all", "stale"]

RECORD_WORDS: tuple[Record, ...] = get_args(Record)
MODES: tuple[Mode, ...] = get_args(Mode)


@dataclass(frozen=True, slots=True)
class Layer:
    """How one trial treats its tools, or its model."""

    replay: bool
    """Answers come from the recording (and a missing recording is an error)."""
    live: bool
    """Something may be called for real: always, or with `replay` only where the recording has no answer."""
    write: bool
    """The recording is written when the run ended by itself."""


REPLAYED = Layer(replay=True, live=False, write=False)
ADDED_TO = Layer(replay=True, live=True, write=True)
LIVE = Layer(replay=False, live=True, write=False)
RECORDED = Layer(replay=False, live=True, write=True)


@dataclass(frozen=True, slots=True)
class Plan:
    """How one trial treats its two layers."""

    tools: Layer
    model: Layer

    @property
    def mode(self) -> Mode:
        """The label of the run: a layer counts as live as soon as something of it may have been live."""
        if self.tools.live:
            return "live" if self.model.live else "tools-live"
        return "hybrid" if self.model.live else "replay"

    @property
    def swapped(self) -> bool:
        """Whether another model may ask than the one that the tools' answers were recorded with."""
        return self.tools.replay and not self.model.replay

    @property
    def live(self) -> bool:
        """Whether anything may be called for real."""
        return self.tools.live or self.model.live

    @property
    def write(self) -> bool:
        """Whether anything is recorded."""
        return self.tools.write or self.model.write

    @property
    def replay(self) -> bool:
        """Whether a recording is needed."""
        return self.tools.replay or self.model.replay


def plan(mode: Mode, record: Record, *, recorded: bool) -> Plan:
    """The plan for a trial; `recorded` says whether its recording exists.

    A layer is live if the mode says so or the record word needs it, and only what was live is written; nothing is written
    with ``none``; ``once`` never touches a recording that exists; ``new_episodes`` adds what a recording lacks; ``all`` in
    hybrid or tools-live records the live layer again and leaves the other as it is. ``stale`` replays like ``none`` first:
    who runs the trial records it with ``all`` where that showed it to be stale.
    """
    tools_live, model_live = mode in ("tools-live", "live"), mode in ("hybrid", "live")
    if not recorded and record not in ("none", "stale"):
        return Plan(RECORDED, RECORDED)
    if record == "all":
        if tools_live == model_live:
            return Plan(RECORDED, RECORDED)
        return Plan(RECORDED if tools_live else REPLAYED, RECORDED if model_live else REPLAYED)
    if record == "new_episodes" and not (tools_live and model_live):
        return Plan(RECORDED if tools_live else ADDED_TO, RECORDED if model_live else ADDED_TO)
    return Plan(LIVE if tools_live else REPLAYED, LIVE if model_live else REPLAYED)


def has_recording(folder: Path) -> bool:
    """Whether a trial's folder holds anything but what a run that did not end well left beside it."""
    try:
        return any(not entry.name.startswith(".") and ".partial." not in entry.name for entry in folder.iterdir())
    except OSError:
        return False


def goes_live(mode: Mode, record: Record) -> bool:
    """Whether a session with these words may call anything for real or write a recording."""
    return mode != "replay" or record != "none"
