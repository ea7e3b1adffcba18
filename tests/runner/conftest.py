"""A place to run single trials in: a case from words, tools from functions, recordings in a folder of the test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_agentops import Toolbox
from pytest_agentops.loading.build import build
from pytest_agentops.loading.suite import case_from
from pytest_agentops.runner.run import Trial, run_trial
from pytest_agentops.schema.case import Case, ContractSpec
from pytest_agentops.schema.run import Problem, Run
from pytest_agentops.scoring.judge import judge
from pytest_agentops.tape.cassette import ToolsCassette, read
from pytest_agentops.tape.model.exchange import ModelCassette
from pytest_agentops.tape.model.file import read as read_model


def make_toolbox(tools: Any, case: Case) -> Toolbox:
    """A toolbox, a list of tools, or a factory of one of them; then what the contracts say."""
    made = tools() if callable(tools) else tools
    box = made if isinstance(made, Toolbox) else Toolbox(made)
    return box.with_contracts(case.contracts) if case.contracts else box


class Lab:
    """Runs and judges trials of one case."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "cassettes"
        self.folder = self.root / "lab" / "one"
        self.tape = self.folder / "tools.yaml"

    def run(
        self,
        agent: Callable[..., Any],
        tools: Any = (),
        *,
        mode: str = "replay",
        record: str = "none",
        enforce: bool = True,
        contracts: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> Run:
        fields.setdefault("task", "do it")
        if "turns" in fields:
            del fields["task"]
        case = case_from(fields, id="one", suite="lab", file="lab.yaml", line=1)
        if contracts:
            case = replace(case, contracts={name: build(ContractSpec, spec) for name, spec in contracts.items()})
        trial = Trial(
            case=case,
            number=1,
            agent=agent,
            make_toolbox=lambda: make_toolbox(tools, case),
            mode=mode,  # type: ignore[arg-type]
            record=record,  # type: ignore[arg-type]
            cassettes=self.root,
            enforce_contracts=enforce,
        )
        run = run_trial(trial)
        judge(run, case, python={})
        return run

    def record(self, agent: Callable[..., Any], tools: Any = (), **fields: Any) -> Run:
        return self.run(agent, tools, record="all", **fields)

    @property
    def cassette(self) -> ToolsCassette:
        return read(self.tape)

    @property
    def model_cassette(self) -> ModelCassette:
        return read_model(self.folder / "model.yaml")

    def kinds(self, run: Run) -> list[str]:
        return [problem.kind for problem in run.problems]

    def problem(self, run: Run, kind: str) -> Problem:
        found = [p for p in run.problems if p.kind == kind]
        assert found, f"no {kind} in {run.problems}"
        return found[0]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


@pytest.fixture
def tripped() -> list[str]:
    """What a tool writes to when its body runs."""
    return []


@pytest.fixture
def shop(tripped: list[str]) -> Callable[[], Toolbox]:
    """A factory of a small world with a read, a write and a state."""
    return lambda: make_shop(tripped)


def make_shop(tripped: list[str], orders: Mapping[str, str] | None = None) -> Toolbox:
    from pytest_agentops import tool

    world = dict(orders or {"W-1": "open", "W-2": "open"})

    @tool("orders.get", effect="read")
    def get(order_id: str) -> dict[str, str]:
        tripped.append(f"get {order_id}")
        return {"id": order_id, "status": world[order_id]}

    @tool("orders.set", effect="write", cost_usd="0.01")
    def change(order_id: str, status: str = "closed") -> str:
        tripped.append(f"set {order_id}")
        world[order_id] = status
        return status

    return Toolbox([get, change], state=lambda: dict(world))
