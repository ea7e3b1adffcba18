"""What the trials of a session share beside their case: the audit log, a person at the terminal, the money that is left."""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING, TypedDict

import pytest

from .runner.ledger import Ledger
from .runner.modes import goes_live
from .session_audit import audit_log
from .settings import Settings, under_ci

if TYPE_CHECKING:
    from collections.abc import Callable

    from .approvals.request import Approver
    from .audit.log import AuditLog

_LEDGER = pytest.StashKey[Ledger]()
_TERMINAL = pytest.StashKey["Approver | None"]()

LEDGER_FILE = "spend"


class Governing(TypedDict):
    """Words of `runner.setting.Trial`."""

    audit: AuditLog | None
    terminal: Callable[[], Approver | None]
    ledger: Ledger | None


def governing(config: pytest.Config, settings: Settings, *, audited: bool) -> Governing:
    """For one trial; `audited` says that its calls are decided by policies."""
    live = goes_live(settings.mode, settings.record)
    return {
        "audit": audit_log(config, settings.work, settings.mode) if audited or settings.audit == "all" else None,
        "terminal": lambda: terminal(config),
        "ledger": ledger(config, settings) if live else None,
    }


def ledger(config: pytest.Config, settings: Settings) -> Ledger:
    """The session's payments, which all its processes share."""
    found = config.stash.get(_LEDGER, None)
    if found is None:
        # what an earlier session spent is not this one's: with the flag the controller clears it; without, nobody else would
        flagged, worker = config.pluginmanager.has_plugin("agentops-session"), getattr(config, "workerinput", None)
        name = LEDGER_FILE if flagged or worker is None else f"{LEDGER_FILE}.{worker['testrunuid']}"
        found = config.stash[_LEDGER] = Ledger(settings.work / name, settings.budget_usd)
        if not flagged and worker is None:
            found.clear()
    return found


def terminal(config: pytest.Config) -> Approver | None:
    """A person to ask, past pytest's capturing; nobody under CI, in a worker of xdist, or where there is no terminal."""
    if _TERMINAL not in config.stash:
        config.stash[_TERMINAL] = None if under_ci() or hasattr(config, "workerinput") else _opened(config)
    return config.stash[_TERMINAL]


def _opened(config: pytest.Config) -> Approver | None:
    from .approvals.terminal import NoTerminal, Terminal

    reads, writes = ("CONIN$", "CONOUT$") if os.name == "nt" else ("/dev/tty", "/dev/tty")
    try:
        source = open(reads, encoding="utf-8", errors="replace")  # noqa: SIM115 - open for the whole session
        sink = open(writes, "w", encoding="utf-8", errors="replace")  # noqa: SIM115
    except OSError:
        return None
    config.add_cleanup(source.close)
    config.add_cleanup(sink.close)
    try:
        return Terminal(source, sink, user=_user())
    except NoTerminal:
        return None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return ""
