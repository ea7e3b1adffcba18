"""Print the JSON Schema of suite files, for editors that read the modeline at the top of a case file."""

from __future__ import annotations

import argparse
import os
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
    temp = options.output.with_name(f".{options.output.name}.{os.getpid()}.tmp")
    temp.write_text(text if text.endswith("\n") else text + "\n", encoding="utf-8")
    os.replace(temp, options.output)
    return 0
