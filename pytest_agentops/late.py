"""Tool calls that come when their trial has been judged: the case fails at its tear-down, or at the end of the session."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from typing import Any, TypeAlias

import pytest

from .errors import CheckFailed
from .runner.forks import fork_notes
from .schema.case import Case
from .schema.values import JsonObject

Place: TypeAlias = tuple[str, int | None, str]
Trial: TypeAlias = tuple[str, str | None, int]
"""Case id, variant and number: what the results file calls a trial."""


class LateCall(CheckFailed):
    """Calls after the end; `trials` are these trials with the texts, as the controller takes them."""

    def __init__(self, seen: dict[Trial, list[str]]) -> None:
        texts = dict.fromkeys(text for found in seen.values() for text in found)
        super().__init__("\n".join(texts))
        self.trials: list[JsonObject] = [
            {"id": case, "variant": variant, "trial": number, "texts": list(dict.fromkeys(found))}
            for (case, variant, number), found in seen.items()
        ]


class LateCalls:
    """What threads that agents left behind still tried; nothing was called for them."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[Trial, list[str]]] = {}
        self._places: dict[str, Place] = {}
        self._lock = threading.Lock()

    def listener(self, item: pytest.Item, case: Case, number: int) -> Callable[[str], None]:
        """Who hears of the late calls of one trial; it keeps no item alive."""
        name, place = item.nodeid, item.location
        trial = (f"{case.suite}/{case.id}", case.variant, number)

        def hear(text: str) -> None:
            with self._lock:
                self._seen.setdefault(name, {}).setdefault(trial, []).append(text)
                self._places[name] = place

        return hear

    def _take(self, name: str) -> LateCall | None:
        with self._lock:
            seen = self._seen.pop(name, None)
        return LateCall(seen) if seen else None

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        fork_notes().late()
        late = self._take(item.nodeid)
        if late is not None:
            raise late

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
        report = yield
        if call.excinfo is not None and isinstance(call.excinfo.value, LateCall):
            report.longrepr = str(call.excinfo.value)
            report.agentops_late = call.excinfo.value.trials
            # JUnit was told at the call, and the trial has lost its success since
            report.user_properties = [pair for pair in report.user_properties if pair[0] != "agentops.successes"]
        return report

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, None, None]:
        """What came after the tear-down is one more failed report of the case, so that the exit code tells."""
        yield
        fork_notes().late()
        for name in list(self._seen):
            late = self._take(name)
            report = pytest.TestReport(
                nodeid=name,
                location=self._places[name],
                keywords={},
                outcome="failed",
                longrepr=str(late),
                when="teardown",
            )
            report.agentops_late = late.trials if late is not None else []  # type: ignore[attr-defined]
            session.config.hook.pytest_runtest_logreport(report=report)


LATE = pytest.StashKey[LateCalls]()


def late_calls(config: pytest.Config) -> LateCalls:
    """The session's, registered at the first need."""
    found = config.stash.get(LATE, None)
    if found is None:
        found = config.stash[LATE] = LateCalls()
        config.pluginmanager.register(found, "agentops-late")
    return found
