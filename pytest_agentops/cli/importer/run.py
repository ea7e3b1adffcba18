"""The import from the file's lines to the written suite, and what it has to tell."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import AgentOpsError
from ...schema.values import JsonObject
from .contracts import read_contracts
from .files import plan, write_files
from .grouping import group
from .hiding import hidden
from .lines import Line, Malformed, parse, physical_lines
from .suite import suite_value
from .validity import case_mistakes, suite_mistakes


@dataclass(slots=True, kw_only=True)
class Done:
    """What an import did."""

    suite_file: Path
    cassettes: Path
    cases: int = 0
    runs: int = 0
    written: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)
    notes: list[tuple[int, str]] = field(default_factory=list)


def import_transcripts(
    source: Path, name: str, *, cases: Path, cassettes: Path, contracts: Path | None = None, force: bool = False
) -> Done:
    """Import every line that can be; raises `AgentOpsError` where nothing at all was written."""
    from ...redact.membrane import Membrane

    declared = read_contracts(contracts) if contracts else {}
    done = Done(suite_file=cases / name / f"{name}.yaml", cassettes=cassettes / name)
    grouped = group(_lines(source, declared, done))
    done.refused = sorted([*done.refused, *grouped.refused])
    done.notes = sorted(grouped.notes)
    done.cases, done.runs = len(grouped.cases), sum(len(case.lines) for case in grouped.cases)
    if not grouped.cases:
        return done
    suite = suite_value(name, source.name, grouped, declared)
    mistakes = suite_mistakes(suite)
    if mistakes:
        raise AgentOpsError("the suite would not load, nothing was written:\n" + "\n".join(f"  {m}" for m in mistakes))
    files = plan(name, suite, grouped, cases=cases, cassettes=cassettes)
    done.written = write_files(files, force=force, scan=Membrane(os.environ).scan)
    return done


def _lines(source: Path, declared: Mapping[str, JsonObject], done: Done) -> Iterator[Line]:
    """The lines that can be read, without their secrets; the others are refused by number."""
    from ...redact.membrane import Membrane

    checked: dict[str, str] = {}
    for number, raw in physical_lines(source):
        try:
            line = hidden(parse(number, raw), Membrane(os.environ), declared)
        except Malformed as problem:
            done.refused.append((number, str(problem)))
            continue
        wrong = case_mistakes(line.case, checked)
        if wrong:
            done.refused.append((number, wrong))
        else:
            yield line
