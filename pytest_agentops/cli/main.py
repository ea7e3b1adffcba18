"""``pytest-agentops``: a command is a module here with NAME, HELP, `arguments(parser)` and `run(options) -> exit code`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ..errors import AgentOpsError
from . import audit, compare, import_, merge, policy, schema, scorecard

COMMANDS = (audit, compare, import_, merge, policy, schema, scorecard)
USAGE = 2
"""Exit code of a wrong command line (argparse's own); 0 is fine, 1 means that something could not be done."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; errors that this package raises on purpose are one message, not a traceback."""
    options = _parser().parse_args(argv)
    try:
        code: int = options.run(options)
    except AgentOpsError as problem:
        print(f"pytest-agentops {options.command}: {problem}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        sys.stderr.close()  # the reader went away (| head): nobody is left to tell
        return 1
    except OSError as problem:  # a folder that may not be written, a full disk
        place = "" if problem.filename is None else f"{problem.filename}: "
        print(f"pytest-agentops {options.command}: {place}{problem.strerror or problem}", file=sys.stderr)
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pytest-agentops", description="Tools beside pytest --agent-evals: case files, transcripts, results."
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for module in COMMANDS:
        sub = commands.add_parser(module.NAME, help=module.HELP, description=module.__doc__)
        module.arguments(sub)
        sub.set_defaults(run=module.run)
    return parser
