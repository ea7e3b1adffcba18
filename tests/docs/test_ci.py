"""The workflow of docs/ci.md: the commands that it gives GitHub are run here, in a job's surroundings."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.test_docs import ROOT, blocks, readme_suite, run

__all__ = ["readme_suite"]


def workflow() -> dict[str, Any]:
    block = next(block for block in blocks(ROOT / "docs" / "ci.md") if block.name == ".github/workflows/evals.yml")
    found: dict[str, Any] = yaml.safe_load(block.text)
    return found


def test_the_commands_of_the_workflow_run(readme_suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = workflow()["jobs"]["evals"]["steps"]
    commands = [step["run"] for step in steps if "run" in step]
    (pytest_line,) = [command for command in commands if command.startswith("pytest")]
    page = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    done = run(pytest_line, readme_suite)
    assert done.returncode == 0, done.stdout + done.stderr
    for option in shlex.split(pytest_line):
        if "out/" in option:
            assert (readme_suite / "out" / option.rpartition("out/")[2]).is_file(), option
    assert page.read_text() == (readme_suite / "out" / "evals.md").read_text()
    (comment,) = [command for command in commands if command.startswith("gh pr comment")]
    assert (readme_suite / shlex.split(comment)[shlex.split(comment).index("--body-file") + 1]).is_file()


def test_it_installs_nothing_from_an_index_that_does_not_have_it() -> None:
    (install,) = [step["run"] for step in workflow()["jobs"]["evals"]["steps"] if step.get("run", "").startswith("pip")]
    assert not any(word.startswith("pytest-agentops") for word in shlex.split(install, comments=True)), install
