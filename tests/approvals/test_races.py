"""Many calls at once: one approval lets one of them through."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from pytest_agentops.approvals.desk import Desk
from pytest_agentops.approvals.request import Approval, ApprovalRefused, Terms
from pytest_agentops.approvals.scripted import Script

from .desks import Clock, desk, refund, says

ONE = Terms.of("support_manager")


class SlowSet(set[str]):
    """Gives other threads their chance between the question and the act."""

    def __contains__(self, item: object) -> bool:
        found = super().__contains__(item)
        time.sleep(0.005)
        return found


class SlowDict(dict[str, Any]):
    def items(self) -> Any:
        time.sleep(0.005)
        return super().items()


def test_of_calls_racing_for_one_approval_one_wins() -> None:
    for _ in range(3):
        place = desk(says())
        place._spent = SlowSet()
        approval = place.ask(refund(), ONE).approval
        assert approval is not None
        start = Barrier(8)

        def run(place: Desk = place, approval: Approval = approval, start: Barrier = start) -> bool:
            start.wait()
            try:
                place.spend(approval, refund())
            except ApprovalRefused:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            wins = [f.result() for f in [pool.submit(run) for _ in range(8)]]
        assert wins.count(True) == 1


def test_of_calls_racing_for_one_scripted_answer_one_gets_it() -> None:
    script = Script([says(args=SlowDict(amount_usd=120))])
    place, start = Desk([script], clock=Clock()), Barrier(8)

    def run(_: int) -> str:
        start.wait()
        return place.ask(refund(), ONE).kind

    with ThreadPoolExecutor(8) as pool:
        kinds = list(pool.map(run, range(8)))
    assert sorted(kinds) == ["approved"] + ["unanswered"] * 7
    assert script.unused() == []


def test_requests_have_names_of_their_own() -> None:
    place = desk(*[says() for _ in range(40)])
    with ThreadPoolExecutor(8) as pool:
        ids = {o.request.id for o in pool.map(lambda _: place.ask(refund(), ONE), range(40))}
    assert len(ids) == 40
