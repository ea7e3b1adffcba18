"""What a run cost, in parts: with real clients, recorded and replayed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ..servers.protocol import ProtocolServer, call, say, use_tools
from .test_model_layer import SCRIPT, chatting, client

PRICES = {"gpt-*": {"input_usd_per_million": 10, "output_usd_per_million": "100"}}


def asks(url: str, times: int) -> Any:
    """An agent that sends one and the same request again and again."""

    def agent(task: Any, tools: Any) -> str:
        with client(url) as ai:
            for _ in range(times):
                ai.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": task.text}])
        return "done"

    return agent


def test_prices_of_the_suite_hold_for_a_server_of_ones_own(lab: Any, shop: Any) -> None:
    with ProtocolServer(SCRIPT) as server:
        live = lab.record(chatting(server.url), shop, prices=PRICES)
        replayed = lab.run(chatting(server.url), shop, prices=PRICES)
    usage = live.usage
    cost = (usage.input * Decimal(10) + usage.output * Decimal(100)) / 1_000_000
    for run in (live, replayed):
        model = cost
        assert run.costs["models"] == {"gpt-4o-mini": format(model.normalize(), "f")}
        assert run.cost_usd == model + sum((Decimal(usd) for usd in run.costs.get("tools", {}).values()), Decimal(0))
        assert run.as_json()["costs"] == run.costs
    assert lab.run(chatting(server.url), shop).costs["models"] == {"gpt-4o-mini": None}, "and without it nobody knows"


def test_a_request_that_is_billed_again_is_told(lab: Any) -> None:
    with ProtocolServer([say("a"), say("b"), say("c")]) as server:
        live = lab.record(asks(server.url, 3), prices=PRICES)
    replayed = lab.run(asks(server.url, 3), prices=PRICES)
    for run in (live, replayed):
        assert run.success, run.problems
        total = Decimal(run.costs["models"]["gpt-4o-mini"])
        assert Decimal(run.costs["retries"]) * 3 == total * 2


def test_the_later_rounds_of_a_loop_are_told(lab: Any, shop: Any) -> None:
    look = use_tools(call("orders__get", order_id="W-1"))
    with ProtocolServer([look, look, look, say("done")]) as server:
        run = lab.record(chatting(server.url), shop, prices=PRICES)
    assert "loop" in run.detected
    assert 0 < Decimal(run.costs["loops"]) < Decimal(run.costs["models"]["gpt-4o-mini"])
    assert "retries" not in run.costs, "each request has more of the conversation"
