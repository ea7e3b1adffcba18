"""Two sets of runs of the same cases, such as two models: what is better, what is worse, what the tests say of it.

Replays are compared exactly: their runs are the same every time, so that every difference is one, and a test would mean nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..schema.gates import BrokenCases, CostRegression
from . import regressions, statistics
from .finding import Finding
from .tried import Tried, successes

ALPHA = 0.05
Answer: TypeAlias = Literal["worse", "better", "same", "unproven", "not_comparable"]


@dataclass(frozen=True, slots=True)
class Compared:
    """What two sides come to over the cases that both have."""

    pairs: tuple[tuple[Tried, Tried], ...]
    apart: tuple[tuple[str, str], ...]
    """Not compared: id and why."""
    findings: tuple[tuple[str, Finding, float | None], ...]
    """Name, finding, and its p as corrected for the others (Holm); None where no test decides."""
    answer: Answer
    why: str


def compare(before: Iterable[Tried], after: Iterable[Tried], *, tolerance: float, alpha: float = ALPHA) -> Compared:
    """Set the two against each other, case by case. `tolerance` is by how much the cost may grow."""
    pairs, apart = _matched(before, after)
    if not pairs:
        return Compared((), apart, (), "not_comparable", "no case can be compared")
    modes = {one.mode for pair in pairs for one in pair}
    if len({mode == "replay" for mode in modes}) > 1:
        return Compared(pairs, apart, (), "not_comparable", f"replays and live runs ({', '.join(sorted(modes))})")
    exact = modes == {"replay"}
    findings = [
        ("success", _success(pairs, alpha, exact=exact)),
        ("broken cases", regressions.broken(pairs, BrokenCases(alpha=alpha), exact=exact)),
        ("cost", _cost(pairs, tolerance, alpha, exact=exact)),
        ("interventions", _interventions(pairs, alpha, exact=exact)),
    ]
    corrected = iter(statistics.holm([f.p for _, f in findings if f.p is not None]))
    told = tuple((name, f, next(corrected) if f.p is not None else None) for name, f in findings)
    answer, why = _answer(told, pairs, alpha, exact=exact)
    return Compared(pairs, apart, told, answer, why)


def _matched(
    before: Iterable[Tried], after: Iterable[Tried]
) -> tuple[tuple[tuple[Tried, Tried], ...], tuple[tuple[str, str], ...]]:
    """The cases of both, as long as they ask the same; how often each was tried does not matter here."""
    old = {one.id: one for one in before}
    pairs, apart = [], []
    for now in after:
        was = old.pop(now.id, None)
        if was is None:
            apart.append((now.id, "only in the second"))
        elif was.digest is None or was.digest != now.digest:
            apart.append((now.id, "it asks something else"))
        elif not was.trials or not now.trials:
            apart.append((now.id, "no run of it counts"))
        else:
            pairs.append((was, now))
    apart += [(case, "only in the first") for case in old]
    return tuple(pairs), tuple(sorted(apart))


def _success(pairs: Sequence[tuple[Tried, Tried]], alpha: float, *, exact: bool) -> Finding:
    """Like the gate, but sides may have unequal trials, and a replay is worse where a smaller share of its trials succeeds."""
    was, now = sum(b.successes for b, _ in pairs), sum(a.successes for _, a in pairs)
    was_of, now_of = sum(b.trials for b, _ in pairs), sum(a.trials for _, a in pairs)
    finding = Finding(result="pass", why=f"success {was}/{was_of} → {now}/{now_of}", measured=now, baseline=was, test="exact")
    if exact:
        worse = [a for b, a in pairs if a.successes * b.trials < b.successes * a.trials]
        finding.result = "fail" if worse else "pass"
        return finding
    finding.p = statistics.stratified([successes(b, a) for b, a in pairs])
    finding.alpha, finding.test = alpha, "exact stratified"
    finding.worse = now * was_of < was * now_of
    return finding


def _interventions(pairs: Sequence[tuple[Tried, Tried]], alpha: float, *, exact: bool) -> Finding:
    if exact and _uneven(pairs):
        return Finding(result="not_judged", why="replayed trials of unequal number")
    return regressions.more_often("intervention_rate", pairs, alpha, exact=exact)


def _uneven(pairs: Sequence[tuple[Tried, Tried]]) -> bool:
    return any(before.trials != after.trials for before, after in pairs)


def _cost(pairs: Sequence[tuple[Tried, Tried]], tolerance: float, alpha: float, *, exact: bool) -> Finding:
    """The gate's test of cost, of replays in sum: a model may be dearer here and cheaper there. Of what one side does not know
    nobody can say that it is not worse.
    """
    unknown = [[one.id for one in side if one.cost_usd is None] for side in zip(*pairs, strict=True)]
    if any(unknown):
        both = len(unknown[0]) == len(unknown[1]) == len(pairs)
        return Finding(
            result="not_judged" if both else "inconclusive",
            why=f"cost unknown in {' and '.join(map(str, map(len, unknown)))} cases",
        )
    if exact and _uneven(pairs):
        return Finding(result="not_judged", why="replayed trials of unequal number")
    return regressions.cost(pairs, CostRegression(tolerance=tolerance, alpha=alpha), exact=exact, in_sum=True)


def _answer(
    findings: Sequence[tuple[str, Finding, float | None]], pairs: Sequence[tuple[Tried, Tried]], alpha: float, *, exact: bool
) -> tuple[Answer, str]:
    bad = [name for name, finding, p in findings if _is_bad(finding, p)]
    if bad:
        return "worse", f"in {', '.join(bad)}"
    open_ = [name for name, finding, _ in findings if finding.worse or finding.result == "inconclusive"]
    if open_:
        return "unproven", f"{', '.join(open_)}: worse or unknown, and not proven"
    better = sum(a.successes * b.trials > b.successes * a.trials for b, a in pairs)
    if exact:
        return ("better", f"{better} cases succeed more often, none less") if better else ("same", "no case differs")
    gained = statistics.stratified([successes(b, a) for b, a in pairs], "more")
    if gained <= alpha:
        return "better", f"more successes (exact stratified p={gained:.2g})"
    return "same", "no difference is proven"


def _is_bad(finding: Finding, p: float | None) -> bool:
    return finding.worse and p <= finding.alpha if p is not None else finding.result == "fail"
