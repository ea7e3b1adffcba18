"""What a trial leaves in memory: thousands of them run in one process."""

from __future__ import annotations

import gc
import weakref


def test_a_replay_that_is_over_is_freed_without_the_cyclic_collector(lab, shop, monkeypatch) -> None:
    monkeypatch.setattr("pytest_agentops.runner.prepare._CLIENTS", ())  # vcrpy's patches hold what they caught
    seen = []

    def agent(task, tools):
        seen.append(weakref.ref(tools.caller))
        return tools.call("orders.get", order_id="W-1")["id"]

    lab.record(agent, shop)
    gc.collect()
    gc.disable()
    try:
        run = lab.run(agent, shop)
        assert seen[-1]() is None
    finally:
        gc.enable()
    assert run.success
