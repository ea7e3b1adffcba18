"""The bundled suites, replayed twice, in any order, in one process and in two: the same results file but for durations."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SHUFFLE = """
import os
import random

def pytest_collection_modifyitems(items):
    random.Random(os.environ["ORDER"]).shuffle(items)
"""


def project(folder: Path) -> Path:
    """The suites with their recordings and the baseline, in a folder of their own."""
    for name in ("cases", "cassettes"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.glob("agentops-baseline.json"):
        shutil.copy(path, folder)
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
    (folder / "shuffled.py").write_text(SHUFFLE)
    return folder


def results(folder: Path, order: int, *words: str) -> tuple[str, list[str]]:
    """The file without what a time of day decides, and the order in which the cases ran."""
    env = {**os.environ, "ORDER": str(order), "PYTHONPATH": str(folder), "CI": ""}
    line = [sys.executable, "-m", "pytest", "--agent-evals", "-v", "-p", "shuffled", "-p", "no:randomly", *words]
    done = subprocess.run(line, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    ran = [text for text in done.stdout.splitlines() if "::" in text and "[" in text]
    value: dict[str, Any] = json.loads((folder / ".agentops" / "results.json").read_text())
    value.pop("audit")
    for case in value["cases"]:
        for run in case["trials"]:
            assert run.pop("duration_s") >= 0
    return json.dumps(value, indent=1), ran


def test_equal_runs_give_equal_results(tmp_path: Path) -> None:
    folder = project(tmp_path)
    first, order = results(folder, 1)
    again, other_order = results(folder, 2)
    assert order != other_order, "the cases were not shuffled"
    assert again == first
    spread, _ = results(folder, 3, "-n", "2")
    assert spread == first
