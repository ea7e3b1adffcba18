"""What decides about a trial's calls: its policies over its tools, its approvers, its stages in their order."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import CassetteError, LoadError
from ..schema.contract import Contract
from ..schema.pins import contract_digest
from ..schema.run import Problem
from ..schema.values import Json, JsonObject, digest
from ..tape.cassette import record_command
from ..tools.arguments import ainvoke, invoke
from .budget import BudgetMeter
from .guard import Pending, Stage
from .idempotency import IdempotencyStage
from .inside import inside_tool
from .policing import NoPolicyStage, PolicyStage
from .stages import BudgetStage, ContractStage

if TYPE_CHECKING:
    from ..approvals.desk import Desk
    from ..approvals.recorded import Recorded
    from ..approvals.request import Approver
    from ..approvals.scripted import Script
    from ..policy.binding import Policies
    from ..policy.model import PolicyFile
    from ..redact.membrane import Membrane
    from ..tape.cassette import ToolsCassette
    from ..tools.toolbox import Toolbox
    from .modes import Plan
    from .session import Session
    from .setting import Trial


@dataclass(slots=True, kw_only=True)
class Governance:
    """One trial's, once it is set up."""

    stages: tuple[Stage, ...]
    pin: str | None
    """The digest of the policies; None without any."""
    desk: Desk | None = None
    script: Script | None = None
    recorded: Recorded | None = None

    def unused(self) -> list[str]:
        """Answers of humans that nobody asked for, a sentence each."""
        return [text for one in (self.script, self.recorded) if one is not None for _, text in one.unused()]


def policy_pin(files: Sequence[PolicyFile]) -> str | None:
    """One digest for all policy files, whatever their order."""
    return None if not files else files[0].digest if len(files) == 1 else digest(sorted(f.digest for f in files))


def binding(files: Sequence[PolicyFile]) -> Callable[[Contract], JsonObject]:
    """What an approval holds under: the policy files that have a policy for its tool, and the tool's contract.

    Not all files: an answer would be lost to a change that its rule knows nothing of.
    """
    from ..policy.match import fits

    known: dict[Contract, JsonObject] = {}

    def under(contract: Contract) -> JsonObject:
        if contract not in known:
            policy = policy_pin([f for f in files if any(fits(p.tool, contract.name) for p in f.policies)])
            known[contract] = {"policy": policy, "contract": contract_digest(contract)}
        return known[contract]

    return under


def redacted_fields(files: Iterable[PolicyFile], contracts: Mapping[str, Contract]) -> dict[str, tuple[str, ...]]:
    """Tool -> what the `log` rules of its policies redact.

    Whatever their conditions: a value that one call must hide would be given away by the recording of another.
    """
    from ..policy.match import fits

    found: dict[str, tuple[str, ...]] = {}
    for name in contracts:
        rules = [log for f in files for p in f.policies if p.mode == "enforce" and fits(p.tool, name) for log in p.logs]
        fields = sorted({field for rule in rules for field in rule.obligations.redact_fields})
        if fields:
            found[name] = tuple(fields)
    return found


def hidden_again(cassette: ToolsCassette, redacted: Mapping[str, tuple[str, ...]], membrane: Membrane) -> ToolsCassette:
    """The recording with the fields hidden that a policy redacts today and did not when it was made, and what repeats them."""
    if not any(call.tool in redacted for call in cassette.calls):
        return cassette
    said = [
        (value, redacted.get(call.tool, ()))
        for call in cassette.calls
        for value in (call.args, call.result, None if call.error is None else call.error.message)
    ]
    hidden = membrane.hide_again(said)
    if hidden == [value for value, _ in said]:
        return cassette
    each = iter(hidden)
    calls = []
    for call in cassette.calls:
        args, result, message = next(each), next(each), next(each)
        error = None if call.error is None else replace(call.error, message=message)
        calls.append(replace(call, args=args, result=result, error=error))
    return replace(cassette, calls=calls)


def bound(files: Sequence[PolicyFile], contracts: Mapping[str, Contract], context: Iterable[str]) -> Policies | None:
    """The policies over these tools; raises `LoadError` with every mistake that shows only now."""
    if not files:
        return None
    from ..policy.binding import bind, check

    policies = [policy for file in files for policy in file.policies]
    mistakes = check(policies, contracts, frozenset(context))
    if mistakes:
        raise LoadError("\n".join(str(mistake) for mistake in mistakes))
    return bind(policies, contracts)


