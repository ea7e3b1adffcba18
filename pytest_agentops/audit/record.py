"""One record of the chain: its canonical bytes, its hash, and how a line is read back without any leniency.

The hash covers every field. Numbers other than whole ones are text, so that there is one way to write a record.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Literal, TypeAlias, get_args

from ..errors import AgentOpsError
from ..schema.values import Json, JsonObject, decimal, once, written

VERSION = 1
GENESIS = "0" * 64
"""The `prev` of the first record."""

_DOMAIN = b"agentops.audit.v1\0"

Event: TypeAlias = Literal[
    "run.start",
    "run.end",
    "trial.start",
    "trial.end",
    "model.call",
    "tool.call",
    "tool.result",
    "policy.decision",
    "approval.requested",
    "approval.decided",
    "budget.soft",
    "budget.hard",
    "degrade",
    "compensation",
    "redaction",
    "checkpoint",
    "retention.erased",
]
EVENTS: frozenset[str] = frozenset(get_args(Event))

OWN: frozenset[str] = frozenset({"v", "seq", "ts", "run_id", "segment", "event", "prev", "hash"})
"""The fields that the log itself writes; nobody else may."""


class AuditUnavailable(AgentOpsError):
    """The log cannot be written: calls of tier 2 and up are denied (reason `audit_unavailable`)."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(
            f"{path}: the audit log cannot be written: {why}\n"
            "  cure: make the folder writable and free some space; until then calls of tier 2 and up are denied"
        )
        self.path = path
        self.why = why


class AuditUnreadable(AgentOpsError):
    """There is no log to verify, or it cannot be opened."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path}: cannot be read: {why}")
        self.path = path
        self.why = why


class BadRecord(ValueError):
    """A line that is no record; the text says why."""


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)


def canon(value: Json) -> bytes:
    """The one way to write a value: sorted keys, no blanks, UTF-8.

    A lone surrogate, which UTF-8 cannot say, is written as its JSON escape: an agent must not break the log with a name.
    """
    return written(_ENCODER.encode(value))


def hash_of(record: Mapping[str, Json]) -> str:
    """The hash over every field but `hash` itself."""
    return hashlib.sha256(_DOMAIN + canon({k: v for k, v in record.items() if k != "hash"})).hexdigest()


def sealed(record: JsonObject) -> JsonObject:
    """The record with its hash."""
    return {**record, "hash": hash_of(record)}


def plain(value: Json) -> Json:
    """A value that has one way to be written: fractions and money become text, as a person would write them."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, (float, Decimal)):
        return format(decimal(value), "f")
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    raise TypeError(f"a {type(value).__name__} cannot stand in an audit record")


def parse(line: bytes) -> JsonObject:
    """A line as a record; raises `BadRecord` for what is not exactly what the log would have written."""
    try:
        record = json.loads(line, object_pairs_hook=once, parse_float=_no_number, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise BadRecord(str(error)) from None
    if not isinstance(record, dict):
        raise BadRecord("no JSON object")
    lacking = sorted(OWN - record.keys())
    if lacking:
        raise BadRecord(f"without {', '.join(lacking)}")
    if type(record["v"]) is not int or record["v"] != VERSION:
        raise BadRecord(f"format {record['v']!r}, this version reads {VERSION}")
    if record["event"] not in EVENTS:
        raise BadRecord(f"unknown event {record['event']!r}")
    if type(record["seq"]) is not int or not all(isinstance(record[k], str) for k in OWN - {"v", "seq"}):
        raise BadRecord("a field of the chain has another type")
    if canon(record) != line:
        raise BadRecord("not written the canonical way")
    return record


def _no_number(text: str) -> Json:
    raise BadRecord(f"{text} is no whole number; fractions are text")
