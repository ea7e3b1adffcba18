from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_agentops.loading.build import build
from pytest_agentops.schema.call import Call
from pytest_agentops.schema.case import Case, CaseFields
from pytest_agentops.schema.run import Run, State
from pytest_agentops.schema.verdict import CheckResult
from pytest_agentops.scoring.judge import judge


@pytest.fixture
def make_case() -> Callable[..., Case]:
    """A case from what stands under it in YAML."""

    def make(**fields: Any) -> Case:
        lines = {f"expect.{key}": 10 + i for i, key in enumerate(fields.get("expect") or {})}
        more = fields.pop("more_checks", {})
        return Case(
            id="refund",
            suite="shop",
            variant=None,
            file="cases/shop.yaml",
            line=7,
            fields=build(CaseFields, fields),
            lines=lines,
            more_checks=more,
        )

    return make


@pytest.fixture
def made() -> Callable[..., Call]:
    """A call that reached its tool."""

    def make(tool: str, /, **args: Any) -> Call:
        return Call(tool=tool, args=args, sent=args, source="replay")

    return make


@pytest.fixture
def check(make_case: Callable[..., Case]) -> Callable[..., CheckResult]:
    """The result of the one check under `expect`, on a run with the given fields."""

    def one(key: str, wanted: Any, *, python: Any = None, case: Any = None, **run: Any) -> CheckResult:
        if "after" in run:
            run["state"] = State(before=run.pop("before", {}), after=run.pop("after"), known=True, why="")
        the_run = Run(**run)
        judge(the_run, make_case(expect={key: wanted}, **(case or {})), python=python)
        return next(result for result in the_run.checks if result.name == key)

    return one
