"""Running a case item: its trials, each with fresh fixtures, judged together and reported once."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest

from .collect import SUITES, CaseItem
from .commands import Commands
from .curtailing import curtailing
from .errors import CheckFailed
from .late import late_calls
from .parts import make_toolbox
from .people import governing
from .reports.failure import explain
from .runner.events import write_events
from .runner.run import Trial, run_trial
from .runner.surroundings import offline
from .schema.case import Case
from .schema.run import Run
from .scoring.judge import judge, verdict
from .tools.offer import Offer
from .tools.toolbox import Toolbox
from .workbench import lint_tools


def run_case(item: CaseItem) -> None:
    """One trial of the item; the last one is followed by the verdict over all."""
    case = item.case()
    run, offer = one_trial(item, case)
    item.runs.append(run)
    curtails = curtailing(item.config)
    if curtails is not None:
        curtails.hear(case.suite, run)
    if item.trial == 1:
        warn_of_unread_setup(item, case, run, offer)
    if item.trials == 1:
        raise_verdict(item, case)


def one_trial(item: CaseItem, case: Case) -> tuple[Run, Offer | None]:
    """Run and judge one trial, and write its events; the tools come back too, if they could be made."""
    suites = item.config.stash[SUITES]
    settings = suites.settings
    agent, tools = item.resolved()
    # a transcript's arguments are history: that they do not fit is a finding, not a block
    mode = case.fields.contracts_mode or ("report" if item.parts.built_in == "transcript" else "enforce")
    offers: list[Offer] = []

    def toolbox() -> Toolbox:
        offers.append(make_toolbox(tools, item.parts.tool_names, case))
        if item.parts.policies:
            lint_tools(item.config, item.variant, item.parts, offers[-1].toolbox.contracts)
        return offers[-1].toolbox

    run = run_trial(
        Trial(
            case=case,
            number=item.trial,
            agent=agent,
            make_toolbox=toolbox,
            mode=settings.mode,
            record=settings.record,
            cassettes=settings.cassettes,
            enforce_contracts=mode == "enforce",
            cache=suites.cache,
            on_late=late_calls(item.config).listener(item, case, item.trial),
            policies=item.parts.policies,
            **governing(item.config, settings, audited=bool(item.parts.policies)),
        )
    )
    if run.stop is not None or run.stale or run.problems:
        Commands(item, settings).fill_in(run, case)
    own_code = bool(item.parts.python or case.more_checks)
    with offline() if own_code and run.mode == "replay" else nullcontext():  # a check may not reach out either
        judge(run, case, python=item.parts.python, extra_checks=suites.registry.external("checks") if case.more_checks else {})
    suffix = "" if item.trial == 1 else f".t{item.trial}"
    name = f"{case.name}{suffix}.jsonl"
    run.events = f".agentops/runs/{case.suite}/{name}"
    write_events(run, os.sep.join((str(settings.work), "runs", case.suite, name)))
    return run, offers[0] if offers else None


def warn_of_unread_setup(item: CaseItem, case: Case, run: Run, offer: Offer | None) -> None:
    """A `setup` that neither tools nor agent nor a fixture asked for is most likely a slip."""
    read = item.setup_read or run.setup_read or offer is None or offer.read_setup
    if case.fields.setup and run.outcome == "completed" and not read:
        item.warn(
            pytest.PytestWarning(
                "setup: nobody reads it: no factory of tools takes `setup`, and neither task.setup nor the fixture agent_case "
                "was asked for"
            )
        )


def raise_verdict(item: CaseItem, case: Case | None = None) -> None:
    """Raise `CheckFailed` with the whole explanation if the variant did not pass."""
    case = case or item.case()
    for run in item.runs:  # a thread may have called a tool since the run was judged
        run.success = run.success and not any(problem.kind == "closed" for problem in run.problems)
    found = verdict(case, item.runs)
    if not found.passed:
        commands = Commands(item, item.config.stash[SUITES].settings)
        raise CheckFailed(explain(case, item.runs, found, rerun=commands.again(case, item.runs)))


def _phase(item: CaseItem, when: Any, function: Callable[[], object]) -> pytest.CallInfo[object]:
    reraise: tuple[type[BaseException], ...] = (pytest.exit.Exception,)
    if not item.config.getoption("usepdb", False):
        reraise += (KeyboardInterrupt,)
    return pytest.CallInfo.from_call(function, when=when, reraise=reraise)


def run_trials(item: CaseItem, nextitem: pytest.Item | None) -> None:
    """The whole protocol of an item with several trials: set-up, call and tear-down for each, one set of reports for all.

    A report is made for every phase of every trial, since other plugins keep their state there; only one of each kind is logged.
    """
    hook = item.ihook
    hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    _Trials(item, nextitem).run()
    hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)


class _Trials:
    def __init__(self, item: CaseItem, nextitem: pytest.Item | None) -> None:
        self.item = item
        self.nextitem = nextitem
        self.duration = 0.0
        self.broken: pytest.CallInfo[object] | None = None
        item.runs.clear()

    def run(self) -> None:
        item, total = self.item, self.item.trials
        for number in range(1, total + 1):
            following = None if number == total else item.again(number + 1)
            if not self._one(item, following, last=number == total):
                return
            if following is not None:
                item = following

    def _one(self, item: CaseItem, following: CaseItem | None, *, last: bool) -> bool:
        """One trial; False if no further trial is to follow."""
        hook = item.ihook
        setup = _phase(item, "setup", lambda: hook.pytest_runtest_setup(item=item))
        report = hook.pytest_runtest_makereport(item=item, call=setup)
        if item.trial > 1 and report.outcome == "skipped":
            report.outcome = "failed"
            report.longrepr = f"trial {item.trial} was skipped in its set-up, after trials of the same case had run"
        if setup.excinfo or item.trial == 1:
            hook.pytest_runtest_logreport(report=report)
        dry = item.config.getoption("setuponly", False) or item.config.getoption("setupplan", False)
        stop = bool(setup.excinfo) or dry
        if not stop:
            stop = self._call(item, last=last)
        session = item.session
        stop = stop or bool(session.shouldstop or session.shouldfail)
        goes_on = following is not None and not stop
        self._teardown(item, following if goes_on else self.nextitem, log=not goes_on)
        return goes_on and self.broken is None

    def _call(self, item: CaseItem, *, last: bool) -> bool:
        """The trial, and after the last one the verdict as an ordinary call phase: xfail, pdb and JUnit are pytest's."""
        hook = item.ihook
        body = _phase(item, "call", lambda: hook.pytest_runtest_call(item=item))
        self.duration += body.duration
        curtails = curtailing(item.config)
        last = last or (curtails is not None and curtails.ends(item))
        if body.excinfo is None and not last:
            item.silent = True
            hook.pytest_runtest_makereport(item=item, call=body)
            item.silent = False
            return False
        final = body if body.excinfo else _phase(item, "call", lambda: raise_verdict(item))
        report = hook.pytest_runtest_makereport(item=item, call=final)
        report.duration = self.duration
        hook.pytest_runtest_logreport(report=report)
        if final.excinfo and not hasattr(report, "wasxfail") and not final.excinfo.errisinstance(pytest.skip.Exception):
            hook.pytest_exception_interact(node=item, call=final, report=report)
        return True

    def _teardown(self, item: CaseItem, nextitem: pytest.Item | None, *, log: bool) -> None:
        hook = item.ihook
        call = _phase(item, "teardown", lambda: hook.pytest_runtest_teardown(item=item, nextitem=nextitem))
        report = hook.pytest_runtest_makereport(item=item, call=call)
        if call.excinfo or log:
            hook.pytest_runtest_logreport(report=report)
        if call.excinfo:
            self.broken = call
