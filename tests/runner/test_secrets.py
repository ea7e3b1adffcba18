"""The membrane around live tools: placeholders for agents and files, the real value for the tool, never a secret in a file."""

from __future__ import annotations

import json

import pytest

from pytest_agentops import tool
from pytest_agentops.runner.events import write_events

KEY = "sk-abcdefghijklmnopqrstuvwx0123456789ABCDEFGHIJKLMN"
CARD = "4111 1111 1111 1111"


@pytest.fixture
def got() -> list[str]:
    return []


@pytest.fixture
def bank(got):
    @tool("card", effect="read", sensitive=["card_number"])
    def card() -> dict[str, str]:
        return {"card_number": CARD, "note": f"card {CARD}, key {KEY}"}

    @tool("pay", effect="write", sensitive=["card_number"])
    def pay(card_number: str, memo: str) -> str:
        got.append(f"{card_number} / {memo}")
        return "paid"

    return [card, pay]


def agent(task, tools):
    found = tools.call("card")
    tools.call("pay", card_number=found["card_number"], memo=f"for {found['card_number']}")
    return found["note"]


def test_there_and_back(lab, bank, got, tmp_path) -> None:
    run = lab.record(agent, bank)
    assert run.success
    assert got == [f"{CARD} / for {CARD}"], "the live tool gets the real value, also inside a longer text"
    write_events(run, tmp_path / "deep" / "events.jsonl")
    everything = lab.tape.read_text() + json.dumps(run.as_json()) + (tmp_path / "deep" / "events.jsonl").read_text()
    assert "4111" not in everything
    assert "sk-abc" not in everything
    assert "<<card_number:1>>" in lab.tape.read_text()
    assert run.output.startswith("card <<card_number:1>>, key <<")
    got.clear()
    replayed = lab.run(agent, bank)
    assert replayed.success
    assert replayed.output == run.output
    assert got == []


def test_passthrough_is_for_the_agent_alone(lab, got, tmp_path) -> None:
    @tool("card", effect="read", sensitive=["card_number"], passthrough=["$.card_number"])
    def card() -> dict[str, str]:
        return {"card_number": CARD}

    seen = []

    def look(task, tools):
        seen.append(tools.call("card")["card_number"])
        return f"it is {seen[-1]}"

    run = lab.record(look, [card])
    assert seen == [CARD]
    write_events(run, tmp_path / "events.jsonl")
    for text in (lab.tape.read_text(), json.dumps(run.as_json()), (tmp_path / "events.jsonl").read_text(), str(run)):
        assert "4111" not in text
    lab.run(look, [card])
    assert seen[1] == "<<card_number:1>>"


def test_a_secret_in_an_error(lab) -> None:
    @tool("login", effect="read")
    def login() -> str:
        raise PermissionError(f"wrong key {KEY}")

    run = lab.record(lambda task, tools: tools.attempt("login").error["message"], [login])
    assert "sk-" not in run.output
    assert "sk-" not in lab.tape.read_text()
    assert lab.run(lambda task, tools: tools.attempt("login").error["message"], [login]).output == run.output


def test_a_secret_variable(lab, monkeypatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "very-private-value")

    @tool("who", effect="read")
    def who() -> str:
        return "me:very-private-value"

    run = lab.record(lambda task, tools: tools.call("who"), [who])
    assert run.output == "me:<<secret:SHOP_TOKEN>>"
    assert "very-private" not in lab.tape.read_text()


def test_bytes_with_a_secret_are_not_written(lab, bank) -> None:
    lab.record(lambda task, tools: "x", bank)
    before = lab.tape.read_bytes()

    def leak(task, tools):
        # a hole in the membrane: the scan of the written bytes is the second line
        task.session.membrane.hide = lambda value, *a, **k: value
        return tools.call("card")["note"]

    run = lab.record(leak, bank)
    assert "secret" in lab.kinds(run)
    text = lab.problem(run, "secret").text
    assert "not written" in text
    assert "sk-abc" not in text
    assert not run.success
    assert lab.tape.read_bytes() == before
    assert [p.name for p in lab.folder.iterdir()] == ["tools.yaml"]


def test_a_sensitive_field_of_the_state_is_hidden_also_if_no_tool_showed_it(lab) -> None:
    from pytest_agentops import Toolbox

    @tool("card", effect="read", sensitive=["pin_code", "$.deep.path"])
    def card() -> dict[str, str]:
        return {}

    box = Toolbox([card], state=lambda: {"accounts": [{"pin_code": "4711"}], "free": "4711"})
    run = lab.record(lambda task, tools: "x", box)
    assert run.state.after == {"accounts": [{"pin_code": "<<pin_code:1>>"}], "free": "4711"}
    assert "<<pin_code:1>>" in lab.tape.read_text()
    assert lab.run(lambda task, tools: "x", box).state.after == run.state.after
