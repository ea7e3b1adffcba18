"""Which layer is live and what is written, for each pair of mode and record word."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from ..schema.run import Mode

Record: TypeAlias = Literal["none", "once", "new_episodes", "all"]

RECORD_WORDS: tuple[Record, ...] = get_args(Record)
MODES: tuple[Mode, ...] = ("replay", "live")
"""The modes of this version; hybrid and tools-live come with the model layer."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How one trial treats its tools."""

    replay: bool
    """Answers come from the recording (and a missing recording is an error)."""
    live: bool
    """Tools may be called: always, or with `replay` only where the recording has no answer."""
    write: bool
    """The recording is written when the run ended by itself."""

    @property
    def mode(self) -> Mode:
        """The label of the run: live as soon as something may have been live."""
        return "live" if self.live else "replay"


def plan(mode: Mode, record: Record, *, recorded: bool) -> Plan:
    """The plan for a trial; `recorded` says whether its recording exists.

    A layer is live if the mode says so or the record word needs it; nothing is written with ``none``; ``once`` never touches a
    recording that exists; ``new_episodes`` adds what a recording lacks.
    """
    if mode == "live":
        return Plan(replay=False, live=True, write=record == "all" or (record != "none" and not recorded))
    if record == "all" or (record != "none" and not recorded):
        return Plan(replay=False, live=True, write=True)
    if record == "new_episodes":
        return Plan(replay=True, live=True, write=True)
    return Plan(replay=True, live=False, write=False)


def has_recording(folder: Path) -> bool:
    """Whether a trial's folder holds anything but what a run that did not end well left beside it."""
    try:
        return any(not entry.name.startswith(".") and ".partial." not in entry.name for entry in folder.iterdir())
    except OSError:
        return False


def goes_live(mode: Mode, record: Record) -> bool:
    """Whether a session with these words may call anything for real or write a recording."""
    return mode != "replay" or record != "none"
