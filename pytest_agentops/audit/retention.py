"""Delete payloads whose time is over; the chain stays whole and says what was deleted."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable
from pathlib import Path

from ..schema.values import JsonObject
from .payload import Payloads
from .record import GENESIS, VERSION, AuditUnavailable, AuditUnreadable, canon, sealed
from .verify import records, verify


def erase_expired(path: Path, today: dt.date, *, clock: Callable[[], dt.datetime] | None = None) -> list[str]:
    """Erase the payloads of one closed log that were to be kept until before `today`; gives their digests.

    The record is written first: a payload that is then still there is a finding, and erasing again cures it. The anchor of the
    session holds for all that stood there before.
    """
    broken = [f for f in verify(path) if f.breaks and f.code not in ("E_PAYLOAD", "E_LEAK")]
    if broken:
        raise AuditUnreadable(str(path), f"the log is broken, nothing is appended to it: {broken[0]}")
    there, payloads = records(path), Payloads(path.parent)
    said = {r["payload_digest"] for r in there if r["event"] == "retention.erased"}
    due = [r for r in there if _due(r, today)]
    fresh = [r for r in due if r["payload_digest"] not in said]
    if fresh:
        _append(path, there[-1], fresh, clock)
    try:
        return [str(r["payload_digest"]) for r in due if payloads.erase(str(r["payload_digest"]))]
    except OSError as error:
        raise AuditUnavailable(str(path), f"a payload cannot be deleted: {error}") from error


def _due(record: JsonObject, today: dt.date) -> bool:
    until = record.get("retain_until")
    return (
        record["event"] != "retention.erased"
        and "payload_digest" in record
        and isinstance(until, str)
        and until < today.isoformat()
    )


def _append(path: Path, last: JsonObject, due: list[JsonObject], clock: Callable[[], dt.datetime] | None) -> None:
    seq, prev, lines = last["seq"] + 1, last["hash"] or GENESIS, []
    stamp = (clock() if clock else dt.datetime.now(dt.UTC)).astimezone(dt.UTC).isoformat(timespec="milliseconds")
    own = {"v": VERSION, "ts": stamp.replace("+00:00", "Z"), "run_id": last["run_id"], "segment": last["segment"]}
    bodies: list[JsonObject] = [
        {"event": "retention.erased", "payload_digest": r["payload_digest"], "of": r["seq"], "retain_until": r["retain_until"]}
        for r in due
    ]
    for body in [*bodies, {"event": "checkpoint"}]:
        if body["event"] == "checkpoint":
            body |= {"size": seq, "head": prev}
        record = sealed({**body, **own, "seq": seq, "prev": prev})
        lines.append(canon(record) + b"\n")
        seq, prev = seq + 1, record["hash"]
    try:
        with path.open("ab") as file:
            file.write(b"".join(lines))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise AuditUnavailable(str(path), str(error)) from error
