"""The audit log of a session: one chain a process, opened by the first trial that needs it, sealed by the controller."""

from __future__ import annotations

import shlex
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .commands import from_here
from .schema.values import JsonObject

if TYPE_CHECKING:
    from .audit.log import AuditLog

_LOG = pytest.StashKey["AuditLog"]()

FOLDER = "audit"


def audit_log(config: pytest.Config, work: Path, mode: str) -> AuditLog:
    """The log of this process; where it cannot be opened, one that refuses every record with the reason."""
    found = config.stash.get(_LOG, None)
    if found is not None:
        return found
    from .audit.log import AuditLog
    from .audit.record import AuditUnavailable

    worker: dict[str, Any] = getattr(config, "workerinput", {})
    run_id = worker.get("testrunuid") or uuid.uuid4().hex
    try:
        fields = {"mode": mode, "harness": _harness()}
        log = AuditLog(work / FOLDER, worker.get("workerid", "main"), run_id=run_id, fields=fields, payloads=False)
    except AuditUnavailable as error:
        log = Unopened(error)  # type: ignore[assignment]
    config.stash[_LOG] = log

    def end() -> None:
        close(config)

    config.add_cleanup(end)
    return log


def close(config: pytest.Config) -> JsonObject | None:
    """End this process's log; gives its head, or None if there is none."""
    from .errors import AgentOpsError

    log = config.stash.get(_LOG, None)
    if log is None or isinstance(log, Unopened):
        return None
    try:
        return log.close().as_json()
    except AgentOpsError:  # it broke before: `failed` was told
        return log.head.as_json()


def failure(config: pytest.Config) -> str | None:
    """Why the log could not be written; None while all is well."""
    log = config.stash.get(_LOG, None)
    return None if log is None else log.failed


class AuditSeal:
    """The controller's side: what all processes wrote becomes one anchor, to be kept where nobody can rewrite it."""

    def __init__(self, config: pytest.Config, work: Path) -> None:
        self.config = config
        self.folder = work / FOLDER
        self.heads: list[JsonObject] = []
        self.problems: list[str] = []
        """Why a log is not whole; such a session fails."""
        self.anchor: str | None = None

    def clear(self) -> None:
        """What an earlier session left may not stand for this one's."""
        if not self.folder.is_dir():
            return
        from .audit.log import clear
        from .errors import AgentOpsError

        try:
            clear(self.folder)
        except AgentOpsError as error:
            self.problems.append(str(error))

    def hear(self, head: JsonObject | None, failure: str | None) -> None:
        """What a worker says of its log."""
        if head is not None:
            self.heads.append(head)
        if failure is not None:
            self.problems.append(f"{self.folder.name}: the audit log could not be written: {failure}")

    def seal(self, config: pytest.Config) -> None:
        """End the own log, and write all heads down."""
        head = close(config)
        self.hear(head, failure(config))
        if not self.heads:
            return
        from .audit.log import Checkpoint
        from .audit.seal import seal
        from .errors import AgentOpsError

        try:
            self.anchor = seal(self.folder, [Checkpoint.from_json(one) for one in self.heads])
        except AgentOpsError as error:
            self.problems.append(str(error))

    def as_json(self) -> JsonObject | None:
        """For the results file."""
        if self.anchor is None:
            return None
        records = sum(head["size"] for head in self.heads)
        return {"anchor": self.anchor, "logs": len(self.heads), "records": records}

    def lines(self) -> list[str]:
        """For the terminal."""
        found = self.as_json()
        if found is None:
            return []
        logs = "1 log" if found["logs"] == 1 else f"{found['logs']} logs"
        folder = from_here(self.config, self.folder)
        words = [shlex.quote(folder)] if folder != f".agentops/{FOLDER}" else []
        command = " ".join(["pytest-agentops audit verify", *words, f"--anchor {self.anchor}"])
        return [
            f"audit: {found['records']} records in {logs}, anchor {self.anchor}",
            f"  {command}",
        ]


class Unopened:
    """Stands in for a log that could not be opened: every record is refused with the same reason."""

    keeps = False
    sync = "checkpoint"

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.path = getattr(error, "path", "")
        self.failed: str | None = getattr(error, "why", str(error))

    def append(self, event: str, fields: object) -> str:
        raise self.error

    def args_digest(self, args: object) -> str:
        raise self.error

    def keep(self, payload: object, redact_fields: object = ()) -> object:
        raise self.error

    def retain_until(self, days: int) -> str:
        raise self.error


def _harness() -> str:
    from . import __version__

    return f"pytest-agentops {__version__}"
