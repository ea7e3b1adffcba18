"""The controller's side: collects the cases' reports, decides the verdict, writes the results, prints the four numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .reports.results import Results
from .schema.values import JsonObject, dumps
from .schema.verdict import Status
from .scoring.metrics import Tally
from .settings import Settings

_RANK: dict[Status, int] = {"passed": 0, "xfailed": 1, "xpassed": 1, "skipped": 1, "failed": 2, "error": 3}


class Summary:
    """Hears every report once, from this process or from the workers."""

    def __init__(self, config: pytest.Config, settings: Settings, reports: list[tuple[Callable[..., Any], Path]]) -> None:
        self.config = config
        self.settings = settings
        self.reports = reports
        self.results = Results()
        self.total = Tally()
        self.suites: dict[str, Tally] = {}
        self.notes: dict[str, list[str]] = {}
        self.open: dict[str, JsonObject] = {}
        """Cases whose teardown has not been heard, by node id."""
        self.failed = 0
        self.collected = 0
        self.deselected = 0
        self.collect_errors = 0
        self.workers = 0
        self.no_cases = False
        self.written: Path | None = None

    # ---- hearing

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        self.deselected += len(items)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self.collect_errors += report.failed

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """xdist: what a worker collected."""
        self.workers += 1
        self.collected = max(self.collected, getattr(node, "workeroutput", {}).get("agentops_collected", 0))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        case = getattr(report, "agentops", None)
        if case is not None:
            self._hear(report, case)
            report.agentops = None  # type: ignore[attr-defined]  # pytest keeps every report to the end
        if report.when == "teardown" and report.nodeid in self.open:
            self._close(self.open.pop(report.nodeid))

    def _hear(self, report: pytest.TestReport, case: JsonObject) -> None:
        status = _status(report)
        known = self.open.get(report.nodeid)
        if known is not None:
            trials = known["trials"] if report.when == "teardown" else [*known["trials"], *case["trials"]]
            worst = status if report.when == "teardown" and status == "error" else status
            case = {**case, "trials": trials, "status": worst}
        else:
            case = {**case, "status": status}
        self.open[report.nodeid] = case

    def _close(self, case: JsonObject) -> None:
        status: Status = case["status"]
        if status == "skipped":
            case["trials"] = []
        for number, run in enumerate(case["trials"], start=1):
            run["trial"] = number if len(case["trials"]) > 1 else run["trial"]
        self.failed += _RANK[status] > 1
        self.results.add(dumps({"id": case["id"], "suite": case["suite"], "variant": case["variant"], "status": status, **case}))
        for tally in (self.total, self.suites.setdefault(case["suite"], Tally())):
            tally.add(case["id"], case["variant"], case["trials"])
        for run in case["trials"]:
            self._note(case, run)

    def _note(self, case: JsonObject, run: JsonObject) -> None:
        name = case["id"] if case["variant"] is None else f"{case['id']}~{case['variant']}"
        for sentence in run["stale"]:
            self.notes.setdefault("stale", []).append(f"{name}: {sentence}")
        for label in run["labels"]:
            if label in _LABELS:
                self.notes.setdefault(label, []).append(name)
        for problem in run["problems"]:
            if problem["kind"] == "unused_warning":
                self.notes.setdefault("unused", []).append(name)
        if run["checks"] and len(run["checks"]) == 1 and run["checks"][0]["wanted"] is None:
            self.notes.setdefault("no expect", []).append(name)

    # ---- the end

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        own = self.config.pluginmanager.get_plugin("agentops-session")
        self.collected = max(self.collected, getattr(own, "collected", 0))
        for case in self.open.values():
            self._close(case)
        self.open = {}
        if not self.collected and not self.collect_errors and session.exitstatus in (0, 5):
            self.no_cases = True
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
        if len(self.results):
            self._write()

    def _write(self) -> None:
        self.written = self.settings.work / "results.json"
        self.results.write(
            self.written,
            mode=self.mode,
            verdict="fail" if self.failed or self.collect_errors else "pass",
            metrics=self.total.metrics().as_json(),
            suites={name: {"metrics": tally.metrics().as_json(), "gates": []} for name, tally in self.suites.items()},
            selection="partial" if self.deselected or self.collect_errors or self._narrowed() else "all",
        )
        for write, path in self.reports:
            path.parent.mkdir(parents=True, exist_ok=True)
            write(self.written, path)

    @property
    def mode(self) -> str:
        return "live" if self.settings.record == "all" else self.settings.mode

    def _narrowed(self) -> bool:
        return any("::" in arg for arg in self.config.args)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        out = terminalreporter
        if self.no_cases:
            out.write_line("ERROR: --agent-evals collected no cases: nothing was tested (exit code 4)", red=True, bold=True)
            return
        if not len(self.results):
            return
        from .reports.table import table

        out.section(f"agent evals ({self.mode})")
        out.write_line(table({n: t.metrics().as_json() for n, t in self.suites.items()}, self.total.metrics().as_json()))
        for kind, names in self.notes.items():
            out.write_line(_note_line(kind, names))
        if self.written is not None and self.config.get_verbosity() >= 0:
            out.write_line(f"results: {self.written.relative_to(self.settings.rootdir).as_posix()}")

    def pytest_unconfigure(self) -> None:
        self.results.close()


_LABELS = {
    "racy": "equal calls in flight at once had different answers; which caller got which is chance",
    "counterfactual": "the guard stopped a call that the recorded run had made",
    "child_process": "started a child process, which the network guard does not see",
    "model_never_seen": "names a model, and no request to one was seen: cost and tokens are unknown",
    "not_recorded": "the run did not end well: the old recording was kept (see *.partial.yaml)",
    "recorded": "recorded",
}


def _note_line(kind: str, names: list[str]) -> str:
    different = sorted(set(names))
    if kind == "stale":
        return "\n".join(
            [f"stale: {len(different)} recording(s) differ from today's contracts", *(f"  {n}" for n in different[:10])]
        )
    shown = ", ".join(different[:5]) + (f" and {len(different) - 5} more" if len(different) > 5 else "")
    return f"{kind}: {len(different)} case(s) {_LABELS.get(kind, '')}: {shown}".replace(" : ", ": ").replace(
        "recorded: ", "recorded: ", 1
    )


def _status(report: pytest.TestReport) -> Status:
    if report.outcome == "skipped":
        return "xfailed" if hasattr(report, "wasxfail") else "skipped"
    if report.outcome == "failed":
        return "failed" if report.when == "call" else "error"
    if hasattr(report, "wasxfail"):
        return "xpassed"
    return "passed"
