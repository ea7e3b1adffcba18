"""Verify audit logs against the anchor that the session printed, or delete payloads whose retention is over."""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from pathlib import Path

NAME = "audit"
HELP = "verify audit logs, erase expired payloads"
FOLDER = Path(".agentops") / "audit"


def arguments(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", metavar="ACT", required=True)
    check = acts.add_parser("verify", help="exit 0: sound, 1: broken, 2: cannot be read")
    check.add_argument("path", type=Path, nargs="?", default=FOLDER, help=f"a log or a folder of logs ({FOLDER.as_posix()})")
    check.add_argument("--anchor", metavar="HEAD", help="what the session's summary printed; without it a rewrite is not found")
    erase = acts.add_parser("erase", help="delete payloads that were to be kept until before a day")
    erase.add_argument("path", type=Path, nargs="?", default=FOLDER, help=f"a log or a folder of logs ({FOLDER.as_posix()})")
    erase.add_argument("--before", type=dt.date.fromisoformat, metavar="YYYY-MM-DD", help="the day (default: today, UTC)")


def run(options: argparse.Namespace) -> int:
    """Do one of the two."""
    return _verify(options.path, options.anchor) if options.act == "verify" else _erase(options.path, options.before)


def _verify(path: Path, anchor: str | None) -> int:
    from ..audit.findings import BROKEN, OK, UNREADABLE, exit_code
    from ..audit.record import AuditUnreadable
    from ..audit.seal import verify_session

    try:
        found = verify_session(path, anchor.strip().lower() if anchor is not None else None)
    except AuditUnreadable as problem:
        print(f"pytest-agentops audit: {problem}", file=sys.stderr)
        return UNREADABLE
    for finding in found.findings:
        print(finding)
    code = exit_code(found.findings)
    size = f"{found.records} records in {found.logs} {'log' if found.logs == 1 else 'logs'}"
    if code == BROKEN:
        first = next(f for f in found.findings if f.breaks)
        where = "" if first.seq is None else f", first at {first.place}"
        print(f"broken: {size}{where}")
        return BROKEN
    print(f"sound: {size}, {'as the anchor says' if anchor is not None else 'unanchored'}")
    return OK


def _erase(path: Path, before: dt.date | None) -> int:
    from ..audit.retention import erase_expired

    day = before or dt.datetime.now(dt.UTC).date()
    gone = 0
    for log in sorted(path.glob("*.jsonl")) if path.is_dir() else [path]:
        gone += len(erase_expired(log, day))
    print(f"{gone} payloads erased that were to be kept until before {day.isoformat()}")
    return 0
