"""The only places of the state that may differ after the run."""

from __future__ import annotations

from collections.abc import Sequence

from ...schema import operators, paths
from ...schema.paths import Concrete
from ...schema.run import Run
from ...schema.values import Json
from ...schema.verdict import CheckResult
from ..context import CheckContext

_MOST = 10


def check(wanted: Sequence[str], run: Run, context: CheckContext) -> CheckResult:
    """Passes if every change of the state lies at or below one of the paths; ``[]`` means that nothing changed."""
    state = run.state
    if not state.known:
        return context.result(False, wanted=wanted, why=f"the state after the run is not known: {state.why}")
    changed = paths.changes(state.before, state.after)
    allowed = [paths.parse(text) for text in wanted]
    open_ends = {
        place for path in allowed if path.from_end for side in (state.before, state.after) for place, _ in path.find(side)
    }
    wrong = [
        place
        for place in changed
        if not any(path.covers(place) for path in allowed) and not any(paths.below(place, top) for top in open_ends)
    ]
    lines = [f"{paths.text(place)} {_change(place, state.before, state.after)}" for place in wrong[:_MOST]]
    if len(wrong) > _MOST:
        lines.append(f"... and {len(wrong) - _MOST} changes more")
    allowed_text = f"only {', '.join(wanted)} may" if wanted else "nothing may"
    why = "\n  ".join([f"the run changed what it may not ({allowed_text} change):", *lines]) if wrong else ""
    return context.result(not wrong, measured=[paths.text(place) for place in changed], wanted=wanted, why=why)


_NOTHING = object()


def _at(value: Json, place: Concrete) -> object:
    for key in place:
        there = key in value if isinstance(value, dict) else isinstance(value, list) and isinstance(key, int) and key < len(value)
        if not there:
            return _NOTHING
        value = value[key]
    return value


def _change(place: Concrete, before: Json, after: Json) -> str:
    old, new = _at(before, place), _at(after, place)
    if old is _NOTHING:
        return f"is new: {operators.show(new)}"
    if new is _NOTHING:
        return f"is gone, it was {operators.show(old)}"
    return f"was {operators.show(old)}, is {operators.show(new)}"
