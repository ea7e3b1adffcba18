"""What a miss says, to the letter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agentops.errors import CassetteMiss
from pytest_agentops.schema.contract import Contract
from pytest_agentops.schema.pins import Pins
from pytest_agentops.tape.player import Player
from pytest_agentops.tape.recording import Recording, ToolsCassette
from pytest_agentops.tape.report import call_text

Contracts = dict[str, Contract]
OnDisk = Callable[[ToolsCassette], ToolsCassette]


def miss(player: Player, tool: str, args: dict[str, object], *, after: Sequence[int] = ()) -> CassetteMiss:
    for index in after:
        call = player.cassette.calls[index]
        player.returned(player.take(call.tool, call.args))
    with pytest.raises(CassetteMiss) as caught:
        player.take(tool, args)
    return caught.value


CHANGED_ARGS = """\
CassetteMiss [changed-args] refunds/small_refund, trial 1, call 2: payments.refund
  called    payments.refund(order_id="W-1", amount_usd=93.5)
  closest   payments.refund(order_id="W-1", amount_usd=39.5, idempotency_key="<<uuid:1>>")   \
cassettes/refunds/small_refund/tools.yaml:16 (not played)
  differs   $.amount_usd   recorded 39.5   now 93.5
  played    orders.get   (1 of 4)
  not yet   payments.refund, orders.get x2
  pins      tools ok | prompt CHANGED (1f2e9c -> 77ab01)   <- likely cause
  fix       the agent is wrong     -> fix the agent or its prompt; the recording is right
            the change is intended -> pytest --agent-evals --agent-record=all -k small_refund
            the field is noise     -> contracts: {payments.refund: {match: {ignore: [amount_usd]}}} in the suite file"""

STATE = """\
CassetteMiss [state] refunds/small_refund, trial 1, call 3: orders.get
  called    orders.get(order_id="W-1")
  closest   orders.get(order_id="W-1")   cassettes/refunds/small_refund/tools.yaml:13 (not played)
  why       it was recorded before payments.refund, which this run has called already
  played    payments.refund, orders.get   (2 of 4)
  not yet   orders.get x2
  pins      tools ok
  fix       the agent is wrong     -> fix the agent or its prompt; the recording is right
            the change is intended -> pytest --agent-evals --agent-record=all -k small_refund
            the write is unrelated -> contracts: {orders.get: {resource: A}, payments.refund: {resource: B}} in the suite file"""

STOPPED = """\
CassetteMiss [unknown-tool] refunds/small_refund, trial 1, call 1: kb.search
  called    kb.search(q="mug")
  why       the recorded run never called kb.search; it called orders.get, payments.refund
  played    nothing   (0 of 4)
  not yet   orders.get x3, payments.refund
  before    in this run the guard stopped payments.refund (schema_invalid)
  pins      tools ok
  fix       the stop came first    -> see why payments.refund was stopped (schema_invalid); this call may follow from it
            the agent is wrong     -> fix the agent or its prompt; the recording is right
            the change is intended -> pytest --agent-evals --agent-record=all -k small_refund"""

EXHAUSTED = """\
CassetteMiss [exhausted] refunds/small_refund, trial 1, call 2: payments.refund
  called    payments.refund(order_id="W-1", amount_usd=39.5)
  closest   payments.refund(order_id="W-1", amount_usd=39.5, idempotency_key="<<uuid:1>>")   \
cassettes/refunds/small_refund/tools.yaml:16 (played)
  why       recorded once and played once; a recording plays once
  played    payments.refund   (1 of 4)
  not yet   orders.get x3
  pins      tools ok
  fix       the agent is wrong     -> fix the agent or its prompt; the recording is right
            the change is intended -> pytest --agent-evals --agent-record=all -k small_refund
            the extra call is fine -> keep what is recorded and add to it: \
pytest --agent-evals --agent-record=new_episodes -k small_refund"""

OUT_OF_ORDER = """\
CassetteMiss [out-of-order] refunds/small_refund, trial 1, call 1: payments.refund
  called    payments.refund(order_id="W-1", amount_usd=39.5)
  closest   payments.refund(order_id="W-1", amount_usd=39.5, idempotency_key="<<uuid:1>>")   \
cassettes/refunds/small_refund/tools.yaml:16 (not played)
  why       replay.order is strict: orders.get (cassettes/refunds/small_refund/tools.yaml:13) comes before it
  played    nothing   (0 of 4)
  not yet   orders.get x3, payments.refund
  pins      tools ok
  fix       the agent is wrong     -> fix the agent or its prompt; the recording is right
            the change is intended -> pytest --agent-evals --agent-record=all -k small_refund
            the order is free      -> replay: {order: any} in the case"""

UNKNOWN_TOOL = """\
CassetteMiss [unknown-tool] refunds/small_refund, trial 1, call 1: order.get
  called    order.get(order_id="W-1")
  why       the recorded run never called order.get; it called orders.get, payments.refund; did you mean 'orders.get'?
  played    nothing   (0 of 4)
  not yet   orders.get x3, payments.refund
  pins      tools ok
  fix       the agent is wrong     -> fix the agent or its prompt; the recording is right
            the change is intended -> pytest --agent-evals --agent-record=all -k small_refund
            the tool is new        -> keep what is recorded and add to it: \
