"""``make bench``: three comparisons with bare pytest, and whether the goals are met (exit code 1 if one is missed)."""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from tabulate import tabulate

from . import gen
from .measure import Job, Series, in_turn

BARE = (sys.executable, "-m", "pytest", "-q")
WITH_PLUGIN = (*BARE, "-p", "pytest_agentops.plugin")
EVALS = (*WITH_PLUGIN, "--agent-evals")

IMPORT_MS = 5.0
"""What the plugin may add to ``-X importtime`` after pytest."""
ONE_CASE_CPU = 2.2
"""One replayed case, times a trivial pytest run."""
REPLAY_CPU = 3.5
"""1000 replayed cases, times 1000 tests that do nothing."""
GROWTH = 10.0
"""CPU of 10000 cases, times that of 1000."""
KB_PER_CASE = 20.0
FULL_MB = 300.0
"""Peak memory at 10000 cases."""

NOTE = """\
Every run has PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 and names its plugins with -p, so that nothing else that is installed counts.
cpu is user + system of the process tree. Contenders run in turn; figures are medians, x is the median of the rounds' ratios.
The first run of each, with cold caches, stands apart."""

ROUNDS = {1: 9, 100: 5, 1000: 3, 10000: 1}


@dataclass(frozen=True)
class Goal:
    """A promise with its measured value; smaller is better."""

    name: str
    measured: float
    limit: float

    @property
    def met(self) -> bool:
        return self.measured <= self.limit


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="also 10000 cases (some minutes)")
    sizes = [100, 1000, 10000] if parser.parse_args(argv).full else [100, 1000]
    print(f"Python {platform.python_version()}, pytest {pytest.__version__}, {platform.machine()}.")
    print(NOTE)
    with tempfile.TemporaryDirectory(prefix="agentops-bench-") as folder:
        goals = [*tax(Path(folder)), *one_case(Path(folder)), *replay(Path(folder), sizes)]
    rows = [(g.name, f"{g.measured:.2f}", f"{g.limit:g}", "met" if g.met else "MISSED") for g in goals]
    table("Goals", ["goal", "measured", "at most", ""], rows)
    return 0 if all(g.met for g in goals) else 1


def tax(folder: Path) -> list[Goal]:
    """(a) A plain one-test run, without and with the plugin, the flag absent."""
    project = gen.noop(folder / "plain", 1)
    series = in_turn({"bare pytest": Job(BARE, project), "plugin, no flag": Job(WITH_PLUGIN, project)}, ROUNDS[1])
    table("(a) One plain test, the flag absent", HEADERS, rows_of(series))
    import_ms = statistics.median(plugin_import_ms() for _ in range(7))
    print(f"-X importtime of the plugin after pytest: {import_ms:.2f} ms")
    return [Goal("plugin's import after pytest, ms", import_ms, IMPORT_MS)]


MARK = "---- from here on the plugin"
IMPORT = f"import pytest, sys; print({MARK!r}, file=sys.stderr, flush=True); import pytest_agentops.plugin"


def plugin_import_ms() -> float:
    """The sum of every module's own time that importing the plugin adds once pytest is there."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", IMPORT], env=gen.environment(), capture_output=True, text=True, check=True
    )
    rows = [line.removeprefix("import time:").split("|") for line in done.stderr.split(MARK)[1].splitlines()]
    own = {row[2].strip(): int(row[0]) for row in rows if len(row) == 3}
    if "pytest_agentops.plugin" not in own:
        raise SystemExit(f"-X importtime does not show the plugin:\n{done.stderr[-2000:]}")
    return sum(own.values()) / 1000


def one_case(folder: Path) -> list[Goal]:
    """(c) One replayed case against one trivial test."""
    jobs = {
        "one test": Job(BARE, gen.noop(folder / "trivial", 1), "1 passed"),
        "one replayed case": Job(EVALS, gen.cases(folder / "single", 1, "one"), "1 passed"),
    }
    series = in_turn(jobs, ROUNDS[1])
    table("(c) One case", HEADERS, rows_of(series))
    return [Goal("one replayed case, x cpu", series["one replayed case"].ratio(series["one test"], "cpu"), ONE_CASE_CPU)]


def replay(folder: Path, sizes: Sequence[int]) -> list[Goal]:
    """(b) N replayed cases in both layouts against N tests that do nothing."""
    found = {n: _replay(folder / str(n), n) for n in sizes}
    goals: list[Goal] = []
    for layout in gen.LAYOUTS:
        name, small, large = NAMES[layout], found[sizes[0]], found[sizes[-1]]
        goals.append(Goal(f"1000 cases, {name}, x cpu", found[1000][name].ratio(found[1000]["no-op"], "cpu"), REPLAY_CPU))
        more_kb = (large[name].median("rss_mb") - small[name].median("rss_mb")) * 1024
        goals.append(Goal(f"memory, {name}, KB a case", more_kb / (sizes[-1] - sizes[0]), KB_PER_CASE))
        if 10000 in found:
            growth = large[name].median("cpu") / found[1000][name].median("cpu")
            goals.append(Goal(f"cpu of 10000 / 1000, {name}", growth, GROWTH))
            goals.append(Goal(f"peak memory at 10000, {name}, MB", large[name].median("rss_mb"), FULL_MB))
    return goals


NAMES: dict[gen.Layout, str] = {"files": "one file a case", "one": "one file for all"}


def _replay(folder: Path, n: int) -> dict[str, Series]:
    jobs = {"no-op": Job(BARE, gen.noop(folder / "noop", n), f"{n} passed")}
    for layout, name in NAMES.items():
        jobs[name] = Job(EVALS, gen.cases(folder / layout, n, layout), f"{n} passed")
    series = in_turn(jobs, ROUNDS[n])
    table(f"(b) {n} replayed cases, three calls and four checks each", HEADERS, rows_of(series))
    return series


HEADERS = ["", "cpu s", "x", "wall s", "x", "peak MB", "x", "first cpu s"]


def rows_of(series: dict[str, Series]) -> list[list[str]]:
    """A row a contender; x is against the first of them."""
    base = next(iter(series.values()))
    rows = []
    for name, one in series.items():
        cells = [name]
        for what, digits in (("cpu", 3), ("wall", 3), ("rss_mb", 0)):
            cells += [f"{one.median(what):.{digits}f}", f"{one.ratio(base, what):.2f}"]
        rows.append([*cells, f"{one.first.cpu:.3f}"])
    return rows


def table(title: str, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    align = ("left", *("right" for _ in headers[1:]))
    print(f"\n{title}\n{tabulate(rows, headers=headers, colalign=align, disable_numparse=True)}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
