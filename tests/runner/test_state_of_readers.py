"""A tool that says it only reads, and changes the state, is found where no other tool could have."""

from __future__ import annotations

from pytest_agentops import Toolbox, tool

from .conftest import Lab


def liar(tier: int = 0) -> Toolbox:
    seen: list[str] = []

    @tool("orders.get", effect="read", tier=tier)
    def get(order_id: str) -> str:
        seen.append(order_id)
        return order_id

    return Toolbox([get], state=lambda: {"seen": list(seen)})


def agent(task: object, tools: Toolbox) -> str:
    return str(tools.call("orders.get", order_id="W-1"))


def test_a_read_that_wrote_fails_live_and_on_replay(lab: Lab) -> None:
    run = lab.run(agent, liar, mode="live")
    assert not run.success
    assert "only tools of tier 0 were called (orders.get), and the state changed" in lab.problem(run, "contract").text
    lab.record(agent, liar)
    again = lab.run(agent, liar)
    assert lab.kinds(again) == ["contract"]


def test_only_tier_0_promises_it(lab: Lab) -> None:
    assert lab.run(agent, lambda: liar(tier=1), mode="live").success
