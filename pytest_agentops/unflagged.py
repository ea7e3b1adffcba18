"""A session without ``--agent-evals`` that was given other options of ours: it says that they did nothing."""

from __future__ import annotations

from typing import Any

import pytest

from .plugin import uses_agent_eval


class Unflagged:
    """Registered only where such an option is set; what stands in ``addopts`` is no surprise and is not told."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._given = [str(arg) for arg in config.invocation_params.args if str(arg).startswith("--agent-")]
        self._users = 0
        """Tests with the fixture ``agent_eval``: for these the options are meant without the flag, too."""

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._users = sum(uses_agent_eval(item) for item in session.items)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output["agentops_users"] = self._users

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        self._users = max(self._users, getattr(node, "workeroutput", {}).get("agentops_users", 0))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._given and not self._users:
            verb = "does" if len(self._given) == 1 else "do"
            terminalreporter.write_line(
                f"WARNING: {', '.join(self._given)} {verb} nothing here: no case was collected, add --agent-evals",
                yellow=True,
                bold=True,
            )
