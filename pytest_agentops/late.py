"""Tool calls that come when their trial has been judged: the case fails at its tear-down, or at the end of the session."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator

import pytest

from .errors import CheckFailed


class LateCalls:
    """What threads that agents left behind still tried; nothing was called for them."""

    def __init__(self) -> None:
        self._seen: dict[str, list[str]] = {}
        self._places: dict[str, tuple[str, int | None, str]] = {}
        self._lock = threading.Lock()

    def listener(self, item: pytest.Item) -> Callable[[str], None]:
        """Who hears of the late calls of one trial; it keeps no item alive."""
        name, place = item.nodeid, item.location

        def hear(text: str) -> None:
            with self._lock:
                self._seen.setdefault(name, []).append(text)
                self._places[name] = place

        return hear

    def _take(self, name: str) -> str:
        with self._lock:
            return "\n".join(dict.fromkeys(self._seen.pop(name, ())))

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        text = self._take(item.nodeid)
        if text:
            raise CheckFailed(text)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, None, None]:
        """What came after the tear-down is one more failed report of the case, so that the exit code tells."""
        yield
        for name in list(self._seen):
            report = pytest.TestReport(
                nodeid=name,
                location=self._places[name],
                keywords={},
                outcome="failed",
                longrepr=self._take(name),
                when="teardown",
            )
            session.config.hook.pytest_runtest_logreport(report=report)


LATE = pytest.StashKey[LateCalls]()
