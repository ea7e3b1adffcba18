"""An agent that calls a tool's function beside the toolbox: refused and latched, in every mode, from wherever it comes."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pytest_agentops import ToolBlocked, Toolbox, tool
from pytest_agentops.errors import SessionClosed

MODES = pytest.mark.parametrize("mode", ["replay", "live"])


@pytest.fixture
def seen(lab, bank):
    """Runs an agent that goes around, after its recording was made by one that does not; gives the run."""

    def run(agent, mode, **fields):
        lab.record(lambda task, tools: tools.call("pay.look"), bank)
        bank.paid.clear()
        found = lab.run(agent, bank, mode=mode, **fields)
        assert bank.paid == [], "the tool's code ran"
        return found

    return run


def bypass(lab, run):
    assert not run.success
    return lab.problem(run, "bypass").text


# ---- from where


@MODES
def test_the_function_itself(mode, seen, lab, bank) -> None:
    def agent(task, tools):
        tools.call("pay.look")
        return bank.refund(5)

    run = seen(agent, mode)
    assert run.outcome == "blocked"
    assert bypass(lab, run) == (
        "pay.refund was called beside the guard: the function itself, not the toolbox\n"
        "  cure: tools.call('pay.refund', ...), or tools.functions()['pay.refund'] for a framework"
    )


@MODES
def test_what_the_decorator_wrapped_is_no_attribute(mode, seen, lab, bank) -> None:
    def agent(task, tools):
        tools.call("pay.look")
        return getattr(bank.refund, "__wrapped__", bank.refund)(5)

    assert "pay.refund was called beside the guard" in bypass(lab, seen(agent, mode))


@MODES
def test_an_agent_that_swallows_the_refusal(mode, seen, lab, bank) -> None:
    def agent(task, tools):
        with contextlib.suppress(Exception):
            bank.refund(5)
        return tools.call("pay.look")

    assert "pay.refund" in bypass(lab, seen(agent, mode))


@MODES
@pytest.mark.parametrize("how", ["unbound", "private", "partial"])
def test_ways_to_the_function(how, mode, seen, lab, bank) -> None:
    def agent(task, tools):
        ways = {
            "unbound": lambda: bank.refund,
            "private": lambda: tools._tools["pay.refund"].function,
            "partial": lambda: functools.partial(bank.refund, 5),
        }
        with contextlib.suppress(Exception):
            ways[how]()(*(() if how == "partial" else (5,)))
        return tools.call("pay.look")

    assert "pay.refund" in bypass(lab, seen(agent, mode))


@MODES
def test_from_a_thread(mode, seen, lab, bank) -> None:
    def agent(task, tools):
        def work():
            with pytest.raises(ToolBlocked):
                bank.refund(5)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return tools.call("pay.look")

    assert "pay.refund" in bypass(lab, seen(agent, mode))


@MODES
def test_from_a_pool_that_was_there_before(mode, seen, lab, bank) -> None:
    """A pool of the agent's module outlives a trial: its threads are older than the next one."""
    pool = ThreadPoolExecutor(1)
    pool.submit(int).result()

    def agent(task, tools):
        assert isinstance(pool.submit(bank.refund, 5).exception(), ToolBlocked)
        return tools.call("pay.look")

    try:
        assert "pay.refund" in bypass(lab, seen(agent, mode))
    finally:
        pool.shutdown()


@MODES
def test_from_tasks(mode, seen, lab, bank) -> None:
    async def agent(task, tools):
        async def work():
            bank.refund(5)

        got = await asyncio.gather(work(), asyncio.to_thread(bank.refund, 5), return_exceptions=True)
        assert [type(error) for error in got] == [ToolBlocked, ToolBlocked]
        return await tools.acall("pay.look")

    run = seen(agent, mode)
    assert lab.kinds(run) == ["bypass", "bypass"]


@MODES
def test_from_a_thread_that_the_agent_left_behind(mode, seen, lab, bank) -> None:
    def agent(task, tools):
        def work():
            time.sleep(0.05)
            with contextlib.suppress(Exception):
                bank.refund(5)

        threading.Thread(target=work).start()
        return tools.call("pay.look")

    assert "pay.refund" in bypass(lab, seen(agent, mode))


@MODES
def test_from_a_thread_that_outlives_the_run(mode, seen, lab, bank) -> None:
    goes_on, errors = threading.Event(), []

    def work():
        goes_on.wait(5)
        try:
            bank.refund(5)
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=work)

    def agent(task, tools):
        thread.start()
        return tools.call("pay.look")

    run = seen(agent, mode)
    assert run.problems == []
    goes_on.set()
    thread.join()
    assert [type(error) for error in errors] == [SessionClosed]
    assert "pay.refund was called after the agent had returned" in lab.problem(run, "closed").text
    assert bank.paid == []


@MODES
def test_from_a_task_that_is_cancelled_at_the_end(mode, seen, lab, bank) -> None:
    async def agent(task, tools):
        async def work():
            try:
                await asyncio.sleep(60)
            finally:
                bank.refund(5)

        task.kept = asyncio.get_running_loop().create_task(work())
        await asyncio.sleep(0)
        return await tools.acall("pay.look")

    assert "pay.refund" in bypass(lab, seen(agent, mode))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@MODES
