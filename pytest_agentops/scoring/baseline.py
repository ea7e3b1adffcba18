"""``agentops-baseline.json``: the committed result that builds are compared with.

One case and mode a line, sorted, without times, so that two branches merge line by line and equal results leave no diff. The list
ends with null: no line changes only because another one comes after it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path

from ..errors import BaselineError
from ..schema import disk, money
from ..schema.values import Json, JsonObject, KeyTwice, dumps, loads_once
from .tried import Tried

VERSION = 1
NAME = "agentops-baseline.json"
CURE = "pytest --agent-evals --agent-baseline=update"
_CONFLICT = re.compile(r"^(<{7}|={7}|>{7}|\|{7})( |$)")
_COUNTS = ("trials", "successes")
_MAYBE = ("tokens", "intervened", "policy_blocks", "unexpected_blocks", "blocked")
_KEYS = ("id", "mode", *_COUNTS, "cost_usd", *_MAYBE, "digest", "tags", "pins")


class Baseline:
    """The records of a baseline by case and mode."""

    def __init__(self, records: Iterable[Tried] = ()) -> None:
        self._records: dict[tuple[str, str], Tried] = {(one.id, one.mode): one for one in records}

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Tried]:
        return iter(sorted(self._records.values(), key=lambda one: (one.id, one.mode)))

    def against(self, now: Sequence[Tried], suites: Collection[str] | None = None) -> list[Tried]:
        """What to compare `now` with: of each case the record of the mode it ran in, else one of another mode (which is not
        comparable, and must not pass for a new case); of cases that are gone, those of a mode that ran. `suites` None: of all.
        """
        modes = {one.id: one.mode for one in now}
        used = set(modes.values())
        found: dict[str, Tried] = {}
        for one in self:
            mine = suites is None or one.suite in suites
            if mine and (one.mode == modes[one.id] if one.id in modes else one.mode in used):
                found[one.id] = one
            elif mine and one.id in modes:
                found.setdefault(one.id, one)
        return list(found.values())

    def updated(self, now: Iterable[Tried], *, whole_suites: Collection[str] = (), gone: Collection[str] = ()) -> Baseline:
        """With these records in place of their older ones. Of a suite that ran whole, and of those that are `gone`, cases that
        there are no more go; one whose runs count nowhere keeps the record that it has.
        """
        now = list(now)
        fresh = {(one.id, one.mode): one for one in now if one.trials}
        ids = {one.id for one in now if one.trials or one.left_out}
        kept = [
            one
            for key, one in self._records.items()
            if key not in fresh and one.suite not in gone and not (one.suite in whole_suites and one.id not in ids)
        ]
        return Baseline([*kept, *fresh.values()])

    def text(self) -> str:
        """What the file holds."""
        lines = [f"{dumps(_as_json(one))},\n" for one in self]
        return f'{{"version": {VERSION},\n"cases": [\n{"".join(lines)}null]}}\n'

    def write(self, path: Path) -> bool:
        """Whole or not at all; False if the file held this already."""
        text = self.text()
        if path.is_file() and path.read_bytes() == text.encode():
            return False
        disk.write_text(path, text)
        return True


def _as_json(one: Tried) -> JsonObject:
    return {
        "id": one.id,
        "mode": one.mode,
        "trials": one.trials,
        "successes": one.successes,
        "cost_usd": money.text(one.cost_usd),
        "tokens": one.tokens,
        "intervened": one.intervened,
        "policy_blocks": one.policy_blocks,
        "unexpected_blocks": one.unexpected_blocks,
        "blocked": one.blocked,
        "digest": one.digest,
        "tags": list(one.tags),
        "pins": one.pins,
        **({"prices": one.prices} if one.prices is not None else {}),
    }


def read_baseline(path: Path, shown: str | None = None) -> Baseline | None:
    """The baseline at `path`, None if there is none; raises `BaselineError` with line and cure for one that cannot be used."""
    shown = shown or path.name
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise BaselineError("it is not UTF-8", path=shown, line=1, cure=CURE) from None
    except OSError as error:
        raise BaselineError(f"it cannot be read: {error.strerror or error}", path=shown, line=1) from None
    return parse(text, shown)


def parse(text: str, shown: str = NAME) -> Baseline:
    """A baseline from its text."""
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        if _CONFLICT.match(line):
            cure = f"a case is one line: keep the lines of both sides, delete the markers, or write it anew in each mode: {CURE}"
            raise BaselineError(f"a conflict marker of a merge: {line[:40]!r}", path=shown, line=number, cure=cure)
    value = _json(text, shown)
    version = value.get("version") if isinstance(value, dict) else None
    if isinstance(version, int) and version > VERSION:
        cure = f"upgrade pytest-agentops, or write it anew with this version: {CURE}"
        raise BaselineError(
            f"version {version}, and this version of pytest-agentops reads {VERSION}", path=shown, line=1, cure=cure
        )
    if version is True or version != VERSION or not isinstance(value.get("cases"), list):
        raise BaselineError('no baseline: expected {"version": 1, "cases": [...]}', path=shown, line=1, cure=CURE)
    records: dict[tuple[str, str], Tried] = {}
    entries = [entry for entry in value["cases"] if entry is not None]
    for entry in entries:
        found = _record(entry)
        if isinstance(found, str):
            raise BaselineError(f"edited by hand: {found}", path=shown, line=_line_of(lines, entry), cure=_restore(shown))
        if (found.id, found.mode) in records:
            cure = "a merge kept both sides: delete one of the lines"
            raise BaselineError(f"{found.id} ({found.mode}) has two lines", path=shown, line=_line_of(lines, entry), cure=cure)
        records[found.id, found.mode] = found
    return Baseline(records.values())


def _restore(shown: str) -> str:
    return f"restore it (git checkout {shown}), or write it anew: {CURE}"


def _json(text: str, shown: str) -> Json:
    try:
        return loads_once(text)
    except KeyTwice as problem:
        line = next((number for number, line in enumerate(text.splitlines(), start=1) if _stands_twice(line)), 1)
        raise BaselineError(f"edited by hand: {problem}", path=shown, line=line, cure=_restore(shown)) from None
    except json.JSONDecodeError as problem:
        rest = text[problem.pos :].strip()
        truncated = not rest or not text.rstrip().endswith("]}")
        found = "it is truncated" if truncated else f"edited by hand, it is no JSON any more: {problem.msg}"
        line, col = problem.lineno, problem.colno
        raise BaselineError(found, path=shown, line=line, col=col, cure=_restore(shown)) from None
    except RecursionError:
        raise BaselineError("edited by hand: it is nested too deeply", path=shown, line=1, cure=_restore(shown)) from None
    except ValueError as problem:
        raise BaselineError(f"edited by hand: {problem}", path=shown, line=1, cure=CURE) from None


def _stands_twice(line: str) -> bool:
    """Whether it is here that a key stands twice; the first line and the last are no JSON by themselves."""
    try:
        loads_once(line.removesuffix(","))
    except KeyTwice:
        return True
    except ValueError:
        return False
    return False


def _line_of(lines: list[str], entry: Json) -> int:
    """The line that holds this entry as it is written, else the last one with its id in it."""
    same = [number for number, line in enumerate(lines, start=1) if line.removesuffix(",") == dumps(entry)]
    case = dumps(entry.get("id")) if isinstance(entry, dict) and isinstance(entry.get("id"), str) else None
    named = [number for number, line in enumerate(lines, start=1) if case is not None and case in line]
    return (same or named or [1])[-1]


def _record(entry: Json) -> Tried | str:
    """A record, or what is wrong with it."""
    if not isinstance(entry, dict):
        return "an entry is no mapping"
    for key in _KEYS:
        if key not in entry:
            return f"{entry.get('id', 'an entry')}: the key {key!r} is missing"
    for key in ("id", "mode"):
        if not isinstance(entry[key], str) or (key == "id" and "/" not in entry[key]):
            return f"{key}: {entry[key]!r} is none"
    for key in (*_COUNTS, *_MAYBE):
        if not (_is_count(entry[key]) or (entry[key] is None and key in _MAYBE)):
            return f"{entry['id']}: {key} is {entry[key]!r}, expected a whole number from 0"
    trials = entry["trials"]
    for key in ("successes", "intervened", "blocked"):
        if entry[key] is not None and entry[key] > trials:
            return f"{entry['id']}: {key} {entry[key]} of {trials} trials cannot be"
    cost = entry["cost_usd"]
    try:
        known = None if cost is None else Decimal(cost) if isinstance(cost, str) else Decimal("nan")
    except InvalidOperation:
        known = Decimal("nan")
    if known is not None and not (known.is_finite() and known >= 0):
        return f"{entry['id']}: cost_usd is {cost!r}, expected a decimal in quotes or null"
    tags, pins, digest = entry["tags"], entry["pins"], entry["digest"]
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        return f"{entry['id']}: tags is {tags!r}, expected a list of texts"
    if not (pins is None or isinstance(pins, dict)) or not (digest is None or isinstance(digest, str)):
        return f"{entry['id']}: pins or digest is not what the update writes"
    prices = entry.get("prices")  # baselines of before had none
    if not (prices is None or isinstance(prices, str)):
        return f"{entry['id']}: prices is {prices!r}, expected the name of a price table"
    counts = {key: entry[key] for key in (*_COUNTS, *_MAYBE)}
    words = {"id": entry["id"], "mode": entry["mode"], "digest": digest, "pins": pins, "prices": prices}
    return Tried(cost_usd=known, tags=tuple(tags), **words, **counts)


def _is_count(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
