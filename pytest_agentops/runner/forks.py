"""Tool calls from forked children: a child has a copy of the session and what it did there would be lost, so it is refused.

The notes stand in memory that a process shares with its forks. It is made when the process first forks, so a run that forks
nothing pays nothing. Python cannot take back what is registered for forks, so the process has one such object.
"""

from __future__ import annotations

import functools
import itertools
import mmap
import os
import threading
import traceback
from collections.abc import Callable
from typing import NoReturn

from ..errors import SessionClosed

_SLOTS, _SLOT = 256, 128
"""One slot a child, by its id; two children in one slot leave at least one note. The first is the sign that there are any."""


class ForkNotes:
    """What forked children tried, by the number of the session that they tried it on."""

    def __init__(self) -> None:
        self.forks = 0
        """How often this process forked so far."""
        self._page: mmap.mmap | None = None
        self._numbers = itertools.count(1)
        self._late: dict[int, Callable[[str], None]] = {}
        self._lock = threading.Lock()

    def number(self) -> int:
        """A number for a session."""
        return next(self._numbers)

    def before_fork(self) -> None:
        """Python calls it in the parent."""
        self.forks += 1
        if self._page is None:
            self._page = mmap.mmap(-1, (_SLOTS + 1) * _SLOT)

    def refuse(self, number: int, tool: str) -> SessionClosed:
        """In the child: leave a note for the parent; the error to raise."""
        if self._page is not None:
            note = f"{number} {tool}".encode()[: _SLOT - 1]
            start = (os.getpid() % _SLOTS + 1) * _SLOT
            self._page[start : start + _SLOT] = note.ljust(_SLOT, b"\0")
            self._page[0] = 1  # after the note: who sees it finds one
        return SessionClosed(_text(tool))

    def take(self, number: int) -> list[tuple[str, str]]:
        """In the parent: the tools that children called on this session, each with the sentence for people."""
        page = self._page
        if page is None or not page[0]:
            return []
        page[0] = 0
        found = []
        for start in range(_SLOT, (_SLOTS + 1) * _SLOT, _SLOT):
            owner, _, tool = page[start : start + _SLOT].rstrip(b"\0").partition(b" ")
            if owner and owner != b"%d" % number:
                page[0] = 1  # another session's
            elif owner:
                page[start : start + _SLOT] = bytes(_SLOT)
                name = tool.decode("utf-8", "replace")
                found.append((name, _text(name)))
        return found

    def watch(self, number: int, told: Callable[[str], None]) -> None:
        """The session is over, and children may still run: `late` tells of them."""
        with self._lock:
            self._late[number] = told

    def late(self) -> None:
        """Tell of the calls that came after their sessions."""
        with self._lock:
            watched = list(self._late.items())
        for number, told in watched:
            for _, text in self.take(number):
                told(text)


def end_child(error: BaseException | None) -> NoReturn:
    """A forked child came back from the agent: it ends here, else it would go on as a second run of all tests."""
    code = 0 if error is None else 1
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    elif error is not None:
        traceback.print_exception(error)
    os._exit(code & 0xFF)


def _text(tool: str) -> str:
    return (
        f"{tool} was called in a forked child process, whose calls its trial cannot see\n"
        "  cure: call tools in the agent's own process, from threads or tasks"
    )


@functools.cache
def fork_notes() -> ForkNotes:
    """The notes of this process."""
    notes = ForkNotes()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=notes.before_fork)
    return notes
