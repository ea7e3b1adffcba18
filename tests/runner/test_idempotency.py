"""Idempotency keys: the same key with the same arguments is one call, with others an error; live, recorded and replayed."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from pytest_agentops import Toolbox, tool

from .conftest import rules


@pytest.fixture
def keyed(bank):
    return lambda: bank(idempotency_key="key")


def calls(*asked, name="pay.refund"):
    """An agent that makes these calls; each is (amount, key)."""

    def agent(task, tools):
        out = []
        for amount, key in asked:
            got = tools.attempt(name, {"amount_usd": amount, **({} if key is None else {"key": key})})
            out.append("ok" if got.ok else got.error["reason"])
        return out

    return agent


def test_the_second_call_gets_the_stored_result(lab, bank, keyed) -> None:
    def agent(task, tools):
        first, second = (tools.call("pay.refund", amount_usd=20, key="k") for _ in range(2))
        return first == second

    run = lab.run(agent, keyed, mode="live", expect={"calls": {"count": {"pay.refund": 1}}})
    assert run.success, [c.why for c in run.checks]
    assert (run.output, bank.paid) == (True, [20])
    assert [(c.stored, c.reached, c.source) for c in run.calls] == [(False, True, "live"), (True, False, "none")]
    assert run.calls[1].blocked_by_policy is False


def test_other_arguments_are_an_error(lab, bank, keyed) -> None:
    run = lab.run(calls((20, "k"), (21, "k"), (20, "k"), (21, "l")), keyed, mode="live")
    assert (run.output, bank.paid) == (["ok", "idempotency_conflict", "ok", "ok"], [20, 21])
    assert (
        run.calls[1].error.message == "pay.refund: this idempotency key was used for other arguments; a new call needs a new key"
    )
    assert run.calls[1].decision == "invalid"


def test_equal_numbers_are_equal_arguments(lab, bank, keyed) -> None:
    assert lab.run(calls((20, "k"), (20.0, "k")), keyed, mode="live").output == ["ok", "ok"]
    assert bank.paid == [20]


def test_fresh_keys_hide_no_loop(lab, keyed) -> None:
    run = lab.run(calls((20, "a"), (20, "b"), (20, "c")), keyed, mode="live")
    assert "3 times in a row" in run.detected["loop"]


@pytest.mark.parametrize("other", ["K", "k ", "\uff4b", "k\u200b"])
def test_keys_are_texts_letter_for_letter(other, lab, bank, keyed) -> None:
    assert lab.run(calls((20, "k"), (20, other)), keyed, mode="live").output == ["ok", "ok"]
    assert bank.paid == [20, 20]


def test_no_key_and_an_empty_one_are_no_promise(lab, bank, keyed) -> None:
    assert lab.run(calls((20, None), (20, None), (20, ""), (20, "")), keyed, mode="live").output == ["ok"] * 4
    assert bank.paid == [20] * 4


def test_a_key_belongs_to_one_tool_and_to_one_trial(lab, bank) -> None:
    ran = []

    def tools():
        @tool("pay.other", effect="write", idempotency_key="key")
        def other(amount_usd: int, key: str) -> str:
            ran.append(key)
            return "other"

        return Toolbox.union([bank(idempotency_key="key"), Toolbox([other])])

    def agent(task, tools):
        return [tools.call("pay.refund", amount_usd=20, key="k")["paid"], tools.call("pay.other", amount_usd=20, key="k")]

    for _ in range(2):
        assert lab.run(agent, tools, mode="live").output == ["20", "other"]
    assert (bank.paid, ran) == ([20, 20], ["k", "k"])


def test_a_call_that_failed_may_be_tried_again_with_its_arguments_only(lab) -> None:
    tries = []

    @tool("pay.refund", effect="write", idempotency_key="key")
    def refund(amount_usd: int, key: str) -> str:
        tries.append(amount_usd)
        if len(tries) == 1:
            raise TimeoutError("upstream")
        return "ok"

    run = lab.run(calls((20, "k"), (21, "k"), (20, "k"), (20, "k")), [refund], mode="live")
    assert run.output == ["tool_failed", "idempotency_conflict", "ok", "ok"]
    assert tries == [20, 20]


def test_a_call_that_was_stopped_leaves_no_key(lab, bank, keyed) -> None:
    policy = rules('{if: "amount_usd <= 50", allow: true}', '{if: "amount_usd > 50", require_approval: boss}')
    no = [{"decision": "reject", "by": "ann"}]
    run = lab.run(calls((100, "k"), (20, "k")), keyed, mode="live", policy=policy, approvals=no)
    assert run.output == ["approval_rejected", "ok"]


def test_a_stored_result_is_no_second_call(lab, bank, keyed) -> None:
    """A retry with its key gets what the call had given, also where the policies would let no further call through."""
    limit = "{limit: {sum: amount_usd, per: session, max: 20}}"
    policy = rules('{if: "session.tool_calls < 1", allow: true}', limit, more="override_tier: T-1")
    run = lab.run(calls((20, "k"), (20, "k")), keyed, mode="live", policy=policy)
    assert run.output == ["ok", "ok"]
    assert bank.paid == [20]
    assert [call.stored for call in run.calls] == [False, True]


def test_a_stored_result_costs_nothing_and_is_charged_to_no_limit(lab, bank) -> None:
    policy = 'version: 1\npolicy: {tool: "*", rules: [{allow: true}, {limit: {per: session, max: 2}}], override_tier: T}'
    tools = lambda: bank(idempotency_key="key", cost_usd="0.10")  # noqa: E731
    run = lab.run(calls((20, "k"), (20, "k"), (20, "l"), (20, "m")), tools, mode="live", policy=policy, budget={"usd": 0.2})
    assert run.output == ["ok", "ok", "ok", "limit"]
    assert (len(bank.paid), str(run.cost_usd)) == (2, "0.20")


ASKS = rules("require_approval: boss", more="override_tier: T-1")
EDIT = {"by": "ann", "decision": "edit", "edit": {"amount_usd": 5}}


def test_an_edited_call_is_known_by_what_was_asked_and_by_what_ran(lab, bank, keyed) -> None:
    def agent(task, tools):
        first = tools.call("pay.refund", amount_usd=20, key="k")
        return [first == tools.call("pay.refund", amount_usd=amount, key="k") for amount in (20, 5)] + [
            tools.attempt("pay.refund", {"amount_usd": 6, "key": "k"}).error["reason"]
        ]

    run = lab.record(agent, keyed, policy=ASKS, approvals=[EDIT])
    assert (run.output, bank.paid) == ([True, True, "idempotency_conflict"], [5])
    assert len(run.interventions) == 1, "nobody is asked twice about one call"
    replayed = lab.run(agent, keyed, policy=ASKS, approvals=[EDIT])
    assert (replayed.output, replayed.problems) == (run.output, [])


def test_a_key_that_was_edited_is_known_under_both(lab, bank, keyed) -> None:
    edit = {**EDIT, "edit": {"key": "l"}}
    run = lab.run(calls((20, "k"), (20, "k"), (20, "l")), keyed, mode="live", policy=ASKS, approvals=[edit])
    assert (run.output, bank.paid) == (["ok"] * 3, [20])
    assert [call.stored for call in run.calls] == [False, True, True]


def test_an_edit_that_is_refused_leaves_no_key_behind(lab, bank, keyed) -> None:
    policy = rules(
        '{if: "amount_usd == 5", deny: true}',
        '{if: "amount_usd == 20", require_approval: boss}',
        "allow: true",
        more="override_tier: T-1",
    )
    run = lab.run(calls((20, "k"), (30, "k")), keyed, mode="live", policy=policy, approvals=[EDIT])
    assert (run.output, bank.paid) == (["rule", "ok"], [30])


def test_what_failed_at_the_tool_stays_bound_when_the_next_try_is_stopped(lab, bank, keyed) -> None:
    def failing():
        @tool("pay.refund", effect="write", tier=2, idempotency_key="key")
        def refund(amount_usd: int, key: str) -> str:
            raise TimeoutError("upstream")

        return [refund]

    policy = rules('{if: "session.tool_calls == 1", deny: true}', "allow: true", more="override_tier: T-1")
    run = lab.run(calls((20, "k"), (20, "k"), (21, "k")), failing, mode="live", policy=policy)
    assert run.output == ["tool_failed", "rule", "idempotency_conflict"], "nobody knows what the first one did"


def test_two_at_once_pay_once(lab) -> None:
    paid = []

    @tool("pay.refund", effect="write", idempotency_key="key")
    def refund(amount_usd: int, key: str) -> str:
        paid.append(key)
        time.sleep(0.05)
        return "ok"

    def agent(task, tools):
        start, out = threading.Barrier(6), []

        def one():
            start.wait()
            got = tools.attempt("pay.refund", {"amount_usd": 1, "key": "k"})
            out.append("ok" if got.ok else got.error["reason"])

        threads = [threading.Thread(target=one) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sorted(out)

    run = lab.run(agent, [refund], mode="live")
    assert paid == ["k"]
    assert run.output == ["idempotency_conflict"] * 5 + ["ok"]
    assert "still in flight" in next(c for c in run.calls if c.reason == "idempotency_conflict").error.message


def test_tasks_at_once_pay_once(lab) -> None:
    paid = []

    @tool("pay.refund", effect="write", idempotency_key="key")
    async def refund(amount_usd: int, key: str) -> str:
        paid.append(key)
        await asyncio.sleep(0.01)
        return "ok"

    async def agent(task, tools):
        got = await asyncio.gather(*(tools.aattempt("pay.refund", {"amount_usd": 1, "key": "k"}) for _ in range(4)))
        return sum(one.ok for one in got)

    assert (lab.run(agent, [refund], mode="live").output, paid) == (1, ["k"])


def test_a_stored_result_is_a_copy(lab, keyed) -> None:
    def agent(task, tools):
        first = tools.call("pay.refund", amount_usd=20, key="k")
        first["paid"] = "1000000"
        second = tools.call("pay.refund", amount_usd=20, key="k")
        second["paid"] = "x"
        return tools.call("pay.refund", amount_usd=20, key="k")["paid"]

    assert lab.run(agent, keyed, mode="live").output == "20"


# ---- recorded and replayed


def test_a_repetition_is_one_recording_and_replays(lab, bank, keyed) -> None:
    def agent(task, tools):
        key = str(task.uuid4())
        return [tools.call("pay.refund", amount_usd=20, key=key)["paid"] for _ in range(2)]

    lab.record(agent, keyed)
    assert len(lab.cassette.calls) == 1
    run = lab.run(agent, keyed)
    assert run.success, run.problems
    assert (run.output, [c.stored for c in run.calls], bank.paid) == (["20", "20"], [False, True], [20])


def test_a_recording_from_before_the_key_was_declared(lab, bank, keyed) -> None:
    """It has the call twice; the key makes one of them, and the second is not unused."""
    lab.record(calls((20, "k"), (20, "k")), bank)
    assert len(lab.cassette.calls) == 2
    run = lab.run(calls((20, "k"), (20, "k")), keyed)
    assert run.success, run.problems
    assert run.output == ["ok", "ok"]
