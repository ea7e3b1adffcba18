"""Test, explain, lint, compare and play back policy files; each act has a help of its own."""

from __future__ import annotations

import argparse

from . import backtest, coverage, diff, explain, lint, privilege, promotion, test

NAME = "policy"
HELP = "test, explain, lint and compare policies"
# an act is a module here with NAME, HELP, `arguments` and `run`
ACTS = (test, explain, lint, diff, coverage, backtest, privilege, promotion)


def arguments(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", metavar="ACT", required=True)
    for module in ACTS:
        sub = acts.add_parser(module.NAME, help=module.HELP, description=module.__doc__)
        module.arguments(sub)
        sub.set_defaults(do=module.run)


def run(options: argparse.Namespace) -> int:
    """Do what was asked."""
    code: int = options.do(options)
    return code
