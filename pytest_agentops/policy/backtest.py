"""A policy change over recorded runs: which calls it would newly block, newly allow, newly send to a human, rule by rule.

After its first call that is decided otherwise a run would have gone on differently: what it did after that is listed, but marked,
and the run is counted apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, TypeAlias

from ..schema.policy import Decision
from ..schema.sentences import count
from .compared import direction
from .played import Binder, Judged, PlayedCall, PlayedRun, decided
from .standing import Standing

Effect: TypeAlias = Literal["newly blocked", "newly allowed", "newly asked", "asked otherwise"]
EFFECTS: tuple[Effect, ...] = ("newly blocked", "newly allowed", "newly asked", "asked otherwise")


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """One call that is decided otherwise."""

    run: PlayedRun
    number: int
    """Of the run's calls, from 1."""
    call: PlayedCall
    effect: Effect
    before: Decision
    after: Decision
    after_divergence: bool
    """An earlier call of the run was decided otherwise: whether this one would have been made nobody knows."""

    @property
    def rule(self) -> str:
        """Who is to thank: the rule that decides now, else the one that did."""
        for decision in (self.after, self.before):
            if decision.rule is not None:
                return f"{decision.rule} ({decision.where})"
        return self.after.reason


@dataclass(frozen=True, slots=True)
class Numbers:
    """The four numbers over some runs; None where they cannot be told."""

    runs: int
    judged: int
    """Runs of which somebody said whether they succeeded."""
    successes: int
    cost_usd: Decimal | None
    interventions: int
    """Runs in which a human was asked."""
    policy_blocks: int
    calls: int

    @property
    def success_rate(self) -> float | None:
        return round(self.successes / self.judged, 6) if self.judged else None

    @property
    def intervention_rate(self) -> float | None:
        return round(self.interventions / self.runs, 6) if self.runs else None

    @property
    def cost_per_success(self) -> Decimal | None:
        return self.cost_usd / self.successes if self.cost_usd is not None and self.successes else None


@dataclass(slots=True)
class Backtest:
    """Everything that would have been different."""

    changed: list[Changed] = field(default_factory=list)
    runs: int = 0
    calls: int = 0
    before: Numbers | None = None
    """All runs under the baseline."""
    same: Numbers | None = None
    """The runs in which nothing is decided otherwise: they would be as they were."""
    counterfactual: Numbers | None = None
    """The others, as they were recorded: what would have become of them is not known."""
    blocks: tuple[int, int] = (0, 0)
    """Calls that are denied, over all runs and their recorded calls: before and after."""
    interventions: tuple[int, int] = (0, 0)
    """Runs in which a human is asked: before and after."""
    left_recording: list[str] = field(default_factory=list)
    """Runs that had left their recording already when they were run: they are in no number but those of the others."""
    unconcerned: int = 0
    """Runs whose cases name none of these policies."""
    notes: list[str] = field(default_factory=list)

    def by_rule(self) -> dict[str, dict[Effect, list[Changed]]]:
        """Rule -> effect -> calls."""
        out: dict[str, dict[Effect, list[Changed]]] = {}
        for one in self.changed:
            out.setdefault(one.rule, {}).setdefault(one.effect, []).append(one)
        return dict(sorted(out.items()))

    @property
    def affected(self) -> list[str]:
        """The runs with a call that is decided otherwise, each once."""
        return list(dict.fromkeys(one.run.name for one in self.changed))


