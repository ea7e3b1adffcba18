"""The confirmation run of `gates.confirm`: a regression that was proven must show again in fresh trials of the same size.

It is a session of its own, in a process of its own, over the suites in question; it writes below ``.agentops/confirm``. Where it
has no numbers (it did not run, or not whole), what failed stays a fail.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from .commands import given
from .reports.github import STEP_SUMMARY
from .reports.results import NoResults, load
from .schema import money
from .schema.values import JsonObject
from .scoring.gates import GateResult
from .settings import CONFIRMING, Settings


class Confirmation:
    """One run more over some suites."""

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self.config = config
        self.settings = settings
        self.work = settings.work / "confirm"
        self.problem = ""
        self.results: JsonObject = {}

    def run(self, files: Iterable[str], left_usd: Decimal | None) -> None:
        """Run the suites of `files` again; `left_usd` is what it may spend, None for no limit."""
        if left_usd is not None and left_usd <= 0:
            self.problem = "no money is left for it"
            return
        path = self.work / "results.json"
        path.unlink(missing_ok=True)
        words = [sys.executable, "-m", "pytest", *self._words(left_usd), *files]
        done = subprocess.run(
            words,
            cwd=self.settings.rootdir,
            env={**{k: v for k, v in os.environ.items() if k != STEP_SUMMARY}, CONFIRMING: "1"},  # the job's page is ours
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        try:
            self.results = load(path)
        except NoResults:
            last = next((line for line in reversed(done.stdout.splitlines()) if line.strip()), "")
            self.problem = f"it ended with exit code {done.returncode} and no results: {last}"

    def _words(self, left_usd: Decimal | None) -> list[str]:
        """The options of this session that change what is run; none that only changes what is told."""
        option: Any = self.config.option
        words = ["--agent-evals", *given(self.config), f"--agent-mode={self.settings.mode}", "-p", "no:cacheprovider", "-q"]
        words += ["--agent-allow-live"] if self.settings.allow_live else []
        words += [word for name in option.plugins or () if not name.startswith("no:cache") for word in ("-p", name)]
        words += ["-n", str(option.numprocesses)] if getattr(option, "numprocesses", None) else []
        return words + ([f"--agent-budget-usd={money.text(left_usd)}"] if left_usd is not None else [])

    def weigh(self, gate: GateResult) -> None:
        """Leave a fail as it is if this run has it too; else it is not confirmed."""
        home = self.results.get("suites", {}).get(gate.group, {}) if gate.group else self.results
        gates = home.get("gates", ())
        found = next((one for one in gates if one["name"] == gate.name), None)
        if self.problem or found is None or found["result"] in ("not_judged", "not_comparable"):
            why = self.problem or (found["why"] if found is not None else "it did not judge this gate")
            gate.why += f"; the confirmation run says nothing: {why}"
        elif found["result"] == "fail":
            gate.why += f"; confirmed by a second run: {found['why']}"
        else:
            gate.result, gate.refuted = "inconclusive", True
            gate.why += f"; not confirmed by a second run: {found['why']}"

    def line(self) -> str:
        """What the summary says of it."""
        if self.problem:
            return f"confirmation run: {self.problem}"
        cost = self.results["metrics"]["cost_usd"]
        said = "unknown cost" if cost is None else f"${cost}"
        where = self.work.relative_to(self.settings.rootdir).as_posix()
        return f"confirmation run: {self.results['metrics']['runs']} runs, {said}, beside the numbers above: {where}/results.json"


def wanted(gates: Iterable[GateResult], settings: Settings) -> list[GateResult]:
    """What may be confirmed: proven regressions of live runs, and not within such a run."""
    if settings.mode == "replay" or CONFIRMING in os.environ:
        return []
    return [gate for gate in gates if gate.result == "fail" and gate.statistical]


def files_of(gates: Sequence[GateResult], rootdir: Path) -> list[str]:
    """The suites' files, each once; nothing, which is all, where a gate is one of the whole session."""
    if not all(gate.group for gate in gates):
        return []
    return list(dict.fromkeys(str(rootdir / str(gate.file)) for gate in gates))
