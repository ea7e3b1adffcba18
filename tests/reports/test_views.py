"""The table, the JUnit properties and the frame."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pytest_agentops.reports.frame import COLUMNS, load_results
from pytest_agentops.reports.junit import properties
from pytest_agentops.reports.results import Results
from pytest_agentops.reports.table import table
from pytest_agentops.schema.call import Call, ErrorInfo
from pytest_agentops.schema.run import Problem, Run, Usage
from pytest_agentops.schema.values import JsonObject, dumps
from pytest_agentops.schema.verdict import CheckResult, Metrics
from pytest_agentops.scoring.metrics import Tally

RUNS = [
    Run(
        trial=1,
        success=True,
        output={"a": 1},
        cost_usd=Decimal("0.10"),
        usage=Usage(input=10, output=2),
        model_steps=2,
        calls=[Call(tool="t", args={}, source="replay")],
        events=".agentops/runs/s/a.jsonl",
        duration_s=0.5,
    ),
    Run(
        trial=2,
        outcome="error",
        output="no",
        calls=[Call(tool="t", args={}, decision="deny", reason="rule", error=ErrorInfo(type="x"))],
        checks=[CheckResult(name="outcome", passed=False), CheckResult(name="state", passed=True)],
        problems=[Problem(kind="miss", text="a miss", data={"reason": "exhausted"})],
        labels=["racy"],
    ),
]


def case(runs: list[Run], **more: Any) -> JsonObject:
    head = {
        "id": "s/a",
        "suite": "s",
        "variant": None,
        "status": "failed",
        "file": "cases/s/s.yaml",
        "line": 3,
        "tags": ["x", "y"],
    }
    return {**head, "trials": [run.as_json() for run in runs], **more}


def results(path: Path, *cases: JsonObject, metrics: JsonObject | None = None) -> Path:
    with Results() as out:
        for one in cases:
            out.add(dumps(one))
        out.write(path, mode="replay", verdict="fail", metrics=metrics or {}, suites={}, selection="all")
    return path


def test_table() -> None:
    shop = Metrics(
        runs=12,
        successes=11,
        task_success_rate=0.916667,
        cost_usd="0.123456",
        cost_per_success_usd="0.011223272727",
        intervention_rate=0.25,
        policy_blocks=0,
        tool_calls=1234,
        tokens={"input": 12000, "output": 345},
        pass_hat_k={"1": 0.9, "2": 0.81, "10": 0.5},
    )
    none = Metrics(runs=2, task_success_rate=0.0, cost_usd="0", tool_calls=0)
    assert table({"shop": shop.as_json(), "b": none.as_json()}, shop.as_json()).splitlines() == [
        "suite              success       pass^k    cost/success    interventions    policy blocks     cost    tokens    calls",
        "----------  --------------  -----------  --------------  ---------------  ---------------  -------  --------  -------",
        "b                0 % (0/2)            -               -                -                -       $0   unknown        0",
        "shop        91.7 % (11/12)  50 % (k=10)        $0.01122             25 %                0  $0.1235    12 345    1 234",
        "all suites  91.7 % (11/12)  50 % (k=10)        $0.01122             25 %                0  $0.1235    12 345    1 234",
    ]


def test_one_suite_needs_no_sum_and_no_k() -> None:
    one = Metrics(runs=1, successes=1, task_success_rate=1.0, pass_hat_k={"1": 1.0}).as_json()
    text = table({"s": one}, one)
    assert "all suites" not in text
    assert "pass^k" not in text
    assert "100 % (1/1)" in text
    assert "unknown" in text, "an unknown cost is never shown as 0"


@pytest.mark.parametrize(
    ("successes", "runs", "shown"), [(9999, 10000, "99.9 %"), (1, 10000, "0.1 %"), (10000, 10000, "100 %"), (0, 5, "0 %")]
)
def test_nearly_all_is_not_all(successes: int, runs: int, shown: str) -> None:
    metrics = Metrics(runs=runs, successes=successes, task_success_rate=round(successes / runs, 6)).as_json()
    assert f" {shown} (" in table({"s": metrics}, metrics)


@pytest.mark.parametrize(
    ("money", "shown"), [("12.5", "$12.50"), ("1234.5678", "$1234.57"), ("0.000012345", "$0.00001234"), ("0.1", "$0.1000")]
)
def test_money_shows_what_counts(money: str, shown: str) -> None:
    metrics = Metrics(runs=1, cost_usd=money).as_json()
    assert f" {shown} " in table({"s": metrics}, metrics)


def test_junit_properties() -> None:
    assert dict(properties(case(RUNS[:1], status="passed"))) == {
        "agentops.case": "s/a",
        "agentops.suite": "s",
        "agentops.file": "cases/s/s.yaml",
        "agentops.line": "3",
        "agentops.status": "passed",
        "agentops.mode": "replay",
        "agentops.outcome": "completed",
        "agentops.trials": "1",
        "agentops.successes": "1",
        "agentops.cost_usd": "0.1",
        "agentops.tokens_input": "10",
        "agentops.tokens_output": "2",
        "agentops.steps": "2",
        "agentops.tool_calls": "1",
        "agentops.interventions": "0",
        "agentops.policy_blocks": "0",
        "agentops.events": ".agentops/runs/s/a.jsonl",
    }


def test_junit_leaves_out_what_is_unknown() -> None:
    found = dict(properties(case(RUNS)))
    assert "agentops.cost_usd" not in found, "one trial's cost is unknown, so is the sum"
    assert "agentops.tokens_input" not in found
    assert found["agentops.outcome"] == "completed,error"
    assert found["agentops.failed_checks"] == "outcome"
    assert found["agentops.labels"] == "racy"


def test_junit_counts_what_a_stage_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tally, "metrics", lambda self: Metrics(runs=self.runs, interventions=0, policy_blocks=self.tool_calls))
    found = dict(properties(case(RUNS)))
    assert (found["agentops.interventions"], found["agentops.policy_blocks"]) == ("0", "2")


def test_a_skipped_case_has_properties_too() -> None:
    found = dict(properties({"id": "s/a", "status": "skipped", "trials": []}))
    assert found["agentops.trials"] == "0"
    assert "agentops.cost_usd" not in found


def test_frame(tmp_path: Path) -> None:
    skipped = case([], id="s/b", status="skipped")
    frame = load_results(results(tmp_path / "r.json", case(RUNS), case(RUNS[:1], variant="v"), skipped))
    assert list(frame.columns) == list(COLUMNS)
    assert frame["trial"].tolist() == [1, 2, 1]
    assert frame["variant"].isna().tolist() == [True, True, False]
    assert frame["success"].sum() == 2
    assert frame["cost_usd"].sum() == pytest.approx(0.2)
    assert frame["cost_usd"].isna().tolist() == [False, True, False]
    second = frame.iloc[1]
    assert second["failed_checks"] == "outcome"
    assert second["missed"]
    assert frame["policy_blocks"].tolist() == [0, 1, 0]
    assert frame["interventions"].tolist() == [0, 0, 0]
    assert second["output"] == "no"
    assert frame.iloc[0]["output"] == '{"a":1}'
    assert frame.iloc[0]["tags"] == "x y"


def test_what_an_older_file_does_not_tell_is_unknown_and_not_0(tmp_path: Path) -> None:
    old = case(RUNS)
    for run in old["trials"]:
        del run["policy_blocks"], run["interventions"]
    frame = load_results(results(tmp_path / "r.json", old))
    assert frame["policy_blocks"].isna().all()
    assert frame["interventions"].isna().all()


def test_frame_without_rows_keeps_its_types(tmp_path: Path) -> None:
    frame = load_results(results(tmp_path / "r.json"))
    assert len(frame) == 0
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == {**COLUMNS}