def backtest(runs: Iterable[PlayedRun], before: Standing, after: Standing) -> Backtest:
    """Play the runs under both; each under the files that its case names on that side."""
    out = Backtest()
    old_side, new_side = Binder(before.of), Binder(after.of)
    old: list[_Seen] = []
    new: list[_Seen] = []
    every: list[_Seen] = []
    same: list[_Seen] = []
    apart: list[_Seen] = []
    played: list[PlayedRun] = []
    untold: dict[str, int] = {}
    for run in runs:
        if not before.concerns(run) and not after.concerns(run):
            out.unconcerned += 1
            continue
        was, now = _known(list(decided(run, old_side.of(run))), list(decided(run, new_side.of(run))), untold)
        played.append(run)
        changed = list(_changes(run, was, now))
        out.changed += changed
        out.runs, out.calls = out.runs + 1, out.calls + len(run.calls)
        new.append(_Seen(run, now))
        every.append(_Seen(run, was))
        if run.counterfactual:
            out.left_recording.append(run.name)
        else:
            old.append(_Seen(run, was))
        (apart if changed or run.counterfactual else same).append(_Seen(run, was))
    out.before, out.same, out.counterfactual = _numbers(old), _numbers(same), _numbers(apart)
    out.blocks = _numbers(every).policy_blocks, _numbers(new).policy_blocks
    out.interventions = _numbers(every).interventions, _numbers(new).interventions
    out.notes += _notes(played, before, after)
    out.notes += [f"{count(n, 'call')} cannot be judged: {name} was not recorded" for name, n in sorted(untold.items())]
    return out


def _notes(played: Sequence[PlayedRun], before: Standing, after: Standing) -> Iterator[str]:
    """What the comparison rests on: runs that say nothing of their policies, and files that only one side has."""
    unpinned = sum(not run.pinned for run in played)
    if unpinned:
        without = f"{unpinned} of {len(played)} runs do not say which policies they ran under"
        yield f"{without}: what they were decided by then is not known, the baseline stands for it"
    only = (before, after, "only the baseline has it"), (after, before, "the baseline has it not")
    for one, other, said in only if any(before.files.values()) else ():
        alone: dict[str, int] = {}
        for run in played:
            here, there = one.under(run), other.under(run)
            for place in (here.keys() & one.files.keys()) - there.keys() if run.policies is not None else ():
                alone[here[place][0].file] = alone.get(here[place][0].file, 0) + 1
        yield from (f"{file}: {said}, under the cases of {count(runs, 'run')}" for file, runs in sorted(alone.items()))


@dataclass(frozen=True, slots=True)
class _Seen:
    run: PlayedRun
    judged: Sequence[Judged]


def _known(was: Sequence[Judged], now: Sequence[Judged], untold: dict[str, int]) -> tuple[Sequence[Judged], Sequence[Judged]]:
    """Without the calls that one of the sides cannot judge; they are counted by what was not recorded."""
    known: list[tuple[Judged, Judged]] = []
    for one, other in zip(was, now, strict=True):
        missing = dict.fromkeys((*one.unknown, *other.unknown))
        untold.update({name: untold.get(name, 0) + 1 for name in missing})
        known += [] if missing else [(one, other)]
    return [one for one, _ in known], [other for _, other in known]


def _changes(run: PlayedRun, was: Sequence[Judged], now: Sequence[Judged]) -> Iterable[Changed]:
    diverged = False
    for one, other in zip(was, now, strict=True):
        before, after = one.decision, other.decision
        effect = _effect(before, after)
        if effect is not None:
            yield Changed(
                run=run, number=one.number, call=one.call, effect=effect, before=before, after=after, after_divergence=diverged
            )
            diverged = True


def _effect(before: Decision, after: Decision) -> Effect | None:
    if before.verdict == after.verdict:
        return "asked otherwise" if direction(before, after) is not None else None
    return {"deny": "newly blocked", "allow": "newly allowed", "require_approval": "newly asked"}[after.verdict]  # type: ignore[return-value]


def _numbers(seen: Sequence[_Seen]) -> Numbers:
    costs = [one.run.cost_usd for one in seen]
    known = [cost for cost in costs if cost is not None]
    return Numbers(
        runs=len(seen),
        judged=sum(one.run.success is not None for one in seen),
        successes=sum(bool(one.run.success) for one in seen),
        cost_usd=sum(known, Decimal(0)) if len(known) == len(costs) else None,
        interventions=sum(any(j.decision.verdict == "require_approval" for j in one.judged) for one in seen),
        policy_blocks=sum(j.decision.verdict == "deny" for one in seen for j in one.judged),
        calls=sum(len(one.run.calls) for one in seen),
    )
