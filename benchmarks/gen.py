"""Generates the projects that are measured: N cases of three tool calls and four checks, each with its own recording."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Literal, TypeAlias, get_args

Layout: TypeAlias = Literal["files", "one"]
"""One suite file a case, or one suite file for all."""

LAYOUTS: tuple[Layout, ...] = get_args(Layout)

NOOP = """\
import pytest


@pytest.mark.parametrize("number", range({n}))
def test_noop(number):
    pass
"""

TOOLS = '''\
from dataclasses import dataclass

from pytest_agentops import tool


@dataclass
class Order:
    order_id: str
    status: str
    total_usd: float
    email: str


@tool("orders.get", effect="read", tier=0)
def get_order(order_id: str) -> Order:
    """Look up an order."""
    return Order(order_id, "delivered", 30.5, "ann@example.org")


@tool("payments.refund", effect="write", tier=3, cost_usd="0.02")
def refund(order_id: str, amount_usd: float) -> dict[str, str]:
    """Pay money back."""
    return {"receipt": f"R-{order_id}"}


@tool("email.send", effect="irreversible", tier=2)
def send(to: str, body: str) -> None:
    """Send a mail."""


TOOLS = [get_order, refund, send]
'''

AGENT = """\
def agent(task, tools):
    number = task.text.split()[-1]
    order = tools.call("orders.get", order_id=number)
    paid = tools.call("payments.refund", order_id=number, amount_usd=order["total_usd"])
    tools.call("email.send", to=order["email"], body=f"Your receipt is {paid['receipt']}.")
    return f"I have refunded {number}."
"""

HEAD = """\
version: 1
suite: {suite}
agent: ./agent.py:agent
tools: ./tools.py:TOOLS
cases:
"""

CASE = """\
  - id: case_{i:05d}
    description: A delivered order is refunded and the customer gets a mail.
    tags: [refund]
    context:
      environment: staging
      customer_tier: standard
    task: Please refund order W-{i:05d}
    expect:
      calls:
        order: in_order
        extra: forbid
        include:
          - orders.get:
              order_id: W-{i:05d}
          - payments.refund:
              order_id: W-{i:05d}
              amount_usd: {{$gt: 0, $le: 50}}
          - email.send
        never:
          - orders.delete
        count:
          payments.refund: 1
          "*": {{max: 6}}
      output:
        contains: W-{i:05d}
        not_contains: sorry
      steps:
        max: 8
      cost:
        usd: {{max: 0.05}}
"""

INI = "[pytest]\n"


def noop(folder: Path, n: int) -> Path:
    """A project with one parametrized test of `n` points that does nothing."""
    folder.mkdir(parents=True)
    (folder / "pytest.ini").write_text(INI)
    (folder / "test_noop.py").write_text(NOOP.format(n=n))
    return folder


def cases(folder: Path, n: int, layout: Layout) -> Path:
    """A project with `n` cases and their recordings; one is recorded by the plugin, the others are its copies."""
    first = _project(folder / "recorded", 1, layout)
    record(first)
    (recording,) = (first / "cassettes").glob("*/*/tools.yaml")
    text = recording.read_text(encoding="utf-8")
    project = _project(folder / "replayed", n, layout)
    for i in range(n):
        target = project / "cassettes" / _suite(layout, i) / f"case_{i:05d}" / "tools.yaml"
        target.parent.mkdir(parents=True)
        target.write_text(text.replace("_00000", f"_{i:05d}").replace("W-00000", f"W-{i:05d}"), encoding="utf-8")
    shutil.rmtree(first)
    return project


def _suite(layout: Layout, i: int) -> str:
    return f"suite_{i:05d}" if layout == "files" else "suite"


def _project(folder: Path, n: int, layout: Layout) -> Path:
    suites = folder / "cases"
    suites.mkdir(parents=True)
    (folder / "pytest.ini").write_text(INI)
    (suites / "agent.py").write_text(AGENT)
    (suites / "tools.py").write_text(TOOLS)
    if layout == "one":
        text = HEAD.format(suite="suite") + "".join(CASE.format(i=i) for i in range(n))
        (suites / "suite.yaml").write_text(text)
    else:
        for i in range(n):
            (suites / f"suite_{i:05d}.yaml").write_text(HEAD.format(suite=_suite(layout, i)) + CASE.format(i=i))
    return folder


def record(project: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "pytest_agentops.plugin", "--agent-evals"]
    done = subprocess.run(
        [*command, "--agent-record=once", "--agent-allow-live"],
        cwd=project,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"recording the first case failed:\n{done.stdout}{done.stderr}")


def environment() -> dict[str, str]:
    """The environment of everything that is measured: no plugin but those that are named with -p, and an ordinary interpreter."""
    odd = {"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONDEVMODE", "PYTHONASYNCIODEBUG", "PYTHONMALLOC", "PYTHONHASHSEED"}
    kept = {name: value for name, value in os.environ.items() if name not in odd}
    return {**kept, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
