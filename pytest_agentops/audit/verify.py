"""Whether a log is what was written: record by record, then against the anchor, then whether what it tells makes sense."""

from __future__ import annotations

from collections.abc import Sequence
from hmac import compare_digest
from pathlib import Path

from ..schema.values import JsonObject
from .findings import Code, Finding
from .log import Checkpoint
from .payload import Payloads
from .record import GENESIS, AuditUnreadable, BadRecord, hash_of, parse
from .story import story

_HEX = frozenset("0123456789abcdef")


def verify(path: Path, anchor: str | Checkpoint | None = None, *, canaries: Sequence[str] = ()) -> list[Finding]:
    """Every finding of one log, in the order of its records. `anchor` is a head (64 hex digits) or the checkpoint that has it.

    Raises `AuditUnreadable` where there is no log. `canaries` are texts that must stand nowhere in it.
    """
    return _Reader(path, canaries).findings(anchor)


def records(path: Path) -> list[JsonObject]:
    """The records of a log, without any check of the chain; what is none is left out."""
    out = []
    for line in _bytes(path).split(b"\n"):
        try:
            out.append(parse(line))
        except BadRecord:
            continue
    return out


def is_head(text: str) -> bool:
    """Whether a text can be an anchor at all."""
    return len(text) == 64 and set(text) <= _HEX


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AuditUnreadable(str(path), error.strerror or str(error)) from error


class _Reader:
    """One pass over a file."""

    def __init__(self, path: Path, canaries: Sequence[str]) -> None:
        self.path = path
        self.data = _bytes(path)
        self.canaries = canaries
        self.out: list[Finding] = []
        self.good: list[tuple[int, JsonObject]] = []
        self.hashes: list[str] = []
        """The hash of each line that was recomputed and agreed; "" where it did not."""

    def findings(self, anchor: str | Checkpoint | None) -> list[Finding]:
        self._chain()
        self._ends()
        self._anchor(anchor)
        if not any(f.breaks for f in self.out):  # what a broken chain tells is no evidence, and would bury the break
            for code, seq, message in story(self.good, Payloads(self.path.parent), self.canaries):
                self._found(code, message, seq)
        for canary in self.canaries:
            if canary and canary.encode() in self.data:
                self._found("E_LEAK", "a text that must not be kept stands in the log")
        return sorted(self.out, key=lambda f: len(self.hashes) if f.seq is None else f.seq)

    def _found(self, code: Code, message: str, seq: int | None = None) -> None:
        self.out.append(Finding(code=code, message=message, path=str(self.path), seq=seq))

    def _chain(self) -> None:
        lines = self.data.split(b"\n")
        if lines[-1]:
            self._found("E_PARSE", "the last line has no end: it was cut off or torn", len(lines) - 1)
        lines.pop()
        seq, prev, ts = 0, GENESIS, ""
        for i, line in enumerate(lines):
            try:
                record = parse(line)
            except BadRecord as bad:
                self._found("E_PARSE", str(bad), i)
                self.hashes.append("")
                seq, prev = seq + 1, ""
                continue
            if record["seq"] != seq:
                self._found("E_SEQ", f"record {record['seq']} stands where {seq} belongs: deleted, inserted or swapped", i)
            if prev and not compare_digest(record["prev"].encode(), prev.encode()):
                self._found("E_PREV", "does not follow the record before it", i)
            honest = compare_digest(record["hash"].encode(), hash_of(record).encode())
            if not honest:
                self._found("E_HASH", f"{record['event']}: a field was changed after it was written", i)
            if record["ts"] < ts:
                self._found("W_TIME", f"written at {record['ts']}, before the record in front of it ({ts})", i)
            if record["event"] == "checkpoint" and (record.get("size") != record["seq"] or record.get("head") != record["prev"]):
                self._found("E_PREV", "the checkpoint names another head than the record before it has", i)
            self.hashes.append(record["hash"] if honest else "")
            self.good.append((i, record))
            # goes on from what stands there, so that one deletion is one finding and not one a record
            seq, prev, ts = record["seq"] + 1, record["hash"], record["ts"]

    def _ends(self) -> None:
        events = [record["event"] for _, record in self.good]
        if not self.hashes:
            self._found("E_PARSE", "no record: the file is empty")
            return
        if not events or events[0] != "run.start" or "run.start" in events[1:]:
            self._found("E_SEQ", "a log has one run.start, and begins with it", 0)
        owners = {(record["run_id"], record["segment"]) for _, record in self.good}
        if len(owners) > 1:
            self._found("E_SEQ", "records of several runs or segments in one log")
        if "run.end" not in events or events[-1] != "checkpoint":
            self._found("W_OPEN", "no run.end with a checkpoint after it: the session was killed, or the tail is cut off")

    def _anchor(self, anchor: str | Checkpoint | None) -> None:
        if anchor is None:
            self._found("W_UNANCHORED", "no anchor given: a cut-off tail and a log that was rewritten as a whole are not found")
            return
        head = anchor if isinstance(anchor, str) else anchor.head
        if not is_head(head):
            self._found("E_ANCHOR", f"{head!r} is no anchor: 64 hex digits, as the summary printed them")
            return
        place = self.hashes.index(head) if head in self.hashes else None
        if place is None:
            self._found(
                "E_ANCHOR", "no record has the anchor's hash: the log was cut off or rewritten, or belongs to another session"
            )
        elif not isinstance(anchor, str) and place != anchor.size - 1:
            self._found("E_ANCHOR", f"the anchor is of record {anchor.size - 1}, its hash stands at {place}", place)
        elif place < len(self.hashes) - 1:
            later = len(self.hashes) - 1 - place
            self._found("W_UNANCHORED", f"{later} records came after the anchor and are not covered by it", place + 1)
