"""Lines become cases: ids, trials, and what the lines of one id and one suite must agree in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ...schema import values
from ...schema.values import JsonObject
from .lines import Line

LONGEST = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """One case: its new id, and its runs as trials 1, 2, ..."""

    id: str
    source_id: str
    case: JsonObject
    lines: tuple[Line, ...]


@dataclass(slots=True)
class Grouped:
    """Everything that was read; `refused` and `notes` are pairs of a line's number and a sentence."""

    cases: list[Imported] = field(default_factory=list)
    tools: dict[str, JsonObject] = field(default_factory=dict)
    """Contract fields of every tool that a line declares or calls."""
    refused: list[tuple[int, str]] = field(default_factory=list)
    notes: list[tuple[int, str]] = field(default_factory=list)


def group(lines: Iterable[Line]) -> Grouped:
    """The cases in the order in which their ids first came; a line that contradicts an earlier one is refused."""
    out = Grouped()
    declared: dict[str, tuple[int, JsonObject]] = {}
    taken: dict[str, list[_Trial]] = {}
    for line in lines:
        out.notes += [(line.number, note) for note in line.notes]
        earlier = taken.get(line.id, [])
        trial = line.trial if line.trial is not None else 1 + max((t.number for t in earlier), default=0)
        against = _other_tool(line, declared) or _other_trial(line, trial, earlier) or _other_case(line, earlier)
        if against:
            out.refused.append((line.number, against))
            continue
        taken.setdefault(line.id, []).append(_Trial(trial, line))
        for name, fields in (line.tools or {}).items():
            declared.setdefault(name, (line.number, fields))
    ids = slugs(taken)
    for source, trials in taken.items():
        if ids[source] != source:
            out.notes.append((trials[0].line.number, _renamed(source, ids)))
        out.cases.append(_imported(ids[source], source, trials, out))
    out.tools = _contracts(declared, out)
    return out


@dataclass(frozen=True, slots=True)
class _Trial:
    number: int
    line: Line


def _other_tool(line: Line, declared: Mapping[str, tuple[int, JsonObject]]) -> str:
    for name, fields in (line.tools or {}).items():
        number, known = declared.get(name, (line.number, fields))
        if values.canonical(known) != values.canonical(fields):
            return f"tools: {name!r} has another schema than on line {number}; one suite has one contract a tool"
    return ""


def _other_trial(line: Line, trial: int, earlier: Sequence[_Trial]) -> str:
    same = next((t for t in earlier if t.number == trial), None)
    return f"trial {trial} of {line.id!r} stands on line {same.line.number} already" if same else ""


def _other_case(line: Line, earlier: Sequence[_Trial]) -> str:
    """A line without `case` agrees with any."""
    known = next((t.line for t in earlier if t.line.case is not None), None)
    if line.case is None or known is None or values.canonical(known.case) == values.canonical(line.case):
        return ""
    return f"case: differs from line {known.number}, which is a trial of {line.id!r} too"


def _imported(new_id: str, source: str, trials: list[_Trial], out: Grouped) -> Imported:
    ordered = sorted(trials, key=lambda t: t.number)
    for number, trial in enumerate(ordered, start=1):
        if trial.number != number:
            out.notes.append((trial.line.number, f"trial {trial.number} of {source!r} becomes trial {number}"))
    lines = tuple(t.line for t in ordered)
    case = next((line.case for line in lines if line.case is not None), {})
    return Imported(id=new_id, source_id=source, case=case, lines=lines)


def _contracts(declared: Mapping[str, tuple[int, JsonObject]], out: Grouped) -> dict[str, JsonObject]:
    """Declared tools in their order; a tool that is only called gets an open contract, so that its recording can answer."""
    tools = {name: fields for name, (_, fields) in declared.items()}
    for case in out.cases:
        for line in case.lines:
            for name in dict.fromkeys(a.asked.tool for a in line.answered):
                if line.tools is not None and name not in line.tools:
                    out.notes.append((line.number, f"calls {name!r}, which its `tools` do not have: its contract is open"))
                tools.setdefault(name, {})
    return tools


def _renamed(source: str, ids: Mapping[str, str]) -> str:
    said = f"id {source!r} becomes {ids[source]!r}"
    other = next((old for old, new in ids.items() if new == slug(source) and old != source), None)
    return said if other is None else f"{said}: {slug(source)!r} is the id of {other!r}"


def slugs(ids: Iterable[str]) -> dict[str, str]:
    """Each id to a case id; an id that is one already keeps its name, others give way with ``-2``, ``-3``, ..."""
    sources = list(dict.fromkeys(ids))
    out = {source: source for source in sources if slug(source) == source}
    used = set(out)
    for source in sources:
        if source in out:
            continue
        base = slug(source)
        new, count = base, 1
        while new in used:
            count += 1
            new = f"{base[: LONGEST - len(str(count)) - 1]}-{count}"
        out[source] = new
        used.add(new)
    return out


def slug(text: str) -> str:
    """``Task 11/b`` -> ``task-11-b``: what a case id may hold."""
    plain = re.sub(r"[^a-z0-9_-]+", "-", text.lower()).lstrip("-_")[:LONGEST].rstrip("-")
    return plain or "run"
