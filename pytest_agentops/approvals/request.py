"""What is asked, what may be answered, and what came of it: plain data."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from ..errors import AgentOpsError
from ..schema.call import Reason
from ..schema.case import ApprovalWord
from ..schema.values import Json, JsonObject
from .action import Action

Source: TypeAlias = Literal["scripted", "terminal", "recorded"]
"""Who answered: a script is never shown as a person's act."""

EXPIRES = dt.timedelta(minutes=15)

ANYBODY = "anybody"
"""The role of a need that names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One role that must approve, by so many different people; `escalate_to` are the roles after it, in order."""

    role: str
    count: int = 1
    escalate_to: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"approval by {self.role}: a count of {self.count} would let the call through unasked")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a decision `require_approval` asks for: all needs must be met."""

    needs: tuple[Need, ...]
    expires: dt.timedelta = EXPIRES
    allow_edit: tuple[str, ...] | None = None
    """Arguments that an approver may change; None: any (the edited call goes through the guard again), (): none."""

    def __post_init__(self) -> None:
        if not self.needs:
            raise ValueError("an approval that nobody needs to give would let the call through unasked")

    @classmethod
    def of(cls, *roles: str, count: int = 1) -> Terms:
        """Each of these roles, `count` people each."""
        return cls(needs=tuple(Need(role=role, count=count) for role in roles))


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One question to humans about one exact call."""

    id: str
    action: Action
    digest: str
    """The action's, when it was asked."""
    terms: Terms
    asked: dt.datetime
    expires: dt.datetime
    dry_run: Json = None
    """What the tool said it would do; shown to the approver."""
    why: str = ""
    """The policy's reason, shown to the approver."""

    def as_json(self) -> JsonObject:
        """For the audit log."""
        return {
            "request_id": self.id,
            "needs": [{"role": n.role, "count": n.count} for n in self.terms.needs],
            "requesters": sorted(self.action.requesters),
            "action_digest": self.digest,
            "expires": stamp(self.expires),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an approver said."""

    decision: ApprovalWord
    by: str = ""
    """Empty: somebody of that role; two such answers count as one person."""
    edit: JsonObject | None = None
    message: str = ""
    """The reason, for the agent and for who reads the results."""


class Approver(Protocol):
    """Somebody or something that answers requests; None means that it has no answer, and the next one is asked."""

    source: Source

    def answer(self, request: Request, role: str) -> Answer | None:
        """The answer of `role`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One human act on a run, kept with its reason. `refused` says why it did not count."""

    request_id: str
    tool: str
    args: JsonObject
    role: str
    """The role that answered."""
    needed: str
    """The role that was asked for; another one only after an escalation."""
    by: str
    decision: ApprovalWord
    source: Source
    asked: str
    """The digest of the call that was asked about."""
    under: JsonObject
    """Of that call: under which policies and which contract."""
    digest: str
    """The digest of the call that the act approves: for an edit, the edited one."""
    at: dt.datetime
    edit: JsonObject | None = None
    message: str = ""
    refused: str | None = None
    carried: bool = False
    """The same act as an earlier one, taken over to the request that its edit led to."""

    @property
    def intervenes(self) -> bool:
        """Whether a human did something: nobody did when the time ran out, and a carried act was counted already."""
        return self.decision != "timeout" and not self.carried

    def as_json(self) -> JsonObject:
        """An item of ``interventions`` in the results."""
        out: JsonObject = {"kind": self.decision, "tool": self.tool, "args": self.args, "role": self.role, "by": self.by}
        out |= {"source": self.source}
        for key, value in (("edit", self.edit), ("message", self.message or None), ("refused", self.refused)):
            if value is not None:
                out[key] = value
        return out

    def for_audit(self) -> JsonObject:
        """The `approval` of an ``approval.decided`` record."""
        out: JsonObject = {"request_id": self.request_id, "role": self.role, "for": self.needed, "by": self.by}
        out |= {"decision": self.decision, "source": self.source, "action_digest": self.digest, "at": stamp(self.at)}
        for key, value in (("message", self.message or None), ("refused", self.refused)):
            if value is not None:
                out[key] = value
        return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A granted request: good for one call with this digest until it expires."""

    id: str
    """The request's."""
    digest: str
    granted: dt.datetime
    expires: dt.datetime
    by: tuple[str, ...]
    source: Source
    """The least personal of its grants: scripted before recorded before terminal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a request."""

    kind: Literal["approved", "edited", "rejected", "timed_out", "unanswered"]
    request: Request
    acts: tuple[Act, ...] = ()
    approval: Approval | None = None
    """For approved."""
    args: JsonObject | None = None
    """For edited: the new arguments, which go through the guard again from the top."""
    reason: Reason | None = None
    message: str = ""
    """For the agent; for unanswered, for the person who runs the case."""
    edits: int = 0
    """How often the call was edited so far."""

    @property
    def editor(self) -> Act | None:
        """The act that edited; hand the outcome to the next `ask` as `after`."""
        return next((act for act in reversed(self.acts) if act.decision == "edit" and act.refused is None), None)


class ApprovalRefused(AgentOpsError):
    """An approval that does not hold for the call that is about to run."""

    def __init__(self, reason: Literal["approval_mismatch", "approval_timeout"], message: str) -> None:
        super().__init__(message)
        self.reason: Literal["approval_mismatch", "approval_timeout"] = reason
        self.message = message


@dataclass(slots=True)
class Tally:
    """Who has answered for one need so far."""

    need: Need
    role: str
    people: list[str] = field(default_factory=list)
    later: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, need: Need) -> Tally:
        return cls(need, need.role, later=list(need.escalate_to))

    @property
    def met(self) -> bool:
        return len(self.people) >= self.need.count


def stamp(moment: dt.datetime) -> str:
    """A moment as text; texts sort as the moments do."""
    return moment.astimezone(dt.UTC).isoformat(timespec="microseconds")
