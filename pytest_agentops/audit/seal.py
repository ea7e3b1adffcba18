"""The logs of a whole session, one a worker, under one anchor: the head of the only log, or a digest of all heads."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hmac import compare_digest
from pathlib import Path

from .findings import Finding
from .log import Checkpoint
from .record import AuditUnavailable, AuditUnreadable, canon
from .verify import is_head, records, verify

HEADS = "heads.json"
_DOMAIN = b"agentops.audit.heads.v1\0"


@dataclass(frozen=True, slots=True)
class Verified:
    """The outcome for one folder or file."""

    logs: int
    records: int
    findings: list[Finding]


def seal(folder: Path, heads: Iterable[Checkpoint] | None = None) -> str | None:
    """Write the heads of all logs down and give the session's anchor; None if there is no log.

    On the controller, after the workers closed theirs; `heads` are what they said (better than what lies in the folder by now).
    """
    said = sorted(heads, key=lambda c: c.segment) if heads is not None else _read(folder)
    if not said:
        return None
    temp = folder / f".{HEADS}.{os.getpid()}.tmp"
    try:
        temp.write_bytes(canon({"v": 1, "heads": [c.as_json() for c in said]}) + b"\n")
        os.replace(temp, folder / HEADS)
    except OSError as error:
        raise AuditUnavailable(str(folder / HEADS), str(error)) from error
    return anchor_of(said)


def anchor_of(heads: Sequence[Checkpoint]) -> str:
    """One text for all heads."""
    if len(heads) == 1:
        return heads[0].head
    return hashlib.sha256(_DOMAIN + canon([c.as_json() for c in sorted(heads, key=lambda c: c.segment)])).hexdigest()


def verify_session(path: Path, anchor: str | None = None, *, canaries: Sequence[str] = ()) -> Verified:
    """Verify a folder of logs, or one log; raises `AuditUnreadable` where there is none."""
    if not path.is_dir():
        found = verify(path, anchor, canaries=canaries)
        return Verified(1, _size(path), found)
    logs = sorted(path.glob("*.jsonl"))
    heads = _sealed(path)
    if not logs and not heads:
        raise AuditUnreadable(str(path), "no audit log in it")
    findings = _against_anchor(path, logs, heads, anchor)
    by_segment = {c.segment: c for c in heads}
    for log in logs:
        mine: str | Checkpoint | None = by_segment.get(log.stem)
        if mine is not None and anchor is None:
            # the heads lie beside the logs: who rewrote one could rewrite the other, so they are no anchor by themselves
            findings += [f for f in verify(log, mine, canaries=canaries) if f.code != "W_UNANCHORED"]
            continue
        if len(logs) == 1 and len(heads) <= 1:
            mine = anchor  # its own head, or an earlier one of the same log
        findings += [f for f in verify(log, mine, canaries=canaries) if mine is not None or f.code != "W_UNANCHORED"]
    return Verified(len(logs), sum(map(_size, logs)), findings)


def _against_anchor(path: Path, logs: Sequence[Path], heads: Sequence[Checkpoint], anchor: str | None) -> list[Finding]:
    place = str(path / HEADS)
    if anchor is None:
        text = "no anchor given: logs that were cut off or rewritten as a whole, with their heads, are not found"
        out = [Finding(code="W_UNANCHORED", message=text, path=str(path))]
    elif not is_head(anchor):
        return [Finding(code="E_ANCHOR", message=f"{anchor!r} is no anchor: 64 hex digits", path=str(path))]
    elif not heads:
        lost = Finding(code="E_ANCHOR", message="it is gone, and without it the anchor covers nothing", path=place)
        return [lost] if len(logs) != 1 else []
    elif len(heads) > 1 and not compare_digest(anchor_of(heads), anchor):
        return [Finding(code="E_ANCHOR", message="these are not the heads that the anchor was made of", path=place)]
    else:
        out = []
    if heads:
        there, sealed = {log.stem for log in logs}, {c.segment for c in heads}
        out += [Finding(code="E_ANCHOR", message=f"the log {s}.jsonl is gone", path=place) for s in sorted(sealed - there)]
        out += [
            Finding(code="E_ANCHOR", message=f"the log {s}.jsonl is not among them", path=place) for s in sorted(there - sealed)
        ]
    return out


def _size(path: Path) -> int:
    return path.read_bytes().count(b"\n")


def _read(folder: Path) -> list[Checkpoint]:
    """The heads of the logs that lie there; a log without a whole record has none."""
    out = []
    for path in sorted(folder.glob("*.jsonl")):
        found = records(path)
        if found:
            out.append(Checkpoint(segment=path.stem, size=len(found), head=found[-1]["hash"]))
    return out


def _sealed(folder: Path) -> list[Checkpoint]:
    try:
        text = (folder / HEADS).read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise AuditUnreadable(str(folder / HEADS), str(error)) from error
    try:
        return [Checkpoint.from_json(item) for item in json.loads(text)["heads"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        # no heads: every log is then one that the anchor does not know
        return [Checkpoint(segment="?", size=0, head="")]
