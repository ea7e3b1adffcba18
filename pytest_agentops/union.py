"""The results of several shards as those of one session: the same numbers, gates and verdict, by the same code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .asked import asked, mode_of, verdict_of_runs
from .errors import AgentOpsError
from .judging import Judging, Terms, worst
from .reports.results import BuildVerdict, Results, stream
from .schema.values import JsonObject, dumps
from .schema.verdict import Metrics
from .scoring.gates import Group
from .scoring.metrics import Tally
from .spending import Spending

BASELINE = "agentops-baseline.json"
"""Where a baseline is if nobody says otherwise."""


class NoMerge(AgentOpsError):
    """These files cannot be one session's."""


class _UnionJudging(Judging):
    """Judges what ran; it runs nothing itself."""

    def confirm(self, groups: list[Group]) -> None:
        named = [f"{gate.group or 'session'} {gate.name}" for gate in self.judged if gate.result == "fail" and gate.statistical]
        if any(group.gates.confirm for group in groups) and named:
            self.notes.append(f"not confirmed, since a merge runs nothing: {', '.join(named)}")


class Union:
    """Takes shards, one after the other; what it offers to `Judging` is what the session's summary does."""

    def __init__(self, baseline: Path | None) -> None:
        self.results = Results()
        self.total = Tally()
        self.suites: dict[str, Tally] = {}
        self.spending = Spending()
        self.modes: set[str] = set()
        self.cases: dict[str, int] = {}
        """Suite -> its cases."""
        self.asked: dict[str, JsonObject] = {}
        self.session_gates: list[str] | None = None
        self.baseline_name: str | None = None
        """What the shards were judged by, from their rootdir."""
        self.compared = False
        """Whether a shard had a baseline to compare with."""
        self.prices: JsonObject | None = None
        self.failed: list[str] = []
        """Why it cannot be better than a fail, a sentence each."""
        self.broken = False
        """Whether a shard did not run all that it collected, for another reason than being a shard."""
        self.whole_folders = False
        self.gates_failed: list[tuple[str, str, str]] = []
        """Gates that failed in a shard: the suite (empty for the session), the gate, and what the shard said."""
        self.shard_modes: set[str] = set()
        self._where: dict[tuple[str, str | None], Path] = {}
        self._baseline = baseline
        self.gating: Judging | None = None

    def add(self, path: Path) -> None:
        """One shard's results."""
        head, cases = stream(path)
        known = head.get("asked")
        if known is None:
            raise NoMerge(f"{path}: it does not say what it was to run (made by an older version?); run the shard again")
        self._agree(head, known, path)
        bad = 0
        for case in cases:
            self._take(case, path)
            bad += case["status"] in ("failed", "error")
        if bad:
            self.failed.append(f"{path}: {bad} cases failed")
        elif head["verdict"] == "fail" and not _has_failing_gate(head):
            self.failed.append(f"{path}: it failed for another reason than a case (a file did not load, or could not be written)")
            self.broken = True
        self.gates_failed += [
            (suite, gate["name"], f"{path}: gate {suite or 'session'} {gate['name']}: {gate['why']}")
            for suite, gate in _gates(head)
            if gate["result"] == "fail"
        ]
        self.shard_modes.add(head["mode"])

    def _agree(self, head: JsonObject, known: JsonObject, path: Path) -> None:
        """Shards are of one project: what they say of the same suite is the same."""
        for name, suite in known["suites"].items():
            if self.asked.setdefault(name, suite) != suite:
                raise NoMerge(f"{path}: the suite {name} is another one than in the shards before; run all shards of one commit")
        if self.session_gates not in (None, known["gates"]):
            raise NoMerge(f"{path}: it has other gates over the session than the shards before")
        self.session_gates = known["gates"]
        baseline = known.get("baseline")
        if baseline is not None and self.baseline_name not in (None, baseline):
            raise NoMerge(f"{path}: it was judged by another baseline ({baseline}) than the shards before ({self.baseline_name})")
        self.baseline_name = baseline or self.baseline_name
        self.compared = self.compared or known.get("compared", False)
        self.whole_folders = self.whole_folders or known["whole_folders"]
        prices = head.get("prices")
        if prices is not None and self.prices not in (None, prices):
            raise NoMerge(f"{path}: its costs are of another price table ({prices}) than the shards before ({self.prices})")
        self.prices = prices or self.prices

    def _take(self, case: JsonObject, path: Path) -> None:
        key = (case["id"], case["variant"])
        if key in self._where:
            name = case["id"] if case["variant"] is None else f"{case['id']}~{case['variant']}"
            raise NoMerge(f"{path}: {name} is in {self._where[key]}, too; each case belongs to one shard")
        self._where[key] = path
        self.results.add(dumps(case))
        runs = case["trials"]
        for tally in (self.total, self.suites.setdefault(case["suite"], Tally())):
            tally.add(case["id"], case["variant"], runs)
        self.spending.hear(case, runs)
        self.modes.update(run["mode"] for run in runs)
        self.cases[case["suite"]] = self.cases.get(case["suite"], 0) + 1

    # ---- what Judging asks

    def is_part(self) -> bool:
        """Whether a case of the case folders is in no shard."""
        return self.broken or bool(self.missing()) or not self.whole_folders

    def missing(self) -> list[str]:
        """Suites of which some cases are in no shard, a sentence each."""
        found = ((suite, self.cases.get(name, 0)) for name, suite in sorted(self.asked.items()))
        return [
            f"{there} of {suite['variants']} cases of {suite['file']} are there"
            for suite, there in found
            if there < suite["variants"]
        ]

    def metrics_of(self, suite: str) -> Metrics:
        """The numbers of a suite, also of one without a run."""
        return self.suites.get(suite, Tally()).metrics()

    @property
    def mode(self) -> str:
        return mode_of(self.modes, next(iter(self.shard_modes), "replay"))

    # ---- the end

    def judge(self, *, partial: bool = False) -> None:
        """The gates of all suites, and those over the session; `partial` says that cases may be missing."""
        file = (self._baseline or Path(self.baseline_name or BASELINE)).absolute()
        terms = Terms(
            baseline="check",
            file=file,
            root=file.parent,
            mode=self.mode,
            gates=tuple(self.session_gates or ()),
            where="agentops_gates",
        )
        if self.compared and not file.is_file():
            cure = "run merge where the project is, or name the file with --baseline"
            self.failed.append(f"{file}: the baseline that the shards had is not here: {cure}")
        self.gating = _UnionJudging(terms, self)
        self.gating.suites = self.asked
        self.gating.judge("")
        judged = {(gate.group, gate.name) for gate in self.gating.judged if gate.result != "not_judged"}
        # what nobody can judge any more (there is no baseline here, say) stays as the shard has it
        self.failed += [why for suite, name, why in self.gates_failed if (suite, name) not in judged]
        self.failed += [f"a shard is missing: {text}" for text in self.missing() if not partial]

    def over_budget(self) -> list[str]:
        """Suites that cost more than they may, a sentence each."""
        return list(self.spending.over(self.suites))

    def own_verdict(self) -> BuildVerdict:
        """The runs' own."""
        return verdict_of_runs(
            failed=bool(self.failed), over_budget=bool(self.over_budget()), unanswerable=self.total.unanswerable
        )

    @property
    def verdict(self) -> BuildVerdict:
        """The worst of the runs' and the gates'."""
        assert self.gating is not None
        return worst((self.own_verdict(), self.gating.verdict))

    @property
    def is_bad(self) -> bool:
        """Whether the exit code says so: as of one session."""
        assert self.gating is not None
        return self.own_verdict() != "pass" or bool(self.gating.failing)

    def write(self, path: Path) -> None:
        """The results file of the whole."""
        gating = self.gating
        assert gating is not None
        self.results.write(
            path,
            mode=self.mode,
            verdict=self.verdict,
            metrics=self.total.metrics().as_json(),
            suites={
                name: {"metrics": tally.metrics().as_json(), "gates": gating.as_json(name)} for name, tally in self.suites.items()
            },
            selection="partial" if self.is_part() else "all",
            prices=self.prices,
            gates=gating.as_json(""),
            asked=asked(
                self.asked,
                self.session_gates or (),
                whole_folders=self.whole_folders,
                baseline=self.baseline_name,
                compared=self.compared,
            ),
        )


def _gates(head: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """Every gate of a results file, with its suite."""
    yield from (("", gate) for gate in head.get("gates", ()))
    yield from ((name, gate) for name, suite in head["suites"].items() for gate in suite.get("gates") or ())


def _has_failing_gate(head: JsonObject) -> bool:
    return any(gate["result"] == "fail" for _, gate in _gates(head))


@contextmanager
def union(paths: Sequence[Path], baseline: Path | None, *, partial: bool = False) -> Iterator[Union]:
    """The shards joined and judged, as long as they are looked at; `partial` says that some may be missing."""
    made = Union(baseline)
    try:
        for path in paths:
            made.add(path)
        made.judge(partial=partial)
        yield made
    finally:
        made.results.close()
