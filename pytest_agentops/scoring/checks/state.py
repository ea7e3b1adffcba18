"""What the toolbox's state must be after the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...schema import operators, paths
from ...schema.run import Run
from ...schema.suggest import did_you_mean
from ...schema.values import Json, JsonObject
from ...schema.verdict import CheckResult
from ..context import CheckContext


def check(wanted: Mapping[str, Json], run: Run, context: CheckContext) -> CheckResult:
    """Passes if every JSON path is there and every place it names fits; other keys are a nested partial mapping."""
    if not run.state.known:
        return context.result(False, wanted=wanted, why=f"the state after the run is not known: {run.state.why}")
    measured: JsonObject = {}
    wrong: list[str] = []
    after = run.state.after
    for key, value in wanted.items():
        if paths.is_path(key):
            wrong += _path(key, value, after, measured)
        else:
            wrong += [_sentence(d) for d in operators.compare({key: value}, after)]
            measured[key] = after.get(key) if isinstance(after, dict) else None
    return context.result(not wrong, measured=measured, wanted=wanted, why="\n".join(wrong))


def _path(key: str, wanted: Json, after: Json, measured: JsonObject) -> Iterator[str]:
    path = paths.parse(key)
    found = path.find(after)
    if not found:
        measured[key] = None
        if not (isinstance(wanted, dict) and wanted.get("$absent") is True):
            yield f"{key}: is not there, wanted {operators.show(wanted)}{_nearest(path, after)}"
        return
    measured[key] = found[0][1] if len(found) == 1 else [value for _, value in found]
    for place, value in found:
        for difference in operators.compare(wanted, value):
            yield f"{paths.text((*place, *difference.place))}: {difference.why}"


def _sentence(difference: operators.Difference) -> str:
    return f"{difference.path}: {difference.why}"


def _nearest(path: paths.Path, after: Json) -> str:
    """The last part of the path that is there, and what stands below it."""
    for length in range(len(path.steps) - 1, -1, -1):
        above = paths.Path("", path.steps[:length]).find(after)
        if not above:
            continue
        place, value = above[0]
        step = path.steps[length]
        if isinstance(value, dict):
            near = did_you_mean(step, value) if isinstance(step, str) else ""
            keys = ", ".join(sorted(value)[:8]) + (", ..." if len(value) > 8 else "")
            return f"; {paths.text(place)} has the keys {keys or '(none)'}" + (f"; {near}" if near else "")
        if isinstance(value, list):
            return f"; {paths.text(place)} is a list of {len(value)}"
        return f"; {paths.text(place)} is {operators.show(value)}"
    return ""
