"""The state of the world after the run."""

from __future__ import annotations

from ...schema import paths
from ...schema.operators import compare
from ...schema.run import Run
from ...schema.run import State as RunState
from ...schema.values import Json, JsonObject
from ...schema.verdict import CheckResult
from .base import CheckContext, result


def check(wanted: JsonObject, run: Run, context: CheckContext) -> CheckResult:
    """Each JSON path has its value and the nested mapping fits; an unknown state fails with the reason."""
    return result("state", context, wrong_with(wanted, run.state), measured=_measured(wanted, run.state), wanted=wanted)


def wrong_with(wanted: JsonObject, state: RunState) -> str:
    """What differs, a line each."""
    if not state.known:
        return f"the state after the run is unknown: {state.why}"
    lines: list[str] = []
    nested = {}
    for key, value in wanted.items():
        if paths.is_path(key):
            lines += _path(key, value, state.after)
        else:
            nested[key] = value
    lines += [str(d) for d in compare(nested, state.after)] if nested else []
    return "\n".join(lines)


def _path(text: str, wanted: Json, after: Json) -> list[str]:
    found = paths.parse(text).find(after)
    if not found:
        return [] if wanted == {"$absent": True} else [f"{text}: is not there"]
    return [f"{_place(place, d.place)}: {d.why}" for place, value in found for d in compare(wanted, value)]


def _place(here: paths.Concrete, below: paths.Concrete) -> str:
    return paths.text((*here, *below))


def _measured(wanted: JsonObject, state: RunState) -> Json:
    if not state.known:
        return None
    out: JsonObject = {}
    for key in wanted:
        if paths.is_path(key):
            found = [value for _, value in paths.parse(key).find(state.after)]
            out[key] = found[0] if len(found) == 1 else found
        elif isinstance(state.after, dict):
            out[key] = state.after.get(key)
    return out
