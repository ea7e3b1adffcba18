"""The session under ``--agent-evals``: what is collected, how items run, what is told to the controller."""

from __future__ import annotations

import atexit
import gc
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from . import workbench
from .around import Around
from .collect import SUITES, CaseFile, CaseItem, Suites, variant_json
from .curtailing import Curtailing
from .fixtures import RAN
from .gated import warn_of_session
from .hidden import HiddenFolders
from .late import late_calls
from .plugin import uses_agent_eval
from .policy_tests import PolicyItem
from .protocol import run_case, run_trials
from .redact.membrane import Membrane
from .registry import Registry
from .runner.modes import goes_live
from .runner.network import network_guard
from .running_spend import RunningSpend
from .schema.case import Case
from .schema.parsed import ParsedCache
from .schema.values import JsonObject
from .settings import Settings, settings_of

YAML = (".yaml", ".yml")
MANY = 200
"""From so many cases on, the cyclic collector would take a sixth of the time."""
ROOMY = (20_000, 20, 100)
"""How much may pile up before it looks, from the first file on: a few megabytes."""


def configure(config: pytest.Config) -> None:
    """Set the session up; the same in the controller, in a plain run and in every xdist worker."""
    settings = settings_of(config)
    registry = Registry(config)
    config.stash[SUITES] = Suites(settings, registry, _parsed_cache(config))
    # one broken case file must not keep the others from running
    config.option.continue_on_collection_errors = True
    _choose_paths(config, settings)
    network_guard().self_test()
    config.pluginmanager.register(Evals(config, settings), "agentops-session")
    config.pluginmanager.register(Around(), "agentops-around")
    late_calls(config)
    curtailing = Curtailing.of(settings)
    if curtailing is not None:
        config.pluginmanager.register(curtailing, "agentops-curtailing")
    _give_room(config)
    workbench.configure(config, settings)
    if not hasattr(config, "workerinput"):
        from .summary import Summary

        reports = [(registry.report(name), path) for name, path in settings.reports]
        summary = Summary(config, settings, reports)
        config.pluginmanager.register(summary, "agentops-summary")
        config.pluginmanager.register(summary.gating, "agentops-gating")
        if goes_live(settings.mode, settings.record):
            config.pluginmanager.register(RunningSpend(config, settings), "agentops-spend")


def _give_room(config: pytest.Config) -> None:
    """Files, items and reports live to the end: the cyclic collector would only walk them again and again."""
    before = gc.get_threshold()
    gc.set_threshold(*ROOMY)
    config.add_cleanup(lambda: gc.set_threshold(*before))
    config.add_cleanup(gc.unfreeze)  # registered before pytest's own last passes, so it comes after them


def _parsed_cache(config: pytest.Config) -> ParsedCache:
    """Beside pytest's own cache, and off where that is off (``-p no:cacheprovider``)."""
    cache = getattr(config, "cache", None)
    return ParsedCache(None if cache is None else cache.mkdir("agentops"), scan=Membrane(os.environ).scan)


def _choose_paths(config: pytest.Config, settings: Settings) -> None:
    """With no paths given, the case folders are what is collected, not ``testpaths``."""
    if config.args_source is pytest.Config.ArgsSource.ARGS:
        return
    folders = [str(folder) for folder in settings.case_folders if folder.is_dir()]
    if len(folders) < len(settings.case_folders):
        names = ", ".join(os.path.relpath(folder, settings.rootdir) for folder in settings.case_folders if not folder.is_dir())
        raise pytest.UsageError(
            f"--agent-evals: there is no case folder ({names}) under {settings.rootdir}; name a path, or set ini agentops_cases"
        )
    config.args[:] = folders


