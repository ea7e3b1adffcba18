"""How a trial ends: the outcome, the sentence on why, and what is kept."""

from __future__ import annotations

import asyncio

import pytest

from pytest_agentops import BudgetExceeded, ToolBlocked, ToolError, ToolFailed, tool
from pytest_agentops.errors import CassetteMiss


def raising(task, tools):
    raise KeyError("lost")


async def araising(task, tools):
    await asyncio.sleep(0)
    raise KeyError("lost")


@pytest.mark.parametrize("agent", [raising, araising])
def test_an_agent_that_raises(agent, lab, shop) -> None:
    run = lab.run(agent, shop, mode="live")
    assert run.outcome == "error"
    assert run.stop == "the agent raised KeyError: 'lost'"
    assert "test_outcomes.py" in run.error
    assert "KeyError" in run.error
    assert not run.success
    assert lab.run(agent, shop, mode="live", expect={"outcome": "error"}).success


def test_what_an_agent_raises_holds_no_secret(lab, shop) -> None:
    def leak(task, tools):
        raise ValueError("the key is sk-abcdefghijklmnopqrstuvwx0123456789ABCDEF")

    run = lab.run(leak, shop, mode="live")
    assert "sk-abc" not in run.stop
    assert "sk-abc" not in run.error


@pytest.mark.parametrize(
    "error",
    [
        SystemExit(0),
        SystemExit(3),
        GeneratorExit(),
        pytest.skip.Exception("not today"),
        pytest.fail.Exception("x"),
        pytest.exit.Exception("bye"),
        pytest.exit.Exception("Quitting debugger", returncode=0),
    ],
)
def test_leaving_is_no_way_out(error, lab, shop) -> None:
    def leave(task, tools):
        raise error

    run = lab.run(leave, shop, mode="live")
    assert run.outcome == "error"
    assert type(error).__name__ in run.stop


@pytest.mark.parametrize("error", [KeyboardInterrupt(), pytest.exit.Exception("Quitting debugger")])
def test_ending_the_session_passes_and_closes_the_trial(error, lab, shop) -> None:
    kept = []

    def interrupted(task, tools):
        kept.append(tools)
        raise error

    with pytest.raises(type(error)):
        lab.run(interrupted, shop, mode="live")
    with pytest.raises(Exception, match="after the agent had returned"):
        kept[0].call("orders.get", order_id="W-1")


def test_a_block_that_is_not_caught(lab, shop, tripped) -> None:
    run = lab.run(lambda task, tools: tools.call("orders.get", order=1), shop, mode="live")
    assert run.outcome == "blocked"
    assert "do not fit" in run.stop
    assert tripped == []
    assert run.calls[0].decision == "invalid"
    assert run.calls[0].reason == "schema_invalid"
    assert lab.run(
        lambda task, tools: tools.call("orders.get", order=1), shop, mode="live", expect={"outcome": "blocked"}
    ).success


def test_an_unknown_tool_has_a_hint(lab, shop) -> None:
    caught: list[ToolError] = []

    def agent(task, tools):
        try:
            tools.call("orders.gett", order_id="W-1")
        except ToolBlocked as error:
            caught.append(error)

    run = lab.run(agent, shop, mode="live")
    assert run.success
    assert "did you mean 'orders.get'?" in caught[0].message
    assert "orders.get, orders.set" in caught[0].message
    assert run.calls[0].reason == caught[0].reason == "tool_unknown"


def test_arguments_that_are_no_json(lab, shop, tripped) -> None:
    run = lab.run(lambda task, tools: tools.call("orders.get", order_id=object()), shop, mode="live")
    assert run.outcome == "blocked"
    assert run.calls[0].reason == "schema_invalid"
    assert tripped == []


def test_a_tool_error_that_is_not_caught(lab, shop) -> None:
    run = lab.run(lambda task, tools: tools.call("orders.get", order_id="W-9"), shop, mode="live")
    assert run.outcome == "error"
    assert run.stop == "the agent did not catch the error of orders.get: KeyError: 'W-9'"
    assert run.calls[0].error.type == "KeyError"
    assert run.calls[0].reason == "tool_failed"


class Busy(Exception):
    retryable = True


def test_errors_are_values_and_retryable_ones_are_retried_alike(lab) -> None:
    left = [2]

    @tool("bank", effect="read")
    def bank() -> str:
        left[0] -= 1
        if left[0] >= 0:
            raise Busy(f"{left[0]} more")
        return "done"

    def agent(task, tools):
        for _ in range(5):
            result = tools.attempt("bank")
            if result.ok:
                return result.value
            assert isinstance(result.exception, ToolFailed)
            assert result.exception.error.type == "Busy"
            assert result.exception.error.retryable
            assert result.error["reason"] == "tool_failed"
        return "gave up"

    recorded = lab.record(agent, [bank])
    assert recorded.output == "done"
    assert [c.error.message if c.error else None for c in lab.cassette.calls] == ["1 more", "0 more", None]
    replayed = lab.run(agent, [bank])
    assert replayed.success
    assert replayed.output == "done"
    assert [c.as_json() | {"source": 0} for c in replayed.calls] == [c.as_json() | {"source": 0} for c in recorded.calls]


def test_what_a_task_group_wraps_is_still_ours(lab, shop) -> None:
    async def grouped(task, tools):
        async with asyncio.TaskGroup() as group:
            group.create_task(tools.acall("orders.gett"))

    assert lab.run(grouped, shop, mode="live").outcome == "blocked"

    async def two(task, tools):
        async def other():
            raise KeyError("other")

        async with asyncio.TaskGroup() as group:
            group.create_task(tools.acall("orders.gett"))
            group.create_task(other())

    assert lab.run(two, shop, mode="live").outcome == "blocked"

    async def strange(task, tools):
        raise ExceptionGroup("both", [KeyError("a"), ValueError("b")])

    run = lab.run(strange, shop, mode="live")
    assert run.outcome == "error"
    assert "ExceptionGroup: both" in run.stop


