"""Where answers come from: canned, recorded, live; and what is refused or cannot be kept."""

from __future__ import annotations

import contextlib
import math
import socket
import threading
from dataclasses import dataclass
from decimal import Decimal

import pytest

from pytest_agentops import Toolbox, tool

SEARCH = {"parameters": {"type": "object", "properties": {"q": {"type": "string"}}}, "effect": "read"}


def search(task, tools):
    return tools.attempt("crm.search", {"q": "ann"}).value


def test_a_canned_answer_needs_no_tool_but_says_so(lab) -> None:
    contracts = {"crm.search": {**SEARCH, "answers": [{"args": {"q": "bob"}, "result": 1}, {"args": {"q": "ann"}, "result": 2}]}}
    for options in ({"mode": "live"}, {"record": "all"}, {}):
        run = lab.run(search, contracts=contracts, **options)
        assert run.success
        assert run.output == 2
        assert run.labels[-1] == "stub"
        assert run.calls[0].source == "stub"
    assert lab.cassette.calls == [], "what was not live is not recorded"


BOB = {"crm.search": {**SEARCH, "answers": [{"args": {"q": "bob"}, "result": 1}]}}


@pytest.mark.parametrize("mode", ["replay", "hybrid"])
def test_canned_answers_alone_need_no_recording(mode, lab) -> None:
    run = lab.run(lambda task, tools: tools.call("crm.search", q="bob"), contracts=BOB, mode=mode)
    assert run.success
    assert (run.output, run.labels, run.mode) == (1, ["stub"], mode)
    assert not lab.folder.exists()


def test_without_a_recording_nothing_but_the_answers_is_let_through(lab) -> None:
    def agent(task, tools):
        tools.attempt("crm.search", {"q": "ann"})
        return task.random.random(), str(task.uuid4())

    first, again = lab.run(agent, contracts=BOB), lab.run(agent, contracts=BOB)
    assert first.output == again.output, "chance and identifiers are the same every time"
    assert lab.kinds(first) == ["miss"]
    assert first.miss["reason"] == "no-answer"
    text = first.problems[0].text + (first.stop or "")
    assert "no canned answer fits" in text
    assert "record" not in text
    left = lab.run(lambda task, tools: tools.call("crm.search", q="ann"), contracts=BOB)
    assert left.stop == "no canned answer fits crm.search"

    def connects(task, tools):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", 9), 1)

    assert lab.kinds(lab.run(connects, contracts=BOB)) == ["network"]


@tool("orders.get", effect="read")
def get() -> str:
    raise AssertionError("a tool was called for real in replay")


@pytest.mark.parametrize(
    ("tools", "contracts"),
    [
        ([get], BOB),
        ([get], {"orders.get": {"answers": [{"result": "x"}]}}),
        ([], {**BOB, "crm.other": {"effect": "read"}}),
        ([], {}),
    ],
)
def test_with_any_other_tool_a_missing_recording_is_an_error(tools, contracts, lab) -> None:
    run = lab.run(lambda task, tools: "done", tools, contracts=contracts)
    assert lab.kinds(run) == ["cassette"]
    assert "there is no recording" in run.stop
    assert not run.success


def test_a_recording_that_is_not_whole_is_no_absent_one(lab) -> None:
    lab.record(lambda task, tools: "done", contracts=BOB)
    lab.tape.rename(lab.folder / "model.yaml")
    run = lab.run(lambda task, tools: "done", contracts=BOB)
    assert lab.kinds(run) == ["cassette"]


def test_tools_that_cannot_be_made_do_not_hide_that_there_is_no_recording(lab) -> None:
    def make():
        raise RuntimeError("no database here")

    assert "there is no recording" in lab.run(lambda task, tools: "done", make).stop


def test_of_several_misses_the_first_is_named(lab) -> None:
    lab.record(lambda task, tools: tools.call("orders.find"), [tool("orders.find", effect="read")(lambda: 1)])

    def agent(task, tools):
        tools.attempt("orders.find", {"id": 1})
        tools.attempt("orders.find")
        return tools.call("orders.find")

    @tool("orders.find", effect="read")
    def find(id: int = 0) -> int:
        return 1

    run = lab.run(agent, [find])
    assert [p.data["reason"] for p in run.problems] == ["changed-args", "exhausted"]
    assert run.stop == "the recording had no answer for orders.find (changed-args)"


