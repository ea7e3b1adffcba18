"""Join the results of shards and judge the whole as one session would: exit 0 if it is fine, 1 if not."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..union import Union

NAME = "merge"
HELP = "join the results of shards and judge the whole"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="results.json of the shards; a case is in one of them"
    )
    parser.add_argument("--output", "-o", type=Path, metavar="FILE", help="where the results of the whole go")
    parser.add_argument("--baseline", type=Path, metavar="FILE", help="(default: the one of the shards, from here)")
    parser.add_argument("--partial", action="store_true", help="not all cases need to be there: a lost shard is no failure")
    parser.add_argument("--md", type=Path, metavar="FILE", help="the report for a pull request, too")


def run(options: argparse.Namespace) -> int:
    """Print the table and the verdict, write what was asked for."""
    from ..union import NoMerge, union

    if options.md is not None and options.output is None:
        raise NoMerge("--md is made from the results of the whole: name a file for them with --output")
    if options.baseline is not None and not options.baseline.is_file():
        raise NoMerge(f"{options.baseline}: there is no such baseline")
    with union(options.files, options.baseline, partial=options.partial) as made:
        _tell(made, options)
        unwritten: list[str] = []
        if options.output is not None:
            from ..reports.history import remember

            made.write(options.output)
            unwritten = remember(options.output, folder=Path.cwd() / ".agentops")  # where sessions have theirs
        if options.md is not None:
            from ..reports.markdown import write

            assert made.gating is not None
            write(options.output, options.md, root=Path.cwd(), baseline=made.gating.terms.file)
        for line in unwritten:
            print(f"pytest-agentops merge: {line}", file=sys.stderr)
        return 1 if made.is_bad or unwritten else 0


def _tell(made: Union, options: argparse.Namespace) -> None:
    from ..reports.table import table

    assert made.gating is not None
    suites = {name: tally.metrics().as_json() for name, tally in made.suites.items()}
    print(table(suites, made.total.metrics().as_json()))
    for line in [*made.gating.lines(full=True), *made.failed, *made.over_budget()]:
        print(line)
    count = f"{len(made.results)} cases of {len(options.files)} files"
    part = ", not all cases ran" if made.is_part() else ""
    print(f"verdict: {made.verdict} ({count}, mode {made.mode}{part})")
