"""Conversations: what the agent sees in each turn, and what is checked on each."""

from __future__ import annotations

import pytest


def test_the_conversation_so_far(lab, shop) -> None:
    seen = []

    def agent(task, tools):
        seen.append((task.text, [(m["role"], m["content"]) for m in task.messages], task.thread))
        task.say("one moment")
        return f"re: {task.text}"

    run = lab.run(agent, shop, mode="live", turns=["a", {"user": "b"}])
    assert seen[0][:2] == ("a", [("user", "a")])
    assert seen[1][:2] == (
        "b",
        [("user", "a"), ("assistant", "one moment"), ("assistant", "re: a"), ("user", "b")],
    )
    assert seen[0][2] == seen[1][2] == "lab/one.t1"
    assert run.output == "re: b"
    assert run.said == ["one moment", "re: a", "one moment", "re: b"]
    assert [t.said for t in run.turns] == [["one moment", "re: a"], ["one moment", "re: b"]]
    assert run.task == "a"


def test_a_json_reply_is_in_the_conversation_too(lab, shop) -> None:
    seen = []

    def agent(task, tools):
        seen.append(task.messages)
        return {"b": 1, "a": [2]}

    lab.run(agent, shop, mode="live", turns=["a", "b"])
    assert seen[1][1] == {"role": "assistant", "content": '{"a":[2],"b":1}'}


def close_on_word(task, tools):
    """Closes the order that the turn names, if it names one."""
    if task.text.startswith("W-"):
        return tools.call("orders.set", order_id=task.text)
    return "what?"


def state(**wanted):
    return {"state": {f"$['{name.replace('_', '-')}']": value for name, value in wanted.items()}}


@pytest.mark.parametrize("options", [{"record": "all"}, {}])
def test_state_before_and_after_the_writes_is_known_turn_by_turn(options, lab, shop) -> None:
    turns = [
        {"user": "hello", "expect": {**state(W_1="open"), "calls": {"count": {"*": 0}}, "said": {"contains": "what"}}},
        {"user": "W-1", "expect": {**state(W_1="closed"), "calls": {"include": ["orders.set"]}}},
        {"user": "bye", "expect": state(W_1="closed", W_2="open")},
    ]
    lab.record(close_on_word, shop, turns=turns)
    run = lab.run(close_on_word, shop, turns=turns, **options)
    assert run.success, [c.why for c in run.checks if not c.passed]


def test_a_turn_between_writes_says_that_its_state_is_not_kept(lab, shop) -> None:
    turns = [{"user": "W-1", "expect": state(W_1="closed")}, {"user": "W-2", "expect": state(W_2="closed")}]
    assert lab.record(close_on_word, shop, turns=turns).success
    run = lab.run(close_on_word, shop, turns=turns)
    failed = [c for c in run.checks if not c.passed]
    assert [c.name for c in failed] == ["turns[0].state"]
    assert "between its writes" in failed[0].why
    assert "--agent-mode=live" in failed[0].why


def test_a_write_that_moved_to_another_turn_is_seen(lab, shop) -> None:
    turns = [{"user": "W-1", "expect": state(W_1="closed")}, "bye"]
    assert lab.record(close_on_word, shop, turns=turns).success

    def lazy(task, tools):
        return tools.call("orders.set", order_id="W-1") if task.text == "bye" else "later"

    run = lab.run(lazy, shop, turns=turns)
    assert [c.name for c in run.checks if not c.passed] == ["turns[0].state"]


def test_a_conversation_that_breaks_off(lab, shop) -> None:
    turns = [{"user": "W-1"}, {"user": "W-2", "expect": state(W_2="closed")}]
    lab.record(close_on_word, shop, turns=turns)

    def breaks(task, tools):
        raise KeyError("x")

    run = lab.run(breaks, shop, turns=turns)
    assert run.outcome == "error"
    assert not run.state.known
    assert "were not made: orders.set, orders.set" in run.state.why
    assert "turn 2 never came" in str([c.why for c in run.checks])


def test_a_recording_without_a_state(lab) -> None:
    from pytest_agentops import Toolbox

    lab.record(lambda task, tools: "x", Toolbox())
    run = lab.run(lambda task, tools: "x", Toolbox([], state=dict), expect={"changed_only": []})
    assert "the toolbox offered no state" in run.state.why
    assert not run.success
    live = lab.run(lambda task, tools: "x", Toolbox(), mode="live", turns=["a", "b"])
    assert not live.state.known


def test_a_state_cannot_be_told_beside_a_live_write(lab, shop) -> None:
    def closes(task, tools):
        return tools.call("orders.set", order_id=task.text)

    lab.record(lambda task, tools: "nothing", shop, task="W-1")
    run = lab.run(closes, shop, task="W-1", record="new_episodes")
    assert run.state.why == "a write ran live beside the replayed calls"
