"""The controller's side: collects the cases' reports, decides the verdict, writes the results, prints the four numbers."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import pytest

from .asked import asked, mode_of, verdict_of_runs
from .curtailing import curtailing
from .gating import Gating
from .hidden import YAML, outside, sentence
from .judging import worst
from .notes import Notes
from .people import ledger
from .reports.github import told_github
from .reports.history import Seen, remember
from .reports.results import BuildVerdict, Key, Results
from .schema.values import JsonObject, dumps, loads
from .schema.verdict import Metrics, Status
from .scoring.metrics import Tally
from .session_audit import AuditSeal
from .settings import Settings
from .spending import Spending, confusion_line, price_table

_PHASES = ("setup", "call", "teardown")
Report = tuple[Callable[..., Any], Path]


class Summary:
    """Hears every report once, from this process or from the workers."""

    def __init__(self, config: pytest.Config, settings: Settings, reports: list[Report]) -> None:
        self.config = config
        self.settings = settings
        self.reports = reports
        self.gating = Gating(config, settings, self)
        self.results = Results()
        self.total = Tally()
        self.suites: dict[str, Tally] = {}
        self.suite_metrics: dict[str, JsonObject] = {}
        """The suites' numbers, once all is heard."""
        self.seen: dict[str, Seen] = {}
        """Suite -> what the history keeps of its cases."""
        self.notes = Notes()
        self.open: dict[str, dict[Key, JsonObject]] = {}
        """Cases whose teardown has not been heard, by node id; an ordinary test may have several."""
        self.rerun: set[str] = set()
        """Cases of which an attempt was followed by another."""
        self.failed = 0
        self.errors: Counter[str] = Counter()
        """Suite -> cases that ended as an error."""
        self.spending = Spending()
        self.over_budget: list[str] = []
        """Suites that cost more than they may, a sentence each."""
        self.spiked: list[str] = []
        self.audit = AuditSeal(config, settings.work)
        self.modes: set[str] = set()
        """What the runs were: replay, hybrid, ..."""
        self.cases = 0
        """How many were collected, before -k and the like took some away."""
        self.python_cases = 0
        self.ended = 0
        """Cases of files that have a result."""
        self.hidden: list[str] = []
        """Case files that pytest did not look at."""
        self.collect_errors = 0
        self.crashed = False
        self.no_cases = False
        self.settled = False
        self.written: Path | None = None
        self.unwritten: list[str] = []

    # ---- hearing

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self.collect_errors += report.failed

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """xdist: what a worker collected; all collect the same."""
        output = getattr(node, "workeroutput", {})
        cases, python_cases = output.get("agentops_collected", (0, 0))
        self._collected(cases, python_cases, output.get("agentops_hidden", ()))
        self.audit.hear(*output.get("agentops_audit", (None, None)))

    def _collected(self, cases: int, python_cases: int, hidden: Iterable[str]) -> None:
        self.cases = max(self.cases, cases)
        self.python_cases = max(self.python_cases, python_cases)
        self.hidden = sorted({*self.hidden, *hidden})

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for case in getattr(report, "agentops", None) or ():
            self._hear(report, case)
            report.agentops = None  # type: ignore[attr-defined]  # pytest keeps every report to the end
        for late in getattr(report, "agentops_late", ()):
            self._late(report.nodeid, late)
        if report.when == "teardown":
            if any(case["status"] != "rerun" for case in self.open.get(report.nodeid, {}).values()):
                self._close_all(report.nodeid)
        elif report.when not in _PHASES:  # a worker that crashed takes its case with it
            self._crashed(report)

    def _hear(self, report: pytest.TestReport, case: JsonObject) -> None:
        """A later report of a case has the later word on its status, and brings the trials that the earlier had not."""
        cases = self.open.setdefault(report.nodeid, {})
        key = (case["id"], case["variant"] or "")
        if key in cases:
            case["trials"] = [*cases[key]["trials"], *case["trials"]]
        case["status"] = _status(report)
        cases[key] = case
        if case["status"] == "rerun":
            self.rerun.add(report.nodeid)

    def _late(self, nodeid: str, late: JsonObject) -> None:
        """A tool was called when the trial had been judged: it is no success any more, and its case an error."""
        case = self.open.get(nodeid, {}).get((late["id"], late["variant"] or ""))
        if case is not None:
            _fail_late(case, late)
            return
        case = self.results.find(late["id"], late["variant"])
        if case is None:
            self.failed += 1
            return
        was = case["status"]
        self.failed += was not in ("failed", "error")
        if was != "failed":
            case["status"] = "error"
            self._error(case, was != "error")
        _fail_late(case, late)
        self.results.add(dumps(case))
        self._recount()

    def _recount(self) -> None:
        """The numbers once more from the results; rare: all cases are read again."""
        self.total, self.suites = Tally(), {}
        for text in self.results.texts():
            case = loads(text)
            self._count(case, case["trials"])

    def _crashed(self, report: pytest.TestReport) -> None:
        from .crashed import crashed_case

        self.crashed = True
        known = self.open.get(report.nodeid)
        lost = crashed_case(self.config, self.settings, report) if known is None else None
        if lost is not None:
            known = self.open[report.nodeid] = {(lost["id"], lost["variant"] or ""): lost}
        if known is None:
            self.failed += 1
            return
        for case in known.values():
            case["status"] = "error"
        self._close_all(report.nodeid)

    def _close_all(self, nodeid: str) -> None:
        for case in self.open.pop(nodeid).values():
            self._close(nodeid, case)

    def _close(self, nodeid: str, case: JsonObject) -> None:
        runs: list[JsonObject] = [] if case["status"] == "skipped" else case["trials"]
        if nodeid in self.rerun:  # every attempt is a run
            for number, run in enumerate(runs, start=1):
                run["trial"] = number
        elif len(runs) > 1 and _reruns(self.config):
            self.notes.add("reruns", _name(case))
        of_a_file = case["file"].endswith(YAML)
        self.ended += of_a_file
        self.failed += case["status"] in ("failed", "error")
        if case["status"] == "error":
            self._error(case, True)
        self.modes.update(run["mode"] for run in runs)
        if self.results.add(dumps({**{key: case[key] for key in ("id", "suite", "variant", "status")}, **case, "trials": runs})):
            self.seen.setdefault(case["suite"], Seen()).add(case, runs)
        self._count(case, runs)
        self.spending.hear(case, runs)
        for run in runs:
            self.notes.of_run(_name(case), run, judged_elsewhere=not of_a_file)

    def _error(self, case: JsonObject, counts: bool) -> None:
        self.errors[case["suite"]] += counts
        self.notes.add("error", _name(case))

    def _count(self, case: JsonObject, runs: list[JsonObject]) -> None:
        for tally in (self.total, self.suites.setdefault(case["suite"], Tally())):
            tally.add(case["id"], case["variant"], runs)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> None:
        """What an earlier session left may not stand for one that dies half-way."""
        if not self.config.getoption("collectonly", False):
            for path in (self.settings.work / "results.json", *(target for _, target in self.reports)):
                with suppress(OSError):
                    path.unlink()
            self.audit.clear()
            ledger(self.config, self.settings).clear()
            curtails = curtailing(self.config)
            if curtails is not None:
                curtails.clear()

    # ---- the end

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        for nodeid, cases in list(self.open.items()):  # interrupted between a call and its teardown, or before it was run again
            for case in cases.values():
                case["status"] = "failed" if case["status"] == "rerun" else case["status"]
            self._close_all(nodeid)
        self.settle()
        if not (self.cases or self.python_cases or self.collect_errors) and session.exitstatus in (0, 5):
            self.no_cases = True
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
        self.audit.seal(self.config)
        self.unwritten += self.audit.problems
        self.unwritten += self.gating.errors
        if len(self.results):
            self._write()
        wrong = self.unwritten or self.hidden or self._own_verdict != "pass" or self.gating.failing
        if wrong and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def settle(self) -> None:
        """When all runs are in, once: before gates are judged, or at the end of a session that has come to none."""
        if not self.settled:
            self.settled = True
            own: Any = self.config.pluginmanager.get_plugin("agentops-session")
            self._collected(own.cases, own.python_cases, own.hidden.files)
            self._look_at_spending()

    @property
    def prices(self) -> JsonObject | None:
        """Which price table the costs are of; None where no model was asked."""
        return price_table(self.total)

    def metrics_of(self, suite: str) -> Metrics:
        """The numbers of a suite, also of one without a run."""
        return self.suites.get(suite, Tally()).metrics()

    def _look_at_spending(self) -> None:
        """Runs that cost far more than is usual in their suite, and suites that cost more than they may."""
        for spike in self.spending.spikes(self.gating.usual_costs(self.mode)):
            case = self.results.find(spike.case, spike.variant)
            if case is None:
                continue
            for run in (run for run in case["trials"] if run["trial"] == spike.trial):
                run["labels"] = sorted({*run["labels"], "spend_spike"})
                run["detected"] = {**run.get("detected", {}), "spend_spike": spike.text}
                run["success"] = run["success"] and not spike.fatal
            if spike.fatal and case["status"] == "passed":
                case["status"] = "failed"
                self.failed += 1
            self.results.add(dumps(case))
            self.spiked.append(f"spend_spike: {_name(case)}, trial {spike.trial}: {spike.text}")
        if self.spiked:
            self._recount()
        self.over_budget = list(self.spending.over(self.suites))

    def _write(self) -> None:
        """The results file, then the reports that are made from it; what cannot be written fails the session."""
        path = self.settings.work / "results.json"
        self.suite_metrics = {name: tally.metrics().as_json() for name, tally in self.suites.items()}
        try:
            head = self.results.write(
                path,
                mode=self.mode,
                verdict=self.verdict,
                metrics=self.total.metrics().as_json(),
                suites={
                    name: {"metrics": metrics, "gates": self.gating.as_json(name)} for name, metrics in self.suite_metrics.items()
                },
                selection="partial" if self.is_part() else "all",
                audit=self.audit.as_json(),
                prices=self.prices,
                gates=self.gating.as_json(""),
                asked=asked(
                    self.gating.suites,
                    self.settings.gates,
                    whole_folders=self._has_all_folders(),
                    baseline=self.settings.baseline_file.relative_to(self.settings.rootdir).as_posix(),
                    compared=self.gating.compares,
                ),
            )
        except OSError as error:
            self.unwritten.append(f"{path}: the results cannot be written: {error.strerror or error}")
            return
        self.written = path
        for write, target in self.reports:
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                write(path, target)
            except OSError as error:
                self.unwritten.append(f"{target}: the report cannot be written: {error.strerror or error}")
        self.unwritten += [*remember(path, head, self.seen), *told_github(path)]

    @property
    def verdict(self) -> BuildVerdict:
        """The worst of the runs' and the gates'."""
        return worst((self._own_verdict, self.gating.verdict))

    @property
    def _own_verdict(self) -> BuildVerdict:
        """Without the gates: not comparable, if a rate over the runs that the recordings could answer measures their likeness."""
        failed = bool(self.failed or self.collect_errors or self.hidden)
        return verdict_of_runs(failed=failed, over_budget=bool(self.over_budget), unanswerable=self.total.unanswerable)

    @property
    def mode(self) -> str:
        """What all runs were; of several, the one that says most: live."""
        return mode_of(self.modes, self.settings.mode)

    def is_part(self) -> bool:
        """Whether a case of the case folders did not run to its end, or was not asked for."""
        if self.collect_errors or self.crashed or self.hidden or self.ended < self.cases or self.config.getoption("lf", False):
            return True
        return not self._has_all_folders()

    def _has_all_folders(self) -> bool:
        """Whether the paths that were given hold all case folders."""
        given = [Path(os.path.normpath(self.config.invocation_params.dir / arg)) for arg in self.config.args]
        folders = [folder for folder in self.settings.case_folders if folder.is_dir()]
        return not any("::" in arg for arg in self.config.args) and all(
            any(folder.is_relative_to(path) for path in given) for folder in folders
        )

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        out = terminalreporter
        if self.no_cases:
            out.write_line("ERROR: --agent-evals collected no cases: nothing was tested (exit code 4)", red=True, bold=True)
            for text in outside(self.config, self.settings):
                out.write_line(text)
        for file in self.hidden:
            out.write_line(f"ERROR: {sentence(file)}", red=True, bold=True)
        if not len(self.results):
            return
        from .reports.table import table

        out.section(f"agent evals ({self.mode})")
        out.write_line(table(self.suite_metrics, self.total.metrics().as_json(), errors=self.errors))
        for line in [*self.notes.lines(), *confusion_line(self.total), *self.spiked]:
            out.write_line(line)
        for line in self.over_budget:
            out.write_line(f"ERROR: {line}", red=True, bold=True)
        for line in self.gating.lines(full=self.config.get_verbosity() > 0):
            out.write_line(line)
        for line in self.audit.lines():
            out.write_line(line)
        if self.written is not None and self.config.get_verbosity() >= 0:
            out.write_line(f"results: {self.written.relative_to(self.settings.rootdir).as_posix()}")
        for line in self.unwritten:
            out.write_line(f"ERROR: {line}", red=True, bold=True)

    def pytest_unconfigure(self) -> None:
        self.results.close()


def _fail_late(case: JsonObject, late: JsonObject) -> None:
    for run in case["trials"]:
        if run["trial"] == late["trial"]:
            run["success"] = False
            told = {problem["text"] for problem in run["problems"]}
            run["problems"] += [{"kind": "closed", "text": text} for text in late["texts"] if text not in told]


def _name(case: JsonObject) -> str:
    return str(case["id"] if case["variant"] is None else f"{case['id']}~{case['variant']}")


def _reruns(config: pytest.Config) -> bool:
    """Whether pytest-rerunfailures was asked to run failed tests again."""
    given = config.getoption("force_reruns", None) or config.getoption("reruns", None)
    if given is None:
        with suppress(ValueError, KeyError):  # without that plugin there is no such ini value
            given = int(config.getini("reruns"))
    return bool(given)


def _status(report: pytest.TestReport) -> Status | Literal["rerun"]:
    if str(report.outcome) == "rerun":
        return "rerun"
    if report.outcome == "skipped":
        return "xfailed" if hasattr(report, "wasxfail") else "skipped"
    if report.outcome == "passed":
        return "xpassed" if hasattr(report, "wasxfail") else "passed"
    return "failed" if report.when == "call" else "error"
