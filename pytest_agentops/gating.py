"""Gates in a session: judged on the controller when every run is in, each a test report of its own; and the baseline on disk."""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from .commands import from_here
from .confirming import Confirmation, files_of, wanted
from .curtailing import curtailing
from .errors import BaselineError, CaseFileError
from .gated import ini_file
from .hidden import YAML
from .loading.gates import gates_of, session_gates
from .people import ledger
from .reports.results import BuildVerdict
from .schema.gates import Gates
from .schema.values import JsonObject, loads
from .scoring import baseline as baselines
from .scoring.baseline import Baseline
from .scoring.gates import NO_BASELINE, GateResult, Group, judge
from .scoring.tried import Tried, match, tried
from .settings import Settings

if TYPE_CHECKING:
    from .summary import Summary

_GATES = re.compile(rb"^(\"?)gates\1[ \t]*:", re.MULTILINE)
_ORDER: tuple[BuildVerdict, ...] = ("fail", "regression", "budget_exceeded", "not_comparable", "inconclusive", "pass")


class Gating:
    """Judges on the controller; `summary` has the results."""

    def __init__(self, config: pytest.Config, settings: Settings, summary: Summary) -> None:
        self.config = config
        self.settings = settings
        self.summary = summary
        self.suites: dict[str, JsonObject] = {}
        """What is known of the suites that were collected, here or by workers."""
        self.judged: list[GateResult] = []
        self.failing: set[int] = set()
        """Places in `judged` of the gates that the exit code tells of."""
        self.notes: list[str] = []
        self.broken_files: dict[str, str] = {}
        """Suite files that did not load, with the sentence for it."""
        self.errors: list[str] = []
        self.broken = ""
        """Whether the file that is to be updated cannot be read."""
        self.where = ini_file(config)
        try:
            _, self.session_gates = session_gates(settings.gates, self.where)
            self.baseline = self._read()
        except (CaseFileError, BaselineError) as error:
            raise pytest.UsageError(str(error)) from None

    def _read(self) -> Baseline | None:
        word, path = self.settings.baseline, self.settings.baseline_file
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
        return self.settings.baseline_file.relative_to(self.settings.rootdir).as_posix()

    def usual_costs(self, mode: str) -> dict[str, Decimal]:
        """Case -> what one of its runs costs by the baseline, where that was made in the same mode."""
        known = self.baseline or ()
        same = [one for one in known if one.mode == mode and one.trials and one.cost_usd is not None]
        return {one.id: one.cost_usd / one.trials for one in same if one.cost_usd is not None}

    # ---- what was collected

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        self.suites |= getattr(node, "workeroutput", {}).get("agentops_suites", {})

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """The gates of a file with mistakes are not judged, and nobody knows which they are."""
        path = self.settings.rootdir / report.nodeid
        if report.failed and path.suffix in YAML and path.is_file() and _GATES.search(path.read_bytes()):
            self.broken_files[report.nodeid] = f"gates of {report.nodeid}: not_judged: the file has mistakes"

    # ---- judging

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, Any, None]:
        outcome = yield
        if self.config.getoption("collectonly", False):
            return
        own: Any = self.config.pluginmanager.get_plugin("agentops-session")
        self.suites |= own.suites()
        self.summary.settle()
        stopped = "the session was stopped" if outcome.excinfo is not None or session.shouldstop else ""
        self.judge(stopped)
        if outcome.excinfo is None:
            for place, gate in enumerate(self.judged):
                if gate.result != "not_judged":
                    session.testscollected += 1  # the progress bar ends at 100 %
                    self._emit(gate, failing=place in self.failing)

    def judge(self, stopped: str) -> None:
        """All gates of all suites that were collected; `stopped` says why none can be judged."""
        gated = {name: suite for name, suite in self.suites.items() if suite["gates"]}
        update = self.settings.baseline == "update"
        if not (gated or self.session_gates or update or self.baseline is not None):
            return
        cases = self._cases(None if update or self.baseline is not None or self.session_gates else gated)
        groups = [self._group(name, suite, cases, stopped) for name, suite in sorted(gated.items())]
        if self.session_gates is not None:
            groups.append(self._session_group(self.session_gates, cases, stopped))
        self.judged = judge(groups)
        for gate in self.judged:
            known = self.suites.get(gate.group)
            gate.file, (gate.line, gate.col) = (known["file"], known["places"][gate.name]) if known else (self.where, (1, 1))
            gate.why, gate.details = self._in_mode(gate.why), [self._in_mode(line) for line in gate.details]
        self._confirm(groups)
        self.failing = {place for place, gate in enumerate(self.judged) if _fails(gate, gated_by(groups, gate))}
        if update and not stopped:
            self._update(cases)
        elif self.baseline is not None:
            self._news(cases)

    def _confirm(self, groups: list[Group]) -> None:
        """Proven regressions once more, where the suite asks for it."""
        found = [gate for gate in wanted(self.judged, self.settings) if gated_by(groups, gate).confirm]
        if not found:
            return
        spent, limit = ledger(self.config, self.settings).total(), self.settings.budget_usd
        left = None if limit is None else Decimal(0) if spent is None else limit - spent
        again = Confirmation(self.config, self.settings)
        again.run(files_of(found, self.settings.rootdir), left)
        for gate in found:
            again.weigh(gate)
        self.notes.append(again.line())

    def _cases(self, only: Iterable[str] | None) -> dict[str, list[Tried]]:
        """Suite -> its cases, as the results have them."""
        wanted = None if only is None else set(only)
        cases: dict[str, list[Tried]] = {}
        for text in self.summary.results.texts():
            case = loads(text)
            if wanted is None or case["suite"] in wanted:
                cases.setdefault(case["suite"], []).append(tried(case))
        return cases

    def _group(self, name: str, suite: JsonObject, cases: dict[str, list[Tried]], stopped: str) -> Group:
        now = cases.get(name, [])
        curtails = curtailing(self.config)
        if curtails is not None:
            curtails.look()
        lost = curtails.lost(name, suite) if curtails is not None and name in curtails.stopped else ""
        return Group(
            name=name,
            gates=gates_of(suite["gates"]),
            metrics=self.summary.metrics_of(name),
            now=now,
            before=self._before(now, [name]),
            unjudged=stopped or lost or self._part(suite, now),
            lost=lost if not stopped else "",
            no_baseline=self._no_baseline(),
        )

    def _session_group(self, gates: Gates, cases: dict[str, list[Tried]], stopped: str) -> Group:
        now = [one for suite in cases.values() for one in suite]
        parts = [self._part(suite, cases.get(name, [])) for name, suite in self.suites.items()]
        part = "a part of the case folders was run" if self.summary.is_part() else next(filter(None, parts), "")
        return Group(
            name="",
            gates=gates,
            metrics=self.summary.total.metrics(),
            now=now,
            before=self._before(now, None),
            unjudged=stopped or part,
            no_baseline=self._no_baseline(),
        )

    def _before(self, now: list[Tried], suites: list[str] | None) -> list[Tried] | None:
        if self.baseline is None or self.settings.baseline != "check":
            return None
        return self.baseline.against(now, suites)

    def _no_baseline(self) -> str:
        if self.settings.baseline == "check":
            return NO_BASELINE
        return {"ignore": "the baseline is ignored", "update": "the baseline is written by this run"}[self.settings.baseline]

    def _part(self, suite: JsonObject, now: list[Tried]) -> str:
        """Why a suite did not run whole; an empty string if it did."""
        if len(now) < suite["variants"]:
            return f"{len(now)} of {suite['variants']} cases of {suite['file']} ran"
        trials = sum(one.trials + one.left_out for one in now)
        return "" if trials >= suite["trials"] else f"{trials} of {suite['trials']} trials of {suite['file']} ran"

    # ---- telling

    def _emit(self, gate: GateResult, *, failing: bool) -> None:
        """Set-up, call and tear-down of a test that the gate is, so that every report of pytest's knows it."""
        nodeid = f"{gate.file}::gate[{gate.name}]"
        location = (str(gate.file), (gate.line or 1) - 1, f"gate[{gate.name}]")
        hook = self.config.hook
        properties = [("agentops.file", str(gate.file)), ("agentops.line", str(gate.line)), ("agentops.gate", gate.result)]
        outcome = "failed" if failing else "passed" if gate.result == "pass" else "skipped"
        text: Any = _text(gate, self._rerun(gate)) if failing else None
        if outcome == "skipped":
            text = (str(self.settings.rootdir / str(gate.file)), gate.line, f"{gate.result}: {gate.why}")
        hook.pytest_runtest_logstart(nodeid=nodeid, location=location)
        for when in ("setup", "call", "teardown"):
            mine = when == "call"
            report = _report(
                nodeid=nodeid,
                location=location,
                keywords={},
                outcome=outcome if mine else "passed",
                longrepr=text if mine else None,
                when=when,
                user_properties=properties,
            )
            hook.pytest_runtest_logreport(report=report)
        hook.pytest_runtest_logfinish(nodeid=nodeid, location=location)

    def _in_mode(self, text: str) -> str:
        """Its command as it must be for runs of this session's mode: the baseline has records of each."""
        mode = "" if self.settings.mode == "replay" else f" --agent-mode={self.settings.mode}"
        return text.replace("pytest --agent-evals --agent-baseline", f"pytest --agent-evals{mode} --agent-baseline")

    def _rerun(self, gate: GateResult) -> str:
        mode = "" if self.settings.mode == "replay" else f" --agent-mode={self.settings.mode}"
        return f"pytest --agent-evals{mode}" + (f" {from_here(self.config, str(gate.file))}" if gate.group else "")

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

    def lines(self) -> Iterator[str]:
        """What the summary says of gates and baseline: those that passed in one line, and in full with -v."""
        idle: dict[tuple[str, str], list[str]] = {}
        passed = [gate for gate in self.judged if gate.result == "pass"]
        if passed and self.config.get_verbosity() < 1:
            groups = sorted({gate.group or "session" for gate in passed})
            yield f"gates: {len(passed)} passed ({', '.join(groups)}); -v shows the figures"
        for gate in self.judged:
            if gate.result == "pass" and self.config.get_verbosity() < 1:
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

    def _update(self, cases: dict[str, list[Tried]]) -> None:
        now = [one for suite in cases.values() for one in suite]
        whole = [name for name, suite in self.suites.items() if not self._part(suite, cases.get(name, []))]
        part = self.summary.is_part()
        if self.broken and part:
            self.errors.append(f"{self._shown()}: it cannot be read, and a part of the cases cannot replace it: run them all")
            return
        old = self.baseline or Baseline()
        gone = [] if part else sorted({one.suite for one in old} - set(self.suites) - set(cases))
        new = old.updated(now, whole_suites=whole, gone=gone)
        try:
            changed = new.write(self.settings.baseline_file)
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
        if self.broken:
            self.notes.append(f"baseline: {self.broken}; it is written anew")
        self.notes.append(f"baseline: {done}: {len(new)} records ({', '.join(counts)})")
        failed = [one.id for one in now if one.successes < one.trials]
        nowhere = [one.id for one in now if one.left_out and not one.trials]
        for ids, words in (
            (failed, "did not succeed in every trial, which is the baseline now"),
            (nowhere, "without a run that counts; not taken in"),
        ):
            if ids:
                self.notes.append(f"baseline: {len(ids)} {words}: {_some(ids)}")

    def _news(self, cases: dict[str, list[Tried]]) -> None:
        """New and removed cases, where no gate tells of them."""
        if self.baseline is None or self.summary.is_part():
            return
        now = [one for suite in cases.values() for one in suite]
        found = match(self.baseline.against(now), now)
        for ids, words in ((found.new, "new"), ([one.id for one in found.removed], "removed")):
            if ids:
                self.notes.append(f"baseline: {len(ids)} {words}: {_some(ids)} ({self._in_mode(baselines.CURE)})")


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:10]) + (f" and {len(ids) - 10} more" if len(ids) > 10 else "")


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


def _text(gate: GateResult, rerun: str) -> str:
    head = (f"gate {gate.name}: {gate.result}: {gate.why}", f"{gate.file}:{gate.line}:{gate.col}")
    meant = [f"meant? {rerun} --agent-baseline=update"] if gate.regression and gate.result == "fail" else []
    return "\n".join([*head, *(f"  {line}" for line in gate.details), f"rerun: {rerun}", *meant])


def _report(**kwargs: Any) -> pytest.TestReport:
    if "start" in inspect.signature(pytest.TestReport).parameters:
        kwargs["start"] = kwargs["stop"] = time.time()
    return pytest.TestReport(**kwargs)
