"""Turn recorded conversations (one JSON object a line) into a suite of cases and their cassettes."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from ..schema.sentences import count

NAME = "import"
HELP = "turn recorded conversations into a suite and its cassettes"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("transcripts", type=Path, help="a .jsonl or .jsonl.gz file, one run a line")
    parser.add_argument("--suite", required=True, metavar="NAME", type=_suite_name, help="the suite's name")
    parser.add_argument("--cases", type=Path, default=Path("cases"), metavar="DIR", help="folder of case files (default: cases)")
    parser.add_argument(
        "--cassettes", type=Path, default=Path("cassettes"), metavar="DIR", help="folder of recordings (default: cassettes)"
    )
    parser.add_argument("--contracts", type=Path, metavar="FILE", help="YAML like a suite's `contracts:`: effects, tiers, ...")
    parser.add_argument("--force", action="store_true", help="overwrite files that exist and differ")


def _suite_name(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,79}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no suite name: small letters, digits, _ and -, such as support-2026")
    return text


def run(options: argparse.Namespace) -> int:
    """Import; 1 if a line was refused, the others are imported all the same."""
    from .importer.run import import_transcripts

    source: Path = options.transcripts
    if not source.is_file():
        print(f"pytest-agentops import: {source.as_posix()}: no such file", file=sys.stderr)
        return 2
    done = import_transcripts(
        source,
        options.suite,
        cases=options.cases,
        cassettes=options.cassettes,
        contracts=options.contracts,
        force=options.force,
    )
    for number, note in done.notes:
        print(f"{source.as_posix()}:{number}: {note}")
    for number, why in done.refused:
        print(f"{source.as_posix()}:{number}: not imported: {why}", file=sys.stderr)
    if not done.runs:
        print(f"{source.as_posix()}: there is no run to import", file=sys.stderr)
        return 1
    wrote = f"{done.written} files written" if done.written else "nothing to write, the files say the same already"
    print(f"{done.suite_file.as_posix()}: {count(done.cases, 'case')}, {count(done.runs, 'run')}; {wrote}")
    print(f"replay them: pytest --agent-evals {done.suite_file.as_posix()}")
    return 1 if done.refused else 0
