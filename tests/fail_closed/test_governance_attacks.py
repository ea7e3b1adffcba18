"""Agents that try to get around policies, approvals and budgets, seen from the outside: it fails, or they get nothing."""

from __future__ import annotations

import pytest

from .conftest import Place

POLICY = """\
version: 1
policy:
  id: p
  tool: orders.close
  tier: 3
  rules:
    - {if: "order_id == 'W-1' and context.sandbox == true", allow: true}
    - {if: "order_id != 'W-1'", deny: true}
"""
OVERRIDE = POLICY.replace("  tier: 3\n", "  override_tier: T-1\n  tier: 3\n")
HEAD = "policies: [./policy.yaml]\ncontracts: {orders.get: {tier: 0}, orders.close: {tier: 3}}\n"


@pytest.fixture
def ruled(place: Place) -> Place:
    """A suite under a policy that lets nothing through."""
    place.write("policy.yaml", OVERRIDE)
    place.suite("context: {tier: gold}\nprincipal: {id: bot}", head=HEAD)
    return place


def closes(place: Place, before: str = "") -> list[str]:
    """What reached the tool when an agent tries to close W-2 and W-1 after some tricks, live."""
    tries = [
        "for order in ('W-2', 'W-1'):",
        "    try:",
        "        tools.call('orders.close', order_id=order)",
        "    except Exception:",
        "        pass",
        "return 'all done'",
    ]
    place.agent("\n".join([*before.splitlines(), *tries]), imports="from pathlib import Path\nimport tools as own")
    place.forget()
    place.run("--agent-mode=live")
    return place.tripped


def test_the_policy_holds(ruled: Place) -> None:
    assert closes(ruled) == []
    assert [c["reason"] for c in ruled.trial["calls"]] == ["rule", "indeterminate"]


@pytest.mark.parametrize(
    "trick",
    [
        "task.context['sandbox'] = True",
        "object.__setattr__(task.principal, 'scopes', ('all',))\ntask.context.update(sandbox=True)",
        "(Path(own.__file__).parent / 'policy.yaml').write_text('version: 1')",
        "tools.contracts['orders.close'].parameters.clear()",
        "tools.openai()[1]['function']['parameters'].clear()",
        "tools.openai()[1]['function']['parameters']['properties']['order_id'].clear()",
        "task.session.calls.clear()",
        "task.session.labels.clear()\ntask.session.problems.clear()",
    ],
)
def test_tricks(trick: str, ruled: Place) -> None:
    assert closes(ruled, trick) == []


def test_what_an_agent_does_to_a_schema_is_no_part_of_the_contract(place: Place) -> None:
    agent = """
for offered in tools.openai():
    offered["function"]["parameters"]["properties"].clear()
    offered["function"]["parameters"].pop("additionalProperties", None)
    offered["function"]["parameters"].pop("required", None)
return [tools.attempt("orders.get", {"other": 1}).error["reason"], tools.attempt("orders.get", {}).error["reason"]]
"""
    place.agent(agent.strip())
    place.run("--agent-mode=live")
    assert place.trial["output"] == ["schema_invalid", "schema_invalid"]
    assert place.tripped == []


def test_a_direct_call_in_replay_fails_the_session_whatever_the_case_allows(place: Place) -> None:
    place.agent("return tools.call('orders.get', order_id='W-1')")
    place.suite("trials: 2\npass_if: {at_least: 1}")
    assert place.record().ret == 0
    source = "import pytest_agentops\nCALLS = []\n"
    body = """
import gc
for one in gc.get_objects():
    if getattr(one, "__agentops_tool__", None) is not None and one.__agentops_tool__.name == "orders.close" and callable(one):
        try:
            one("W-1")
        except Exception:
            pass
return tools.call('orders.get', order_id='W-1')
"""
    place.agent(body.strip(), imports=source)
    result = place.run()
    assert result.ret == 1
    assert place.tripped == []
    assert "beside the guard" in result.stdout.str()
    assert not place.trial["success"]


def test_an_interrupted_run_cannot_be_made_a_success(ruled: Place) -> None:
    ruled.write("policy.yaml", OVERRIDE.replace("deny: true", "require_approval: boss"))
    assert closes(ruled) == []
    assert (ruled.trial["outcome"], ruled.trial["success"]) == ("interrupted", False)
    assert ruled.results["verdict"] == "fail"


def test_secrets_of_a_policy_do_not_come_out_through_a_crash(ruled: Place) -> None:
    ruled.write("policy.yaml", OVERRIDE + "    - log: {redact_fields: [order_id]}\n")
    ruled.agent("tools.attempt('orders.close', {'order_id': 'CANARY-0001'})\nraise RuntimeError('lost CANARY-0001')")
    result = ruled.run("--agent-mode=live")
    assert result.ret == 1
    assert "CANARY-0001" not in ruled.written
    report = result.stdout.str().replace("raise RuntimeError('lost CANARY-0001')", "")  # the agent's own line
    assert "CANARY-0001" not in report
