"""Budgets of a trial: what stops it, what happens before, what is unknown, and the session's money over many trials."""

from __future__ import annotations

import asyncio
import threading
from decimal import Decimal

import pytest

from pytest_agentops import BudgetExceeded
from pytest_agentops.runner.ledger import Ledger
from pytest_agentops.schema.run import Usage

from ..servers.protocol import ProtocolServer, call, say, use_tools
from .conftest import racing, refunds
from .test_model_layer import chatting, client


def pays(times: int, amount: float = 1):
    return refunds(*[amount] * times)


def costs(bank, price="0.10"):
    return lambda: bank(cost_usd=price)


# ---- limits


def test_a_call_that_does_not_fit_the_money_is_not_made(lab, bank) -> None:
    run = lab.run(pays(4), costs(bank), mode="live", budget={"usd": 0.25})
    assert run.output == ["paid", "paid", "budget_exceeded", "budget_exceeded"]
    assert (run.outcome, run.budget.exceeded, run.cost_usd) == ("budget_exceeded", "usd", Decimal("0.20"))
    assert run.stop == "budget exceeded: 0.3 usd, the limit is 0.25 (budget.usd)"
    assert len(bank.paid) == 2


def test_the_last_cent_may_be_spent(lab, bank) -> None:
    assert lab.run(pays(3), costs(bank), mode="live", budget={"usd": 0.3}).output == ["paid"] * 3, "0.1 * 3 is 0.3 here"


def test_a_call_that_a_human_stopped_costs_nothing(lab, bank) -> None:
    no = [{"decision": "reject", "by": "ann"}]
    policy = 'version: 1\npolicy: {tool: "*", rules: [{if: "amount_usd <= 1", allow: true}, {require_approval: boss}]}'

    def agent(task, tools):
        return [tools.attempt("pay.refund", {"amount_usd": amount}).ok for amount in (5, 1, 1)]

    run = lab.run(agent, costs(bank), mode="live", budget={"usd": 0.2}, policy=policy, approvals=no)
    assert run.output == [False, True, True]


def test_concurrent_calls_cannot_race_one_budget(lab, bank) -> None:
    run = lab.run(racing(10, 1), costs(bank), mode="live", budget={"usd": 0.35})
    assert len(bank.paid) == 3
    assert run.outcome == "budget_exceeded"


def test_work_in_flight_finishes_and_is_counted(lab, bank) -> None:
    async def agent(task, tools):
        await asyncio.gather(*(tools.aattempt("pay.refund", {"amount_usd": 1}) for _ in range(3)))

    run = lab.run(agent, costs(bank), mode="live", budget={"tool_calls": 2})
    assert (len(bank.paid), run.cost_usd, len(run.calls)) == (2, Decimal("0.20"), 3)


@pytest.mark.parametrize(("budget", "what"), [({"tool_calls": 2}, "tool_calls"), ({"steps": 2}, "steps")])
def test_limits_on_numbers(budget, what, lab, bank) -> None:
    run = lab.run(pays(3), bank, mode="live", budget=budget, expect={"outcome": "budget_exceeded", "budget": {"exceeded": what}})
    assert run.success
    assert len(bank.paid) == 2


def test_an_unknown_price_is_over_every_limit_on_money(lab, bank) -> None:
    def agent(task, tools):
        with pytest.raises(BudgetExceeded, match=r"an unknown number of usd.*unknown is never within a limit"):
            task.session.answered(Usage(input=1, output=1), None, "home-made")
        return tools.attempt("pay.refund", {"amount_usd": 1}).error["reason"]

    run = lab.run(agent, bank, mode="live", budget={"usd": 100})
    assert (run.outcome, bank.paid) == ("budget_exceeded", [])
    assert run.budget.share is None, "what is unknown is no share"


def test_tokens_that_nobody_stated_are_over_a_limit_on_them(lab, bank) -> None:
    def agent(task, tools):
        task.session.answered(None, Decimal("0.01"), "m")

    run = lab.run(agent, bank, mode="live", budget={"tokens": 1000}, expect={"outcome": "budget_exceeded"})
    assert run.success
    assert "tokens" in run.stop


