"""What agents were given and never used over recorded runs, and a policy that would have been enough."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...schema.sentences import count
from .recorded import add_recorded, concerned_runs
from .sources import add_paths, write_out

if TYPE_CHECKING:
    from ...policy.privilege import Privilege
    from ...policy.ranges import Range

NAME = "privilege"
HELP = "scopes, tools and ranges that no run ever needed"


def arguments(parser: argparse.ArgumentParser) -> None:
    add_paths(parser)
    add_recorded(parser)
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the policy that would have been enough to a file")
    parser.add_argument("--format", choices=("text", "json"), default="text")


def run(options: argparse.Namespace) -> int:
    """Look at what was used."""
    from ...policy.privilege import privilege

    policies, runs, facts = concerned_runs(options)
    found = privilege(runs, policies)
    notes = [*facts.notes, *found.notes]
    if options.write is not None and found.enough:
        write_out(options.write, found.enough)
    if options.format == "json":
        from ...schema.values import dumps

        print(dumps({**_as_json(found), "notes": notes}, indent=2))
    else:
        for line in (*_text(found), *(f"note: {note}" for note in notes)):
            print(line)
    return 1 if options.write is not None and not found.enough else 0


def _text(found: Privilege) -> Iterator[str]:
    yield f"{count(found.runs, 'run')}, {count(sum(found.called.values()), 'call')} let through"
    if not found.runs:
        yield "no run is concerned: their cases name none of these policies"
        return
    yield f"scopes granted and never needed: {', '.join(found.unused_scopes) or 'none'}"
    yield f"tools offered and never called: {', '.join(found.never_called) or 'none'}"
    for one in found.ranges:
        if one.high is not None:
            yield f"{one.tool}: {one.name} {_seen(one)}" + (
                f", alone allowed up to {one.allowed_up_to}" if one.allowed_up_to else ""
            )
    if not found.enough:
        return
    yield "a policy that would have been enough for these runs (a proposal: they are no proof of what is needed):"
    yield from (f"  {line}" for line in found.enough.splitlines())


def _seen(one: Range) -> str:
    from ...policy.words import plain_number

    assert one.low is not None
    assert one.high is not None
    low, high = plain_number(one.low), plain_number(one.high)
    return f"was {low}" if low == high else f"was {low} to {high}"


def _as_json(found: Privilege) -> dict[str, Any]:
    return {
        "runs": found.runs,
        "called": found.called,
        "never_called": found.never_called,
        "unused_scopes": found.unused_scopes,
        "used_scopes": found.used_scopes,
        "ranges": [
            {
                "tool": one.tool,
                "argument": one.name,
                "calls": one.calls,
                "low": None if one.low is None else str(one.low),
                "high": None if one.high is None else str(one.high),
                "texts": sorted(one.texts),
                "allowed_up_to": one.allowed_up_to or None,
                "wider": one.wider,
            }
            for one in found.ranges
        ],
        "enough": found.enough,
    }
