"""A small but whole log, and what an attacker does to one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pytest_agentops.audit.entry import CallEntry
from pytest_agentops.audit.log import AuditLog
from pytest_agentops.audit.record import GENESIS, canon, parse, sealed
from pytest_agentops.schema.values import JsonObject

DIGEST = "sha256:" + "ab" * 32
OTHER = "sha256:" + "cd" * 32
ABOUT: JsonObject = {"case": "refunds/small", "trial": 1}


def one_call(log: AuditLog, call_id: str, tier: int = 3) -> CallEntry:
    """A call that was allowed, ran and answered."""
    entry = CallEntry(log, call_id, tool="payments.refund", tier=tier, about=ABOUT)
    entry.decided("allow", reason="rule", rule="refunds/1", action_digest=DIGEST, args={"amount_usd": 30})
    entry.called(source="replay")
    entry.ended("ok", result={"ok": True})
    return entry


def write(folder: Path, calls: int = 12, segment: str = "main") -> tuple[Path, str]:
    """A closed log with some calls: its path and its head."""
    log = AuditLog(folder, segment, run_id="r-1", payloads=False)
    for i in range(calls):
        one_call(log, f"call_{i}")
    return log.path, log.close().head


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def rewritten(path: Path, change: Callable[[list[JsonObject]], list[JsonObject]]) -> None:
    """The whole log as an attacker with the source code would write it: another story, a flawless chain."""
    prev, out = GENESIS, []
    for seq, record in enumerate(change([parse(line.rstrip(b"\n")) for line in lines(path)])):
        record |= {"seq": seq, "prev": prev}
        if record["event"] == "checkpoint":
            record |= {"size": seq, "head": prev}
        record = sealed({k: v for k, v in record.items() if k != "hash"})
        prev = record["hash"]
        out.append(canon(record) + b"\n")
    path.write_bytes(b"".join(out))
