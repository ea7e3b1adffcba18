"""Judging: what a session's gates come to, and its baseline. No pytest in here: a merge of shards is judged by the same code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from .errors import BaselineError
from .loading.gates import gates_of, session_gates
from .reports.results import BuildVerdict, Results
from .schema.gates import Gates
from .schema.sentences import some
from .schema.values import JsonObject, loads
from .schema.verdict import Metrics
from .scoring import baseline as baselines
from .scoring.baseline import Baseline
from .scoring.gates import NO_BASELINE, GateResult, Group, judge
from .scoring.metrics import Tally
from .scoring.tried import Tried, left_out, match, tried
from .settings import BaselineWord

SHOWN = 10
"""Cases of a note that are named."""
_ORDER: tuple[BuildVerdict, ...] = ("fail", "regression", "budget_exceeded", "not_comparable", "inconclusive", "pass")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is judged by."""

    baseline: BaselineWord
    file: Path
    """The baseline's."""
    root: Path
    mode: str
    gates: tuple[str, ...]
    """Over the whole session, as the ini file has them."""
    where: str
    """What that file is called."""


class Numbers(Protocol):
    """What the runs came to."""

    results: Results
    total: Tally

    def metrics_of(self, suite: str) -> Metrics:
        """The numbers of a suite, also of one without a run."""

    @property
    def prices(self) -> JsonObject | None:
        """Which price table the costs are of; None where no model was asked."""

    def is_part(self) -> bool:
        """Whether not all cases of the case folders ran."""


