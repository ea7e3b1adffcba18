"""When the guard stops a call that the recorded run made, the replay is another run: labelled, state unknown, nothing unused."""

from __future__ import annotations

from pytest_agentops import BudgetExceeded, ToolBlocked, Toolbox, tool


def closes_both(task, tools):
    for order in ("W-1", "W-2"):
        try:
            tools.call("orders.set", order_id=order)
        except (ToolBlocked, BudgetExceeded):
            return "stopped"
        tools.call("orders.get", order_id=order)
    return "done"


STRICT = {
    "orders.set": {
        "parameters": {
            "type": "object",
            "properties": {"order_id": {"enum": ["W-1"]}, "status": {"type": "string", "default": "closed"}},
            "required": ["order_id"],
        }
    }
}


def test_a_schema_that_became_stricter(lab, shop) -> None:
    lab.record(closes_both, shop)
    run = lab.run(closes_both, shop, contracts=STRICT, expect={"changed_only": ["$.*"]})
    assert run.output == "stopped"
    assert run.labels == ["counterfactual"]
    assert not run.state.known
    assert "stopped a call" in run.state.why
    assert lab.kinds(run) == ["cassette"], "that the recording no longer fits is said, and nothing is called unused"
    assert "no longer fits" in run.problems[0].text


def test_a_budget_that_became_smaller(lab, shop) -> None:
    lab.record(closes_both, shop)
    run = lab.run(closes_both, shop, budget={"tool_calls": 2}, expect={"outcome": "budget_exceeded"})
    assert run.success
    assert run.labels == ["counterfactual"]
    assert not run.state.known


def test_a_call_that_was_never_recorded_makes_no_other_run(lab, shop) -> None:
    def agent(task, tools):
        tools.attempt("orders.gett")
        return tools.call("orders.get", order_id="W-1")["id"]

    lab.record(agent, shop)
    run = lab.run(agent, shop)
    assert run.success
    assert run.labels == []


def test_after_it_the_state_rule_is_off(lab, shop) -> None:
    def agent(task, tools):
        tools.attempt("orders.set", {"order_id": "W-2"})
        return tools.attempt("orders.get", {"order_id": "W-1"}).ok

    lab.record(agent, shop)
    assert lab.run(agent, shop, contracts=STRICT).output is True


def test_a_tool_that_is_gone(lab, shop, tripped) -> None:
    lab.record(closes_both, shop)

    @tool("orders.get", effect="read")
    def get(order_id: str) -> dict[str, str]:
        raise AssertionError("a tool ran in replay")

    def reads_only(task, tools):
        return "done"

    for replay in ({"unused": "error"}, {"unused": "ignore"}):
        run = lab.run(reads_only, [get], replay=replay, expect={"changed_only": []})
        assert "unused" in lab.kinds(run), "an unplayed call of a tool that is gone may have been a write"
        assert not run.state.known
        assert "orders.set" in run.state.why
        assert any("the tool is gone" in sentence for sentence in run.stale)
    run = lab.run(closes_both, [get])
    assert run.output == "stopped"
    assert "tool_unknown" in [c.reason for c in run.calls]


def test_a_write_that_was_not_made_in_time_is_unused(lab, shop) -> None:
    lab.record(closes_both, shop)

    def hangs(task, tools):
        tools.call("orders.set", order_id="W-1")
        while True:
            pass

    run = lab.run(hangs, shop, budget={"seconds": 0.1}, expect={"outcome": "timed_out"})
    assert not run.success, "the recorded run closed W-2 too"
    assert lab.kinds(run) == ["unused"]
    assert run.labels == ["counterfactual"]
    assert not run.state.known


def test_a_miss_tells_of_the_stop_before_it(lab, shop) -> None:
    lab.record(closes_both, shop)

    @tool("kb.search", effect="read")
    def search() -> str:
        return "nothing"

    def agent(task, tools):
        tools.attempt("orders.set", {"order_id": 5})
        return tools.call("kb.search")

    run = lab.run(agent, lambda: Toolbox.union([shop(), Toolbox([search])]))
    text = lab.problem(run, "miss").text
    assert "in this run the guard stopped orders.set (schema_invalid)" in text
    assert "the tool is new" not in text