class Evals:
    """Collects case files and runs their items, in the process that runs tests."""

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self.config = config
        self.settings = settings
        self.cases = 0
        self.python_cases = 0
        """Ordinary tests that use the fixture ``agent_eval``, and tests of policies."""
        # properties cost memory with every report: made only where somebody reads them (workers do not know: they make them)
        self._junit = bool(config.getoption("xmlpath", None)) or hasattr(config, "workerinput")
        self._named = {_path_of(arg, config) for arg in config.args}
        self.hidden = HiddenFolders(config, settings)

    # ---- collecting

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        if file_path.suffix not in YAML:
            return None
        path = os.path.normpath(file_path)
        if path not in self._named and not self.settings.reads(path):
            return None
        return CaseFile.of(parent, file_path)

    @pytest.hookimpl(wrapper=True)
    def pytest_ignore_collect(self, collection_path: Path) -> Generator[None, Any, Any]:
        ignored = yield
        if ignored:
            self.hidden.look(collection_path)
        return ignored

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        if isinstance(item, CaseItem):
            self.cases += 1
        elif isinstance(item, PolicyItem) or uses_agent_eval(item):
            self.python_cases += 1

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        from .session_audit import close, failure

        head = close(self.config)
        output = getattr(self.config, "workeroutput", None)
        if output is not None:
            output["agentops_audit"] = (head, failure(self.config))
            output["agentops_collected"] = (self.cases, self.python_cases)
            output["agentops_hidden"] = self.hidden.files
            output["agentops_suites"] = self.suites()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Items and reports live to the end: the cyclic collector need not walk them again during every case."""
        self.config.stash[SUITES].hooks = {}
        if self.settings.gates:
            warn_of_session(self.config, self.settings.gates, self.suites().values())
        if self.cases >= MANY:
            gc.freeze()
            atexit.unregister(gc.freeze)  # once, however many sessions a process has
            atexit.register(gc.freeze)  # a process that ends need not look for what may be freed: that is 0.1 ms a case

    def suites(self) -> JsonObject:
        """What the controller must know of the suites that were collected."""
        return self.config.stash[SUITES].told

    # ---- running

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        if not isinstance(item, CaseItem):
            return None
        if item.trials == 1:
            return None
        run_trials(item, nextitem)
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        if isinstance(pyfuncitem, PolicyItem):
            pyfuncitem.decide()
            return True
        if not isinstance(pyfuncitem, CaseItem):
            return None
        run_case(pyfuncitem)
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
        report = yield
        if isinstance(item, CaseItem):
            if not item.silent:
                self._report_case(item, call, report)
        elif RAN in item.stash:
            ran = item.stash[RAN]
            if report.when == "call" or report.outcome != "passed" or ran.untold:
                report.agentops = ran.told()
        return report

    def _report_case(self, item: CaseItem, call: pytest.CallInfo[None], report: Any) -> None:
        if call.excinfo is not None and report.outcome == "failed" and report.when != "call":
            report.longrepr = item.words_for(call.excinfo.value, report.longreprtext) or report.longrepr
        if report.when == "call" or report.outcome != "passed":
            case = variant_json(item.variant, [run.as_json() for run in item.runs])
            report.agentops = [case]
            item.runs.clear()  # told once: an attempt that is made again brings its own
            if report.when != "teardown" and self._junit:
                from .reports import junit

                # JUnit reads the item's properties, at teardown; those of an earlier attempt go
                others = [pair for pair in item.user_properties if not pair[0].startswith(junit.PREFIX)]
                item.user_properties[:] = [*others, *junit.properties(case)]
        if report.when == "teardown" and item.trial == item.trials:
            item.runs.clear()  # pytest keeps the items to the end of the session

    @pytest.fixture
    def agent_case(self, request: pytest.FixtureRequest) -> Case | None:
        """The case that is running (schema.case.Case), for fixtures that depend on it; None in an ordinary test."""
        if not isinstance(request.node, CaseItem):
            return None
        request.node.setup_read = True
        return request.node.case()


def _path_of(arg: str, config: pytest.Config) -> str:
    return os.path.normpath(config.invocation_params.dir / arg.partition("::")[0])