class Judging:
    """The gates of some runs. Raises `BaselineError` and `CaseFileError` for what it is to judge by."""

    def __init__(self, terms: Terms, numbers: Numbers) -> None:
        self.terms = terms
        self.numbers = numbers
        self.suites: dict[str, JsonObject] = {}
        """What is known of the suites that were collected."""
        self.judged: list[GateResult] = []
        self.failing: set[int] = set()
        """Places in `judged` of the gates that the exit code tells of."""
        self.notes: list[str] = []
        self.broken_files: dict[str, str] = {}
        """Suite files that did not load, with the sentence for it."""
        self.errors: list[str] = []
        self.broken = ""
        """Whether the file that is to be updated cannot be read."""
        _, self.session_gates = session_gates(terms.gates, terms.where)
        self.baseline = self._read()

    # ---- what a session does beside

    def confirm(self, groups: list[Group]) -> None:
        """Look at what failed once more, where the suite asks for it."""

    def lost(self, name: str, suite: JsonObject) -> str:
        """Why runs of a suite were left out: it could not reach its rate any more."""
        return ""

    # ---- judging

    def judge(self, stopped: str) -> None:
        """All gates of all suites that were collected; `stopped` says why none can be judged."""
        gated = {name: suite for name, suite in self.suites.items() if suite["gates"]}
        update = self.terms.baseline == "update"
        if not (gated or self.session_gates or update or self.baseline is not None):
            return
        cases = self._cases(None if update or self.baseline is not None or self.session_gates else gated)
        groups = [self._group(name, suite, cases, stopped) for name, suite in sorted(gated.items())]
        if self.session_gates is not None:
            groups.append(self._session_group(self.session_gates, cases, stopped))
        self.judged = judge(groups)
        for gate in self.judged:
            known = self.suites.get(gate.group)
            gate.file, (gate.line, gate.col) = (
                (known["file"], known["places"][gate.name]) if known else (self.terms.where, (1, 1))
            )
            gate.why, gate.details = self._in_mode(gate.why), [self._in_mode(line) for line in gate.details]
        self.confirm(groups)
        self.failing = {place for place, gate in enumerate(self.judged) if _fails(gate, gated_by(groups, gate))}
        if update and not stopped:
            self._update(cases)
        elif self.baseline is not None:
            self._news(cases)

    def _cases(self, only: Iterable[str] | None) -> dict[str, list[Tried]]:
        """Suite -> its cases, as the results have them."""
        wanted = None if only is None else set(only)
        cases: dict[str, list[Tried]] = {}
        prices = self.numbers.prices
        for text in self.numbers.results.texts():
            case = loads(text)
            if wanted is None or case["suite"] in wanted:
                cases.setdefault(case["suite"], []).append(tried(case, prices))
        return cases

    def _group(self, name: str, suite: JsonObject, cases: dict[str, list[Tried]], stopped: str) -> Group:
        now = cases.get(name, [])
        lost = self.lost(name, suite)
        return Group(
            name=name,
            gates=gates_of(suite["gates"]),
            metrics=self.numbers.metrics_of(name),
            now=now,
            before=self._before(now, [name]),
            unjudged=stopped or lost or self._part(suite, now),
            lost=lost if not stopped else "",
            no_baseline=self._no_baseline(),
        )

    def _session_group(self, gates: Gates, cases: dict[str, list[Tried]], stopped: str) -> Group:
        now = [one for suite in cases.values() for one in suite]
        parts = [self._part(suite, cases.get(name, [])) for name, suite in self.suites.items()]
        part = "a part of the case folders was run" if self.numbers.is_part() else next(filter(None, parts), "")
        return Group(
            name="",
            gates=gates,
            metrics=self.numbers.total.metrics(),
            now=now,
            before=self._before(now, None),
            unjudged=stopped or part,
            no_baseline=self._no_baseline(),
        )

    @property
    def compares(self) -> bool:
        """Whether there is a baseline to compare with."""
        return self.baseline is not None and self.terms.baseline == "check"

    def _before(self, now: list[Tried], suites: list[str] | None) -> list[Tried] | None:
        if self.baseline is None or not self.compares:
            return None
        return self.baseline.against(now, suites)

    def _no_baseline(self) -> str:
        if self.terms.baseline == "check":
            return NO_BASELINE
        return {"ignore": "the baseline is ignored", "update": "the baseline is written by this run"}[self.terms.baseline]

    def _part(self, suite: JsonObject, now: list[Tried]) -> str:
        """Why a suite did not run whole; an empty string if it did."""
        trials, unpaid = sum(one.trials + one.left_out for one in now), sum(one.unpaid for one in now)
        return left_out(suite, cases=len(now), trials=trials, unpaid=unpaid)

    # ---- telling

    def _in_mode(self, text: str) -> str:
        """Its command as it must be for runs of this session's mode: the baseline has records of each."""
        mode = "" if self.terms.mode == "replay" else f" --agent-mode={self.terms.mode}"
        return text.replace("pytest --agent-evals --agent-baseline", f"pytest --agent-evals{mode} --agent-baseline")

    @property
    def verdict(self) -> BuildVerdict:
        """The worst that a gate came to."""
        seen: set[BuildVerdict] = {"pass"}
        for gate in self.judged:
            if gate.result == "fail":
                seen.add("regression" if gate.regression else "fail")
            elif gate.result in ("not_comparable", "inconclusive"):
                seen.add(gate.result)
        return worst(seen)

    def as_json(self, suite: str) -> list[JsonObject]:
        """The gates of a suite, as the results file has them."""
        return [gate.as_json() for gate in self.judged if gate.group == suite]

    def lines(self, *, full: bool) -> Iterator[str]:
        """What the summary says of gates and baseline: those that passed in one line, unless all is wanted."""
        idle: dict[tuple[str, str], list[str]] = {}
        passed = [gate for gate in self.judged if gate.result == "pass"]
        if passed and not full:
            groups = sorted({gate.group or "session" for gate in passed})
            yield f"gates: {len(passed)} passed ({', '.join(groups)}); -v shows the figures"
        for gate in self.judged:
            if gate.result == "pass" and not full:
                continue
            if gate.result == "not_judged" and not gate.details:  # many for one reason are one line
                idle.setdefault((gate.group, gate.why), []).append(gate.name)
                continue
            yield f"gate {gate.group or 'session'} {gate.name}: {gate.result}: {gate.why}"
            if gate.result != "pass":
                yield from (f"  {line}" for line in gate.details)
        for (group, why), named in idle.items():
            yield f"gates {group or 'session'} {', '.join(named)}: not_judged: {why}"
        yield from self.broken_files.values()
        yield from self.notes

    # ---- the baseline

    def _read(self) -> Baseline | None:
        word, path = self.terms.baseline, self.terms.file
        if word == "ignore":
            return None
        try:
            return baselines.read_baseline(path, self._shown())
        except BaselineError as error:
            if word != "update":
                raise
            self.broken = str(error).partition("\n")[0]
            return None

    def _shown(self) -> str:
        return self.terms.file.relative_to(self.terms.root).as_posix()

    def usual_costs(self, mode: str) -> dict[str, Decimal]:
        """Case -> what one of its runs costs by the baseline, where that was made in the same mode."""
        known = self.baseline or ()
        same = [one for one in known if one.mode == mode and one.trials and one.cost_usd is not None]
        return {one.id: one.cost_usd / one.trials for one in same if one.cost_usd is not None}

    def _update(self, cases: dict[str, list[Tried]]) -> None:
        tried_now = [one for suite in cases.values() for one in suite]
        now = [one for one in tried_now if not one.unpaid]
        whole = [name for name, suite in self.suites.items() if not self._part(suite, cases.get(name, []))]
        part = self.numbers.is_part()
        if self.broken and part:
            self.errors.append(f"{self._shown()}: it cannot be read, and a part of the cases cannot replace it: run them all")
            return
        old = self.baseline or Baseline()
        gone = [] if part else sorted({one.suite for one in old} - set(self.suites) - set(cases))
        new = old.updated(now, whole_suites=whole, gone=gone)
        try:
            changed = new.write(self.terms.file)
        except OSError as error:
            self.errors.append(f"{self._shown()}: the baseline cannot be written: {error.strerror or error}")
            return
        before, after = {(one.id, one.mode): one for one in old}, {(one.id, one.mode): one for one in new}
        counts = (
            f"{len(after.keys() - before.keys())} new",
            f"{sum(before[key] != after[key] for key in before.keys() & after.keys())} changed",
            f"{len(before.keys() - after.keys())} removed",
        )
        done = f"{self._shown()} written" if changed else f"{self._shown()} was up to date"
        if self.broken:  # what it held nobody knows, other modes' records among it
            anew = f"it is written anew, with records of the mode {self.terms.mode} only: update it in the other modes, too"
            self.notes.append(f"baseline: {self.broken}; {anew}")
        self.notes.append(f"baseline: {done}: {len(new)} records" + ("" if self.broken else f" ({', '.join(counts)})"))
        failed = [one.id for one in now if one.successes < one.trials]
        nowhere = [one.id for one in now if one.left_out and not one.trials]
        unpaid = [one.id for one in tried_now if one.unpaid]
        for ids, words in (
            (unpaid, "for which the budget was used up; not taken in"),
            (failed, "did not succeed in every trial, which is the baseline now"),
            (nowhere, "without a run that counts; not taken in"),
        ):
            if ids:
                self.notes.append(f"baseline: {len(ids)} {words}: {some(ids, SHOWN)}")

    def _news(self, cases: dict[str, list[Tried]]) -> None:
        """New and removed cases, where no gate tells of them."""
        if self.baseline is None or self.numbers.is_part():
            return
        now = [one for suite in cases.values() for one in suite]
        found = match(self.baseline.against(now), now)
        for ids, words in ((found.new, "new"), ([one.id for one in found.removed], "removed")):
            if ids:
                self.notes.append(f"baseline: {len(ids)} {words}: {some(ids, SHOWN)} ({self._in_mode(baselines.CURE)})")


def worst(verdicts: Iterable[BuildVerdict]) -> BuildVerdict:
    """By the order of severity."""
    return min(verdicts, key=_ORDER.index)


def gated_by(groups: list[Group], gate: GateResult) -> Gates:
    """The gates that this one belongs to."""
    return next(group.gates for group in groups if group.name == gate.group)


def _fails(gate: GateResult, gates: Gates) -> bool:
    """Whether the exit code tells of it: what is not sure fails, too, unless the suite says that it warns."""
    if gate.refuted:
        return False
    return gate.result == "fail" or (gate.result in ("inconclusive", "not_comparable") and gates.on_inconclusive != "warn")
