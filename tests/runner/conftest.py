"""A place to run single trials in: a case from words, tools from functions, recordings in a folder of the test."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pytest_agentops import Toolbox
from pytest_agentops.approvals.request import Approver
from pytest_agentops.audit.log import AuditLog
from pytest_agentops.loading.build import build
from pytest_agentops.loading.suite import case_from
from pytest_agentops.policy.files import load_text
from pytest_agentops.runner.ledger import Ledger
from pytest_agentops.runner.run import Trial, run_trial
from pytest_agentops.schema.case import Case, ContractSpec
from pytest_agentops.schema.prices import ModelPrice
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
        self.logs = folder / "audit"
        self.log: AuditLog | None = None

    def audit(self, **options: Any) -> AuditLog:
        """A log of its own for the trials that get it as `audit`."""
        self.log = AuditLog(self.logs, "main", run_id="r", **options)
        return self.log

    @property
    def records(self) -> list[dict[str, Any]]:
        """What the log tells so far."""
        return [json.loads(line) for line in (self.logs / "main.jsonl").read_text().splitlines()]

    def run(
        self,
        agent: Callable[..., Any],
        tools: Any = (),
        *,
        mode: str = "replay",
        record: str = "none",
        enforce: bool = True,
        contracts: Mapping[str, Any] | None = None,
        policy: str | Sequence[str] = (),
        audit: AuditLog | None = None,
        person: Approver | None = None,
        ledger: Ledger | None = None,
        number: int = 1,
        variant: str | None = None,
        prices: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> Run:
        """`policy` are policy files as text; `person` is who sits at the terminal."""
        fields.setdefault("task", "do it")
        if "turns" in fields:
            del fields["task"]
        case = replace(case_from(fields, id="one", suite="lab", file="lab.yaml", line=1), variant=variant)
        if contracts:
            case = replace(case, contracts={name: build(ContractSpec, spec) for name, spec in contracts.items()})
        if prices:
            case = replace(case, prices={name: build(ModelPrice, price) for name, price in prices.items()})
        trial = Trial(
            case=case,
            number=number,
            agent=agent,
            make_toolbox=lambda: make_toolbox(tools, case),
            mode=mode,  # type: ignore[arg-type]
            record=record,  # type: ignore[arg-type]
            cassettes=self.root,
            enforce_contracts=enforce,
            policies=tuple(load_text(text, file=f"p{i}.yaml") for i, text in enumerate(_each(policy))),
            audit=audit,
            terminal=lambda: person,
            ledger=ledger,
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


def _each(policy: str | Sequence[str]) -> Sequence[str]:
    return (policy,) if isinstance(policy, str) else policy


def rules(*lines: str, tool: str = "pay.refund", more: str = "") -> str:
    """A policy file with these rules, one a line; `more` are other keys of the policy."""
    head = f'version: 1\npolicy:\n  id: p\n  tool: "{tool}"\n' + "".join(f"  {line}\n" for line in more.splitlines())
    return head + ("  rules:\n" + "".join(f"    - {line}\n" for line in lines) if lines else "")


def refunds(*amounts: Any, **more: Any) -> Callable[..., Any]:
    """An agent that asks for these refunds one after the other, and says of each what came of it."""

    def agent(task: Any, tools: Toolbox) -> list[str]:
        out = []
        for amount in amounts:
            got = tools.attempt("pay.refund", {"amount_usd": amount, **more})
            out.append("paid" if got.ok else got.error["reason"])
        return out

    return agent


def racing(times: int, amount: int) -> Callable[..., Any]:
    """An agent that asks for one refund from so many threads at once."""

    def agent(task: Any, tools: Toolbox) -> None:
        start = threading.Barrier(times)

        def one() -> None:
            start.wait()
            tools.attempt("pay.refund", {"amount_usd": amount})

        threads = [threading.Thread(target=one) for _ in range(times)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return agent


class Bank:
    """Tools that move money, and what they really did."""

    def __init__(self) -> None:
        self.paid: list[Any] = []
        self.dry: list[Any] = []

    def __call__(self, **declared: Any) -> Toolbox:
        """A toolbox; `declared` is what the decorator of `pay.refund` is told (a write of tier 3)."""
        from pytest_agentops import tool

        def dry_run(amount_usd: Decimal, card: str = "", key: str = "") -> dict[str, str]:
            self.dry.append(amount_usd)
            return {"would_pay": str(amount_usd)}

        words: dict[str, Any] = {"effect": "write", "tier": 3, "dry_run": dry_run, **declared}

        @tool("pay.refund", **words)
        def refund(amount_usd: Decimal, card: str = "", key: str = "") -> dict[str, str]:
            self.paid.append(amount_usd)
            return {"paid": str(amount_usd), "card": card}

        @tool("pay.look", effect="read", tier=0)
        def look(order_id: str = "W-1") -> str:
            return order_id

        self.refund, self.look = refund, look
        return Toolbox([refund, look])


@pytest.fixture
def bank() -> Bank:
    return Bank()


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
