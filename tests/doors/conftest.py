"""A project of a user's, in a folder of the test: suites are written, recorded and run through pytest itself."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent
from typing import Any
from xml.etree import ElementTree

# pytester takes modules out of sys.modules that a run inside this process imported; compiled ones cannot come twice
import jsonschema_rs  # noqa: F401
import pydantic  # noqa: F401
import pytest
import tabulate  # noqa: F401
import yaml  # noqa: F401

import pytest_agentops.cli.main
import pytest_agentops.evals
import pytest_agentops.fixtures
import pytest_agentops.summary  # noqa: F401

AGENT = """
def echo(task, tools):
    return task.text

def adder(task, tools):
    return tools.call("sums.add", a=1, b=2)
"""

TOOLS = """
from pytest_agentops import tool

@tool("sums.add", effect="read", tier=0)
def add(a: int, b: int) -> int:
    return a + b
"""

HEAD = "version: 1\nagent: ./agent.py:echo\n"


class Project:
    """What a user has: a folder with case files beside their code, and a command line."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.path = pytester.path
        self.write("pytest.ini", "[pytest]\n")

    def write(self, name: str, text: str) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
        return path

    def suite(self, cases: str, *, name: str = "demo", head: str = HEAD, agent: str = AGENT, tools: str = TOOLS) -> Path:
        """``cases/NAME/NAME.yaml`` with agent.py and tools.py beside it; `cases` is the list in YAML."""
        folder = f"cases/{name}"
        self.write(f"{folder}/agent.py", agent)
        self.write(f"{folder}/tools.py", tools)
        listed = dedent(cases).strip("\n")
        return self.write(f"{folder}/{name}.yaml", f"{head}cases:\n{listed}\n")

    def run(self, *args: str) -> pytest.RunResult:
        """Pytest in this process, with our plugin and pytest's own."""
        return self.pytester.runpytest_inprocess("-p", "pytest_agentops.plugin", *args)

    def evals(self, *args: str) -> pytest.RunResult:
        return self.run("--agent-evals", *args)

    def record(self, *args: str) -> pytest.RunResult:
        """Record what is missing; the suites of these tests all have cases that only replay if this went well."""
        return self.evals("-q", "--agent-record=once", *args)

    def apart(self, *args: str) -> pytest.RunResult:
        """Pytest in a process of its own, as xdist and a look at sys.modules need it."""
        return self.pytester.runpytest_subprocess("-p", "pytest_agentops.plugin", *args, timeout=60)

    @property
    def results(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.path / ".agentops/results.json").read_text())
        return found

    @property
    def statuses(self) -> dict[str, str]:
        """``case[~variant]`` -> status, without the suite's name."""
        return {
            case["id"].split("/")[1] + (f"~{case['variant']}" if case["variant"] else ""): case["status"]
            for case in self.results["cases"]
        }

    def junit(self, path: str = "junit.xml") -> dict[str, dict[str, str]]:
        """The properties of every test case."""
        root = ElementTree.parse(self.path / path).getroot()
        return {
            case.get("name", ""): {p.get("name", ""): p.get("value", "") for p in case.iter("property")}
            for case in root.iter("testcase")
        }


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Only plugins that a test names are loaded: quicker, and nothing of this environment takes part."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return Project(pytester)


def without_times(value: Any) -> Any:
    """Results but for what may differ between equal runs."""
    if isinstance(value, dict):
        return {key: without_times(v) for key, v in value.items() if key != "duration_s"}
    return [without_times(v) for v in value] if isinstance(value, list) else value
