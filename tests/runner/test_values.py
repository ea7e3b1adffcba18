"""Time, ids and chance: real where live, the same again in replay."""

from __future__ import annotations

import datetime as dt
import os
import uuid

from pytest_agentops import tool


@tool("pay", effect="write", idempotency_key="key")
def pay(order: str, key: str) -> dict[str, str]:
    return {"receipt": f"R-{key}", "key": key}


@tool("fail", effect="read")
def fail(key: str) -> None:
    raise ValueError(f"no {key}")


def agent(task, tools):
    key = str(task.uuid4())
    receipt = tools.call("pay", order="W-1", key=key)
    assert receipt == {"receipt": f"R-{key}", "key": key}
    assert key in tools.attempt("fail", {"key": key}).error["message"]
    return {"key": key, "now": task.now().isoformat(), "dice": [task.random.random() for _ in range(3)]}


def test_what_was_drawn_comes_again(lab) -> None:
    recorded = lab.record(agent, [pay, fail])
    assert recorded.success
    text = lab.tape.read_text()
    assert recorded.output["key"] not in text
    assert text.count("<<uuid:1>>") == 5
    first, second = lab.run(agent, [pay, fail]), lab.run(agent, [pay, fail])
    assert first.success
    assert first.output == second.output
    assert first.output["dice"] == recorded.output["dice"]
    assert first.output["key"] != recorded.output["key"], "a live key is a real one"
    assert dt.datetime.fromisoformat(first.output["now"]) == dt.datetime.fromisoformat(recorded.output["now"]).replace(
        microsecond=0
    )
    before = lab.tape.read_bytes()
    assert lab.record(agent, [pay, fail]).success
    # chance was used, so only clock and seed could differ; they are kept where the answers are equal
    assert lab.tape.read_bytes() == before


def test_the_cases_own_clock(lab, shop) -> None:
    def now(task, tools):
        return task.now().isoformat()

    lab.record(now, shop)
    run = lab.run(now, shop, clock="2026-01-02T03:04:05+01:00")
    assert run.output == "2026-01-02T03:04:05+01:00"


def test_live_ids_are_real(lab, shop) -> None:
    ids = {lab.run(lambda task, tools: str(task.uuid4()), shop, mode="live").output for _ in range(3)}
    assert len(ids) == 3
    assert all(uuid.UUID(i).version == 4 for i in ids)


def test_a_task_shows_itself(lab, shop) -> None:
    assert lab.run(lambda task, tools: repr(task), shop, mode="live", task="hello").output == "Task('hello')"


def test_keys_hold_a_placeholder_and_are_put_back(lab, shop, monkeypatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "")
    monkeypatch.setenv("MISTRAL_API_KEY", "a-real-key-of-mine")
    names = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "MISTRAL_API_KEY", "PYTEST_AGENTOPS_REPLAY")
    seen = []

    def look(task, tools):
        seen.append([os.environ.get(name) for name in names])

    before = dict(os.environ)
    lab.record(look, shop)
    lab.run(look, shop)
    assert seen == [[None, "", "a-real-key-of-mine", None], ["replay", "replay", "a-real-key-of-mine", "1"]]
    assert dict(os.environ) == before

    def crash(task, tools):
        raise KeyError("x")

    lab.run(crash, shop)
    assert dict(os.environ) == before
