"""Live suites that have lost: when too many runs failed for `task_success_rate` to reach its `min`, the rest is not paid for.

That is curtailment: exact, since the runs to come could not change the answer. All processes share one file, a line a failed run.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from .collect import SUITES, CaseItem
from .schema.disk import SharedLines
from .schema.run import UNPAID, Run
from .schema.values import JsonObject
from .scoring.statistics import decided
from .settings import Settings

FILE = "failed-runs"
STOPPED = "!"


class Curtailing:
    """Asks before each trial whether it could still change anything."""

    def __init__(self, path: Path) -> None:
        self._lines = SharedLines(path)
        self._failures: Counter[str] = Counter()
        self.stopped: set[str] = set()
        """Suites of which something was left out."""

    @classmethod
    def of(cls, settings: Settings) -> Curtailing | None:
        """Only where runs cost something and nothing is to be kept of them: not in a replay, a recording or an update."""
        wanted = settings.mode != "replay" and settings.record == "none" and settings.baseline != "update"
        return cls(settings.work / FILE) if wanted else None

    def clear(self) -> None:
        """What failed in an earlier session is not this one's; once, before any worker starts."""
        self._lines.clear()

    def hear(self, suite: str, run: Run) -> None:
        """A run that is judged; those that count in no rate are none, and what nobody paid for says nothing of the agent."""
        if not run.success and run.outcome != "unanswerable" and {"counterfactual", UNPAID}.isdisjoint(run.labels):
            self._lines.add(suite)

    def lost(self, suite: str, known: JsonObject) -> str:
        """Why no run of the suite can save it any more; an empty string if one can."""
        floor = (known["gates"].get("task_success_rate") or {}).get("min")
        if floor is None:
            return ""
        self.look()
        failed, planned = self._failures[suite], known["trials"]
        if decided(0, failed, planned, floor) is not False:
            return ""
        return f"task_success_rate can no longer reach {floor:g}: {failed} of {planned} runs failed"

    def stop(self, suite: str) -> None:
        """Something of the suite is left out."""
        self._lines.add(f"{suite} {STOPPED}")

    def look(self) -> None:
        """Take up what other processes wrote."""
        for line in self._lines.fresh():
            suite, _, mark = line.partition(" ")
            if mark:
                self.stopped.add(suite)
            else:
                self._failures[suite] += 1

    # ---- in the process that runs tests

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """A case of a lost suite is not begun."""
        if isinstance(item, CaseItem) and item.trial == 1 and self.ends(item):
            pytest.skip(f"curtailed: {self.lost(item.variant.suite, _known(item))}")

    def ends(self, item: CaseItem) -> bool:
        """Whether the trials that the item still has are left out."""
        suite = item.variant.suite
        if not self.lost(suite, _known(item)):
            return False
        self.stop(suite)
        return True


def _known(item: CaseItem) -> JsonObject:
    return item.config.stash[SUITES].told[item.variant.suite]


def curtailing(config: pytest.Config) -> Curtailing | None:
    """The session's, where there is one."""
    found: Curtailing | None = config.pluginmanager.get_plugin("agentops-curtailing")
    return found
