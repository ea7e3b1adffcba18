"""Where one trial's approvals are asked for, kept and used up; safe to use from threads.

A request ends at the first reject, timeout or edit, and is granted when every need has its number of different people, none of
whom asked for it. No answer at all is `unanswered`: the guard ends the run as interrupted. Whatever is not clear does not grant.
"""

from __future__ import annotations

import copy
import datetime as dt
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import get_args

from ..schema.case import ApprovalWord
from ..schema.values import Json, JsonObject
from .action import Action, names_of, person, same_person
from .request import ANYBODY, Act, Answer, Approval, ApprovalRefused, Approver, Outcome, Request, Source, Tally, Terms

ATTEMPTS = 20
"""Answers to one request that may fail to count before it is rejected: an approver that always says the same ends somewhere."""

EDITS = 5
"""How often one call may be edited."""

_PERSONAL: tuple[Source, ...] = ("scripted", "recorded", "terminal")


class Desk:
    """The approvals of one trial."""

    def __init__(
        self,
        approvers: Sequence[Approver],
        *,
        clock: Callable[[], dt.datetime],
        roles: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        """`approvers` are asked in order; `roles` names the people of each role, where that is known."""
        self.approvers = tuple(approvers)
        self._clock = clock
        self._people = {role: frozenset(map(person, names)) for role, names in (roles or {}).items()}
        self._lock = threading.Lock()
        self._number = 0
        self._spent: set[str] = set()
        self._granted: dict[str, Approval] = {}
        self._acts: list[Act] = []

    # ---- asking

    def ask(self, action: Action, terms: Terms, *, after: Outcome | None = None, dry_run: Json = None, why: str = "") -> Outcome:
        """Ask until the request is granted, refused or nobody answers; may wait for a person, holds no lock while it does.

        `after` is the edit that led here: the editor's act counts as an approval of what came out of it.
        """
        request = self._request(action, terms, dry_run, why)
        tallies = [Tally.of(need) for need in terms.needs]
        acts: list[Act] = []
        edits = after.edits if after is not None else 0
        bad = self._carry(request, tallies, acts, after)
        if bad is not None:
            return _rejected(request, acts, bad)
        failed = 0
        while (tally := next((t for t in tallies if not t.met), None)) is not None:
            if failed >= ATTEMPTS:
                return _rejected(request, acts, f"{failed} answers that do not count")
            given = self._given(request, tally.role)
            if given is None:
                return _unanswered(request, tally, acts)
            answer, source = given
            if request.action.digest != request.digest:
                text = f"{request.action.tool}: the arguments changed while it was asked for"
                return Outcome(kind="rejected", request=request, acts=tuple(acts), reason="approval_mismatch", message=text)
            act = self._act(request, tally, answer, source, acts, edits)
            acts.append(act)
            if act.refused is not None:
                failed += 1
                continue
            ended = self._end(request, tally, act, answer, acts, edits)
            if ended is not None:
                return ended
        return self._grant(request, acts)

    def spend(self, approval: Approval, action: Action) -> None:
        """Use an approval up for the call that is about to run; raises `ApprovalRefused`. Of two callers, one wins."""
        digest = action.digest
        now = self._clock()
        with self._lock:
            granted = self._granted.get(approval.id)
            if granted is None or granted != approval:
                raise ApprovalRefused("approval_mismatch", f"{action.tool}: {approval.id} is no approval of this trial")
            if approval.id in self._spent:
                raise ApprovalRefused("approval_mismatch", f"{action.tool}: the approval {approval.id} was used already")
            # also where it does not hold: an approval that was tried on another call is not to be tried again
            self._spent.add(approval.id)
            if digest != approval.digest:
                raise ApprovalRefused(
                    "approval_mismatch", f"{action.tool}: this is not the call that was approved ({approval.id})"
                )
            if not approval.granted <= now <= approval.expires:
                raise ApprovalRefused("approval_timeout", f"{action.tool}: the approval {approval.id} has expired")

    # ---- what came of it

    @property
    def acts(self) -> list[Act]:
        """Every answer so far, in order, also those that did not count."""
        with self._lock:
            return list(self._acts)

    @property
    def interventions(self) -> list[JsonObject]:
        """The human acts, as the results file lists them."""
        return [act.as_json() for act in self.acts if act.intervenes]

    # ---- below: one step each

    def _request(self, action: Action, terms: Terms, dry_run: Json, why: str) -> Request:
        # what is shown and bound is what was asked, whatever becomes of the caller's arguments
        args, principal, under, more = copy.deepcopy((action.args, action.principal, action.under, action.more))
        snapshot = replace(action, args=args, principal=principal, under=under, more=more)
        now = self._clock()
        with self._lock:
            self._number += 1
            ident = f"ap_{self._number}"
        expires = now + terms.expires
        digest = snapshot.digest
        return Request(
            id=ident, action=snapshot, digest=digest, terms=terms, asked=now, expires=expires, dry_run=dry_run, why=why
        )

    def _carry(self, request: Request, tallies: Sequence[Tally], acts: list[Act], after: Outcome | None) -> str | None:
        """Take over the editor's own approval; gives why the edit may not stand, if it may not."""
        editor = after.editor if after is not None else None
        if after is None or editor is None:
            return None
        edited = replace(after.request.action, args=after.args or {}, rule=request.action.rule, more=request.action.more)
        if edited.digest != request.digest:
            return "this is not what the edit made of the call"
        before = sum(need.count for need in after.request.terms.needs)
        if sum(need.count for need in request.terms.needs) > before:
            return "the edited call needs more approvals than the one that was asked for"
        tally = next((t for t in tallies if editor.needed == t.need.role), None)
        if tally is not None:
            tally.people.append(editor.by)
            act = replace(
                editor, request_id=request.id, asked=request.digest, digest=request.digest, at=self._clock(), carried=True
            )
            acts.append(self._kept(act))
        return None

    def _given(self, request: Request, role: str) -> tuple[Answer, Source] | None:
        for approver in self.approvers:
            answer = approver.answer(request, role)
            if answer is not None:
                return answer, approver.source
        return None

    def _act(self, request: Request, tally: Tally, answer: Answer, source: Source, acts: Sequence[Act], edits: int) -> Act:
        now = self._clock()
        late = not request.asked <= now <= request.expires
        by = answer.by.strip() or tally.role
        why = None if late else self._refused(request, tally.role, by, answer, acts, edits)
        digest = request.digest
        if answer.decision == "edit" and why is None and not late:
            digest = replace(request.action, args=_edited(request, answer)).digest
        act = Act(
            request_id=request.id,
            tool=request.action.tool,
            args=request.action.args,
            role=tally.role,
            needed=tally.need.role,
            by=by,
            # an answer that came too late is none; so is one from before the question, when somebody moved the clock
            decision="timeout" if late else answer.decision,
            source=source,
            asked=request.digest,
            under=request.action.under,
            digest=digest,
            at=now,
            edit=answer.edit,
            message=answer.message,
            refused=why,
        )
        return self._kept(act)

    def _kept(self, act: Act) -> Act:
        with self._lock:
            self._acts.append(act)
        return act

    def _refused(self, request: Request, role: str, by: str, answer: Answer, acts: Sequence[Act], edits: int) -> str | None:
        """Why an answer does not count. A no always counts, whoever says it."""
        if answer.decision in ("reject", "timeout"):
            return None
        if answer.decision not in get_args(ApprovalWord):
            return f"{answer.decision!r} is no decision"
        if names_of(by) & request.action.requesters:
            return f"{by} asked for the call and cannot approve it"
        if any(same_person(by, act.by) for act in acts if act.refused is None):
            return f"{by} has answered already; {_people(request)}"
        if role in self._people and person(by) not in self._people[role]:
            return f"{by} does not have the role {role}; it is that of {', '.join(sorted(self._people[role])) or 'nobody'}"
        if role == ANYBODY and self._people and not any(person(by) in names for names in self._people.values()):
            return f"{by} has no role that may approve"
        if answer.decision == "edit":
            return _bad_edit(request, answer, edits)
        return None

    def _end(self, request: Request, tally: Tally, act: Act, answer: Answer, acts: Sequence[Act], edits: int) -> Outcome | None:
        """What the act makes of the request; None: go on."""
        if act.decision == "approve":
            tally.people.append(act.by)
            return None
        if act.decision == "escalate":
            if not tally.later:
                text = f"escalated by {act.by}, and the policy names no role after {tally.role}"
                return _rejected(request, acts, text + _said(act))
            tally.role = tally.later.pop(0)
            return None
        if act.decision == "edit":
            args = _edited(request, answer)
            return Outcome(kind="edited", request=request, acts=tuple(acts), args=args, message=act.message, edits=edits + 1)
        if act.decision == "timeout":
            text = f"{act.tool}: nobody with the role {tally.role} answered in time"
            return Outcome(kind="timed_out", request=request, acts=tuple(acts), reason="approval_timeout", message=text)
        return _rejected(request, acts, f"rejected by {act.by} ({tally.role})" + _said(act))

    def _grant(self, request: Request, acts: Sequence[Act]) -> Outcome:
        counted = [act for act in acts if act.refused is None and act.decision in ("approve", "edit")]
        approval = Approval(
            id=request.id,
            digest=request.digest,
            granted=request.asked,
            expires=request.expires,
            by=tuple(act.by for act in counted),
            source=min((act.source for act in counted), key=_PERSONAL.index),
        )
        with self._lock:
            self._granted[approval.id] = approval
        return Outcome(kind="approved", request=request, acts=tuple(acts), approval=approval)


def _rejected(request: Request, acts: Sequence[Act], why: str) -> Outcome:
    message = f"{request.action.tool}: {why}"
    return Outcome(kind="rejected", request=request, acts=tuple(acts), reason="approval_rejected", message=message)


def _unanswered(request: Request, tally: Tally, acts: Sequence[Act]) -> Outcome:
    """In words for the person who runs the case: what was needed, what did not count, what to write."""
    action, need = request.action, tally.need
    rule = f" (rule {action.rule})" if action.rule else ""
    text = (
        f"{action.tool} needs the approval of {tally.role}{rule}, and nobody answered: {len(tally.people)} of {need.count} given"
    )
    text += "".join(f"\n  did not count: {act.refused}" for act in acts if act.refused is not None)
    text += f"\n  why: {request.why}" if request.why else ""
    entry = f"{{tool: {action.tool}, role: {tally.role}, by: NAME, decision: approve}}"
    text += f"\n  cure: script the answer in the case: approvals: [{entry}]"
    return Outcome(kind="unanswered", request=request, acts=tuple(acts), message=text)


def _bad_edit(request: Request, answer: Answer, edits: int) -> str | None:
    if not answer.edit:
        return "an edit that names no argument"
    allowed = request.terms.allow_edit
    if allowed is not None:
        wrong = sorted(set(answer.edit) - set(allowed))
        if wrong:
            return f"{', '.join(wrong)} may not be edited; the policy allows {', '.join(allowed) or 'no argument'}"
    return f"edited {edits} times already" if edits >= EDITS else None


def _edited(request: Request, answer: Answer) -> JsonObject:
    return copy.deepcopy({**request.action.args, **(answer.edit or {})})


def _people(request: Request) -> str:
    return f"{sum(need.count for need in request.terms.needs)} different people are needed"


def _said(act: Act) -> str:
    return f": {act.message}" if act.message else ""
