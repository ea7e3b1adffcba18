"""A project in a folder of its own, run by pytest in a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
NO_KEYS = dict.fromkeys(("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"), "")


@dataclass
class Session:
    """What one session of pytest came to."""

    code: int
    text: str
    results: dict[str, Any] = field(default_factory=dict)

    @property
    def runs(self) -> dict[str, dict[str, Any]]:
        """``suite/case~variant`` -> its first trial."""
        return {_name(case): case["trials"][0] for case in self.results["cases"] if case["trials"]}

    @property
    def statuses(self) -> dict[str, str]:
        return {_name(case): case["status"] for case in self.results["cases"]}


def _name(case: Mapping[str, Any]) -> str:
    return case["id"] if case["variant"] is None else f"{case['id']}~{case['variant']}"


def evals(folder: Path, *options: str, **environment: str) -> Session:
    """``pytest --agent-evals`` with these options; keys and addresses of providers are unset unless they are given."""
    env = {**os.environ, "CI": "", "PYTHONPATH": str(ROOT), **NO_KEYS, **environment}
    env = {name: value for name, value in env.items() if value or name not in NO_KEYS}
    results = folder / ".agentops" / "results.json"
    results.unlink(missing_ok=True)
    line = [sys.executable, "-m", "pytest", "--agent-evals", "-q", "-p", "no:cacheprovider", *options]
    done = subprocess.run(line, cwd=folder, env=env, capture_output=True, text=True, check=False)
    text = done.stdout + done.stderr
    return Session(done.returncode, text, json.loads(results.read_text()) if results.exists() else {})


SAME = ("success", "outcome", "cost_usd", "tokens", "steps", "output", "pins")


def comparable(run: Mapping[str, Any]) -> dict[str, Any]:
    """What of a run must be equal live and in replay: all but where answers came from, how long they took, and fresh uuids."""
    calls = [{key: value for key, value in call.items() if key != "source"} for call in run["calls"]]
    checks = [{key: check[key] for key in ("name", "passed", "measured", "wanted")} for check in run["checks"]]
    told = json.dumps({**{key: run[key] for key in SAME}, "calls": calls, "checks": checks})
    found: dict[str, Any] = json.loads(re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "a uuid", told))
    return found
