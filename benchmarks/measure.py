"""CPU, wall time and peak memory of a command and all its children; contenders run in turn, so that a slow minute hits all."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .gen import environment


@dataclass(frozen=True)
class Job:
    """A command that must end well and print `says`."""

    argv: Sequence[str]
    cwd: Path
    says: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    """On top of `environment`."""


@dataclass(frozen=True)
class Sample:
    """One run of a job."""

    cpu: float
    """Seconds, user and system, of the whole process tree."""
    wall: float
    rss_mb: float
    """The peak of its biggest process."""


def run(job: Job) -> Sample:
    with tempfile.TemporaryFile("w+") as out:
        start = time.perf_counter()
        env = {**environment(), **job.env}
        process = subprocess.Popen(job.argv, cwd=job.cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read()
    if process.returncode or job.says not in text:
        raise SystemExit(f"{' '.join(job.argv)} in {job.cwd}: exit {process.returncode}, wanted {job.says!r}\n{text[-3000:]}")
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, KiB elsewhere
    return Sample(cpu=usage.ru_utime + usage.ru_stime, wall=wall, rss_mb=usage.ru_maxrss / unit)


@dataclass(frozen=True)
class Series:
    """The runs of one contender: the first of all, with cold caches, and the rest."""

    first: Sample
    samples: list[Sample]

    def median(self, what: str) -> float:
        values: list[float] = [getattr(s, what) for s in self.samples]
        return statistics.median(values)

    def ratio(self, other: Series, what: str) -> float:
        """How many times `other`: the median over the rounds, each round by itself."""
        pairs = zip(self.samples, other.samples, strict=True)
        ratios: list[float] = [getattr(mine, what) / getattr(theirs, what) for mine, theirs in pairs]
        return statistics.median(ratios)

    def each(self, one: Series, cases: int) -> Series:
        """What one of `cases` cases more costs than a run of a single one, `one`, round by round."""

        def less(many: Sample, single: Sample) -> Sample:
            values = [(getattr(many, what) - getattr(single, what)) / (cases - 1) for what in ("cpu", "wall", "rss_mb")]
            return Sample(*values)

        return Series(less(self.first, one.first), [less(*pair) for pair in zip(self.samples, one.samples, strict=True)])


def in_turn(jobs: Mapping[str, Job], rounds: int) -> dict[str, Series]:
    """Runs A B C, A B C, ...: one first run each that only counts as such, then `rounds` more."""
    first = {name: run(job) for name, job in jobs.items()}
    samples: dict[str, list[Sample]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            samples[name].append(run(job))
    return {name: Series(first[name], samples[name]) for name in jobs}
