"""The membrane around live tools: placeholders for agents and files, the real value for the tool, never a secret in a file."""

from __future__ import annotations

import json

import pytest

from pytest_agentops import tool
from pytest_agentops.redact.membrane import Membrane
from pytest_agentops.runner.events import write_events
from pytest_agentops.schema.parsed import ParsedCache
from pytest_agentops.schema.values import dumps

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


# ---- what is kept of a run


def written(lab, run, tmp_path) -> str:
    """The events file and the results, as the doors write them."""
    path = tmp_path / "runs" / "one.jsonl"
    write_events(run, path)
    return (path.read_text() if path.exists() else "") + dumps(run.as_json())


def test_what_a_check_wanted_and_measured_is_hidden(lab, tmp_path) -> None:
    run = lab.run(lambda task, tools: "no", mode="live", expect={"output": {"equals": f"the key is {KEY}", "contains": [KEY]}})
    text = written(lab, run, tmp_path)
    assert "sk-" not in text
    assert "<<api_key:1>>" in text
    assert not run.success
    assert lab.kinds(run) == [], "it was replaced, nothing is lost"


def test_a_variables_value_that_the_case_names_is_hidden_too(lab, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "very-private-value")
    run = lab.run(lambda task, tools: "no", mode="live", expect={"output": {"equals": "very-private-value"}})
    assert "very-private" not in written(lab, run, tmp_path)


def test_a_value_that_turned_out_to_be_a_secret_is_replaced_where_it_stood(lab, tmp_path) -> None:
    @tool("pay", effect="write", sensitive=["card_number"])
    def pay(card_number: str) -> str:
        return "paid"

    def agent(task, tools):
        task.say("I take 4111111111111111")
        tools.attempt("pay.", {"note": "4111111111111111"})
        return tools.call("pay", card_number="4111111111111111") and ["4111111111111111"]

    run = lab.run(agent, [pay], mode="live", task="Pay by 4111111111111111", expect={"state": {"$.x": "4111111111111111"}})
    text = written(lab, run, tmp_path)
    assert "4111" not in text
    assert run.task == "Pay by <<card_number:1>>"
    assert run.said[0] == "I take <<card_number:1>>"
    assert run.calls[0].args == {"note": "<<card_number:1>>"}
    assert "secret" not in lab.kinds(run)


def test_what_the_membrane_cannot_replace_is_withheld_and_fails(lab, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("DEPLOY_KEY", "one long line of 64 letters\nand-a-second-line-that-is-longer-1234")

    def agent(task, tools):
        task.say("see and-a-second-line-that-is-longer-1234")
        return {"part": "and-a-second-line-that-is-longer-1234"}

    run = lab.run(agent, mode="live", expect={"output": {"contains": ["and-a-second-line-that-is-longer-1234"]}})
    assert run.success
    text = written(lab, run, tmp_path)
    assert "second-line" not in text
    assert not run.success
    assert lab.kinds(run) == ["secret"]
    assert "secret:DEPLOY_KEY" in run.problems[0].text
    assert "cure:" in run.problems[0].text
    assert (tmp_path / "runs" / "one.jsonl").exists(), "that it ran is told"


def test_where_even_the_rest_holds_one_there_is_no_file(lab, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("DEPLOY_KEY", "a first line\nname-of-a-tool-7f3a")
    path = tmp_path / "one.jsonl"
    path.write_text("of an earlier run")
    run = lab.run(lambda task, tools: tools.attempt("name-of-a-tool-7f3a") and "x", mode="live")
    write_events(run, path)
    assert not path.exists()
    assert run.events is None
    assert not run.success


def test_the_cache_of_parsed_files_keeps_no_secret(tmp_path) -> None:
    cache = ParsedCache(tmp_path, scan=Membrane({"SHOP_TOKEN": "very-private-value"}).scan)
    for value in (KEY, "the very-private-value"):
        cache.put("suite", {"task": value}, value)
        assert cache.get("suite", value) is None
    cache.put("suite", {"task": "x"}, "x")
    assert cache.get("suite", "x") == {"task": "x"}
    assert len(list(tmp_path.iterdir())) == 1


def test_a_variable_that_is_set_between_two_trials_is_known(lab, monkeypatch) -> None:
    key = "Xk2-8842-qqPz-0117"

    def agent(task, tools):
        return f"the key is {key}"

    assert key in str(lab.record(agent).output)
    monkeypatch.setenv("SHOP_API_KEY", key)
    assert lab.run(agent).output == "the key is <<secret:SHOP_API_KEY>>"
    monkeypatch.delenv("SHOP_API_KEY")
    assert key in str(lab.run(agent).output)


# ---- one secret, whatever its JSON kind


NUMBER = 4111222233334444


@pytest.fixture
def teller(got):
    @tool("charge", effect="write", sensitive=["card_number"])
    def charge(card_number: int) -> dict[str, str]:
        got.append(card_number)
        return {"card_number": str(card_number), "note": f"charged {card_number}"}

    @tool("mail", effect="write", sensitive=["card_number"])
    def mail(text: str, card_number: str = "") -> str:
        got.append((text, card_number))
        return "sent"

    return [charge, mail]


def echoes(task, tools):
    """Says the number that it has of its own as a number, inside a text, as a text."""
    back = tools.call("charge", card_number=NUMBER)
    tools.call("mail", text=f"your card {NUMBER}")
    tools.call("mail", text=str(NUMBER), card_number=back["card_number"])
    return back["note"]


def test_a_number_that_is_echoed_as_a_text_is_the_same_secret(lab, teller, got) -> None:
    recorded = lab.record(echoes, teller)
    assert recorded.success, recorded.problems
    assert got == [NUMBER, (f"your card {NUMBER}", ""), (str(NUMBER), str(NUMBER))], "live tools get each in its own kind"
    assert str(NUMBER) not in lab.tape.read_text() + json.dumps(recorded.as_json())
    assert recorded.output == "charged <<card_number:1>>"
    replayed = lab.run(echoes, teller)
    assert replayed.success, replayed.problems
    assert [c.args for c in replayed.calls] == [c.args for c in recorded.calls]
