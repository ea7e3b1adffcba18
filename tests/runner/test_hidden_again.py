"""A recording is played under policies that redact today what they did not when it was made, and is changed by nothing else."""

from __future__ import annotations

import pytest

from pytest_agentops import tool

PLAIN = 'version: 1\npolicy: {id: all, tool: "*", rules: [{allow: true}]}\n'
HIDES = """
version: 1
policies:
  - id: pay
    tool: pay
    rules:
      - {if: "amount <= 50", allow: true}
      - require_approval: boss
      - log: {redact_fields: [card_number, bank_account]}
"""
HIDES_IN_PART = HIDES + "  - {id: mails, tool: mail, rules: [{allow: true}]}\n"
IBAN = "DE89 3704 0044"


@tool("pay", effect="write", tier=1)
def pay(amount: int, bank_account: str, card_number: str = "", pin: str = "") -> dict[str, str]:
    """Pay."""
    return {"receipt": f"paid to {bank_account}"}


@tool("mail", effect="write", tier=1)
def mail(text: str) -> str:
    """Write."""
    return "sent"


def payer(task, tools):
    first = tools.call("pay", amount=20, bank_account=IBAN)
    tools.call("mail", text=f"from {IBAN}")
    return first


EDIT = {"approvals": [{"by": "ann", "decision": "edit", "edit": {"amount": 40}}]}


@pytest.mark.parametrize("script", [{}, EDIT], ids=["as asked", "edited"])
def test_an_empty_field_is_nothing_to_hide(lab, script) -> None:
    def agent(task, tools):
        return tools.call("pay", amount=70 if script else 20, bank_account=IBAN)

    recorded = lab.record(agent, [pay], policy=HIDES, **script)
    assert recorded.success, recorded.problems
    assert "DE89" not in lab.tape.read_text()
    replayed = lab.run(agent, [pay], policy=HIDES, **script)
    assert replayed.success, replayed.problems
    assert replayed.output == recorded.output


def test_a_field_that_was_recorded_in_clear_is_hidden_wherever_it_is_repeated(lab) -> None:
    recorded = lab.record(payer, [pay, mail], policy=PLAIN)
    assert recorded.success, recorded.problems
    assert "DE89" in lab.tape.read_text()
    replayed = lab.run(payer, [pay, mail], policy=HIDES_IN_PART)
    assert replayed.success, replayed.problems
    assert replayed.output == {"receipt": "paid to <<bank_account:1>>"}
    assert "DE89" not in str(replayed.calls)


def test_also_before_the_call_that_shows_it(lab) -> None:
    def agent(task, tools):
        tools.call("mail", text=f"soon from {IBAN}")
        tools.call("pay", amount=20, bank_account=IBAN)

    assert lab.record(agent, [pay, mail], policy=PLAIN).success
    replayed = lab.run(agent, [pay, mail], policy=HIDES_IN_PART)
    assert replayed.success, replayed.problems


def test_also_in_what_a_tool_said_of_its_error(lab) -> None:
    @tool("pay", effect="write", tier=1)
    def refuses(amount: int, bank_account: str) -> str:
        """Pay."""
        raise ValueError(f"no money in {bank_account}")

    def agent(task, tools):
        return tools.attempt("pay", {"amount": 20, "bank_account": IBAN}).error["message"]

    assert lab.record(agent, [refuses], policy=PLAIN).success
    replayed = lab.run(agent, [refuses], policy=HIDES)
    assert (replayed.success, replayed.output) == (True, "no money in <<bank_account:1>>"), replayed.problems


def test_the_placeholders_that_the_recording_has_already_keep_their_numbers(lab) -> None:
    @tool("pay", effect="write", tier=1, sensitive=["pin"])
    def pays(amount: int, bank_account: str, pin: str) -> str:
        """Pay."""
        return "paid"

    def agent(task, tools):
        for pin in ("1111", "2222"):
            tools.call("pay", amount=20, bank_account=IBAN, pin=pin)

    recorded = lab.record(agent, [pays], policy=PLAIN)
    assert "<<pin:2>>" in lab.tape.read_text()
    replayed = lab.run(agent, [pays], policy=HIDES)
    assert replayed.success, replayed.problems
    assert [call.args["pin"] for call in replayed.calls] == [call.args["pin"] for call in recorded.calls]


def test_a_new_placeholder_is_none_that_the_recording_has(lab) -> None:
    """Two fields of one kind: one was hidden when it was recorded, the other is hidden today."""

    @tool("pay", effect="write", tier=1, sensitive=["$.frm.account"])
    def pays(amount: int, frm: dict[str, str], to: dict[str, str]) -> str:
        """Pay."""
        return "paid"

    def agent(task, tools):
        return tools.call("pay", amount=20, frm={"account": "ann's own"}, to={"account": "bob's own"})

    recorded = lab.record(agent, [pays], policy=PLAIN)
    assert recorded.success, recorded.problems
    replayed = lab.run(agent, [pays], policy=HIDES.replace("card_number, bank_account", "account"))
    assert replayed.success, replayed.problems
    assert (replayed.calls[0].args["frm"], replayed.calls[0].args["to"]) == (
        {"account": "<<account:1>>"},
        {"account": "<<account:2>>"},
    )