def test_an_agent_cannot_get_its_budget_back(lab, bank) -> None:
    def agent(task, tools):
        out = []
        for _ in range(3):
            try:
                tools.call("pay.refund", amount_usd=1)
            except BudgetExceeded as over:
                out.append(over.what)
        return out

    run = lab.run(agent, bank, mode="live", budget={"tool_calls": 1})
    assert run.output == ["tool_calls", "tool_calls"]
    assert run.outcome == "budget_exceeded", "whatever the agent made of it"


# ---- degrade


def test_no_new_writes(lab, bank) -> None:
    def agent(task, tools):
        return [tools.attempt(name, args).ok for name, args in [("pay.refund", {"amount_usd": 1})] * 5 + [("pay.look", {})]]

    run = lab.run(
        agent,
        bank,
        mode="live",
        budget={"tool_calls": 8, "degrade": [{"at": 0.5, "writes": "deny"}]},
        expect={"budget": {"degraded": 1, "exceeded": "none", "share": {"max": 0.8}}},
    )
    assert run.success, [check.why for check in run.checks]
    assert run.output == [True] * 3 + [False] * 2 + [True], "the fourth call is half of them"
    assert (
        run.calls[3].error.message == "pay.refund: 50% of the budget is used: nothing that changes something is called any more"
    )
    assert run.labels == ["degraded"]
    assert run.budget.degraded == ({"at": 0.5, "of": "tool_calls", "share": 0.5, "writes": "deny"},)


def test_a_tool_without_an_effect_is_a_write(lab, bank) -> None:
    run = lab.run(
        pays(1), lambda: bank(effect=None), mode="live", budget={"tool_calls": 2, "degrade": [{"at": 0.5, "writes": "deny"}]}
    )
    assert run.output == ["budget_exceeded"]


def test_everything_needs_a_person(lab, bank) -> None:
    budget = {"tool_calls": 4, "degrade": [{"at": 0.5, "require_approval": "boss"}]}
    yes = [{"role": "boss", "decision": "approve", "by": "ann"}]
    run = lab.run(pays(3), bank, mode="live", budget=budget, approvals=yes)
    assert run.outcome == "interrupted", "the third call has nobody left to ask"
    assert [c.decision for c in run.calls] == ["allow", "approved", "deny"]
    assert len(bank.paid) == 2


def test_the_person_of_a_low_budget_comes_beside_the_one_of_the_policy(lab, bank) -> None:
    policy = 'version: 1\npolicy: {tool: "*", rules: [{require_approval: clerk}], override_tier: T-1}'
    budget = {"tool_calls": 2, "degrade": [{"at": 0.5, "require_approval": "boss"}]}
    one = {"role": "clerk", "decision": "approve", "by": "ann"}
    other = {"role": "boss", "decision": "approve", "by": "bob"}
    assert lab.run(pays(1), bank, mode="live", policy=policy, budget=budget, approvals=[one]).outcome == "interrupted"
    assert lab.run(pays(1), bank, mode="live", policy=policy, budget=budget, approvals=[one, other]).output == ["paid"]
    same = {**other, "by": "ann"}
    assert lab.run(pays(1), bank, mode="live", policy=policy, budget=budget, approvals=[one, same]).outcome == "interrupted"
    assert len(bank.paid) == 1


def test_another_model_from_then_on(lab, bank) -> None:
    def agent(task, tools):
        seen = [task.model]
        for _ in range(4):
            tools.call("pay.look")
            seen.append(task.model)
        return seen

    steps = [{"at": 0.75, "model": "tiny"}, {"at": 0.5, "model": "small"}]
    run = lab.run(agent, bank, mode="live", model="big", budget={"tool_calls": 4, "degrade": steps})
    assert run.output == ["big", "big", "small", "tiny", "tiny"]
    assert [step["model"] for step in run.budget.degraded] == ["small", "tiny"]


def test_a_later_turn_keeps_the_cheaper_model(lab, bank) -> None:
    seen = []

    def agent(task, tools):
        seen.append(task.model)
        tools.call("pay.look")
        return "ok"

    budget = {"tool_calls": 4, "degrade": [{"at": 0.5, "model": "small"}]}
    assert lab.run(agent, bank, mode="live", model="big", budget=budget, turns=["a", "b", "c"]).success is True
    assert seen == ["big", "big", "small"]


