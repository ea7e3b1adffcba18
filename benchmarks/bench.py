"""``make bench``: comparisons with bare pytest and with pytest-recording; exit code 1 if a goal is missed."""

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

from . import chats, gen, guard
from .measure import Job, Series, in_turn

BARE = (sys.executable, "-m", "pytest", "-q")
WITH_PLUGIN = (*BARE, "-p", "pytest_agentops.plugin")
EVALS = (*WITH_PLUGIN, "--agent-evals")
PEER = (*BARE, "-p", "pytest_recording.plugin")

ROOT = Path(__file__).parents[1]
PEERS = Path(sys.prefix) / "bench"
"""Where `make bench` installs pytest-recording, apart, since beside us it would load in our own tests, too."""

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
CHATS = 100
"""Cases of four chat calls each."""
CHAT_CPU = 1.0
"""Such a case, times an ordinary test of pytest-recording with the same client, matching on the body."""
CHAT_CPU_WISHED = 0.7
TALK_TURNS = 40
TALK_KB = 60.0
"""The recording of a conversation of so many turns."""
EVALS_S = 8.0
"""Wall time of the second run of the bundled suites."""

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
        goals += [*chat_calls(Path(folder)), *long_talk(Path(folder)), *bundled(), *deciding()]
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


def deciding() -> list[Goal]:
    """What the guard costs a call, and what of it a policy of ten rules."""
    rows = guard.measured()
    table(
        "Guard, CPU microseconds a call (live, nothing recorded)",
        ["", "median", "min", "max"],
        [(name, f"{statistics.median(v):.1f}", f"{min(v):.1f}", f"{max(v):.1f}") for name, v in rows.items()],
    )
    return [Goal("a policy of ten rules adds, us a call", guard.added_by_policy(rows), guard.GOAL_US)]


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


def chat_calls(folder: Path) -> list[Goal]:
    """(d) Four chat calls a case through one openai client, against the same calls in ordinary tests with pytest-recording."""
    if not (PEERS / "pytest_recording").is_dir():
        raise SystemExit(f"pytest-recording is not in {PEERS}: `make bench` installs it")
    jobs = _chat_jobs(folder, 1) | _chat_jobs(folder, CHATS)
    series = in_turn(jobs, ROUNDS[100])
    table("(d) Cases of four chat calls through one openai client", HEADERS, rows_of(series))
    starts = {PEER_NAME: f"1 {PEER_NAME}", **dict.fromkeys(CHAT_NAMES, f"1 {CHAT_NAMES[0]}")}
    each = {name: series[f"{CHATS} {name}"].each(series[start], CHATS) for name, start in starts.items()}
    rows = [(name, f"{one.median('cpu') * 1000:.1f}", f"{one.ratio(each[PEER_NAME], 'cpu'):.2f}") for name, one in each.items()]
    table("    One case more, without the start of the run", ["", "cpu ms", "x"], rows)
    whole = series[f"{CHATS} {CHAT_NAMES[0]}"].ratio(series[f"{CHATS} {PEER_NAME}"], "cpu")
    print(f"wished: {CHAT_CPU_WISHED}x")
    return [
        Goal(f"{CHATS} cases of four chat calls, x cpu of {PEER_NAME}", whole, CHAT_CPU),
        *(Goal(f"one such case more, {name}, x cpu", each[name].ratio(each[PEER_NAME], "cpu"), CHAT_CPU) for name in CHAT_NAMES),
    ]


PEER_NAME = "pytest-recording"
CHAT_NAMES = ("replayed", "replayed, every file parsed")
"""With the cache of parsed files, as every run but the first has it; and without."""


def _chat_jobs(folder: Path, n: int) -> dict[str, Job]:
    mine, theirs, says = chats.ours(folder / f"ours-{n}", n), chats.theirs(folder / f"theirs-{n}", n), f"{n} passed"
    jobs = {
        f"{n} {PEER_NAME}": Job(PEER, theirs, says, {"PYTHONPATH": str(PEERS)}),
        f"{n} {CHAT_NAMES[0]}": Job(EVALS, mine, says),
    }
    if n > 1:  # a single file makes no difference
        jobs[f"{n} {CHAT_NAMES[1]}"] = Job((*EVALS, "-p", "no:cacheprovider"), mine, says)
    return jobs


def long_talk(folder: Path) -> list[Goal]:
    """(e) A conversation on disk, whose every request repeats all that was said before."""
    mine = chats.size(chats.ours(folder / "ours-talk", 1, TALK_TURNS)) / 1000
    plain = chats.size(chats.theirs(folder / "theirs-talk", 1, TALK_TURNS)) / 1000
    print(f"\n(e) A conversation of {TALK_TURNS} turns on disk: {mine:.1f} KB, with plain vcrpy {plain:.1f} KB")
    return [Goal(f"conversation of {TALK_TURNS} turns, KB", mine, TALK_KB)]


def bundled() -> list[Goal]:
    """(f) `make evals`, with all plugins that are installed; the first run fills the cache."""
    argv = (sys.executable, "-m", "pytest", "--agent-evals")
    series = in_turn({"make evals": Job(argv, ROOT, " passed", {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": ""})}, ROUNDS[1000])
    table("(f) The bundled suites again", HEADERS, rows_of(series))
    return [Goal("make evals again, s wall", series["make evals"].median("wall"), EVALS_S)]


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
