"""The writer of one log: one process, one file, one chain.

Every record is one `os.write` to a file opened for appending: what was written survives the death of the process at once. It is
forced to the disk (fsync) at every checkpoint - each 1000 records and at the end - and with ``sync="decision"`` also before every
tool of tier 2 and up; so with the default, a power cut may lose the records since the last checkpoint, and never reorders them.
A write that fails closes the log: nothing is written after a gap.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from ..schema.tier import Tier
from ..schema.values import Json, JsonObject
from .payload import FOLDER, Payloads, redact
from .record import GENESIS, OWN, VERSION, AuditUnavailable, Event, canon, plain, sealed

CHECKPOINT_EVERY = 1000
DENY_FROM = Tier.LOW_RISK_WRITE
"""Calls of this tier and up are denied where the log cannot be written."""

Sync: TypeAlias = Literal["checkpoint", "decision"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Where a chain stood: the hash of its record number `size` (counted from 1). Kept elsewhere it is the anchor."""

    segment: str
    size: int
    head: str

    def as_json(self) -> JsonObject:
        return {"segment": self.segment, "size": self.size, "head": self.head}

    @classmethod
    def from_json(cls, value: JsonObject) -> Checkpoint:
        return cls(segment=value["segment"], size=value["size"], head=value["head"])


@dataclass(frozen=True, slots=True)
class Kept:
    """What a record says about a payload that was put beside the log."""

    digest: str
    redacted: tuple[str, ...]


