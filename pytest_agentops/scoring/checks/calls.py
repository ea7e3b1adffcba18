"""Which tools must be called, with what, in which order, how often, and which must not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...schema.call import Call
from ...schema.case import CallRef, CallsExpect
from ...schema.operators import show
from ...schema.run import Run
from ...schema.suggest import did_you_mean
from ...schema.verdict import CheckResult
from ..bounds import misses
from ..calls import Made, Match, Rules, Wanted, call_fits, like_rules, match, name_fits
from ..context import CheckContext

_STOPPED_SHOWN = 5


def check(wanted: CallsExpect, run: Run, context: CheckContext) -> CheckResult:
    """Passes if the calls that reached their tools (also if these answered with an error) are as wanted."""
    reached = [call for call in run.calls if call.reached]
    wrong: list[str] = []
    if wanted.include is not None or _closed(wanted):
        found = _sequence(wanted, reached)
        if not found.passed:
            wrong += [found.why, *_stopped(run.calls, found, wanted.include or ())]
    wrong += _never(wanted.never or (), reached, "never", "reached the tool")
    wrong += _never(wanted.never_tried or (), run.calls, "never_tried", "was tried")
    for name, limit in (wanted.count or {}).items():
        times = sum(name_fits(name, call.tool) for call in reached)
        if why := misses(limit, times):
            wrong.append(f"count: {'calls in all' if name == '*' else name}: {why}{_called(name, reached) if not times else ''}")
    return context.result(not wrong, measured=[call.tool for call in reached], wanted=wanted, why="\n".join(wrong))


def _closed(wanted: CallsExpect) -> bool:
    """Whether the expectation forbids other calls even though it lists none."""
    return (wanted.extra or "allow") != "allow" or wanted.order == "exact" or wanted.like is not None


def asks_nothing(wanted: CallsExpect) -> bool:
    """Whether any calls at all would be as wanted: `include: []` where others are allowed."""
    return not (wanted.include or wanted.never or wanted.never_tried or wanted.count or _closed(wanted))


def rules(wanted: CallsExpect) -> Rules:
    """The rules that the keys of `calls` spell out."""
    args = wanted.args or "partial"
    if wanted.like is not None:
        return like_rules(wanted.like, args)
    return Rules(wanted.order or "in_order", args, wanted.extra or "allow", wanted.missing or "forbid")


def _sequence(wanted: CallsExpect, reached: Sequence[Call]) -> Match:
    made = [Made(call.tool, call.args if call.sent is None else call.sent, call.effect) for call in reached]
    return match(made, [pattern(ref) for ref in wanted.include or ()], rules(wanted))


def pattern(ref: CallRef) -> Wanted:
    """``tool`` or ``{tool: {argument: value}}``."""
    if isinstance(ref, str):
        return Wanted(ref)
    (name, args), *_ = ref.items()
    return Wanted(name, args)


def _never(refs: Sequence[CallRef], calls: Sequence[Call], key: str, done: str) -> Iterator[str]:
    """`args` does not soften these: they always look for a call that has at least the named arguments."""
    for ref in refs:
        unwanted = pattern(ref)
        for number, call in enumerate(calls, 1):
            shapes = [call.args] if call.sent is None else [call.sent] if key == "never" else [call.args, call.sent]
            hit = next((args for args in shapes if call_fits(unwanted, call.tool, args)), None)
            if hit is not None:
                what = unwanted.name if unwanted.args is None else f"{unwanted.name} {show(unwanted.args)}"
                yield f"{key}: {what} {done}: call {number} is {call.tool} {show(hit)}"
                break


def _called(name: str, reached: Sequence[Call]) -> str:
    names = sorted({call.tool for call in reached})
    near = did_you_mean(name, names)
    return f"; called were {', '.join(names[:8]) or 'none'}" + (f"; {near}" if near else "")


def _stopped(calls: Sequence[Call], found: Match, include: Sequence[CallRef]) -> Iterator[str]:
    """A wanted call that was tried and stopped is the likeliest cause of its absence."""
    missing = [pattern(include[w]) for w in found.missing]
    stopped = [call for call in calls if not call.reached and any(name_fits(w.name, call.tool) for w in missing)]
    for call in stopped[:_STOPPED_SHOWN]:
        reason = f" ({call.reason})" if call.reason else ""
        decision = "no recording" if call.decision == "allow" else call.decision
        yield f"  tried, but it did not reach the tool: {call.tool} {show(call.args)}: {decision}{reason}"
