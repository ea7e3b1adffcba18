"""Calls, people and clocks for the tests of approvals."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pytest_agentops.approvals.action import Action
from pytest_agentops.approvals.desk import Desk
from pytest_agentops.approvals.request import Answer, Request, Source
from pytest_agentops.approvals.scripted import Script
from pytest_agentops.schema.case import ScriptedApproval

NOON = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> dt.datetime:
        return self.now

    def move(self, minutes: float) -> None:
        self.now += dt.timedelta(minutes=minutes)


def refund(**args: Any) -> Action:
    return Action(
        tool="payments.refund",
        args={"order_id": "W-1", "amount_usd": 120, **args},
        principal={"id": "support-bot", "on_behalf_of": "user:dana"},
        rule="refunds/3",
        trial="refunds/big#1",
    )


def says(
    decision: Any = "approve", by: str | None = "alice", role: str | None = "support_manager", **more: Any
) -> ScriptedApproval:
    return ScriptedApproval(tool=more.pop("tool", "payments.refund"), role=role, by=by, decision=decision, **more)


def desk(*entries: ScriptedApproval, clock: Clock | None = None, **options: Any) -> Desk:
    return Desk([Script(entries)], clock=clock or Clock(), **options)


class Says:
    """An approver in code, as a plugin could bring one."""

    source: Source = "terminal"

    def __init__(self, *answers: Answer | None, clock: Clock | None = None, minutes: float = 0) -> None:
        self.answers = list(answers)
        self.clock, self.minutes = clock, minutes
        self.asked: list[tuple[Request, str]] = []

    def answer(self, request: Request, role: str) -> Answer | None:
        self.asked.append((request, role))
        if self.clock is not None:
            self.clock.move(self.minutes)
        return self.answers.pop(0) if self.answers else None