pytest --agent-evals --agent-record=new_episodes -k small_refund"""


def test_changed_arguments(cassette: ToolsCassette, contracts: Contracts, on_disk: OnDisk) -> None:
    player = Player(on_disk(cassette), contracts, pins=Pins(model="smollm2", prompt="sha256:77ab01000000"))
    found = miss(player, "payments.refund", {"order_id": "W-1", "amount_usd": 93.5}, after=[0])
    assert found.report == str(found) == CHANGED_ARGS


def test_a_read_across_a_write(cassette: ToolsCassette, contracts: Contracts, on_disk: OnDisk) -> None:
    assert miss(Player(on_disk(cassette), contracts), "orders.get", {"order_id": "W-1"}, after=[1, 2]).report == STATE


def test_exhausted(cassette: ToolsCassette, contracts: Contracts, on_disk: OnDisk) -> None:
    args = {"order_id": "W-1", "amount_usd": 39.5}
    assert miss(Player(on_disk(cassette), contracts), "payments.refund", args, after=[1]).report == EXHAUSTED


def test_out_of_order(cassette: ToolsCassette, contracts: Contracts, on_disk: OnDisk) -> None:
    args = {"order_id": "W-1", "amount_usd": 39.5}
    assert miss(Player(on_disk(cassette), contracts, order="strict"), "payments.refund", args).report == OUT_OF_ORDER


def test_an_unknown_tool(cassette: ToolsCassette, contracts: Contracts, on_disk: OnDisk) -> None:
    assert miss(Player(on_disk(cassette), contracts), "order.get", {"order_id": "W-1"}).report == UNKNOWN_TOOL


def test_an_empty_recording(contracts: Contracts) -> None:
    found = miss(Player(ToolsCassette(case="s/c"), contracts), "orders.get", {"order_id": "W-1"})
    assert "why       the recorded run made no tool call at all" in found.report
    assert found.data["reason"] == "no-recording"


def test_a_call_that_the_guard_stopped_is_no_answer(cassette: ToolsCassette, contracts: Contracts) -> None:
    player = Player(cassette, contracts)
    player.not_made("payments.refund", cassette.calls[1].args)
    found = miss(player, "payments.refund", cassette.calls[1].args)
    assert "(not made: the guard stopped it)" in found.report
    assert "recorded once, and 1 of these the guard stopped in this run" in found.report


def test_the_same_for_machines(cassette: ToolsCassette, contracts: Contracts, on_disk: OnDisk) -> None:
    player = Player(on_disk(cassette), contracts, pins=Pins(model="gpt-x"))
    data = miss(player, "payments.refund", {"order_id": "W-1", "amount_usd": 93.5, "extra": 1}, after=[0]).data
    assert data["reason"] == "changed-args"
    assert data["closest"]["file"] == "cassettes/refunds/small_refund/tools.yaml"
    assert (data["closest"]["line"], data["closest"]["standing"]) == (16, "waiting")
    assert data["differences"] == [{"path": "$.amount_usd", "recorded": 39.5, "now": 93.5}, {"path": "$.extra", "now": 1}]
    assert data["played"] == ["orders.get"]
    assert data["remaining"] == ["payments.refund", "orders.get", "orders.get"]
    assert data["pins"] == {"model": ["smollm2", "gpt-x"]}
    assert [fix["when"] for fix in data["fixes"]] == ["the agent is wrong", "the change is intended", "the fields are noise"]


def test_a_changed_tool_pin_is_named(cassette: ToolsCassette, contracts: Contracts) -> None:
    contracts["payments.refund"] = replace(contracts["payments.refund"], version="2")
    report = miss(Player(cassette, contracts), "payments.refund", {"order_id": "W-9", "amount_usd": 1}).report
    assert "pins      tools.payments.refund CHANGED (" in report
    assert "<- likely cause" in report


def test_the_closest_is_the_one_with_fewest_differences_and_rather_unplayed(contracts: Contracts) -> None:
    def refund(order_id: str, amount: float) -> Recording:
        return Recording(tool="payments.refund", args={"order_id": order_id, "amount_usd": amount})

    calls = [refund("A", 1), refund("B", 2), refund("A", 3)]
    player = Player(ToolsCassette(case="s/c", calls=calls), contracts)
    data = miss(player, "payments.refund", {"order_id": "A", "amount_usd": 9}, after=[0]).data
    assert data["closest"]["args"] == {"order_id": "A", "amount_usd": 3}


def test_a_variant_s_trial(contracts: Contracts, cassette: ToolsCassette) -> None:
    named = replace(cassette, case="refunds/x~gpt-4o", file="cassettes/refunds/x~gpt-4o.t3/tools.yaml")
    report = miss(Player(named, contracts), "orders.get", {"order_id": "?"}).report
    assert report.startswith("CassetteMiss [changed-args] refunds/x~gpt-4o, trial 3, call 1: orders.get")
    assert '--agent-record=all -k "x and gpt-4o"' in report


def test_a_nested_place_is_ignored_by_its_path(contracts: Contracts) -> None:
    call = Recording(tool="misc.do", args={"meta": {"trace id": 1}})
    report = miss(Player(ToolsCassette(case="s/c", calls=[call]), contracts), "misc.do", {"meta": {"trace id": 2}}).report
    assert """match: {ignore: ["$.meta['trace id']"]}""" in report


def test_nothing_that_a_terminal_would_act_on(contracts: Contracts) -> None:
    call = Recording(tool="misc.do", args={"a\x1b[31m": "x\x9b\u202e\n"})
    report = miss(Player(ToolsCassette(case="s/c", calls=[call]), contracts), "misc.do", {"a\x1b[31m": "y\x9b\u202e\n"}).report
    assert all(c == "\n" or c.isprintable() for c in report)


texts = st.text(max_size=300)


@given(
    tool=texts.filter(bool),
    recorded=st.dictionaries(texts, texts, max_size=30),
    now=st.dictionaries(texts, texts, max_size=30),
    others=st.lists(texts.filter(bool), max_size=60),
)
def test_at_most_25_lines_whatever_the_call(tool: str, recorded: dict[str, Any], now: dict[str, Any], others: list[str]) -> None:
    calls = [Recording(tool=tool, args=recorded), *(Recording(tool=other, args=now) for other in others)]
    player = Player(ToolsCassette(case="s/c", calls=calls), {}, order="strict")
    with suppress(CassetteMiss):
        player.take(tool, now)
    for found in player.misses:
        assert len(found.report.splitlines()) <= 25
        assert all(c == "\n" or c.isprintable() for c in found.report)
    assert len(player.unused_report(player.unused()).splitlines()) <= 25


UNUSED = """\
2 recorded calls not played (2 of 4 were)
  unused    orders.get(order_id="W-1")   cassettes/refunds/small_refund/tools.yaml:23
  unused    orders.get(order_id="W-2")   cassettes/refunds/small_refund/tools.yaml:26
  fix       the agent is wrong     -> it no longer does what the recorded run did: fix the agent or its prompt
            the change is intended -> pytest --agent-evals --agent-record=all -k small_refund
            unused reads are fine  -> replay: {unused: warn} in the case (an unused write stays an error)"""


def test_unused(cassette: ToolsCassette, contracts: Contracts, on_disk: OnDisk) -> None:
    player = Player(on_disk(cassette), contracts)
    for call in player.cassette.calls[:2]:
        player.returned(player.take(call.tool, call.args))
    assert player.unused_report(player.unused()) == UNUSED


def test_an_unused_write_says_that_no_setting_helps(cassette: ToolsCassette, contracts: Contracts) -> None:
    player = Player(cassette, contracts, unused="ignore")
    writes = [call for call in player.unused() if player.writes(call)]
    report = player.unused_report(writes)
    assert report.startswith("1 recorded call not played (0 of 4 were)")
    assert "(not a read: always an error)" in report
    assert "unused: warn" not in report


def test_many_unused_are_counted(contracts: Contracts) -> None:
    calls = [Recording(tool="orders.get", args={"order_id": str(i)}) for i in range(40)]
    player = Player(ToolsCassette(case="s/c", calls=calls), contracts)
    assert "            and 28 more" in player.unused_report(player.unused())


def test_a_long_call_is_cut() -> None:
    text = call_text("t", {f"key_{i}": "x" * 100 for i in range(20)})
    assert len(text) <= 115
    assert text.endswith("…)")


def test_a_miss_after_a_call_that_the_guard_stopped(on_disk: OnDisk, cassette: ToolsCassette, contracts: Contracts) -> None:
    player = Player(on_disk(cassette), contracts)
    player.stopped("payments.refund", "schema_invalid")
    assert miss(player, "kb.search", {"q": "mug"}).report == STOPPED
    for number in range(5):
        player.stopped(f"t{number}", "tool_unknown")
    report = miss(player, "orders.get", {"order_id": "W-9"}).report
    assert "(schema_invalid), t0 (tool_unknown), t1 (tool_unknown) and 3 more" in report
    assert "the field is noise" in report, "other cures stay"
