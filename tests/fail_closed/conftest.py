"""A small suite in a folder of its own, recorded and replayed by pytest in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

TOOLS = """
from pathlib import Path
from pytest_agentops import Toolbox, tool

TRIP = Path(__file__).parent / "tripped.txt"

def trip(what):
    with TRIP.open("a") as file:
        file.write(what + "\\n")

def shop():
    orders = {"W-1": "open", "W-2": "open"}

    @tool("orders.get", effect="read")
    def get(order_id: str) -> str:
        trip(f"get {order_id}")
        return orders[order_id]

    @tool("orders.close", effect="write")
    def close(order_id: str) -> str:
        trip(f"close {order_id}")
        orders[order_id] = "closed"
        return "ok"

    return Toolbox([get, close], state=lambda: dict(orders))
"""

SUITE = """
version: 1
suite: s
agent: ./agent.py:agent
tools: ./tools.py:shop
cases:
  - id: one
    task: "go"
"""


class Place:
    """The suite's folder, and pytest over it."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.case = pytester.mkdir("cases")
        self.tape = pytester.path / "cassettes" / "s" / "one" / "tools.yaml"
        self._number = 0
        pytester.makeini("[pytest]\n")
        (self.case / "tools.py").write_text(TOOLS)
        self.suite()
        self.agent("return tools.call('orders.get', order_id='W-1')")

    def suite(self, more: str = "", head: str = "") -> None:
        """The suite, with more keys of its one case, and more of its own."""
        indented = "".join(f"    {line}\n" for line in more.splitlines())
        (self.case / "s.yaml").write_text(SUITE.replace("cases:\n", f"{head}cases:\n") + indented)

    def write(self, name: str, text: str) -> None:
        """A file beside the suite."""
        (self.case / name).write_text(text)

    def agent(self, body: str, imports: str = "", *, kind: str = "def") -> None:
        """The agent's body; each is a file of its own, since a file is imported once a process."""
        self._number += 1
        lines = "".join(f"    {line}\n" for line in body.splitlines())
        (self.case / "agent.py").write_text(f"{imports}\n{kind} agent(task, tools):\n{lines}")

    def run(self, *options: str) -> pytest.RunResult:
        return self.pytester.runpytest_inprocess("--agent-evals", "-p", "no:randomly", "-p", "no:cacheprovider", *options)

    def record(self, *options: str) -> pytest.RunResult:
        result = self.run("--agent-record=all", *options)
        self.forget()
        return result

    def forget(self) -> None:
        (self.case / "tripped.txt").unlink(missing_ok=True)

    @property
    def tripped(self) -> list[str]:
        """The tools' bodies that ran."""
        file = self.case / "tripped.txt"
        return file.read_text().split("\n")[:-1] if file.exists() else []

    @property
    def written(self) -> str:
        """All that the runs left in ``.agentops``."""
        return "".join(path.read_text() for path in (self.pytester.path / ".agentops").rglob("*") if path.is_file())

    @property
    def results(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.pytester.path / ".agentops" / "results.json").read_text())
        return found

    @property
    def trial(self) -> dict[str, Any]:
        found: dict[str, Any] = self.results["cases"][0]["trials"][0]
        return found


@pytest.fixture
def place(pytester: pytest.Pytester) -> Place:
    return Place(pytester)


@pytest.fixture
def here(pytester: pytest.Pytester) -> Path:
    return pytester.path
