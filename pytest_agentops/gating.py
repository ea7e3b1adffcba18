"""Gates in a session: judged on the controller when every run is in, each a test report of its own."""

from __future__ import annotations

import inspect
import re
import time
from collections import Counter
from collections.abc import Generator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from .collect import CaseItem
from .commands import from_here
from .confirming import Confirmation, files_of, wanted
from .curtailing import curtailing
from .errors import BaselineError, CaseFileError
from .gated import ini_file
from .hidden import YAML
from .judging import Judging, Terms, gated_by
from .loading.gates import gates_of
from .people import ledger
from .schema.values import JsonObject
from .scoring.gates import GateResult, Group, names
from .settings import Settings

if TYPE_CHECKING:
    from .summary import Summary

_GATES = re.compile(rb"^(\"?)gates\1[ \t]*:", re.MULTILINE)


class Gating(Judging):
    """Judges on the controller; `summary` has the results."""

    def __init__(self, config: pytest.Config, settings: Settings, summary: Summary) -> None:
        self.config = config
        self.settings = settings
        self.summary = summary
        terms = Terms(
            baseline=settings.baseline,
            file=settings.baseline_file,
            root=settings.rootdir,
            mode=settings.mode,
            gates=settings.gates,
            where=ini_file(config),
        )
        try:
            super().__init__(terms, summary)
        except (CaseFileError, BaselineError) as error:
            raise pytest.UsageError(str(error)) from None

    # ---- what was collected

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        self.suites |= getattr(node, "workeroutput", {}).get("agentops_suites", {})

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """The gates of a file with mistakes are not judged, and nobody knows which they are."""
        if not report.failed:
            return
        path = self.settings.rootdir / report.nodeid
        if path.suffix in YAML and path.is_file() and _GATES.search(path.read_bytes()):
            self.broken_files[report.nodeid] = f"gates of {report.nodeid}: not_judged: the file has mistakes"

    # ---- judging

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, Any, None]:
        """Around what looks for late calls, and inside of pytest's terminal, which then writes the last figure of progress."""
        if self.config.getoption("collectonly", False):
            yield
            return
        own: Any = self.config.pluginmanager.get_plugin("agentops-session")
        announced = self._announced(session, own.suites())
        session.testscollected += announced
        outcome = yield
        self.suites |= own.suites()
        self.summary.settle()
        stopped = "the session was stopped" if outcome.excinfo is not None or session.shouldstop else ""
        self.judge(stopped)
        told = [] if outcome.excinfo is not None else [g for g in enumerate(self.judged) if g[1].result != "not_judged"]
        session.testscollected += len(told) - announced  # all at once: pytest's progress ends at 100 %
        for place, gate in told:
            self._emit(gate, failing=place in self.failing)

    def _announced(self, session: pytest.Session, suites: JsonObject) -> int:
        """How many gates will have a report, so that progress counts them from the start; a controller of xdist cannot know."""
        ran = Counter(item.variant.suite for item in session.items if isinstance(item, CaseItem))
        whole = {name: suite for name, suite in suites.items() if ran[name] == suite["variants"]}
        of_suites = sum(len(names(gates_of(suite["gates"]))) for suite in whole.values() if suite["gates"])
        of_session = names(self.session_gates) if self.session_gates is not None and len(whole) == len(suites) > 0 else ()
        return of_suites + len(of_session)

    # ---- judging

    def confirm(self, groups: list[Group]) -> None:
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

    def lost(self, name: str, suite: JsonObject) -> str:
        """Why runs of a suite were left out: it could not reach its rate any more."""
        curtails = curtailing(self.config)
        if curtails is None:
            return ""
        curtails.look()
        return curtails.lost(name, suite) if name in curtails.stopped else ""

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

    def _rerun(self, gate: GateResult) -> str:
        mode = "" if self.settings.mode == "replay" else f" --agent-mode={self.settings.mode}"
        return f"pytest --agent-evals{mode}" + (f" {from_here(self.config, str(gate.file))}" if gate.group else "")


def _text(gate: GateResult, rerun: str) -> str:
    head = (f"gate {gate.name}: {gate.result}: {gate.why}", f"{gate.file}:{gate.line}:{gate.col}")
    meant = [f"meant? {rerun} --agent-baseline=update"] if gate.regression and gate.result == "fail" else []
    return "\n".join([*head, *(f"  {line}" for line in gate.details), f"rerun: {rerun}", *meant])


def _report(**kwargs: Any) -> pytest.TestReport:
    if "start" in inspect.signature(pytest.TestReport).parameters:
        kwargs["start"] = kwargs["stop"] = time.time()
    return pytest.TestReport(**kwargs)
