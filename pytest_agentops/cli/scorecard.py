"""Show each suite over time beside the service levels it wants to reach (`slo:`), and what a volume of tasks would cost."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from ..errors import CaseFileError
from ..reports.history import History
from ..schema.suggest import did_you_mean
from ..schema.values import JsonObject
from .options import from_one

NAME = "scorecard"
HELP = "success, cost, interventions and policy blocks over time"
PERIODS = ("day", "week", "month", "year")
LAST = 10


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("suites", nargs="*", metavar="SUITE", help="only these (default: all)")
    parser.add_argument("--history", type=Path, default=Path(".agentops/history.jsonl"), metavar="FILE", help="(%(default)s)")
    parser.add_argument("--last", type=from_one, default=LAST, metavar="N", help="sessions that are shown (%(default)s)")
    parser.add_argument("--volume", type=_volume, metavar="N/PERIOD", help="forecast for so many tasks: 10000/month")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="a picture, too: FILE.svg or FILE.png")


def run(options: argparse.Namespace) -> int:
    """Print it."""
    from ..reports.history import NoHistory, read
    from ..reports.scorecard import scorecard

    history, bad = read(options.history)
    if bad:
        print(f"{options.history}: {bad} lines cannot be read and are left out", file=sys.stderr)
    for name in options.suites:
        if name not in history:
            raise NoHistory(
                f"no session of a whole suite {name!r} in {options.history}; {did_you_mean(name, history)}".rstrip("; ")
            )
    history = {name: sessions for name, sessions in history.items() if not options.suites or name in options.suites}
    if not history:
        raise NoHistory(f"{options.history}: no session ran a whole suite yet")
    slos = _slos(history, options.history.resolve().parent.parent)
    print("\n".join(scorecard(history, slos, last=options.last, volume=options.volume)).rstrip("\n"))
    if options.plot is not None:
        from ..reports.plot import plot

        plot(history, slos, options.plot, last=options.last)
        print(f"\nplot: {options.plot}")
    return 0


def _slos(history: History, root: Path) -> dict[str, JsonObject]:
    """What the suite files want today; one that cannot be read is named."""
    from ..loading.suite import load_suite

    found = {}
    for name, sessions in history.items():
        file = sessions[-1].file
        if file is None or not file.endswith((".yaml", ".yml")):
            continue
        try:
            found[name] = load_suite(root / file, root, checks=_Anything()).variants[0].head.slo
        except CaseFileError as problem:
            print(f"{name}: no service levels: {str(problem).partition(chr(10))[0]}", file=sys.stderr)
    return found


class _Anything(frozenset[str]):
    """Checks that packages registered are not known here, and do not matter."""

    def __contains__(self, name: object) -> bool:
        return True


def _volume(text: str) -> tuple[int, str]:
    found = re.fullmatch(r"(\d[\d_]*)/(\w+)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r}: expected tasks a period, such as 10000/month")
    if found[2] not in PERIODS:
        near = did_you_mean(found[2], PERIODS)
        raise argparse.ArgumentTypeError(f"{text!r}: expected one of {_listed(PERIODS)}" + (f"; {near}" if near else ""))
    return int(found[1]), found[2]


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)