@pytest.mark.parametrize(("budget", "what"), [({"tool_calls": 2}, "tool_calls"), ({"steps": 2}, "steps")])
@pytest.mark.parametrize("swallow", [True, False])
def test_a_budget_is_latched(budget, what, swallow, lab, shop, tripped) -> None:
    def greedy(task, tools):
        for _ in range(5):
            try:
                tools.call("orders.get", order_id="W-1")
            except BudgetExceeded:
                if not swallow:
                    raise
        return "all fine"

    run = lab.run(greedy, shop, mode="live", budget=budget)
    assert run.outcome == "budget_exceeded"
    assert f"budget.{what}" in run.stop
    assert len(tripped) == 2
    assert [c.decision for c in run.calls[:3]] == ["allow", "allow", "budget"]
    assert run.calls[2].reason == "budget_exceeded"
    assert not run.success
    assert lab.run(greedy, shop, mode="live", budget=budget, expect={"outcome": "budget_exceeded"}).success


def test_a_model_counts_its_own_steps(lab, shop) -> None:
    def chatty(task, tools):
        for _ in range(3):
            task.session.answered()

    run = lab.run(chatty, shop, mode="live", budget={"steps": 2})
    assert run.outcome == "budget_exceeded"
    assert run.steps == 3

    def few_answers(task, tools):
        task.session.answered(model="m")
        for _ in range(4):
            tools.call("orders.get", order_id="W-1")

    assert lab.run(few_answers, shop, mode="live", budget={"steps": 2}).outcome == "completed"


def test_an_agent_may_say_how_it_ended(lab, shop) -> None:
    def cut_off(task, tools):
        task.session.finish("interrupted", "a person is asked")

    run = lab.run(cut_off, shop, mode="live", expect={"outcome": "interrupted"})
    assert run.success
    assert run.stop == "a person is asked"


@pytest.mark.parametrize("value", [None, "text", {"a": [1, 2.5]}, ["x"], 7])
def test_replies_of_all_kinds(value, lab, shop) -> None:
    run = lab.run(lambda task, tools: value, shop, mode="live")
    assert run.output == value
    assert run.said == ([value] if isinstance(value, str) else [])
    assert len(run.messages) == (1 if value is None else 2)


def test_a_reply_that_is_no_json(lab, shop) -> None:
    run = lab.run(lambda task, tools: object(), shop, mode="live")
    assert lab.kinds(run) == ["agent"]
    assert "return text, a JSON value, or None" in run.problems[0].text
    assert not run.success


def test_a_crash_leaves_the_good_recording_alone(lab, shop) -> None:
    lab.record(lambda task, tools: tools.call("orders.get", order_id="W-1")["id"], shop)
    before = lab.tape.read_bytes()

    def crash(task, tools):
        tools.call("orders.get", order_id="W-2")
        raise KeyError("x")

    run = lab.record(crash, shop)
    assert run.labels == ["not_recorded"]
    assert lab.tape.read_bytes() == before
    assert "W-2" in (lab.folder / "tools.partial.yaml").read_text()
    # a crash that the case asks for is a recording like another
    assert lab.record(crash, shop, expect={"outcome": "error"}).labels == ["recorded"]
    assert lab.run(crash, shop, expect={"outcome": "error"}).success


def test_an_expected_time_out_can_be_replayed(lab, shop) -> None:
    def slow(task, tools):
        tools.call("orders.get", order_id="W-1")
        while True:
            pass

    wanted = {"budget": {"seconds": 0.15}, "expect": {"outcome": "timed_out"}}
    assert lab.record(slow, shop, **wanted).labels == ["recorded"]
    assert lab.run(slow, shop, **wanted).success


@pytest.mark.parametrize("error", [RuntimeError("no database"), ImportError("no driver"), SystemExit(1), OSError("refused")])
def test_a_factory_that_raises_in_replay_says_what_helps(error, lab, shop) -> None:
    def broken():
        raise error

    def agent(task, tools):
        return tools.call("orders.get", order_id="W-1")["id"]

    live = lab.run(agent, broken, mode="live")
    assert live.outcome == "error"
    assert "connect on first use" not in live.stop
    lab.record(agent, shop)
    run = lab.run(agent, broken)
    assert lab.kinds(run) == ["setup"]
    assert type(error).__name__ in run.stop
    assert "test_outcomes.py:" in run.stop
    assert "connect on first use" in run.stop
    assert "contracts:" in run.stop
    assert not run.success


def test_a_factory_that_is_interrupted_passes(lab) -> None:
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lab.run(lambda task, tools: None, interrupted, mode="live")


def test_a_miss_that_is_not_caught(lab, shop) -> None:
    lab.record(lambda task, tools: tools.call("orders.get", order_id="W-1")["id"], shop)

    def other(task, tools):
        return tools.call("orders.get", order_id="W-2")["id"]

    run = lab.run(other, shop)
    assert run.outcome == "error"
    assert run.stop == "the recording had no answer for orders.get (changed-args)"
    assert run.calls[0].error.type == "CassetteMiss"
    # even a case that expects an error is not satisfied by a miss
    assert not lab.run(other, shop, expect={"outcome": "error"}).success
    assert issubclass(CassetteMiss, Exception)


def test_what_others_raise_in_a_call_is_noted(lab) -> None:
    @tool("stop", effect="read")
    def stop() -> None:
        raise pytest.fail.Exception("no further")

    run = lab.run(lambda task, tools: tools.call("stop"), [stop], mode="live")
    assert run.outcome == "error"
    assert run.calls[0].error.type == "Failed"
