"""Print the JSON Schema of suite files, for editors that read the modeline at the top of a case file."""

from __future__ import annotations

import argparse
from pathlib import Path

NAME = "schema"
HELP = "print the JSON Schema of suite files"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", "-o", type=Path, metavar="FILE", help="write it to a file (agentops-case.schema.json)")


def run(options: argparse.Namespace) -> int:
    """Print or write it."""
    from ..loading.schema_file import print_schema

    text = print_schema()
    if options.output is None:
        print(text, end="" if text.endswith("\n") else "\n")
        return 0
    from ..schema.disk import write_text

    write_text(options.output, text if text.endswith("\n") else text + "\n")
    return 0
