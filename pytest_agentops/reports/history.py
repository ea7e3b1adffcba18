"""``.agentops/history.jsonl``: a line a session, added by the controller, for the scorecard. It is the one file that grows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from ..errors import AgentOpsError
from ..schema.disk import append_line
from ..schema.run import UNPAID
from ..schema.values import Json, JsonObject, dumps, loads
from ..scoring.tried import left_out
from . import git
from .results import stream

NAME = "history.jsonl"
VERSION = 1
_METRICS = (
    "runs",
    "successes",
    "task_success_rate",
    "cost_usd",
    "cost_per_success_usd",
    "intervention_rate",
    "policy_blocks",
    "unexpected_policy_blocks",
    "tokens",
)
_PINS = ("model", "prompt", "policy")


class NoHistory(AgentOpsError):
    """There is no history to show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One suite in one session."""

    at: dt.datetime
    commit: str | None
    mode: str
    file: str | None
    metrics: JsonObject


History: TypeAlias = Mapping[str, list[Session]]
"""Suite -> its sessions, the oldest first."""


@dataclass(slots=True)
class Seen:
    """What the cases of a suite say together."""

    cases: int = 0
    trials: int = 0
    unpaid: int = 0
    """Its runs that a budget stopped: what is measured then is the limit."""
    file: str | None = None
    modes: set[str] = field(default_factory=set)
    pins: dict[str, dict[str, Json]] = field(default_factory=dict)
    """What the runs named, each once; there are several where a matrix varies it."""

    def add(self, case: JsonObject, runs: Iterable[JsonObject]) -> None:
        self.cases += 1
        self.file = self.file or case.get("file")
        for run in runs:
            self.trials += 1
            self.unpaid += UNPAID in run.get("labels", ())
            self.modes.add(run["mode"])
            pins = run.get("pins") or {}
            for pin in _PINS:
                value = pins.get(pin)
                if value is not None:
                    key = f'"{value}"' if isinstance(value, str) else dumps(value)
                    self.pins.setdefault(pin, {})[key] = value


def remember(
    results: Path,
    head: JsonObject | None = None,
    seen: Mapping[str, Seen] | None = None,
    *,
    folder: Path | None = None,
    now: dt.datetime | None = None,
) -> list[str]:
    """Add the session to the history beside its results, or in another folder; what went wrong, a sentence each.

    `head` is what stands above their cases and `seen` what these say, suite by suite, where that is known already.
    """
    folder = folder or results.parent
    path = folder / NAME
    if head is None or seen is None:
        head, cases = stream(results)
        seen = _seen(cases)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        line = dumps(_entry(head, seen, git.head(folder), now or dt.datetime.now(dt.UTC)))
        append_line(path, line)  # two sessions at once give two lines
    except OSError as error:
        return [f"{path}: the history cannot be written: {error.strerror or error}"]
    return []


def _seen(cases: Iterable[JsonObject]) -> dict[str, Seen]:
    found: dict[str, Seen] = {}
    for case in cases:
        found.setdefault(case["suite"], Seen()).add(case, case["trials"])
    return found


def _entry(head: JsonObject, seen: Mapping[str, Seen], commit: str | None, now: dt.datetime) -> JsonObject:
    suites: JsonObject = {}
    for name, suite in head["suites"].items():
        mine = seen.get(name) or Seen()
        suites[name] = {
            "file": mine.file,
            "whole": is_whole(head, name, mine),
            "mode": next(iter(mine.modes)) if len(mine.modes) == 1 else "mixed" if mine.modes else "none",
            "metrics": {key: suite["metrics"].get(key) for key in _METRICS},
            "pins": {pin: [mine.pins[pin][key] for key in sorted(mine.pins[pin])] for pin in _PINS if pin in mine.pins},
        }
    return {
        "version": VERSION,
        "at": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "commit": commit,
        "mode": head["mode"],
        "selection": head["selection"],
        "verdict": head["verdict"],
        **({"prices": head["prices"]} if "prices" in head else {}),
        "suites": suites,
    }


def is_whole(results: JsonObject, suite: str, seen: Seen) -> bool:
    """Whether a suite ran with all its cases and all their trials, and none for want of money, as far as the file tells."""
    known = (results.get("asked") or {}).get("suites", {}).get(suite)
    if known is not None:
        return not left_out(known, cases=seen.cases, trials=seen.trials, unpaid=seen.unpaid)
    return bool(results["selection"] == "all") and not seen.unpaid


def read(path: Path) -> tuple[dict[str, list[Session]], int]:
    """The sessions of every suite that ran whole, and how many lines could not be read."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        raise NoHistory(f"{path}: there is no history yet; every pytest --agent-evals adds a line") from None
    except OSError as error:
        raise NoHistory(f"{path}: the history cannot be read: {error.strerror or error}") from None
    found: dict[str, list[Session]] = {}
    bad = 0
    for line in filter(None, lines):
        try:
            for suite, session in _sessions(loads(line)):
                found.setdefault(suite, []).append(session)
        except (ValueError, KeyError, TypeError, AttributeError):
            bad += 1
    for sessions in found.values():
        sessions.sort(key=lambda session: session.at)
    return dict(sorted(found.items())), bad


def _sessions(entry: JsonObject) -> Iterator[tuple[str, Session]]:
    if entry["version"] != VERSION:
        raise ValueError("another version")
    at = dt.datetime.fromisoformat(entry["at"])
    if at.tzinfo is None:
        raise ValueError("a time without its zone is before or after no other")
    made = [
        (name, Session(at=at, commit=entry["commit"], mode=suite["mode"], file=suite["file"], metrics=suite["metrics"]))
        for name, suite in entry["suites"].items()
        if suite["whole"] and suite["metrics"]["runs"]
    ]
    yield from made
