"""Replay: each recording once, to the call it belongs to."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pytest_agentops.errors import CassetteMiss
from pytest_agentops.schema.call import ErrorInfo
from pytest_agentops.schema.contract import Contract
from pytest_agentops.tape.player import Played, Player
from pytest_agentops.tape.recording import Recording, ToolsCassette

Contracts = dict[str, Contract]


def rec(tool: str, result: object = "ok", *, overlap: int = 0, error: str | None = None, **args: object) -> Recording:
    failure = ErrorInfo(type=error) if error else None
    return Recording(tool=tool, args=args, result=None if error else result, error=failure, overlap=overlap)


def get(result: object = "ok", overlap: int = 0, order_id: str = "W-1") -> Recording:
    return rec("orders.get", result, overlap=overlap, order_id=order_id)


def refund(order_id: str = "W-1", overlap: int = 0, error: str | None = None) -> Recording:
    return rec("payments.refund", overlap=overlap, error=error, order_id=order_id, amount_usd=1)


def player(contracts: Contracts, *calls: Recording, **options: Any) -> Player:
    return Player(ToolsCassette(case="s/c", calls=list(calls)), contracts, **options)


def take(who: Player, like: Recording) -> Any:
    """One call, answered and handed over; its recorded answer."""
    ticket = who.take(like.tool, like.args)
    who.returned(ticket)
    return ticket.recording.result if ticket.recording.error is None else ticket.recording.error.type


def missed(who: Player, like: Recording) -> str:
    with pytest.raises(CassetteMiss) as caught:
        who.take(like.tool, like.args)
    assert len(caught.value.report.splitlines()) <= 25
    return str(caught.value.data["reason"])


# ---- first in, first out


def test_equal_calls_get_their_recordings_in_order_and_once(contracts: Contracts) -> None:
    who = player(contracts, get(1), get(2), get(3))
    assert [take(who, get()) for _ in range(3)] == [1, 2, 3]
    assert missed(who, get()) == "exhausted"


def test_different_calls_interleave_freely(contracts: Contracts) -> None:
    who = player(contracts, get("a", order_id="A"), get("b", order_id="B"))
    assert take(who, get(order_id="B")) == "b"
    assert take(who, get(order_id="A")) == "a"
    assert who.unused() == []


def test_errors_are_played(contracts: Contracts) -> None:
    assert take(player(contracts, refund(error="ToolTimeout")), refund()) == "ToolTimeout"


def test_the_exact_tier_goes_first(contracts: Contracts) -> None:
    who = player(contracts, get("loose", order_id=" W-1"), get("exact"))
    first = who.take("orders.get", {"order_id": "W-1"})
    second = who.take("orders.get", {"order_id": "W-1"})
    assert (first.result, first.tier) == ("exact", "exact")
    assert (second.result, second.tier) == ("loose", "normalised")


def test_a_changed_argument_is_a_miss_whatever_its_name(contracts: Contracts) -> None:
    who = player(contracts, rec("email.send", date="2026-01-05"))
    assert missed(who, rec("email.send", date="2026-12-31")) == "changed-args"


def test_a_ticket_s_result_is_the_caller_s_own(contracts: Contracts) -> None:
    who = player(contracts, get({"items": [1]}))
    ticket = who.take("orders.get", {"order_id": "W-1"})
    ticket.result["items"].append(2)
    assert who.cassette.calls[0].result == {"items": [1]}


def test_misses_are_kept(contracts: Contracts) -> None:
    who = player(contracts)
    assert missed(who, get()) == "no-recording"
    assert [miss.data["tool"] for miss in who.misses] == ["orders.get"]


def test_a_tool_that_was_never_called(contracts: Contracts) -> None:
    assert missed(player(contracts, get()), refund()) == "unknown-tool"


def test_a_tool_without_a_contract_is_played_as_it_is() -> None:
    who = player({}, rec("gone", 1, a=1))
    assert take(who, rec("gone", a=1)) == 1
    assert who.undeclared() == ["gone"]
    assert not who.known_tools


# ---- the state rule


def test_a_read_is_not_played_across_a_write_it_came_before(contracts: Contracts) -> None:
    who = player(contracts, get("before"), refund())
    take(who, refund())
    assert missed(who, get()) == "state"


def test_a_read_is_not_played_before_the_write_it_came_after(contracts: Contracts) -> None:
    who = player(contracts, refund(), get("after"))
    assert missed(who, get()) == "state"


def test_the_recording_on_the_right_side_of_the_write_is_played(contracts: Contracts) -> None:
    who = player(contracts, get("before"), refund(), get("after"))
    take(who, refund())
    assert take(who, get()) == "after"
    assert who.unused() == [who.cassette.calls[0]]


def test_a_second_read_before_the_write_does_not_get_the_later_answer(contracts: Contracts) -> None:
    who = player(contracts, get("before"), refund(), get("after"))
    assert take(who, get()) == "before"
    assert missed(who, get()) == "state"


def test_a_failed_write_counts(contracts: Contracts) -> None:
    who = player(contracts, refund(error="ToolTimeout"), get("after"))
    assert missed(who, get()) == "state"
    take(who, refund())
    assert take(who, get()) == "after"


def test_writes_are_not_ordered_among_themselves(contracts: Contracts) -> None:
    who = player(contracts, refund("A"), refund("B"), get("after"))
    take(who, refund("B"))
    take(who, refund("A"))
    assert take(who, get()) == "after"


def test_writes_are_counted_and_not_only_known(contracts: Contracts) -> None:
    who = player(contracts, refund(), get("one"), refund(), get("two"))
    take(who, refund())
    take(who, refund())
    assert take(who, get()) == "two"
    assert missed(who, get()) == "state"


def test_a_write_elsewhere_does_not_matter(contracts: Contracts) -> None:
    stock, mail = rec("stock.get", "full", order_id="W-1"), rec("email.send")
    who = player(contracts, stock, mail)
    take(who, mail)
    assert take(who, stock) == "full"


def test_a_write_to_everything_matters_to_a_narrow_read(contracts: Contracts) -> None:
    stock = rec("stock.get", order_id="W-1")
    who = player(contracts, stock, refund())
    take(who, refund())
    assert missed(who, stock) == "state"


def test_a_read_of_everything_minds_a_narrow_write(contracts: Contracts) -> None:
    who = player(contracts, get(), rec("email.send"))
    take(who, rec("email.send"))
    assert missed(who, get()) == "state"


@pytest.mark.parametrize("first", ["read", "write"])
@pytest.mark.parametrize("recorded", ["read", "write"])
def test_calls_that_overlapped_have_no_order(contracts: Contracts, first: str, recorded: str) -> None:
    calls = (get("x"), refund(overlap=1)) if recorded == "read" else (refund(), get("x", overlap=1))
    who = player(contracts, *calls)
    if first == "write":
        take(who, refund())
        assert take(who, get()) == "x"
    else:
        assert take(who, get()) == "x"
        take(who, refund())


def test_an_overlap_reaches_no_further_than_it_says(contracts: Contracts) -> None:
    who = player(contracts, refund("A"), refund("B"), get("x", overlap=1))
    take(who, refund("B"))
    assert missed(who, get()) == "state"
    take(who, refund("A"))
    assert take(who, get()) == "x"


def test_a_write_in_flight_may_or_may_not_have_been_seen(contracts: Contracts) -> None:
    who = player(contracts, get("x"), refund())
    ticket = who.take("payments.refund", refund().args)
    assert take(who, get()) == "x"  # issued, but not returned: the read may still have come first
    who.returned(ticket)


def test_tools_of_no_declared_effect_are_first_in_first_out(contracts: Contracts) -> None:
    misc = rec("misc.do", 1)
    who = player(contracts, get("x"), misc, rec("misc.do", 2), get("y"))
    assert take(who, misc) == 1
    assert take(who, get()) == "x"
    assert take(who, get()) == "y"
    assert take(who, misc) == 2
    assert who.undeclared() == ["misc.do"]


def test_a_live_write_beside_the_recording_counts(contracts: Contracts) -> None:
    who = player(contracts, get("x"))
    ticket = who.note_issued("payments.refund", refund().args)
    assert not isinstance(ticket, Played)
    who.returned(ticket)
    assert missed(who, get()) == "state"


def test_after_a_divergence_the_state_rule_is_off(contracts: Contracts) -> None:
    who = player(contracts, refund(), get("after"))
    assert who.not_made("payments.refund", refund().args)
    who.counterfactual()
    assert take(who, get()) == "after"
    assert who.unused() == []
    assert missed(who, refund()) == "exhausted"
    assert not who.not_made("payments.refund", refund().args)


# ---- order


def test_strict_order_is_the_full_sequence(contracts: Contracts) -> None:
    who = player(contracts, get(order_id="A"), rec("stock.get", order_id="A"), order="strict")
    assert missed(who, rec("stock.get", order_id="A")) == "out-of-order"
    take(who, get(order_id="A"))
    take(who, rec("stock.get", order_id="A"))


def test_strict_order_leaves_overlapping_calls_free(contracts: Contracts) -> None:
    who = player(contracts, get(order_id="A"), get(order_id="B", overlap=1), order="strict")
    take(who, get(order_id="B"))
    take(who, get(order_id="A"))


def test_order_per_tool(contracts: Contracts) -> None:
    who = player(contracts, get(order_id="A"), get(order_id="B"), rec("stock.get", order_id="A"), order="per_tool")
    take(who, rec("stock.get", order_id="A"))
    assert missed(who, get(order_id="B")) == "out-of-order"


# ---- reads again, in hybrid


def test_a_read_plays_again_until_a_write_intervenes(contracts: Contracts) -> None:
    who = player(contracts, get("before"), refund(), get("after"), repeat_reads=True)
    assert [take(who, get()) for _ in range(3)] == ["before"] * 3
    take(who, refund())
    assert [take(who, get()) for _ in range(2)] == ["after"] * 2
    assert missed(player(contracts, refund(), repeat_reads=True), get()) == "unknown-tool"


def test_a_write_never_plays_again(contracts: Contracts) -> None:
    who = player(contracts, refund(), repeat_reads=True)
    take(who, refund())
    assert missed(who, refund()) == "exhausted"


def test_a_repeated_read_stops_at_a_write_that_the_state_rule_forgives(contracts: Contracts) -> None:
    who = player(contracts, get("x"), refund(overlap=1), repeat_reads=True)
    take(who, get())
    take(who, refund())
    assert missed(who, get()) == "exhausted"


# ---- what is left


def test_unused_knows_writes(contracts: Contracts) -> None:
    who = player(contracts, get(), refund(), rec("misc.do"))
    assert [(r.tool, who.writes(r)) for r in who.unused()] == [
        ("orders.get", False),
        ("payments.refund", True),
        ("misc.do", True),
    ]


# ---- chance


def test_equal_overlapping_calls_with_other_answers_are_racy(contracts: Contracts) -> None:
    who = player(contracts, get(1), get(2, overlap=1))
    take(who, get())
    assert who.racy


def test_equal_answers_or_no_overlap_are_not_racy(contracts: Contracts) -> None:
    for calls in ((get(1), get(1, overlap=1)), (get(1), get(2))):
        who = player(contracts, *calls)
        take(who, get())
        take(who, get())
        assert not who.racy


def test_equal_calls_in_flight_now_are_racy(contracts: Contracts) -> None:
    who = player(contracts, get(1), get(2))
    who.take("orders.get", get().args)
    who.take("orders.get", get().args)
    assert who.racy


# ---- threads


def test_sixteen_threads_get_every_recording_exactly_once(contracts: Contracts) -> None:
    equal = [get(f"equal-{i}", overlap=0) for i in range(160)]
    different = [get(f"own-{i}", order_id=f"W-{i + 100}") for i in range(160)]
    writes = [refund(f"R-{i}") for i in range(16)]
    who = player(contracts, *equal, *different, *writes)
    start = threading.Barrier(16)

    def work(thread: int) -> list[str]:
        start.wait()
        out = []
        for i in range(10):
            out.append(take(who, get()))
            out.append(take(who, different[thread * 10 + i]))
        return out

    with ThreadPoolExecutor(16) as pool:
        got = Counter(answer for answers in pool.map(work, range(16)) for answer in answers)
    assert got == Counter(str(r.result) for r in (*equal, *different))
    assert set(got.values()) == {1}
    assert who.unused() == writes
    assert missed(who, get()) == "exhausted"


def test_a_hundred_threads_for_one_recording(contracts: Contracts) -> None:
    who = player(contracts, get("x"))
    start = threading.Barrier(32)

    def work(_: int) -> bool:
        start.wait()
        try:
            take(who, get())
        except CassetteMiss:
            return False
        return True

    with ThreadPoolExecutor(32) as pool:
        assert sum(pool.map(work, range(32))) == 1
    assert len(who.misses) == 31
