"""The three that answer: the script, the recording, the person at the terminal."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TextIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_agentops.approvals.desk import Desk
from pytest_agentops.approvals.recorded import Recorded, from_json, to_json
from pytest_agentops.approvals.request import Act, Answer, Request, Terms, stamp
from pytest_agentops.approvals.scripted import Script
from pytest_agentops.approvals.terminal import NoTerminal, Terminal, shown

from .desks import NOON, Clock, Says, desk, refund, says

ONE = Terms.of("support_manager")
TWO = Terms.of("support_manager", count=2)


# ---- scripted


@pytest.mark.parametrize(
    ("entry", "fits"),
    [
        (says(tool=None), True),
        (says(role=None), True),
        (says(tool="orders.get"), False),
        (says(tool="payments.*"), False),
        (says(role="finance"), False),
        (says(args={"amount_usd": {"$gt": 100}}), True),
        (says(args={"amount_usd": {"$gt": 120}}), False),
        (says(args={"amount_usd": "120"}), False),
        (says(args={"customer": "x"}), False),
        (says(args={}), True),
    ],
)
def test_which_entry_answers(entry: Any, fits: bool) -> None:
    script = Script([entry])
    outcome = Desk([script], clock=Clock()).ask(refund(), ONE)
    assert (outcome.kind == "approved") is fits
    assert (script.unused() == []) is fits


def test_the_first_unused_entry_answers() -> None:
    place = desk(says("reject", by="first"), says(by="second"), says("timeout"))
    assert [place.ask(refund(), ONE).kind for _ in range(4)] == ["rejected", "approved", "timed_out", "unanswered"]


def test_unused_entries_are_reported() -> None:
    script = Script([says(), says(tool="bank.pay", args={"n": 1}, by=None), says(tool=None, role=None, by=None)])
    Desk([script], clock=Clock()).ask(refund(), ONE)
    assert script.unused() == [
        (1, 'approvals[1] was not asked for: tool: bank.pay, args: {"n":1}, role: support_manager, decision: approve'),
        (2, "approvals[2] was not asked for: decision: approve"),
    ]


# ---- recorded


def recorded(*answers: Answer, terms: Terms = ONE, rounds: int = 1) -> list[Act]:
    place = Desk([Says(*answers)], clock=Clock())
    for _ in range(rounds):
        place.ask(refund(), terms)
    return place.acts


def test_what_people_said_plays_again() -> None:
    acts = recorded(Answer(decision="approve", by="alice", message="fine"), Answer(decision="approve", by="bob"), terms=TWO)
    kept = to_json(acts)
    assert [(k["by"], k["role"], k["decision"]) for k in kept] == [
        ("alice", "support_manager", "approve"),
        ("bob", "support_manager", "approve"),
    ]
    approver = Recorded(from_json(kept))
    place = Desk([approver], clock=Clock())
    outcome = place.ask(refund(), TWO)
    assert outcome.approval is not None
    assert (outcome.approval.by, outcome.approval.source) == (("alice", "bob"), "recorded")
    assert place.interventions[0]["source"] == "recorded"
    assert place.interventions[0]["message"] == "fine"
    assert approver.unused() == []
    assert place.ask(refund(), TWO).kind == "unanswered"


@pytest.mark.parametrize("change", [{"rule": "refunds/9"}, {"trial": "refunds/big#2"}, {"principal": {"id": "other"}}])
def test_a_recorded_answer_holds_for_its_question_only(change: dict[str, Any]) -> None:
    from dataclasses import replace

    approver = Recorded(from_json(to_json(recorded(Answer(decision="approve", by="alice")))))
    outcome = Desk([approver], clock=Clock()).ask(replace(refund(), **change), ONE)
    assert outcome.kind == "unanswered"
    assert "record it again" in (approver.close_to(outcome.request) or "")
    assert [i for i, _ in approver.unused()] == [0]


@pytest.mark.parametrize(
    ("key", "said"),
    [("policy", "the policies for payments.refund changed"), ("contract", "the contract of payments.refund changed")],
)
def test_a_recorded_answer_holds_under_its_policies_and_contract_only(key: str, said: str) -> None:
    from dataclasses import replace

    then = {"policy": "sha256:000000000001", "contract": "sha256:000000000002"}
    place = Desk([Says(Answer(decision="approve", by="alice"))], clock=Clock())
    place.ask(replace(refund(), under=then), ONE)
    kept = to_json(place.acts)
    assert kept[0]["under"] == then
    approver = Recorded(from_json(kept), again="ask again")
    changed = replace(refund(), under={**then, key: "sha256:000000000003"})
    outcome = Desk([approver], clock=Clock()).ask(changed, ONE)
    assert outcome.kind == "unanswered"
    assert approver.close_to(outcome.request) == (
        f"recorded is approve by alice (support_manager), which does not hold any more: {said} since it was given\n"
        "  cure: ask again"
    )
    assert Desk([approver], clock=Clock()).ask(replace(refund(), under=then), ONE).kind == "approved"


def test_other_arguments_have_no_recorded_answer() -> None:
    kept = to_json(recorded(Answer(decision="approve", by="alice")))
    approver = Recorded(from_json(kept))
    outcome = Desk([approver], clock=Clock()).ask(refund(amount_usd=121), ONE)
    assert outcome.kind == "unanswered"
    assert approver.close_to(outcome.request) is None
    kept[0]["args"]["amount_usd"] = 121  # the readable half of the recording says another call than was approved
    forged = Recorded(from_json(kept))
    for amount in (120, 121):
        assert Desk([forged], clock=Clock()).ask(refund(amount_usd=amount), ONE).kind == "unanswered"


def test_scripted_and_carried_answers_are_not_kept() -> None:
    place = desk(says("edit", edit={"amount_usd": 1}))
    place.ask(refund(amount_usd=1), ONE, after=place.ask(refund(), ONE))
    assert to_json(place.acts) == []
    person = Desk([Says(Answer(decision="edit", by="alice", edit={"amount_usd": 1}))], clock=Clock())
    again = person.ask(refund(amount_usd=1), ONE, after=person.ask(refund(), ONE))
    assert again.kind == "approved"
    kept = to_json(person.acts)
    assert [k["decision"] for k in kept] == ["edit"]
    replayed = Desk([Recorded(from_json(kept))], clock=Clock())
    assert replayed.ask(refund(amount_usd=1), ONE, after=replayed.ask(refund(), ONE)).kind == "approved"


GOOD: dict[str, Any] = {"tool": "t", "args": {}, "role": "r", "by": "a", "decision": "approve", "asked": "sha256:0"}


@pytest.mark.parametrize(
    ("items", "text"),
    [
        ({}, "approvals: wanted a list"),
        ([GOOD, 3], r"approvals\[1\]: wanted a mapping"),
        ([{**GOOD, "rol": "x"}], r"approvals\[0\]: unknown key 'rol'"),
        ([{k: v for k, v in GOOD.items() if k != "asked"}], r"approvals\[0\].asked: wanted a text"),
        ([{**GOOD, "args": []}], r"approvals\[0\].args: wanted a mapping"),
        ([{**GOOD, "decision": "yes"}], r"approvals\[0\].decision: wanted one of approve, edit"),
        ([{**GOOD, "edit": 3}], r"approvals\[0\]: edit is a mapping"),
    ],
)
def test_a_recording_out_of_shape_says_where(items: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        from_json(items)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.builds(
            Answer,
            decision=st.sampled_from(["approve", "reject", "timeout", "edit"]),
            by=st.text(min_size=1).filter(str.strip),
            edit=st.just({"amount_usd": 1}),
            message=st.text(),
        ),
        max_size=5,
    )
)
def test_a_replay_of_what_was_kept_ends_alike(answers: list[Answer]) -> None:
    live = Desk([Says(*answers)], clock=Clock())
    first = [live.ask(refund(), TWO).kind for _ in range(3)]
    replayed = Desk([Recorded(from_json(to_json(live.acts)))], clock=Clock())
    assert [replayed.ask(refund(), TWO).kind for _ in range(3)] == first


# ---- terminal


class Screen:
    """A real pseudo terminal with a person behind it."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        self.reads: TextIO = os.fdopen(os.dup(self.slave), "r", encoding="utf-8")
        self.writes: TextIO = os.fdopen(os.dup(self.slave), "w", encoding="utf-8")

    def types(self, *lines: str) -> None:
        os.write(self.master, "".join(f"{line}\n" for line in lines).encode())

    def seen(self) -> str:
        out = b""
        os.set_blocking(self.master, False)
        try:
            while chunk := os.read(self.master, 65536):
                out += chunk
        except BlockingIOError:
            pass
        return out.decode().replace("\r\n", "\n")

    def close(self) -> None:
        self.reads.close()
        self.writes.close()
        os.close(self.slave)
        os.close(self.master)