class AuditLog:
    """One worker's log; safe to use from threads. What an earlier session left under the name is replaced."""

    def __init__(
        self,
        folder: Path,
        segment: str = "main",
        *,
        run_id: str,
        fields: Mapping[str, Json] | None = None,
        key: bytes | None = None,
        clock: Callable[[], dt.datetime] | None = None,
        sync: Sync = "checkpoint",
        payloads: bool = True,
    ) -> None:
        """`fields` go into ``run.start`` (mode, harness, pins, an earlier log's anchor as `previous`); `key` makes args digests.

        With ``payloads=False`` nothing is kept beside the log but what a call names `retain_days` for.
        """
        self.path = folder / f"{segment}.jsonl"
        self.segment = segment
        self.sync: Sync = sync
        self.payloads = Payloads(folder)
        self.keeps = payloads
        self._run_id = run_id
        self._key = key if key is not None else os.urandom(32)
        self._clock = clock
        self._lock = threading.RLock()
        self._pid = os.getpid()
        self._seq, self._prev, self._bytes = 0, GENESIS, 0
        self._why: str | None = None
        self._fd = -1
        self._open()
        self.append("run.start", fields or {})

    # ---- writing

    def append(self, event: Event, fields: Mapping[str, Json]) -> str:
        """Write one record and give its hash; raises `AuditUnavailable`, and from then on always."""
        taken = OWN & fields.keys()
        if taken:
            raise ValueError(f"{', '.join(sorted(taken))}: the log writes these itself")
        body = plain(fields)
        with self._lock:
            self._writable()
            if self._seq and self._seq % CHECKPOINT_EVERY == 0 and event not in ("checkpoint", "run.end"):
                self.checkpoint()
            return self._write(event, body)

    def checkpoint(self) -> Checkpoint:
        """Write the head into the chain and force the file to the disk; what it gives is the anchor up to here."""
        with self._lock:
            self._writable()
            self._write("checkpoint", {"size": self._seq, "head": self._prev})
            self._force()
            return self.head

    @property
    def head(self) -> Checkpoint:
        """Where the chain stands now."""
        with self._lock:
            return Checkpoint(segment=self.segment, size=self._seq, head=self._prev)

    def close(self, fields: Mapping[str, Json] | None = None) -> Checkpoint:
        """The end of the run: ``run.end``, a last checkpoint. A second time it only gives the head again."""
        with self._lock:
            if self._fd >= 0 and self._pid == os.getpid():
                try:
                    if self._why is None:
                        self.append("run.end", fields or {})
                        self.checkpoint()
                finally:
                    os.close(self._fd)
                    self._fd = -1
            return self.head

    @property
    def failed(self) -> str | None:
        """Why nothing can be written any more; None while all is well."""
        return self._why

    def force(self) -> None:
        """Force what was written to the disk."""
        with self._lock:
            self._writable()
            self._force()

    # ---- what goes into a record

    def args_digest(self, args: Json) -> str:
        """A keyed digest: a plain one of a card number could be guessed."""
        return "hmac-sha256:" + hmac.new(self._key, canon(plain(args)), hashlib.sha256).hexdigest()

    def keep(self, payload: Json, redact_fields: Sequence[str] = ()) -> Kept:
        """Put a payload beside the log, without the values of `redact_fields`; raises `AuditUnavailable`."""
        without, gone = redact(payload, redact_fields)
        with self._lock:
            self._writable()
        try:
            return Kept(self.payloads.keep(without), tuple(gone))
        except OSError as error:
            raise self._broken(f"a payload: {_reason(error)}") from error

    def retain_until(self, days: int) -> str:
        """The last day on which a payload written now is kept."""
        return (self._now() + dt.timedelta(days=days)).date().isoformat()

    # ---- below: with the lock held

    def _now(self) -> dt.datetime:
        return (self._clock() if self._clock else dt.datetime.now(dt.UTC)).astimezone(dt.UTC)

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.unlink(missing_ok=True)
            self._fd = os.open(self.path, flags, 0o600)
        except OSError as error:
            raise self._broken(_reason(error)) from error

    def _writable(self) -> None:
        if self._why is None:
            if self._pid != os.getpid():  # the parent's chain goes on without us: what we wrote would break it
                raise AuditUnavailable(str(self.path), "this is a forked child; the log belongs to its parent")
            if self._fd < 0:
                raise AuditUnavailable(str(self.path), "it is closed")
            return
        raise AuditUnavailable(str(self.path), self._why)

    def _write(self, event: Event, body: JsonObject) -> str:
        stamp = self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        own = {"v": VERSION, "seq": self._seq, "ts": stamp, "run_id": self._run_id, "segment": self.segment, "event": event}
        record = sealed({**body, **own, "prev": self._prev})
        line = canon(record) + b"\n"
        self._put(line)
        self._seq, self._prev, self._bytes = self._seq + 1, record["hash"], self._bytes + len(line)
        return self._prev

    def _put(self, line: bytes) -> None:
        try:
            there = os.fstat(self._fd)
            if there.st_size != self._bytes:
                raise OSError(f"somebody else wrote to it: {there.st_size} bytes, {self._bytes} are ours")
            if not self._is_there(there):
                raise OSError("it was moved, deleted or replaced while the session ran")
            done = os.write(self._fd, line)
            while done < len(line):
                done += os.write(self._fd, line[done:])
        except OSError as error:
            raise self._broken(_reason(error)) from error

    def _is_there(self, there: os.stat_result) -> bool:
        try:
            return os.path.samestat(there, os.stat(self.path))
        except FileNotFoundError:
            return False

    def _force(self) -> None:
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise self._broken(_reason(error)) from error

    def _broken(self, why: str) -> AuditUnavailable:
        self._why = self._why or why
        return AuditUnavailable(str(self.path), why)


def _reason(error: OSError) -> str:
    """Without the path, which is a machine's own; who raised says which file it is about."""
    return error.strerror or str(error)


def clear(folder: Path) -> None:
    """Remove what an earlier session left: once, on the controller, before any worker starts to write."""
    try:
        for path in folder.glob("*.jsonl"):
            path.unlink(missing_ok=True)
        (folder / "heads.json").unlink(missing_ok=True)
        for path in (folder / FOLDER).glob("*"):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise AuditUnavailable(str(folder), str(error)) from error