TIMES = [use_tools(call("orders__get", order_id="W-1")), use_tools(call("orders__get", order_id="W-2")), say("Done.")]
SHARED = {"tokens": 60, "degrade": [{"at": 0.5, "model": "gpt-4.1-nano"}]}


@pytest.mark.parametrize("kind", ["own loop", "built-in"])
def test_a_degraded_model_is_asked_recorded_and_replayed(kind, lab, shop, monkeypatch) -> None:
    from pytest_agentops.agents.openai import openai

    monkeypatch.setenv("OPENAI_API_KEY", "k")
    with ProtocolServer(TIMES) as server:
        agent = chatting(server.url) if kind == "own loop" else openai(base_url=f"{server.url}/v1")
        first = lab.record(agent, shop, model="gpt-4o-mini", budget=SHARED)
        asked = [seen.json["model"] for seen in server.requests]
    assert first.success, (first.stop, first.problems)
    assert len(set(asked)) == 2
    assert asked == sorted(asked, reverse=True), "the named model first, and never again after"
    again = lab.run(agent, shop, model="gpt-4o-mini", budget=SHARED)
    assert again.success, (again.stop, again.problems)
    assert again.pins.model == first.pins.model == sorted(set(asked))
    assert again.budget == first.budget


def test_degrading_is_the_same_in_replay(lab, bank) -> None:
    budget = {"tool_calls": 4, "degrade": [{"at": 0.5, "writes": "deny"}]}
    first = lab.record(pays(3), bank, budget=budget)
    again = lab.run(pays(3), bank, budget=budget)
    assert again.success, again.problems
    assert again.output == first.output == ["paid", "budget_exceeded", "budget_exceeded"]
    assert again.budget == first.budget
    assert again.labels == ["degraded"]


# ---- the session's money


def test_the_sessions_money_stops_the_next_call_and_the_next_trial(lab, bank, tmp_path) -> None:
    ledger = Ledger(tmp_path / "spend", Decimal("0.15"))
    run = lab.run(pays(4), costs(bank), mode="live", ledger=ledger)
    assert run.output == ["paid", "budget_exceeded", "budget_exceeded", "budget_exceeded"], "what does not fit is not paid"
    assert "0.2 usd, the limit is 0.15 (--agent-budget-usd)" in run.stop
    assert (run.calls[1].decision, run.calls[1].reached) == ("budget", False)
    ledger.pay("another", Decimal("0.06"))
    late = lab.run(pays(1), costs(bank), mode="live", ledger=Ledger(tmp_path / "spend", Decimal("0.15")))
    assert (late.outcome, late.calls, late.budget.exceeded) == ("budget_exceeded", [], "usd")
    assert ("unpaid" in run.labels, late.labels) == (True, ["unpaid"])
    assert (len(bank.paid), ledger.total()) == (1, Decimal("0.16"))


def test_money_that_is_used_up_to_the_cent_pays_nothing_more_but_what_is_free(lab, bank, shop, tmp_path) -> None:
    ledger = Ledger(tmp_path / "spend", Decimal("0.20"))
    assert lab.run(pays(3), costs(bank), mode="live", ledger=ledger).output == ["paid", "paid", "budget_exceeded"]
    assert lab.run(pays(3), lambda: bank(cost_usd=None), mode="live", ledger=ledger).output == ["paid"] * 3
    with ProtocolServer([say("x")] * 3) as server:
        run = lab.run(chatting(server.url, model="gpt-4o-mini"), shop, mode="live", ledger=ledger)
        assert (run.outcome, server.count) == ("budget_exceeded", 0), "a model asks something, however little"
        free = {"gpt-4o-mini": {"input_usd_per_million": 0, "output_usd_per_million": 0}}
        run = lab.run(chatting(server.url, model="gpt-4o-mini"), shop, mode="live", ledger=ledger, prices=free)
        assert (run.outcome, server.count) == ("completed", 1), run.stop