def govern(
    trial: Trial,
    chosen: Plan,
    session: Session,
    toolbox: Toolbox,
    cassette: ToolsCassette | None,
    meter: BudgetMeter,
    run_async: Callable[..., Json],
) -> Governance:
    """The stages of one trial; those that it does not need are left out."""
    fields, contracts = trial.case.fields, session.contracts
    before: list[Stage] = [ContractStage(contracts, enforce=trial.enforce_contracts)]
    if any(contracts[name].idempotency_key for name in contracts):
        # before the policies: a call that is made again is no second call, and is charged to no limit
        before.append(IdempotencyStage(session.values.fold, on_stored=session.answered_again))
    budget = BudgetStage(meter, session.may_spend if chosen.tools.live and not chosen.tools.replay else None)
    asks = any(step.require_approval for step in (fields.budget.degrade if fields.budget else None) or ())
    if not trial.policies and not asks and trial.audit is None and fields.principal is None:
        return Governance(stages=(*before, NoPolicyStage(), budget), pin=None)
    policies = bound(trial.policies, contracts, fields.context or {})
    pin = policy_pin(trial.policies)
    police = PolicyStage(
        policies,
        principal=fields.principal,
        context=fields.context or {},
        meter=meter,
        clock=_clock(fields.clock, session),
        reveal=session.membrane.reveal,
        audit=None,
    )
    stages: list[Stage] = [*before, police, budget]
    if policies is None and not asks and trial.audit is None:
        return Governance(stages=tuple(stages), pin=pin)
    dry_run = _dry_run(chosen, toolbox, session, run_async)
    return _with_people(trial, chosen, session, cassette, stages, police, pin, dry_run)


def _clock(stated: str | None, session: Session) -> Callable[[], dt.datetime | None]:
    """What time windows see: the time that the case states, in every mode; else the run's own."""
    if stated is None:
        return lambda: session.values.moment
    moment = dt.datetime.fromisoformat(stated)
    return lambda: moment


def _with_people(
    trial: Trial,
    chosen: Plan,
    session: Session,
    cassette: ToolsCassette | None,
    stages: list[Stage],
    police: PolicyStage,
    pin: str | None,
    dry_run: Callable[[Pending], Json],
) -> Governance:
    from ..approvals.desk import Desk
    from ..approvals.scripted import Script
    from ..policy.model import roles_of
    from .approving import ApprovalStage, LastStage
    from .auditing import TrialAudit

    case = trial.case
    fields = case.fields
    script, recorded = Script(fields.approvals or ()), _recorded(chosen, cassette, trial.folder.name)
    # a variant that plays its case's recording takes over what people said in that one
    name = cassette.case if recorded is not None and cassette is not None else f"{case.suite}/{case.name}"
    session.edits = lambda tool, args: [e for one in (script, recorded) if one is not None for e in one.edits(tool, args)]
    approvers: list[Approver] = [script] if recorded is None else [script, recorded]
    terminal = trial.terminal() if chosen.live and trial.terminal is not None else None
    if terminal is not None:
        approvers.append(terminal)
    desk = Desk(approvers, clock=lambda: session.values.moment or dt.datetime.now(dt.UTC), roles=roles_of(trial.policies))
    approval = ApprovalStage(
        desk,
        trial=f"{name}#{trial.number}",
        principal=fields.principal,
        context=fields.context or {},
        values=session.values,
        hide=session.membrane.hide,
        meter=session.meter,
        audit=None,
        player=session.player,
        diverged=session.diverged,
        dry_run=dry_run,
        under=binding(trial.policies),
        recorded=recorded,
    )
    if trial.audit is not None:
        about = {"case": f"{case.suite}/{case.name}", "trial": trial.number, "mode": chosen.mode, "principal": approval.principal}
        audit = TrialAudit(trial.audit, about=about, policy=pin, action=approval.action)
        session.audit = police.audit = approval.audit = audit
        audit.event("trial.start", {"pins": {"policy": pin}})
    where = "replay" if session.player is not None else "live"
    last = LastStage(approval, session.audit, lambda pending: "stub" if pending.contract.answers is not None else where)
    return Governance(stages=(*stages, approval, last), pin=pin, desk=desk, script=script, recorded=recorded)


def _recorded(chosen: Plan, cassette: ToolsCassette | None, folder: str) -> Recorded | None:
    """What people said when the run was recorded; asked only where that run is replayed."""
    if cassette is None or not chosen.tools.replay or not cassette.approvals:
        return None
    from ..approvals.recorded import Recorded, from_json

    try:
        return Recorded(from_json(cassette.approvals), again=f"have it answered again: {record_command(folder)}")
    except ValueError as error:
        raise CassetteError(str(error), path=cassette.file, cure="record it again, or correct the file") from None


def _dry_run(chosen: Plan, toolbox: Toolbox, session: Session, run_async: Callable[..., Json]) -> Callable[[Pending], Json]:
    """What the tool says that it would do, for the approver; only where the tool could be called at all."""

    def ask(pending: Pending) -> Json:
        tool = toolbox.tool(pending.call.tool)
        if not chosen.tools.live or tool.dry_run is None or pending.contract.answers is not None:
            return None
        try:
            dry, args = tool.dry(), session.membrane.reveal(pending.call.sent or pending.args)
            with inside_tool():
                value = run_async(ainvoke(dry, args)) if dry.is_async else invoke(dry, args)
            return session.membrane.hide(_plain(value), pending.sensitive)
        except Exception as error:  # the approver is told, and decides without it
            return {"error": f"{type(error).__name__}: {session.membrane.hide(str(error))}"}

    return ask


def _plain(value: object) -> Json:
    from ..schema.values import jsonable

    return jsonable(value)


def report_unused(governance: Governance, session: Session) -> None:
    """Say which scripted or recorded answers were not asked for."""
    left = governance.unused()
    if left:
        session.latch(Problem(kind="approval_unused", text="\n".join(left), data={"count": len(left)}))