def test_a_canned_error(lab) -> None:
    contracts = {"crm.search": {**SEARCH, "answers": [{"error": {"type": "timeout", "message": "504", "retryable": True}}]}}
    seen = []
    lab.run(lambda task, tools: seen.append(tools.attempt("crm.search", {"q": "x"})), contracts=contracts, mode="live")
    assert seen[0].exception.error.as_json() == {"type": "timeout", "message": "504", "retryable": True}


@pytest.mark.parametrize("catch", [Exception, BaseException])
def test_no_canned_answer_fits(catch, lab) -> None:
    def agent(task, tools):
        try:
            tools.call("crm.search", q="ann")
        except catch:
            return "fine"

    run = lab.run(agent, contracts={"crm.search": {**SEARCH, "answers": [{"args": {"q": "bob"}, "result": 1}]}}, mode="live")
    assert run.output == "fine"
    assert lab.kinds(run) == ["miss"]
    assert "contracts.crm.search.answers" in run.problems[0].text
    assert run.calls[0].source == "none"
    assert not run.success


@pytest.mark.parametrize("options", [{"mode": "live"}, {"record": "all"}])
def test_a_tool_without_code_asked_to_go_live(options, lab) -> None:
    run = lab.run(search, contracts={"crm.search": SEARCH}, **options)
    assert lab.kinds(run) == ["setup"]
    assert "declared in YAML only" in run.problems[0].text
    assert "answers" in run.problems[0].text
    assert not run.success
    assert not lab.tape.exists()


def test_a_tool_without_code_replays(lab) -> None:
    @tool("crm.search", effect="read")
    def real(q: str) -> int:
        return 7

    assert lab.record(search, [real]).output == 7
    run = lab.run(search, contracts={"crm.search": SEARCH})
    assert run.success
    assert run.output == 7


def test_the_body_never_runs_in_replay(lab) -> None:
    armed = []

    @tool("mine", effect="write")
    def mine(n: int) -> int:
        assert not armed, "a tool ran in replay"
        return n

    @tool("amine", effect="write")
    async def amine(n: int) -> int:
        assert not armed, "a tool ran in replay"
        return n

    def agent(task, tools):
        asked = [(name, n) for name in ("mine", "amine") for n in (1, 2)]
        return [tools.attempt(name, {"n": n}).value for name, n in asked]

    assert lab.record(agent, [mine, amine]).output == [1, 2, 1, 2]
    armed.append(1)
    assert lab.run(agent, [mine, amine]).output == [1, 2, 1, 2]

    def other(task, tools):
        return [tools.attempt(name, {"n": n}).ok for name in ("mine", "amine") for n in (1, 2, 3)]

    run = lab.run(other, [mine, amine])
    assert run.output == [True, True, False] * 2
    assert {c.source for c in run.calls} == {"replay", "none"}
    assert lab.kinds(run) == ["miss", "miss"]


def test_sync_tools_under_acall_and_async_tools_under_call(lab) -> None:
    here = []

    @tool("sync", effect="read")
    def sync() -> str:
        here.append(threading.current_thread())
        return "s"

    @tool("async", effect="read")
    async def asynchronous() -> str:
        return "a"

    async def agent(task, tools):
        return [await tools.acall("sync"), await tools.acall("async"), tools.call("sync"), (await tools.aattempt("async")).value]

    def plain(task, tools):
        return [tools.call("async"), tools.call("sync")]

    for one, wanted in ((agent, ["s", "a", "s", "a"]), (plain, ["a", "s"])):
        assert lab.record(one, [sync, asynchronous]).output == wanted
        assert lab.run(one, [sync, asynchronous]).output == wanted
    assert set(here) == {threading.main_thread()}, "a sync tool runs where it is called"


@pytest.mark.parametrize("value", [object(), {"a": {1, 2}}, math.nan, b"bytes"])
def test_a_result_that_does_not_serialise(value, lab) -> None:
    @tool("odd", effect="read")
    def odd() -> object:
        return value

    good = tool("odd", effect="read")(lambda: "good")
    lab.record(lambda task, tools: tools.attempt("odd").value, [good])
    before = lab.tape.read_bytes()
    run = lab.record(lambda task, tools: tools.attempt("odd").error["reason"], [odd])
    assert run.output == "result_invalid"
    assert lab.kinds(run) == ["serialise"]
    assert "does not serialise" in run.problems[0].text
    assert "return JSON values" in run.problems[0].text
    assert not run.success
    assert lab.tape.read_bytes() == before


