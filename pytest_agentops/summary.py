"""The controller's side: collects the cases' reports, decides the verdict, writes the results, prints the four numbers."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import pytest

from .reports.results import Results
from .schema.values import JsonObject, dumps, loads
from .schema.verdict import Status
from .scoring.metrics import Tally
from .settings import Settings

_PHASES = ("setup", "call", "teardown")
Report = tuple[Callable[..., Any], Path]


class Summary:
    """Hears every report once, from this process or from the workers."""

    def __init__(self, config: pytest.Config, settings: Settings, reports: list[Report]) -> None:
        self.config = config
        self.settings = settings
        self.reports = reports
        self.results = Results()
        self.total = Tally()
        self.suites: dict[str, Tally] = {}
        self.notes = Notes()
        self.open: dict[str, JsonObject] = {}
        """Cases whose teardown has not been heard, by node id."""
        self.rerun: set[str] = set()
        """Cases of which an attempt was followed by another."""
        self.failed = 0
        self.live = False
        self.cases = 0
        """How many were collected, before -k and the like took some away."""
        self.python_cases = 0
        self.collect_errors = 0
        self.crashed = False
        self.no_cases = False
        self.written: Path | None = None
        self.unwritten: list[str] = []

    # ---- hearing

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self.collect_errors += report.failed

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """xdist: what a worker collected; all collect the same."""
        self._collected(*getattr(node, "workeroutput", {}).get("agentops_collected", (0, 0)))

    def _collected(self, cases: int, python_cases: int) -> None:
        self.cases = max(self.cases, cases)
        self.python_cases = max(self.python_cases, python_cases)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        case = getattr(report, "agentops", None)
        if case is not None:
            self._hear(report, case)
            report.agentops = None  # type: ignore[attr-defined]  # pytest keeps every report to the end
        if report.when == "teardown":
            self._end(report)
        elif report.when not in _PHASES:  # a worker that crashed takes its case with it
            self.failed += 1
            self.crashed = True

    def _end(self, report: pytest.TestReport) -> None:
        case = self.open.get(report.nodeid)
        if case is None:
            if report.outcome == "failed":  # a tool call that came when the case was closed
                self.failed += self._reopen(report.nodeid)
        elif case["status"] != "rerun":
            self._close(report.nodeid, self.open.pop(report.nodeid))

    def _reopen(self, nodeid: str) -> bool:
        """Make a closed case an error; False if it is none, or has failed already. Rare: all cases are read again."""
        for text in self.results.texts():
            case = loads(text)
            if f"{case['file']}::{_name(case).partition('/')[2]}" == nodeid:
                if case["status"] in ("failed", "error"):
                    return False
                self.results.add(dumps({**case, "status": "error"}))
                return True
        return False

    def _hear(self, report: pytest.TestReport, case: JsonObject) -> None:
        """A later report of a case has the later word on its status, and brings the trials that the earlier had not."""
        known = self.open.get(report.nodeid)
        if known is not None:
            case["trials"] = [*known["trials"], *case["trials"]]
        case["status"] = _status(report)
        self.open[report.nodeid] = case
        if case["status"] == "rerun":
            self.rerun.add(report.nodeid)

    def _close(self, nodeid: str, case: JsonObject) -> None:
        runs: list[JsonObject] = [] if case["status"] == "skipped" else case["trials"]
        if nodeid in self.rerun:  # every attempt is a run
            for number, run in enumerate(runs, start=1):
                run["trial"] = number
        elif len(runs) > 1 and _reruns(self.config):
            self.notes.add("reruns", _name(case))
        self.failed += case["status"] in ("failed", "error")
        self.live = self.live or any(run["mode"] != "replay" for run in runs)
        self.results.add(dumps({**{key: case[key] for key in ("id", "suite", "variant", "status")}, **case, "trials": runs}))
        for tally in (self.total, self.suites.setdefault(case["suite"], Tally())):
            tally.add(case["id"], case["variant"], runs)
        for run in runs:
            self.notes.of_run(_name(case), run)

    # ---- the end

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        own = self.config.pluginmanager.get_plugin("agentops-session")
        self._collected(getattr(own, "cases", 0), getattr(own, "python_cases", 0))
        for nodeid, case in self.open.items():  # interrupted between a call and its teardown, or before it was run again
            self._close(nodeid, {**case, "status": "failed" if case["status"] == "rerun" else case["status"]})
        self.open = {}
        if not (self.cases or self.python_cases or self.collect_errors) and session.exitstatus in (0, 5):
            self.no_cases = True
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
        if len(self.results):
            self._write()
        if self.unwritten and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _write(self) -> None:
        """The results file, then the reports that are made from it; what cannot be written fails the session."""
        path = self.settings.work / "results.json"
        try:
            self.results.write(
                path,
                mode=self.mode,
                verdict="fail" if self.failed or self.collect_errors else "pass",
                metrics=self.total.metrics().as_json(),
                suites={name: {"metrics": tally.metrics().as_json(), "gates": []} for name, tally in self.suites.items()},
                selection="partial" if self._is_part() else "all",
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

    @property
    def mode(self) -> str:
        """Live as soon as one run may have called something for real."""
        return "live" if self.live else self.settings.mode

    def _is_part(self) -> bool:
        """Whether a case of the case folders did not run to its end, or was not asked for."""
        if self.collect_errors or self.crashed or len(self.results) < self.cases or self.config.getoption("lf", False):
            return True
        given = [Path(os.path.normpath(self.config.invocation_params.dir / arg)) for arg in self.config.args]
        folders = [folder for folder in self.settings.case_folders if folder.is_dir()]
        return any("::" in arg for arg in self.config.args) or not all(
            any(folder.is_relative_to(path) for path in given) for folder in folders
        )

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        out = terminalreporter
        if self.no_cases:
            out.write_line("ERROR: --agent-evals collected no cases: nothing was tested (exit code 4)", red=True, bold=True)
        if not len(self.results):
            return
        from .reports.table import table

        out.section(f"agent evals ({self.mode})")
        out.write_line(table({n: t.metrics().as_json() for n, t in self.suites.items()}, self.total.metrics().as_json()))
        for line in self.notes.lines():
            out.write_line(line)
        if self.written is not None and self.config.get_verbosity() >= 0:
            out.write_line(f"results: {self.written.relative_to(self.settings.rootdir).as_posix()}")
        for line in self.unwritten:
            out.write_line(f"ERROR: {line}", red=True, bold=True)

    def pytest_unconfigure(self) -> None:
        self.results.close()


class Notes:
    """What a reader of the numbers must know, one line a kind, each naming the first few cases."""

    SHOWN = 5

    def __init__(self) -> None:
        self._names: dict[str, dict[str, None]] = {}

    def add(self, kind: str, name: str) -> None:
        self._names.setdefault(kind, {}).setdefault(name)

    def of_run(self, name: str, run: JsonObject) -> None:
        """Take up what the run says of itself."""
        for sentence in run["stale"]:
            self.add("stale", f"{name}: {sentence}")
        for label in run["labels"]:
            self.add(label, name)
        if any(problem["kind"] == "unused_warning" for problem in run["problems"]):
            self.add("unused", name)
        checks = run["checks"]
        if len(checks) == 1 and checks[0]["passed"] and checks[0]["why"]:  # the one check that says something though it passed
            self.add("no expect", name)

    def lines(self) -> list[str]:
        """In the order of `_SENTENCES`, whatever order the cases ran in."""
        return [self._line(kind, sorted(self._names[kind])) for kind in _SENTENCES if kind in self._names]

    def _line(self, kind: str, names: list[str]) -> str:
        more = f" and {len(names) - self.SHOWN} more" if len(names) > self.SHOWN else ""
        head = f"{kind}: {len(names)} case(s) {_SENTENCES[kind]}: "
        if kind == "stale":
            return "\n  ".join([f"stale: {len(names)} {_SENTENCES[kind]}", *names[: self.SHOWN]]) + (f"\n {more}" if more else "")
        return head + ", ".join(names[: self.SHOWN]) + more


_SENTENCES: Mapping[str, str] = {
    "recorded": "wrote their recordings",
    "not_recorded": "did not end well, their old recordings were kept (see *.partial.yaml)",
    "stale": "difference(s) between recordings and today's contracts",
    "unused": "left recorded reads unused",
    "racy": "had equal calls in flight at once with different answers; which caller got which is chance",
    "counterfactual": "were stopped by the guard at a call that the recorded run had made",
    "child_process": "started a child process, which the network guard does not see",
    "model_never_seen": "name a model, and no request to one was seen: cost and tokens are unknown",
    "no expect": "expect nothing but to complete",
    "reruns": "have trials of their own, which --reruns leaves alone",
}


def _name(case: JsonObject) -> str:
    return case["id"] if case["variant"] is None else f"{case['id']}~{case['variant']}"


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
