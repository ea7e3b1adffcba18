"""A person at the terminal. The caller hands in the controlling terminal, since pytest has taken stdin and stdout.

Names are taken as they are given: whoever sits there could say to be two people. Where that matters, approve elsewhere.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import select
import threading
from collections.abc import Callable
from typing import TextIO

from ..errors import AgentOpsError
from ..schema.case import ApprovalWord
from ..schema.values import Json, JsonObject, dumps, loads
from .request import Answer, Request, Source

TRIES = 3
"""Lines that are no answer before the question counts as unanswered in time."""

_WORDS: dict[str, ApprovalWord] = {"a": "approve", "e": "edit", "r": "reject", "s": "escalate"}


class NoTerminal(AgentOpsError):
    """There is nobody to ask."""

    def __init__(self) -> None:
        super().__init__(
            "approval: no terminal to ask at; script the answer in the case (approvals: [...]), or run in a terminal without -n"
        )


class _Nobody(Exception):
    """The time ran out, or the terminal was closed."""


class Terminal:
    """Asks at a terminal, one question at a time; no answer in time is a timeout."""

    source: Source = "terminal"

    def __init__(self, reads: TextIO, writes: TextIO, *, user: str = "", now: Callable[[], dt.datetime] | None = None) -> None:
        """`user` is the name that an empty answer means; `now` is the clock of the requests."""
        if not (_is_terminal(reads) and _is_terminal(writes)):
            raise NoTerminal
        self._reads, self._writes = reads, writes
        self._user = user
        self._now = now or (lambda: dt.datetime.now(dt.UTC))
        self._lock = threading.Lock()

    def answer(self, request: Request, role: str) -> Answer | None:
        """What the person says."""
        with self._lock:  # two questions at once would be answered crosswise
            try:
                self._say(_question(request, role))
                return self._answer(request)
            except _Nobody:
                self._say("\nno answer in time: denied\n")
                return Answer(decision="timeout")

    def _answer(self, request: Request) -> Answer:
        decision = self._choice(request)
        by = self._line(request, f"your name [{shown(self._user)}]: " if self._user else "your name: ") or self._user
        edit = self._edit(request) if decision == "edit" else None
        wants = "why (kept in the results): " if decision != "approve" else "note (may be empty): "
        return Answer(decision=decision, by=by, edit=edit, message=self._line(request, wants))

    def _choice(self, request: Request) -> ApprovalWord:
        for _ in range(TRIES):
            said = self._line(request, "[a]pprove, [e]dit, [r]eject, e[s]calate? ").lower()
            word = _WORDS.get(said) or next((w for w in _WORDS.values() if w == said), None)
            if word is not None:
                return word
            self._say("please answer a, e, r or s\n")
        raise _Nobody

    def _edit(self, request: Request) -> JsonObject:
        allowed = request.terms.allow_edit
        which = "any argument" if allowed is None else ", ".join(allowed) or "none"
        for _ in range(TRIES):
            said = self._line(request, f'new values as JSON, {{"argument": value}} ({which}): ')
            with contextlib.suppress(ValueError, RecursionError):
                value = loads(said)
                if isinstance(value, dict) and value:
                    return value
            self._say("please write one JSON object\n")
        raise _Nobody

    def _say(self, text: str) -> None:
        try:
            self._writes.write(text)
            self._writes.flush()
        except (OSError, ValueError):
            raise _Nobody from None

    def _line(self, request: Request, prompt: str) -> str:
        self._say(prompt)
        left = (request.expires - self._now()).total_seconds()
        try:
            ready, _, _ = select.select([self._reads], [], [], max(left, 0.0))
        except (OSError, ValueError):
            ready = [
                self._reads
            ]  # a console that cannot be waited for (Windows): the answer may come too late, which the desk sees
        if not ready:
            raise _Nobody
        try:
            line = self._reads.readline()
        except (OSError, ValueError):
            raise _Nobody from None
        if not line.endswith("\n"):
            raise _Nobody
        return line.strip()


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def _question(request: Request, role: str) -> str:
    action = request.action
    who = ", ".join(sorted(action.requesters)) or "an agent without a name"
    rows: list[tuple[str, str]] = [("tool", shown(action.tool)), ("asked by", shown(who)), ("role", shown(role))]
    if action.rule:
        rows.append(("rule", shown(action.rule)))
    if request.why:
        rows.append(("why", shown(request.why)))
    rows += [(f"  {shown(key)}", _value(value)) for key, value in sorted(action.args.items())]
    if request.dry_run is not None:
        rows.append(("dry run", _value(request.dry_run)))
    width = max(len(name) for name, _ in rows)
    return "\n--- approval needed ---\n" + "".join(f"{name:<{width}}  {text}\n" for name, text in rows)


def _value(value: Json) -> str:
    return shown(dumps(value, sort_keys=True))


def shown(text: str) -> str:
    """Text that an agent chose, for a person's eyes: nothing moves the cursor, letters that look like others are spelt out."""
    return "".join(c if " " <= c <= "~" else c.encode("unicode_escape").decode() for c in text)