def test_from_a_forked_child(mode, seen, lab, bank, tmp_path) -> None:
    mark = tmp_path / "paid"

    def agent(task, tools):
        bank.paid = Writes(mark)
        child = os.fork()
        if not child:
            try:
                bank.refund(5)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        bank.paid = []
        return tools.call("pay.look")

    run = seen(agent, mode)
    assert not mark.exists(), "the child ran the tool's code"
    assert not run.success
    assert "pay.refund" in lab.problem(run, "forked").text


class Writes(list):
    """Payments that another process can see."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def append(self, value):
        self.path.write_text(str(value))


# ---- every kind of tool


class Desk:
    def __init__(self) -> None:
        self.ran: list[str] = []

    @tool("desk.method", effect="write")
    def method(self) -> str:
        self.ran.append("method")
        return "ok"

    @tool("desk.amethod", effect="write")
    async def amethod(self) -> str:
        self.ran.append("amethod")
        return "ok"

    @staticmethod
    @tool("desk.static", effect="write")
    def static() -> str:
        return "ran"

    @tool("desk.cls", effect="write")
    @classmethod
    def cls(cls) -> str:
        return "ran"


@MODES
@pytest.mark.parametrize("name", ["method", "amethod", "static", "cls"])
def test_methods(name, mode, lab) -> None:
    desk = Desk()

    async def agent(task, tools):
        try:
            got = getattr(desk, name)()
            return await got if asyncio.iscoroutine(got) else got
        except ToolBlocked:
            return "refused"

    stub = {"other": {"answers": [{"result": 1}]}}
    lab.record(lambda task, tools: tools.call("other"), Toolbox.of(desk), contracts=stub)
    run = lab.run(agent, Toolbox.of(desk), mode=mode, contracts=stub)
    assert (run.output, desk.ran) == ("refused", [])
    assert f"desk.{name}" in bypass(lab, run)


class Calls:
    """A tool that is an object."""

    def __init__(self):
        self.ran = 0

    def __call__(self, x: int) -> int:
        self.ran += 1
        return x


@MODES
@pytest.mark.parametrize("kind", ["object", "bound", "partial"])
def test_decorated_callables_that_are_no_functions(kind, mode, lab) -> None:
    inner = Calls()
    given = {"object": inner, "bound": inner.__call__, "partial": functools.partial(inner.__call__)}[kind]
    marked = tool("odd.one", effect="write")(given)

    def agent(task, tools):
        try:
            return marked(1)
        except ToolBlocked:
            return "refused"

    lab.record(lambda task, tools: tools.call("odd.one", x=1), [marked])
    inner.ran = 0
    run = lab.run(agent, [marked], mode=mode, replay={"unused": "ignore"})
    assert (run.output, inner.ran) == ("refused", 0)


# ---- who may


def test_outside_of_a_trial_it_does_what_it_did(bank) -> None:
    bank()
    assert bank.refund(5) == {"paid": "5", "card": ""}


def test_a_tool_may_use_another_tools_function(lab, bank) -> None:
    def tools():
        box = bank()

        @tool("pay.twice", effect="write")
        def twice() -> str:
            got = [bank.refund(1)["paid"]]
            thread = threading.Thread(target=lambda: got.append(bank.refund(2)["paid"]))
            thread.start()
            thread.join()
            with ThreadPoolExecutor(1) as pool:
                got.append(pool.submit(bank.refund, 3).result()["paid"])
            return " ".join(got)

        @tool("pay.atwice", effect="write")
        async def atwice() -> str:
            return " ".join(
                got["paid"] for got in await asyncio.gather(asyncio.to_thread(bank.refund, 4), asyncio.to_thread(bank.refund, 5))
            )

        return Toolbox.union([box, Toolbox([twice, atwice])])

    def agent(task, tools):
        return [tools.call("pay.twice"), tools.call("pay.atwice")]

    run = lab.run(agent, tools, mode="live")
    assert run.success, run.problems
    assert run.output == ["1 2 3", "4 5"]


def test_a_state_may_be_read_with_a_tools_function_between_two_turns(lab) -> None:
    @tool("orders.all", effect="read")
    def every() -> list[str]:
        return ["W-1"]

    run = lab.run(lambda task, tools: "ok", Toolbox([every], state=lambda: {"orders": every()}), mode="live", turns=["a", "b"])
    assert run.success, run.problems


def test_a_server_of_a_fixture_is_none_of_the_agents(lab, bank) -> None:
    """Its thread is older than the trial; live, the agent reaches it through a tool or over the network."""
    asked, answered = threading.Event(), threading.Event()
    bank()

    def serve():
        asked.wait(5)
        bank.look()
        answered.set()

    server = threading.Thread(target=serve)
    server.start()

    def agent(task, tools):
        asked.set()
        assert answered.wait(5)
        return "ok"

    run = lab.run(agent, bank, mode="live")
    server.join()
    assert run.success, run.problems