def test_nobody_is_asked_to_approve_what_there_is_no_money_for(lab, bank, tmp_path) -> None:
    ledger = Ledger(tmp_path / "spend", Decimal("0.05"))
    asks = "version: 1\npolicy: {id: p, tool: pay.refund, rules: [{require_approval: {role: boss, count: 2}}]}\n"
    script = [{"by": "ann", "decision": "approve"}, {"by": "bob", "decision": "approve"}]
    run = lab.run(pays(1), costs(bank), mode="live", ledger=ledger, policy=asks, approvals=script)
    assert (run.outcome, run.interventions, bank.paid) == ("budget_exceeded", [], [])


def test_calls_that_race_for_the_last_dollar(lab, bank, tmp_path) -> None:
    def agent(task, tools):
        threads = [threading.Thread(target=tools.attempt, args=("pay.refund", {"amount_usd": n})) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    ledger = Ledger(tmp_path / "spend", Decimal("0.35"))
    run = lab.run(agent, costs(bank), mode="live", ledger=ledger)
    assert (run.outcome, len(bank.paid), ledger.total()) == ("budget_exceeded", 3, Decimal("0.30"))


def test_a_replayed_call_is_paid_with_nothing_where_only_new_ones_are_live(lab, bank, tmp_path) -> None:
    lab.record(pays(1), costs(bank))
    ledger = Ledger(tmp_path / "spend", Decimal("0.05"))
    run = lab.run(pays(1), costs(bank), record="new_episodes", ledger=ledger)
    assert (run.output, ledger.total()) == (["paid"], 0)


def test_a_replay_spends_nothing(lab, bank, tmp_path) -> None:
    ledger = Ledger(tmp_path / "spend", Decimal("0.01"))
    lab.record(pays(3), costs(bank))
    assert lab.run(pays(3), costs(bank), ledger=ledger).success
    assert ledger.total() == 0


def test_a_payment_of_unknown_size_is_over(lab, shop, tmp_path) -> None:
    ledger = Ledger(tmp_path / "spend", Decimal(100))
    with ProtocolServer([use_tools(call("orders__get", order_id="W-1")), say("Done.")]) as server:
        run = lab.run(chatting(server.url, model="home-made"), shop, mode="live", ledger=ledger)
    assert run.outcome == "budget_exceeded"
    assert "unknown" in run.stop
    assert ledger.total() is None


def test_model_requests_stop_too(lab, shop, tmp_path) -> None:
    ledger = Ledger(tmp_path / "spend", Decimal("0.000001"))
    ledger.pay("another", Decimal("0.0000009"))

    def agent(task, tools):
        for _ in range(3):
            try:
                with client(server.url, max_retries=0) as ai:
                    ai.chat.completions.create(model="gpt-4o-mini", messages=[])
            except Exception:
                continue
        return "ok"

    with ProtocolServer([say("x")] * 3) as server:
        run = lab.run(agent, shop, mode="live", ledger=ledger)
        assert server.count == 1, "the answer that overdraws is paid, and the last one"
    assert run.outcome == "budget_exceeded"


def test_a_line_that_is_written_just_now_is_not_half_read(tmp_path) -> None:
    ledger = Ledger(tmp_path / "spend", Decimal(1))
    (tmp_path / "spend").write_bytes(b"a 0.5\nb 0.")
    assert ledger.total() == Decimal("0.5")
    with (tmp_path / "spend").open("ab") as file:
        file.write(b"25\n")
    assert ledger.total() == Decimal("0.75")
    assert ledger.spent() == {"a": Decimal("0.5"), "b": Decimal("0.25")}


def test_a_line_that_a_killed_process_left_half_is_unknown(tmp_path) -> None:
    (tmp_path / "spend").write_bytes(b"s 0.")
    ledger = Ledger(tmp_path / "spend", Decimal(1))
    ledger.pay("s", Decimal("0.5"))
    assert ledger.total() is None
    assert "unknown" in str(ledger.check("s", None))


def test_many_processes_pay_into_one_ledger(tmp_path) -> None:
    ledgers = [Ledger(tmp_path / "spend", None) for _ in range(4)]
    threads = [threading.Thread(target=lambda one=one: [one.pay("s", Decimal("0.01")) for _ in range(50)]) for one in ledgers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [ledger.total() for ledger in ledgers] == [Decimal("2.00")] * 4
