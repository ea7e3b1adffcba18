"""The answers that stand in the case: the first unused entry that fits tool, arguments and role."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from ..schema.case import ScriptedApproval
from ..schema.operators import fits, show
from ..schema.values import JsonObject
from .request import ANYBODY, Answer, Request, Source


class Script:
    """A trial's scripted approver; each entry answers once, also where two calls ask at the same time."""

    source: Source = "scripted"

    def __init__(self, entries: Sequence[ScriptedApproval]) -> None:
        self.entries = tuple(entries)
        self._used: set[int] = set()
        self._lock = threading.Lock()

    def answer(self, request: Request, role: str) -> Answer | None:
        """The next fitting entry's answer."""
        with self._lock:
            for i, entry in enumerate(self.entries):
                if i not in self._used and _fits(entry, request, role):
                    self._used.add(i)
                    return Answer(decision=entry.decision, by=entry.by or "", edit=entry.edit, message=entry.message or "")
        return None

    def edits(self, tool: str, args: JsonObject) -> list[JsonObject]:
        """What unused entries would make of this call."""
        with self._lock:
            left = [entry for i, entry in enumerate(self.entries) if i not in self._used and entry.edit]
        fit = [e for e in left if e.tool in (None, tool) and (e.args is None or fits(e.args, args))]
        return [{**args, **(entry.edit or {})} for entry in fit]

    def unused(self) -> list[tuple[int, str]]:
        """Entries that nobody asked for: their index under `approvals`, and a sentence."""
        with self._lock:
            return [
                (i, f"approvals[{i}] was not asked for: {_text(e)}") for i, e in enumerate(self.entries) if i not in self._used
            ]


def _fits(entry: ScriptedApproval, request: Request, role: str) -> bool:
    if entry.tool is not None and entry.tool != request.action.tool:
        return False
    if entry.role is not None and role not in (entry.role, ANYBODY):
        return False
    return entry.args is None or fits(entry.args, request.action.args)


def _text(entry: ScriptedApproval) -> str:
    said = (("tool", entry.tool), ("args", entry.args), ("role", entry.role), ("by", entry.by))
    return ", ".join(f"{key}: {v if isinstance(v, str) else show(v)}" for key, v in said if v is not None) + (
        f"{', ' if any(v is not None for _, v in said) else ''}decision: {entry.decision}"
    )
