"""Helpers of the policy tests: policies from text, requests with everything in place."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from pytest_agentops.policy.binding import Policies, bind
from pytest_agentops.policy.decide import evaluate
from pytest_agentops.policy.files import load_text
from pytest_agentops.policy.model import Policy
from pytest_agentops.policy.standing import Standing
from pytest_agentops.schema.case import Principal
from pytest_agentops.schema.contract import Contract
from pytest_agentops.schema.policy import Decision, Request

from ..founding import FOUNDING

__all__ = ["FOUNDING"]

NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)  # a Monday


def contract(name: str = "payments.refund", **fields: Any) -> Contract:
    schema = {"type": "object", "properties": {"amount_usd": {"type": "number"}, "note": {}, "on": {}}}
    return Contract(**({"name": name, "tier": 3, "effect": "write", "parameters": schema} | fields))


def request(args: dict[str, Any] | None = None, **fields: Any) -> Request:
    given: dict[str, Any] = {
        "tool": "payments.refund",
        "args": args or {},
        "principal": Principal(id="bot", roles=("support",), scopes=("orders:read",)),
        "now": NOON,
        "able": frozenset(["redact", "retain"]),
    }
    return Request(**(given | fields))


def policies_of(*texts: str) -> list[Policy]:
    return [policy for i, text in enumerate(texts) for policy in load_text(text, file=f"p{i}.yaml").policies]


def rules(*lines: str, tool: str = "payments.refund", more: str = "") -> str:
    """A policy file with these rules, one a line."""
    head = f'version: 1\npolicy:\n  tool: "{tool}"\n' + "".join(f"  {line}\n" for line in more.splitlines())
    return head + "  rules:\n" + "".join(f"    - {line}\n" for line in lines)


def bound(*texts: str, **fields: Any) -> Policies:
    made = contract(**fields)
    return bind(policies_of(*texts), {made.name: made})


@pytest.fixture
def ask() -> Callable[..., Decision]:
    """Decide by the policies in these texts, without the net that catches faults of the evaluator."""

    def ask(texts: str | tuple[str, ...], asked: Request, **fields: Any) -> Decision:
        return evaluate(bound(*([texts] if isinstance(texts, str) else texts), **fields), asked)

    return ask


def standing(policies: Iterable[Policy]) -> Standing:
    """Policies at the places that their files are called by."""
    files: dict[str, tuple[Policy, ...]] = {}
    for policy in policies:
        files[policy.file] = (*files.get(policy.file, ()), policy)
    return Standing(files=files)
