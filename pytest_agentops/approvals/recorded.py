"""People's answers, kept in a cassette, and given again for the same call only: tool, arguments, principal, rule and trial, under
the policies and the contract of the tool that they were given under.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from ..schema.case import ApprovalWord
from ..schema.operators import show
from ..schema.values import JsonObject, same
from .action import Action
from .request import Act, Answer, Request, Source

_KEYS = ("tool", "args", "role", "by", "decision", "edit", "message", "under", "asked")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One answer as the cassette has it; `asked` is the digest of the call that was asked about."""

    tool: str
    args: JsonObject
    role: str
    by: str
    decision: ApprovalWord
    asked: str
    under: JsonObject = field(default_factory=dict)
    edit: JsonObject | None = None
    message: str = ""


def to_json(acts: Iterable[Act]) -> list[JsonObject]:
    """What a cassette keeps of a trial's acts: not the scripted ones (they stand in the case) nor those that an edit carried."""
    out: list[JsonObject] = []
    for act in acts:
        if act.source == "scripted" or act.carried:
            continue
        item: JsonObject = {"tool": act.tool, "args": act.args, "role": act.role, "by": act.by, "decision": act.decision}
        if act.edit is not None:
            item["edit"] = act.edit
        if act.message:
            item["message"] = act.message
        if act.under:
            item["under"] = act.under
        out.append({**item, "asked": act.asked})
    return out


def from_json(items: Any) -> list[Kept]:
    """The answers of a cassette; raises ValueError that says which one is out of shape, and how."""
    if not isinstance(items, list):
        raise ValueError(f"approvals: wanted a list, got {show(items)}")
    return [_kept(item, f"approvals[{i}]") for i, item in enumerate(items)]


def _kept(item: Any, where: str) -> Kept:
    if not isinstance(item, dict):
        raise ValueError(f"{where}: wanted a mapping, got {show(item)}")
    unknown = sorted(set(item) - set(_KEYS))
    if unknown:
        raise ValueError(f"{where}: unknown key {unknown[0]!r}; expected {', '.join(_KEYS)}")
    for key, kind in (("tool", str), ("args", dict), ("role", str), ("by", str), ("decision", str), ("asked", str)):
        if not isinstance(item.get(key), kind):
            raise ValueError(f"{where}.{key}: wanted a {'mapping' if kind is dict else 'text'}, got {show(item.get(key))}")
    if item["decision"] not in get_args(ApprovalWord):
        raise ValueError(f"{where}.decision: wanted one of {', '.join(get_args(ApprovalWord))}, got {show(item['decision'])}")
    if not isinstance(item.get("message", ""), str) or not all(isinstance(item.get(key, {}), dict) for key in ("edit", "under")):
        raise ValueError(f"{where}: edit is a mapping, and so is under; message is a text")
    return Kept(**item)


class Recorded:
    """The approver of a replay; equal questions get their answers in the order of the recording, each once."""

    source: Source = "recorded"

    def __init__(self, answers: Sequence[Kept], *, again: str = "record it again") -> None:
        """`again` is how people are asked once more, for messages."""
        self.answers = tuple(answers)
        self._again = again
        self._used: set[int] = set()
        self._lock = threading.Lock()

    def answer(self, request: Request, role: str) -> Answer | None:
        """The recorded answer of `role` to this very question."""
        with self._lock:
            for i, kept in enumerate(self.answers):
                asked_this = kept.asked == request.digest and kept.tool == request.action.tool
                # the arguments too: somebody may have edited the readable half of the recording
                if i not in self._used and kept.role == role and asked_this and same(kept.args, request.action.args):
                    self._used.add(i)
                    return Answer(decision=kept.decision, by=kept.by, edit=kept.edit, message=kept.message)
        return None

    def edits(self, tool: str, args: JsonObject) -> list[JsonObject]:
        """What unused answers made of this call."""
        with self._lock:
            left = [kept for i, kept in enumerate(self.answers) if i not in self._used and kept.edit]
        return [{**args, **(kept.edit or {})} for kept in left if kept.tool == tool and same(kept.args, args)]

    def unused(self) -> list[tuple[int, str]]:
        """Recorded answers that nobody asked for: their index, and a sentence."""
        with self._lock:
            left = [(i, kept) for i, kept in enumerate(self.answers) if i not in self._used]
        return [
            (i, f"the recorded {k.decision} by {k.by} ({k.role}) of {k.tool} {show(k.args)} was not asked for") for i, k in left
        ]

    def close_to(self, request: Request) -> str | None:
        """Why an answer to a call that reads alike does not hold, and the cure, for the message of an unanswered request."""
        action = request.action
        alike = [k for k in self.answers if k.tool == action.tool and same(k.args, action.args) and k.asked != request.digest]
        if not alike:
            return None
        for kept in alike:
            if replace(action, under=kept.under).digest == kept.asked:
                said = f"{kept.decision} by {kept.by} ({kept.role})"
                return f"recorded is {said}, which does not hold any more: {_changed(kept, action)}\n  cure: {self._again}"
        return f"the recording has an answer to this call, but for another rule, principal or trial\n  cure: {self._again}"


def _changed(kept: Kept, action: Action) -> str:
    """What an answer was given under that is another today."""
    names = {"policy": f"the policies for {action.tool}", "contract": f"the contract of {action.tool}"}
    now = action.under
    changed = [text for key, text in names.items() if kept.under.get(key) != now.get(key)]
    return f"{' and '.join(changed) or 'something'} changed since it was given"
