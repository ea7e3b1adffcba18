"""The gates of a build: limits on the metrics and regressions against the baseline, each with the numbers that decide it.

A replay compares exactly: its runs are the same every time, so that any difference is one. Live runs are compared by statistics,
and all statistical gates of one build share their alpha (Holm). The two are never mixed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from ..schema.gates import LIMITS, REGRESSIONS, Gates
from ..schema.sentences import count, some
from ..schema.values import Json, JsonObject
from ..schema.verdict import Metrics
from . import limits, regressions, statistics
from .finding import EXACT, Finding
from .tried import NOWHERE, Matched, Tried, match

Result: TypeAlias = Literal["pass", "fail", "inconclusive", "not_comparable", "not_judged"]
NO_BASELINE = "there is no baseline: make one with pytest --agent-evals --agent-baseline=update, and commit it"
NO_RECORDS = "the baseline has no record of these cases: pytest --agent-evals --agent-baseline=update adds them"
SHOWN = 5
"""Cases that are named before the rest is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What is judged together: the cases of a suite, or of the whole session."""

    name: str
    """The suite; an empty string for the session."""
    gates: Gates
    metrics: Metrics
    now: Sequence[Tried]
    before: Sequence[Tried] | None
    """The records of the baseline for these cases; None if there is no baseline."""
    unjudged: str = ""
    """Why no gate can be judged: not all cases ran."""
    lost: str = ""
    """Why the success rate fails whatever the runs that were left out would have come to."""
    no_baseline: str = NO_BASELINE
    """What is said where `before` is None."""

    @property
    def exact(self) -> bool:
        """Whether all runs were replays."""
        return all(one.mode == "replay" for one in self.now if one.mode != "none")


@dataclass(slots=True, kw_only=True)
class GateResult:
    """What a gate came to."""

    group: str
    name: str
    result: Result
    why: str
    """One sentence with the numbers that decided."""
    wanted: str = ""
    measured: Json = None
    baseline: Json = None
    p: float | None = None
    p_holm: float | None = None
    regression: bool = False
    """Whether a fail is one against the baseline, and not of an absolute limit."""
    statistical: bool = False
    refuted: bool = False
    """A second run did not show the regression again: not sure, and not red."""
    details: list[str] = field(default_factory=list)
    file: str | None = None
    line: int | None = None
    col: int | None = None

    def as_json(self) -> JsonObject:
        """As the results file has it; figures of statistics with 6 places."""
        numbers = {key: round(p, 6) for key, p in (("p", self.p), ("p_holm", self.p_holm)) if p is not None}
        return {
            "name": self.name,
            "result": self.result,
            "wanted": self.wanted,
            "measured": self.measured,
            "baseline": self.baseline,
            **numbers,
            "why": self.why,
            "details": self.details,
            "file": self.file,
            "line": self.line,
        }


def judge(groups: Sequence[Group]) -> list[GateResult]:
    """All gates of a build, in the order of the groups and of the format."""
    drafts: list[tuple[Group, str, Finding]] = []
    for group in groups:
        matched = None if group.before is None else match(group.before, group.now)
        drafts += [(group, name, _find(group, name, matched)) for name in names(group.gates)]
    corrected = [f for group, _, f in drafts if f.p is not None and group.gates.correction == "holm"]
    for finding, p in zip(corrected, statistics.holm([f.p for f in corrected if f.p is not None]), strict=True):
        finding.p_holm = p
    return [_decided(group, name, finding) for group, name, finding in drafts]


def names(gates: Gates) -> list[str]:
    """The gates that there are."""
    return [name for name in (*LIMITS, *REGRESSIONS) if getattr(gates, name) is not None]


def needs_baseline(gates: Gates) -> bool:
    """Whether one of them compares with the baseline."""
    watched = (gates.intervention_rate, gates.unexpected_policy_blocks)
    compares = gates.success_regression, gates.broken_cases, gates.cost_regression
    return any(compares) or any(gate is not None and gate.regression_alpha is not None for gate in watched)


def _find(group: Group, name: str, matched: Matched | None) -> Finding:
    if group.lost and name == "task_success_rate":
        return limits.lost(group.gates.task_success_rate, group.metrics, group.lost)
    if group.unjudged:
        return Finding(result="not_judged", why=group.unjudged)
    spec = getattr(group.gates, name)
    if name == "critical":
        return _critical(group, matched)
    if name not in REGRESSIONS:
        if not any(one.trials for one in group.now):
            return _nothing_counts(group, matched)
        found = limits.judge(name, spec, group.metrics, live=not group.exact)
        alpha = getattr(spec, "regression_alpha", None)
        if alpha is not None and found.result != "fail":
            watched = _compared(group, matched, lambda pairs: regressions.more_often(name, pairs, alpha, exact=group.exact))
            if watched.result == "not_judged" and found.wanted:  # the limit holds without a baseline, too
                found.why, found.details = f"{found.why}; {watched.why}", [*found.details, *watched.details]
                return found
            watched.why = f"{found.why}; {watched.why}"
            watched.wanted = f"{found.wanted}, no more than in the baseline".removeprefix(", ")
            watched.measured = found.measured
            return watched
        return found
    judge_one = {
        "success_regression": lambda pairs: regressions.success(pairs, spec, exact=group.exact),
        "broken_cases": lambda pairs: regressions.broken(pairs, spec, exact=group.exact),
        "cost_regression": lambda pairs: regressions.cost(pairs, spec, exact=group.exact),
    }[name]
    return _compared(group, matched, judge_one)


def _compared(group: Group, matched: Matched | None, judge_one: Callable[[Sequence[tuple[Tried, Tried]]], Finding]) -> Finding:
    """A regression over the cases that can be compared; what cannot is never passed over."""
    if matched is None:
        return Finding(result="not_judged", why=group.no_baseline)
    if not matched.pairs and not matched.changed:
        return Finding(result="not_judged", why=NO_RECORDS, details=_news(matched))
    finding = judge_one(matched.pairs) if matched.pairs else Finding(result="pass", why="no case can be compared")
    finding.details += _news(matched)
    if matched.changed:
        finding.uncompared = _listed(
            [f"{case}: {why}" for case, why in matched.changed], f"{count(len(matched.changed), 'case')} not comparable"
        )
        finding.details += _cures(why for _, why in matched.changed)
    return finding


def _cures(reasons: Iterable[str]) -> list[str]:
    """An update of the baseline takes what ran; a run that counts nowhere is not among it."""
    nowhere = {why.endswith(NOWHERE) for why in reasons}
    update = ["pytest --agent-evals --agent-baseline=update takes the build as it is for the baseline"]
    anew = [
        "what counts nowhere is compared again when it runs as it was recorded: take the change back, "
        "or record it anew (pytest --agent-evals --agent-record=all FILE::CASE)"
    ]
    return (update if False in nowhere else []) + (anew if True in nowhere else [])


def _news(matched: Matched) -> list[str]:
    new = [_listed(matched.new, f"{count(len(matched.new), 'case')} new, with absolute gates only")] if matched.new else []
    gone = [one.id for one in matched.removed]
    return [*new, _listed(gone, f"{count(len(gone), 'case')} removed since the baseline")] if gone else new


def _listed(names: Iterable[str], what: str) -> str:
    return f"{what}: {some(names, SHOWN, between='; ')}"


def _nothing_counts(group: Group, matched: Matched | None) -> Finding:
    """A limit with no run to hold against it: no pass where there were runs, or where the baseline has some."""
    finding = Finding(result="not_judged", why="no run counts")
    left_out = sum(one.left_out for one in group.now)
    if left_out:
        finding.uncompared = f"{count(left_out, 'run')} {'counts' if left_out == 1 else 'count'} {NOWHERE}"
    elif matched is not None and matched.changed:
        finding.uncompared = f"{count(len(matched.changed), 'case')} of the baseline did not run"
    return finding


def _critical(group: Group, matched: Matched | None) -> Finding:
    """Cases that may not fail; one that is removed has failed."""
    spec = group.gates.critical
    assert spec is not None
    wanted = set(spec.tags)
    mine = [one for one in group.now if wanted & set(one.tags)]
    failed = [(one.id, one.trials - one.successes + one.left_out) for one in mine]
    failures = sum(number for _, number in failed)
    gone = [one.id for one in (matched.removed if matched else ()) if wanted & set(one.tags)]
    said = ", ".join(sorted(wanted))
    finding = Finding(
        result="fail" if failures > spec.allow_failures or gone or not mine else "pass",
        why=f"{failures} failed runs of {count(len(mine), 'case')} with {said}, allowed are {spec.allow_failures}",
        wanted=f"at most {spec.allow_failures} failed runs",
        measured=failures,
    )
    bad = [f"{case} ({number})" for case, number in failed if number]
    finding.details += [_listed(bad, "failed")] if bad else []
    finding.details += [_listed(gone, "removed since the baseline, which counts as failed")] if gone else []
    idle = [one.id for one in mine if not one.trials and not one.left_out]
    finding.details += [_listed(idle, "did not run")] if idle else []
    return finding


def _decided(group: Group, name: str, found: Finding) -> GateResult:
    """The result, now that every p has been corrected for the others."""
    result: Result = found.result
    why = found.why
    if found.p is not None:
        p = found.p if found.p_holm is None else found.p_holm
        holm = f", Holm {p:.2g}" if found.p_holm is not None and abs(p - found.p) > 1e-12 else ""
        why += f" ({found.test} p={found.p:.2g}{holm}, alpha {found.alpha:g})"
        if found.worse and p <= found.alpha:
            result = "fail"
        elif found.worse:
            result, why = "inconclusive", f"{why}: worse, but not proven"
    regression = name in REGRESSIONS and name != "critical"
    if result != "fail" and found.uncompared:
        result = "not_comparable"
    if found.uncompared:
        why = f"{why}; {found.uncompared}"
    return GateResult(
        group=group.name,
        name=name,
        result=result,
        why=why,
        wanted=found.wanted,
        measured=found.measured,
        baseline=found.baseline,
        p=found.p,
        p_holm=found.p_holm,
        regression=regression or found.test != "",
        statistical=found.test not in ("", EXACT),
        details=found.details,
    )


__all__ = ["NO_BASELINE", "GateResult", "Group", "Result", "judge", "names", "needs_baseline"]
