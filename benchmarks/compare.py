"""How long it takes to compare 10 000 runs: with a baseline (`merge`), and with another file (`compare`); replayed and live.

    python -m benchmarks.compare

A goal that is missed makes it fail. Replays are compared without scipy, live runs with it; import of both is part of the time.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from pytest_agentops.reports.results import Results
from pytest_agentops.schema.values import dumps
from pytest_agentops.scoring.baseline import Baseline
from pytest_agentops.scoring.metrics import Tally
from pytest_agentops.scoring.tried import tried

RUNS = 10_000
GOAL_S = {"replay": 3.0, "live": 6.0}
ROUNDS = 3
GATES = {
    "task_success_rate": {"min": 0.5},
    "success_regression": {},
    "broken_cases": {},
    "cost_regression": {},
    "intervention_rate": {"max": 0.9, "regression_alpha": 0.05},
}
CALLS = [
    {"tool": "orders.get", "args": {"order_id": "W-1"}, "decision": "allow", "rule": None, "source": "replay", "error": None},
    {
        "tool": "refund",
        "args": {"order_id": "W-1", "usd": 30},
        "decision": "allow",
        "rule": "r/1",
        "source": "replay",
        "error": None,
    },
    {
        "tool": "mail.send",
        "args": {"to": "ann@example.com", "text": "Done."},
        "decision": "allow",
        "rule": None,
        "source": "replay",
        "error": None,
    },
]


def run(mode: str, trial: int, chance: random.Random, dearer: float) -> dict[str, Any]:
    """A run as it stands in a results file: three calls and four checks."""
    good = chance.random() < 0.9
    return {
        "trial": trial,
        "success": good,
        "outcome": "completed",
        "mode": mode,
        "cost_usd": f"{chance.lognormvariate(-4, 0.35) * dearer:.6f}",
        "tokens": {"input": chance.randrange(500, 900), "output": chance.randrange(50, 90)},
        "steps": 4,
        "calls": CALLS,
        "interventions": [],
        "policy_blocks": 0,
        "unexpected_policy_blocks": 0,
        "checks": [
            {"name": n, "passed": good, "measured": None, "wanted": None, "why": "", "where": f"cases/s/s.yaml:{7 + i}"}
            for i, n in enumerate("abcd")
        ],
        "output": "The order W-1 was refunded, you get a message when the money is on its way.",
        "pins": {"model": "m", "prompt": "sha256:27a9019e29fd", "policy": None},
        "duration_s": 0.01,
        "miss": None,
        "problems": [],
        "error": None,
        "labels": ["recorded"],
        "stale": [],
        "cassette": "cassettes/s/c",
        "events": ".agentops/runs/s/c.jsonl",
    }


def write(folder: Path, name: str, mode: str, *, trials: int, seed: int, dearer: float = 1.0) -> Path:
    """A results file of `RUNS` runs in 20 suites."""
    chance, total = random.Random(seed), Tally()
    tallies: dict[str, Tally] = {}
    path = folder / name
    with Results() as results:
        for number in range(RUNS // trials):
            suite = f"suite{number % 20:02}"
            runs = [run(mode, trial, chance, dearer) for trial in range(1, trials + 1)]
            case: dict[str, Any] = {
                "id": f"{suite}/c{number}",
                "suite": suite,
                "variant": None,
                "status": "passed",
                "file": f"cases/{suite}.yaml",
            }
            case |= {"line": number, "tags": [], "trials": runs, "digest": "sha256:0"}
            results.add(dumps(case))
            for tally in (total, tallies.setdefault(suite, Tally())):
                tally.add(case["id"], None, runs)
        known = {
            "gates": GATES,
            "places": {name: [3, 1] for name in GATES},
            "variants": RUNS // trials // 20,
            "trials": RUNS // 20,
        }
        asked = {suite: {"file": f"cases/{suite}.yaml", **known} for suite in sorted(tallies)}
        results.write(
            path,
            mode=mode,
            verdict="pass",
            metrics=total.metrics().as_json(),
            suites={suite: {"metrics": tally.metrics().as_json(), "gates": []} for suite, tally in tallies.items()},
            selection="all",
            asked={"suites": asked, "gates": [], "whole_folders": True},
        )
    return path


def seconds(*words: str) -> tuple[float, str]:
    """Wall time of a command in a process of its own, the median of the rounds; and what it printed last."""
    times, said = [], ""
    for _ in range(ROUNDS):
        started = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "pytest_agentops.cli", *words], capture_output=True, text=True, check=False)
        times.append(time.perf_counter() - started)
        assert done.returncode in (0, 1), done.stderr
        said = done.stdout.rstrip().rpartition("\n")[2]
    return sorted(times)[len(times) // 2], said


def main() -> int:
    missed = 0
    with tempfile.TemporaryDirectory() as temp:
        folder = Path(temp)
        for mode, trials in (("replay", 1), ("live", 5)):
            first = write(folder, f"{mode}-a.json", mode, trials=trials, seed=1)
            second = write(folder, f"{mode}-b.json", mode, trials=trials, seed=2, dearer=1.05)
            cases = json.loads(first.read_bytes())["cases"]
            baseline = folder / f"{mode}-baseline.json"
            Baseline(map(tried, cases)).write(baseline)
            size = second.stat().st_size / 1e6
            for what, words in (
                ("with its baseline", ("merge", str(second), "--baseline", str(baseline))),
                ("with another file", ("compare", str(first), str(second))),
            ):
                took, said = seconds(*words)
                ok = took <= GOAL_S[mode]
                missed += not ok
                judged = f"goal {GOAL_S[mode]:.0f} s {'ok' if ok else 'MISSED'}"
                print(f"{mode:6} {RUNS} runs ({size:.0f} MB) {what}: {took:.2f} s, {judged}  [{said}]")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