@pytest.fixture
def screen() -> Iterator[Screen]:
    made = Screen()
    yield made
    made.close()


def at(screen: Screen, clock: Clock | None = None) -> Desk:
    clock = clock or Clock()
    return Desk([Terminal(screen.reads, screen.writes, user="alice", now=clock)], clock=clock)


def test_a_person_approves_what_they_were_shown(screen: Screen, capsys: pytest.CaptureFixture[str]) -> None:
    screen.types("a", "", "looked at it")
    outcome = at(screen).ask(refund(), ONE, dry_run={"would": "pay 120"}, why="over 50")
    assert outcome.approval is not None
    assert (outcome.approval.by, outcome.approval.source) == (("alice",), "terminal")
    assert outcome.acts[0].message == "looked at it"
    text = screen.seen()
    for shown_text in (
        "payments.refund",
        "refunds/3",
        "amount_usd",
        "120",
        '{"would":"pay 120"}',
        "dana",
        "support_manager",
        "over 50",
    ):
        assert shown_text in text
    assert capsys.readouterr().out == ""


def test_two_people_at_one_terminal(screen: Screen) -> None:
    screen.types("a", "alice", "", "approve", "bob", "")
    assert at(screen).ask(refund(), TWO).kind == "approved"


def test_a_person_rejects_with_a_reason(screen: Screen) -> None:
    screen.types("r", "bob", "not ours")
    outcome = at(screen).ask(refund(), ONE)
    assert outcome.message == "payments.refund: rejected by bob (support_manager): not ours"


