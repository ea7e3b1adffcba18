"""Real recorded runs, imported and replayed: every reward and cost of the benchmark comes out. The data is not in the project."""

from __future__ import annotations

import gzip
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

DATA = Path(os.environ.get("AGENTOPS_REAL_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))
FILES = {"airline-gpt4o": 48, "airline-grok3-task11": 20}

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="AGENTOPS_REAL_DATA names no folder")


@pytest.mark.parametrize("name", FILES)
def test_replay_gives_the_benchmarks_rewards_and_costs(name: str, pytester: pytest.Pytester) -> None:
    source = Path(f"{name}.jsonl")
    source.write_bytes(gzip.decompress((DATA / f"{name}.jsonl.gz").read_bytes()))
    # in a process of its own: pytester forgets what is imported while it is in use, and C extensions do not bear that
    assert pytester.run(sys.executable, "-m", "pytest_agentops.cli", "import", source.name, "--suite", "real").ret == 0
    pytester.makeini("[pytest]\n")
    pytester.runpytest_subprocess("--agent-evals", "-q", "-p", "no:cacheprovider")
    truth: dict[str, Any] = json.loads((DATA / f"{name}.truth.json").read_text())
    results = json.loads(Path(".agentops/results.json").read_text())
    runs = {f"{case['id'].removeprefix('real/')}#{run['trial']}": run for case in results["cases"] for run in case["trials"]}
    assert len(runs) == FILES[name]
    assert {key: run["success"] for key, run in runs.items()} == {key: known["reward"] == 1.0 for key, known in truth.items()}
    for key, run in runs.items():
        if "cost" in truth[key]:
            assert float(run["cost_usd"]) == pytest.approx(truth[key]["cost"], abs=1e-9)
        else:
            assert run["cost_usd"] is None
        assert run["miss"] is None
        assert run["problems"] == []
        assert {call["source"] for call in run["calls"]} <= {"replay"}


@pytest.mark.parametrize("name", FILES)
def test_the_import_loses_nothing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pytest_agentops.agents.transcript import load
    from pytest_agentops.cli.main import main
    from pytest_agentops.tape.cassette import read

    monkeypatch.chdir(tmp_path)
    raw = gzip.decompress((DATA / f"{name}.jsonl.gz").read_bytes())
    Path("runs.jsonl").write_bytes(raw)
    assert main(["import", "runs.jsonl", "--suite", "real"]) == 0
    for line in map(json.loads, raw.splitlines()):
        trial = line.get("trial", 1)
        folder = Path("cassettes/real") / (line["id"] if trial == 1 else f"{line['id']}.t{trial}")
        kept, cassette = load(folder), read(folder / "tools.yaml")
        talk = [m for m in line["messages"] if m["role"] != "tool"]
        assert [(m.role, m.content) for m in kept.messages] == [(m["role"], m["content"]) for m in talk]
        assert [None if m.cost_usd is None else float(m.cost_usd) for m in kept.messages] == [m.get("cost_usd") for m in talk]
        asked = [call["function"] for m in talk for call in m.get("tool_calls") or ()]
        wanted = [(f["name"], json.loads(f["arguments"])) for f in asked]
        assert [(c.tool, c.args) for m in kept.messages for c in m.calls] == wanted
        assert [(c.tool, c.args) for c in cassette.calls] == wanted
        told = [(m["content"], bool(m.get("error"))) for m in line["messages"] if m["role"] == "tool"]
        assert [(c.error.message if c.error else c.result, c.error is not None) for c in cassette.calls] == told
        assert cassette.state_after == line["state"]["after"]
        assert kept.outcome == line["outcome"]
