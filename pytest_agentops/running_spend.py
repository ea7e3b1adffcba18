"""What a live session has spent so far, beside pytest's progress."""

from __future__ import annotations

from typing import Any

import pytest

from .people import ledger
from .schema import money
from .settings import Settings


class RunningSpend:
    """Writes on the controller, after a case that cost something."""

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self.config = config
        self.settings = settings
        self._said = ""

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "teardown":
            return
        out: Any = self.config.pluginmanager.get_plugin("terminalreporter")
        total = ledger(self.config, self.settings).total()
        text = "$?" if total is None else f"${money.text(round(total, 4))}" if total else ""
        if out is None or text in ("", self._said) or self.config.get_verbosity() < 0:
            return
        self._said = text
        limit = self.settings.budget_usd
        out.write(f" {text}" + (f" of ${money.text(limit)}" if limit is not None else "") + " ")
