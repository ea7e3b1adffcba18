"""What the policies must have decided: which calls they stopped and why, and which ran on a human's approval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...schema.call import Call
from ...schema.governed import BlockedCall, PolicyExpect
from ...schema.operators import fits, show
from ...schema.run import Run
from ...schema.verdict import CheckResult
from ..blocks import matched, unexpected
from ..bounds import misses
from ..calls import name_fits
from ..context import CheckContext

SHOWN = 5


def check(wanted: PolicyExpect, run: Run, context: CheckContext) -> CheckResult:
    """Passes if each entry of `blocked` names another stopped call, and the counts are as wanted."""
    denied = [call for call in run.calls if call.blocked_by_policy]
    approved = [call for call in run.calls if call.reached and call.decision in ("approved", "edited")]
    left = unexpected(run.calls, wanted.blocked or ())
    wrong: list[str] = []
    if wanted.blocks is not None and (why := misses(wanted.blocks, len(denied))):
        wrong += [f"blocks: {why}", *_listed(denied)]
    if wanted.blocked is not None:
        wrong += _blocked(wanted.blocked, run.calls)
        if left and wanted.blocks is None and wanted.unexpected_blocks is None:
            wrong += ["blocked: a policy stopped more than is listed", *_listed(left)]
    if wanted.unexpected_blocks is not None and (why := misses(wanted.unexpected_blocks, len(left))):
        wrong += [f"unexpected_blocks: {why}", *_listed(left)]
    if wanted.approvals is not None and (why := misses(wanted.approvals, len(approved))):
        wrong += [f"approvals: {why}", *_listed(approved)]
    measured = {"blocks": len(denied), "unexpected_blocks": len(left), "approvals": len(approved)}
    return context.result(not wrong, measured=measured, wanted=wanted, why="\n".join(wrong))


def _blocked(entries: Sequence[str | BlockedCall], calls: Sequence[Call]) -> Iterator[str]:
    stopped = [call for call in calls if not call.reached and not call.stored]
    pairs = matched(entries, stopped)
    for index, entry in enumerate(entries):
        if index not in pairs:
            yield f"blocked: no call was stopped that fits {_said(entry)}"
            yield from _near(entry, calls)


def _near(entry: str | BlockedCall, calls: Sequence[Call]) -> Iterator[str]:
    """What became of the calls of that tool: let through, stopped otherwise, or never asked for."""
    tool = entry if isinstance(entry, str) else entry.tool
    of_tool = [call for call in calls if name_fits(tool, call.tool)]
    for call in of_tool[:SHOWN]:
        if call.reached:
            yield f"  let through: {call.tool} {show(call.args)} ({call.reason or call.decision})"
        else:
            other = (
                "" if isinstance(entry, str) or entry.args is None or fits(entry.args, call.args) else ", with other arguments"
            )
            rule = f", rule {call.rule}" if call.rule else ""
            yield f"  stopped{other}: {call.tool} {show(call.args)}: {call.reason}{rule}"
    if not of_tool:
        names = ", ".join(sorted({call.tool for call in calls})) or "none"
        yield f"  {tool} was never tried; tried were: {names}"


def _said(entry: str | BlockedCall) -> str:
    if isinstance(entry, str):
        return entry
    more = "".join(f", {key} {value}" for key, value in (("reason", entry.reason), ("rule", entry.rule)) if value is not None)
    return entry.tool + (f" {show(entry.args)}" if entry.args is not None else "") + more


def _listed(calls: Sequence[Call]) -> Iterator[str]:
    for call in calls[:SHOWN]:
        why = call.error.message if call.error is not None else call.reason or call.decision
        yield f"  {call.tool} {show(call.args)}: {why}"
    if len(calls) > SHOWN:
        yield f"  and {len(calls) - SHOWN} more"