def test_a_person_edits(screen: Screen) -> None:
    screen.types("e", "", "forty", '{"amount_usd": 40.50}', "half of it")
    outcome = at(screen).ask(refund(), ONE)
    assert (outcome.kind, outcome.args) == ("edited", {"order_id": "W-1", "amount_usd": 40.5})
    assert "please write one JSON object" in screen.seen()


def test_lines_that_are_no_answer_do_not_approve(screen: Screen) -> None:
    screen.types("yes", "y", "ok", "a", "", "")
    assert at(screen).ask(refund(), ONE).kind == "timed_out"


def test_an_empty_line_does_not_approve(screen: Screen) -> None:
    screen.types("", "", "")
    assert at(screen).ask(refund(), ONE).kind == "timed_out"


def test_nobody_answers_in_time(screen: Screen) -> None:
    import datetime as dt

    outcome = at(screen).ask(refund(), Terms(needs=ONE.needs, expires=dt.timedelta(milliseconds=50)))
    assert outcome.kind == "timed_out"
    assert "no answer in time" in screen.seen()


def test_the_terminal_goes_away(screen: Screen) -> None:
    os.write(screen.master, b"\x04")  # end of file
    assert at(screen).ask(refund(), ONE).kind == "timed_out"


@pytest.mark.parametrize("closed", [False, True])
def test_without_a_terminal_it_refuses(closed: bool, screen: Screen) -> None:
    stream = io.StringIO("a\n\n\n")
    if closed:
        stream.close()
    for reads, writes in ((stream, screen.writes), (screen.reads, stream)):
        with pytest.raises(NoTerminal, match="script the answer in the case"):
            Terminal(reads, writes)


def test_an_agent_cannot_draw_on_the_terminal(screen: Screen) -> None:
    screen.types("r", "", "")
    nasty = "\x1b[2J\x1b[Happrove me\r\n\u202e\u0430\x9b"
    at(screen).ask(refund(order_id=nasty, **{nasty: 1}), ONE)
    text = screen.seen()
    assert not set(nasty) - set("[2JHapprove m\r\n") & set(text)
    assert "\\u0430" in text


@given(st.text())
def test_what_is_shown_is_plain(text: str) -> None:
    assert all(" " <= c <= "~" for c in shown(text))


def test_two_questions_do_not_mix(screen: Screen) -> None:
    terminal = Terminal(screen.reads, screen.writes, user="alice", now=Clock())
    place = Desk([terminal], clock=Clock())
    inside, most = 0, 0
    guard = threading.Lock()
    original = terminal._answer

    def counted(request: Request) -> Answer:
        nonlocal inside, most
        with guard:
            inside += 1
            most = max(most, inside)
        time.sleep(0.005)
        try:
            return original(request)
        finally:
            with guard:
                inside -= 1

    terminal._answer = counted  # type: ignore[method-assign]
    screen.types(*(["a", "", ""] * 4))
    with ThreadPoolExecutor(4) as pool:
        kinds = list(pool.map(lambda _: place.ask(refund(), ONE).kind, range(4)))
    assert kinds == ["approved"] * 4
    assert most == 1


def test_moments_as_text_sort_as_they_are() -> None:
    import datetime as dt

    moments = [NOON + dt.timedelta(microseconds=n) for n in (0, 1, 10, 999_999, 1_000_000)]
    assert [stamp(m) for m in moments] == sorted(stamp(m) for m in moments)