def test_results_are_json_in_every_mode(lab) -> None:
    @dataclass
    class Receipt:
        paid: Decimal
        items: tuple[str, ...]

    @tool("pay", effect="write")
    def pay(amount: Decimal) -> Receipt:
        assert isinstance(amount, Decimal)
        return Receipt(amount, ("a",))

    def agent(task, tools):
        return tools.call("pay", amount=12.5)

    assert lab.record(agent, [pay]).output == {"paid": 12.5, "items": ["a"]}
    assert lab.run(agent, [pay]).output == {"paid": 12.5, "items": ["a"]}


def test_a_result_that_does_not_fit_its_schema(lab) -> None:
    @tool("count", effect="read")
    def count() -> int:
        return "many"  # type: ignore[return-value]

    def agent(task, tools):
        return tools.attempt("count").error

    for options in ({"record": "all"}, {}):
        run = lab.run(agent, [count], **options)
        assert run.output["reason"] == "result_invalid"
        assert "does not fit its contract" in run.output["message"]
        assert run.calls[0].reason == "result_invalid"
        assert run.calls[0].reached


def test_in_report_mode_nothing_is_stopped(lab, shop) -> None:
    run = lab.run(
        lambda task, tools: tools.attempt("orders.get", {"order_id": "W-1", "extra": 1}).ok, shop, mode="live", enforce=False
    )
    assert run.calls[0].reached
    assert "schema_invalid" in run.calls[0].findings[0]


def test_a_plain_function_that_gives_something_to_await(lab) -> None:
    async def inner() -> int:
        return 1

    @tool("half", effect="read")
    def half() -> object:
        return inner()

    async def agent(task, tools):
        return (await tools.aattempt("half")).ok

    def plain(task, tools):
        return tools.attempt("half").ok

    for one in (agent, plain):
        run = lab.record(one, [half])
        assert lab.kinds(run) == ["setup"]
        assert "async def" in run.problems[0].text
        assert not lab.tape.exists()


def test_costs_are_of_calls_that_reached_their_tool(lab, shop) -> None:
    def agent(task, tools):
        tools.attempt("orders.set", {"order_id": "W-1"})
        tools.attempt("orders.set", {"nonsense": 1})

    run = lab.record(agent, shop)
    assert str(run.cost_usd) == "0.01"
    assert run.usage.input == 0
    assert str(lab.run(agent, shop).cost_usd) == "0.01"


def test_a_model_that_is_named_and_never_seen_costs_nobody_knows_what(lab, shop) -> None:
    run = lab.run(lambda task, tools: "ok", shop, mode="live", model="m")
    assert run.cost_usd is None
    assert run.usage is None
    assert "model_never_seen" in run.labels


def test_costs_of_a_model(lab, shop) -> None:
    from pytest_agentops.schema.run import Usage

    def agent(task, tools):
        session = task.session
        session.answered(Usage(input=10, output=2), Decimal("0.1"), "m")
        session.answered(Usage(input=1, output=1), Decimal("0.2"), "m")

    run = lab.run(agent, shop, mode="live", model="m")
    assert (run.cost_usd, run.usage) == (Decimal("0.3"), Usage(input=11, output=3))

    def partly(task, tools):
        task.session.answered(None, None)

    run = lab.run(partly, shop, mode="live")
    assert (run.cost_usd, run.usage) == (None, None)

    def stated(task, tools):
        partly(task, tools)
        task.session.stated_cost = Decimal(1)

    assert lab.run(stated, shop, mode="live").cost_usd == 1


def test_a_toolbox_without_tools(lab) -> None:
    run = lab.run(lambda task, tools: tools.attempt("x").error["message"], Toolbox(), mode="live")
    assert "the tools are: none" in run.output


def test_a_state_that_cannot_be_read_is_a_problem_not_a_crash(lab) -> None:
    calls = []

    def state():
        calls.append(1)
        if len(calls) > 1:
            raise RuntimeError("gone")
        return {}

    run = lab.run(lambda task, tools: "ok", Toolbox([], state=state), mode="live")
    assert lab.kinds(run) == ["setup"]
    assert "gone" in run.problems[0].text
    assert run.messages


def test_a_folder_that_cannot_be_written(lab, shop) -> None:
    lab.root.mkdir()
    (lab.root / "lab").write_text("a file where a folder has to be")
    run = lab.record(lambda task, tools: "ok", shop)
    assert lab.kinds(run) == ["cassette"]
    assert "cannot be written" in run.problems[0].text
    assert not run.success
