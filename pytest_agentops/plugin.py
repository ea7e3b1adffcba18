"""The switchboard: options, ini values, markers, delegation.

Without ``--agent-evals`` this module is all that pytest sees of the package: it imports nothing of ours but itself, nothing
heavy, and registers no hook that runs for a test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .fixtures import AgentEval

_OPTIONS: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("--agent-mode", {"metavar": "MODE"}, "replay (default: no network, no cost), hybrid (the model live), tools-live or live"),
    ("--agent-record", {"metavar": "WORD"}, "none (default), once, new_episodes, all or stale: what may be recorded"),
    ("--agent-model", {"metavar": "NAME"}, "run every case with this model, whatever it names itself (with --agent-mode=hybrid)"),
    ("--agent-trials", {"metavar": "N"}, "run every case N times, whatever it says itself"),
    ("--agent-budget-usd", {"metavar": "USD"}, "stop what is live when the whole run has spent this much"),
    ("--agent-baseline", {"metavar": "WORD"}, "check (default), update (write the baseline from this run) or ignore"),
    ("--agent-audit", {"metavar": "WORD"}, "which cases the audit log tells of: policies (default: those that have some) or all"),
    ("--agent-policy-baseline", {"metavar": "PATH"}, "play the runs back under older policies: a file, a folder, or REV:path"),
    ("--agent-cassettes", {"metavar": "DIR"}, "folder of the recordings (default: cassettes)"),
)
"""Options with a value; each has an ini twin (``--agent-mode`` is ``agentops_mode``)."""


def ini_name(option: str) -> str:
    """``--agent-mode`` -> ``agentops_mode``."""
    return "agentops_" + option.removeprefix("--agent-").replace("-", "_")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("agentops", "agent evals (pytest-agentops)")
    group.addoption("--agent-evals", action="store_true", help="collect and run the agent eval cases (cases/**/*.yaml)")
    group.addoption(
        "--agent-allow-live", action="store_true", help="under CI: allow what calls tools for real or writes recordings"
    )
    group.addoption("--agent-policy-strict", action="store_true", help="what the policy linter finds is an error at collection")
    group.addoption(
        "--agent-report", action="append", default=[], metavar="NAME:PATH", help="write a report (json:PATH); may be repeated"
    )
    for option, kwargs, text in _OPTIONS:
        group.addoption(option, default=None, help=text, **kwargs)
        parser.addini(ini_name(option), text, default="")
    parser.addini("agentops_evals", "collect and run the cases without the flag", type="bool", default=False)
    parser.addini("agentops_allow_live", "the ini twin of --agent-allow-live", type="bool", default=False)
    parser.addini("agentops_policy_strict", "the ini twin of --agent-policy-strict", type="bool", default=False)
    parser.addini("agentops_report", "reports, NAME:PATH a line", type="linelist", default=[])
    parser.addini("agentops_baseline_file", "where the baseline is", default="agentops-baseline.json")
    parser.addini("agentops_gates", "gates over the whole session, `name: {min: 0.9}` a line", type="linelist", default=[])
    parser.addini("agentops_cases", "folders of case files (default: cases)", type="args", default=["cases"])
    parser.addini("agentops_ignore", "globs of YAML files under the case folders that are no case files", type="args", default=[])


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    from . import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "agent_eval(task, *, agent, tools, id, expect, check, ...): what the agent_eval fixture runs when the test calls it",
    )
    if _is_on(config):
        from . import evals

        evals.configure(config)
        return
    if any(
        config.getoption(_dest(option))
        for option in ("--agent-allow-live", "--agent-policy-strict", "--agent-report", *(o for o, _, _ in _OPTIONS))
    ):
        from .settings import settings_of
        from .unflagged import Unflagged

        settings_of(config)  # options that are wrong say so, whatever is run
        config.pluginmanager.register(Unflagged(config), "agentops-unflagged")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Tool calls that come after the end are heard without the flag too, where a test runs agents."""
    if not _is_on(session.config) and any(map(uses_agent_eval, session.items)):
        from .late import late_calls

        late_calls(session.config)


def uses_agent_eval(item: pytest.Item) -> bool:
    """Whether an ordinary test asks for the fixture."""
    return "agent_eval" in getattr(item, "fixturenames", ())


def _is_on(config: pytest.Config) -> bool:
    return bool(config.getoption("agent_evals") or config.getini("agentops_evals"))


def _dest(option: str) -> str:
    return option.removeprefix("--").replace("-", "_")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say that a YAML path was given without the flag; the rest of the summary belongs to the session."""
    if _is_on(config):
        return
    given = [arg for arg in config.args if arg.partition("::")[0].endswith((".yaml", ".yml"))]
    if given:
        terminalreporter.write_line(f"{given[0]}: case files are collected with --agent-evals only", yellow=True)


@pytest.fixture
def agent_eval(request: pytest.FixtureRequest) -> AgentEval:
    """Run an agent on a task inside an ordinary test, recorded and replayed like a case; see docs/agents-and-tools.md."""
    from .fixtures import AgentEval

    return AgentEval.of(request)
