"""The sequence of tool calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...schema.call import Call
from ...schema.case import CallRef, CallsExpect
from ...schema.operators import show
from ...schema.run import Run
from ...schema.values import JsonObject
from ...schema.verdict import CheckResult
from ..calls import Made, Rules, Wanted, call_fits, like_rules, match, name_fits
from .base import CheckContext, bounds_json, outside, result


def check(wanted: CallsExpect, run: Run, context: CheckContext) -> CheckResult:
    """`include`, `never`, `never_tried` and `count` all hold."""
    wrong = wrong_with(wanted, run.calls)
    measured = [{c.tool: c.args if c.sent is None else c.sent} for c in run.calls if c.reached]
    return result("calls", context, wrong, measured=measured, wanted=wanted_json(wanted))


def wrong_with(wanted: CallsExpect, calls: Sequence[Call]) -> str:
    """What is wrong with the calls, whole; empty if nothing is."""
    reached = [c for c in calls if c.reached]
    parts: list[str] = []
    if wanted.include is not None:
        found = match([_made(c) for c in reached], [_wanted(ref) for ref in wanted.include], _rules(wanted))
        if not found.passed:
            parts.append(found.why)
    parts += _never("never", wanted.never, reached, "reached the tool")
    parts += _never("never_tried", wanted.never_tried, calls, "was tried")
    parts += _counts(wanted, reached)
    return "\n".join(parts)


def _rules(wanted: CallsExpect) -> Rules:
    if wanted.like is not None:
        return like_rules(wanted.like, wanted.args or "partial")
    return Rules(wanted.order or "in_order", wanted.args or "partial", wanted.extra or "allow", wanted.missing or "forbid")


def _made(call: Call) -> Made:
    return Made(call.tool, _args(call), call.effect)


def _args(call: Call) -> JsonObject:
    return call.args if call.sent is None else call.sent


def _wanted(ref: CallRef) -> Wanted:
    if isinstance(ref, str):
        return Wanted(ref)
    ((name, args),) = ref.items()
    return Wanted(name, args)


def _never(key: str, refs: tuple[CallRef, ...] | None, calls: Sequence[Call], what: str) -> Iterator[str]:
    for ref in refs or ():
        pattern = _wanted(ref)
        for number, call in enumerate(calls, start=1):
            if call_fits(pattern, call.tool, _args(call)):
                yield f"{key}: call {number}, {call.tool}({show(_args(call))}), {what}, and must not"


def _counts(wanted: CallsExpect, reached: Sequence[Call]) -> Iterator[str]:
    for name, bounds in (wanted.count or {}).items():
        number = sum(name_fits(name, c.tool) for c in reached)
        miss = outside(number, bounds)
        if miss:
            yield f"count: {'all tools' if name == '*' else name}: {miss}"


def wanted_json(wanted: CallsExpect) -> JsonObject:
    """The expectation as YAML writes it."""
    out: JsonObject = {}
    for key in ("order", "args", "extra", "missing", "like"):
        if getattr(wanted, key) is not None:
            out[key] = getattr(wanted, key)
    for key in ("include", "never", "never_tried"):
        if getattr(wanted, key) is not None:
            out[key] = list(getattr(wanted, key))
    if wanted.count is not None:
        out["count"] = {name: bounds_json(bounds) for name, bounds in wanted.count.items()}
    return out
