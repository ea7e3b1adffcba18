"""For each tool the evidence of recorded runs, and whether it would bear a lower tier or asks for a higher one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...schema.sentences import count
from .recorded import add_recorded, concerned_runs
from .sources import add_paths, write_out

if TYPE_CHECKING:
    from ...scoring.promotion import Evidence

NAME = "promotion"
HELP = "whether tools could move to another autonomy tier"


def arguments(parser: argparse.ArgumentParser) -> None:
    add_paths(parser)
    add_recorded(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.add_argument("--output", "-o", type=Path, metavar="FILE", help="write to a file")


def run(options: argparse.Namespace) -> int:
    """Weigh the evidence."""
    from ...scoring.promotion import CONFIDENCE, promotion

    policies, runs, facts = concerned_runs(options)
    found = promotion(runs, policies)
    if options.format == "json":
        from ...schema.values import dumps

        text = dumps({"confidence": CONFIDENCE, "tools": [_as_json(one) for one in found], "notes": facts.notes}, indent=2)
    else:
        head = f"{count(len(runs), 'run')}; shares are proved with {CONFIDENCE:.0%} confidence, one-sided and exact"
        text = "\n".join([head, *(line for one in found for line in _lines(one)), *(f"note: {n}" for n in facts.notes)])
    write_out(options.output, text)
    return 0


def _lines(one: Evidence) -> list[str]:
    judged = f"{one.successes} of {one.judged} succeeded" if one.judged else "not judged"
    asked = f"a human was asked in {one.asked}, and changed something in {one.changed}"
    said = [
        f"{one.tool}, tier {one.tier}: {one.advice}",
        f"  {count(one.runs, 'run')}, {count(one.calls, 'call')}: {judged}; {asked}",
        f"  a policy stopped a call in {one.blocked}, the tool failed in {one.failed}",
    ]
    if one.target is not None:
        said.append(f"  right runs: at least {one.right_at_least:.1%} (tier {one.tier - 1} asks for {one.target:.1%})")
    if one.advice == "too little evidence":
        said.append(f"  {count(one.needed, 'run')} without a wrong one would prove it, {max(one.needed - one.runs, 0)} more")
    if one.advice == "should move up":
        said.append(f"  humans or policies stepped in, in at least {one.stepped_in_at_least:.1%} of the runs")
    return said


def _as_json(one: Evidence) -> dict[str, Any]:
    return {
        "tool": one.tool,
        "tier": one.tier,
        "advice": one.advice,
        "runs": one.runs,
        "calls": one.calls,
        "judged": one.judged,
        "successes": one.successes,
        "asked": one.asked,
        "changed": one.changed,
        "blocked": one.blocked,
        "stepped_in": one.stepped_in,
        "failed": one.failed,
        "wrong": one.wrong,
        "right_at_least": round(one.right_at_least, 6),
        "target": one.target,
        "runs_needed": one.needed,
    }
