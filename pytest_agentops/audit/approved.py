"""Whether the answers in a log add up to the approval that a call ran on; from the log alone, not by the code that granted it."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field

from ..schema.values import JsonObject


@dataclass(slots=True)
class Request:
    """One request and what was answered to it."""

    asked: JsonObject
    answers: list[JsonObject] = field(default_factory=list)
    used: bool = False


def lacking(request: Request, call: JsonObject) -> str | None:
    """Why `call` may not run on this request; None if it may. A request is used up by it."""
    if request.used:
        return "its approval had been used already"
    request.used = True
    asked, digest = request.asked, call.get("action_digest")
    if asked.get("action_digest") != digest:
        return "it was approved with other arguments"
    requesters = {_person(who) for who in asked.get("requesters") or []}
    people: set[str] = set()
    for need in asked.get("needs") or []:
        mine = set()
        for answer in request.answers:
            counts = "refused" not in answer and answer.get("decision") in ("approve", "edit")
            counts = counts and answer.get("action_digest") == digest
            # after an escalation a later role answers in place of the one that was asked: `for` names that one
            if counts and need.get("role") in (answer.get("for"), answer.get("role")):
                if str(answer.get("at", "")) > str(asked.get("expires", "")):
                    return "it was approved after the request had expired"
                mine.add(_person(answer.get("by")))
        mine -= requesters | people
        if len(mine) < int(need.get("count", 1)):
            return f"{len(mine)} of {need.get('count', 1)} approvals by {need.get('role')} from people who did not ask for it"
        people |= mine
    if not asked.get("needs"):
        return "the request names nobody who must approve"
    if any(answer.get("decision") in ("reject", "timeout") for answer in request.answers):
        return "it was rejected"
    return None


def _person(name: object) -> str:
    """One person for all ways to write a name; ``user:alice`` is also alice."""
    whole = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", str(name)).strip().casefold()).strip()
    return whole.partition(":")[2].strip() or whole
