"""The agents of docs/frameworks.md, with the frameworks themselves, against a server that speaks their protocols.

Part of ``make test-live``; not collected by name. Needs the extra ``frameworks``. What is run are the page's own blocks.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.docs.test_docs import Block, Walk, blocks
from tests.live.project import ROOT, Session, comparable, evals
from tests.servers.answers import Call
from tests.servers.protocol import Answer, ProtocolServer, Seen, call, say, use_tools

AGENTS = [("langgraph", False), ("langgraph", True), ("openai_agents", False), ("openai_agents", True), ("pydantic_ai", False)]
"""The suite, and whether the page's diffs of its agent are made: LangGraph async, the Agents SDK with chat completions."""

MISTAKES: list[Answer | str] = [
    use_tools(call("payments__refund", order_id="W-1", amount_usd="a lot"), Call(name="orders__get", arguments="{no json")),
    use_tools(call("orders__get", order_id="W-9")),
    use_tools(call("orders__get", order_id="W-1"), call("orders__get", order_id="W-2")),
    use_tools(call("payments__refund", order_id="W-1", amount_usd=30)),
    say("I have refunded $30."),
]
RIGHT: list[Answer | str] = [
    use_tools(call("orders__get", order_id="W-1")),
    use_tools(call("payments__refund", order_id="W-1", amount_usd=30)),
    say("I have refunded $30."),
]
LIMIT = """contracts:
  payments.refund:
    parameters:
      type: object
      properties: {order_id: {type: string}, amount_usd: {type: number, maximum: 50}}
      required: [order_id, amount_usd]
      additionalProperties: false
"""
LANGSMITH = {"LANGSMITH_TRACING": "true", "LANGCHAIN_TRACING_V2": "true", "LANGSMITH_API_KEY": "lsv2_none"}


def lay(folder: Path, name: str, changed: bool) -> Path:
    """The README's tools and the page's agent and case, as a reader copies them; gives the case file."""
    walk = Walk(folder)
    tools = [block for block in blocks(ROOT / "README.md") if block.name == "cases/refunds/tools.py"]
    page = list(blocks(ROOT / "docs" / "frameworks.md"))
    mine = [block for block in page if block.name == f"cases/refunds/{name}_agent.py"]
    diffs = [block for block in mine if block.language == "diff"]
    assert not changed or diffs
    for block in (*tools, *(block for block in mine if changed or block not in diffs)):
        walk.file(block)
    suite = folder / "cases" / "refunds" / f"{name}.yaml"
    suite.write_text(next(block.text for block in page if _suite(block) == name))
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    return suite


def _suite(block: Block) -> str:
    found = re.search(r"^suite: (\w+)$", block.text, re.MULTILINE)
    return found[1] if found else ""


def online(server: ProtocolServer) -> dict[str, str]:
    """Everything that could send something is pointed at the server, tracing too."""
    return {"OPENAI_BASE_URL": f"{server.url}/v1", "OPENAI_API_KEY": "k", "LANGSMITH_ENDPOINT": server.url, **LANGSMITH}


def told(request: Seen) -> list[str]:
    """What the model is told of its last tool calls, in chat completions or Responses."""
    body = request.json
    if "messages" in body:
        return [message["content"] for message in body["messages"] if message["role"] == "tool"]
    return [item["output"] for item in body["input"] if item.get("type") == "function_call_output"]


def decisions(session: Session, case: str) -> list[tuple[str, str, str | None]]:
    calls = session.runs[case]["calls"]
    return [(c["tool"], c["decision"], c["error"] and c["error"]["type"]) for c in calls]


@pytest.mark.parametrize(("name", "changed"), AGENTS)
def test_record_replay_and_miss(name: str, changed: bool, tmp_path: Path) -> None:
    suite = lay(tmp_path, name, changed)
    case = f"{name}/small_refund"
    with ProtocolServer(MISTAKES) as server:
        live = evals(tmp_path, "--agent-record=once", **online(server))
        assert live.code == 0, live.text
        requests = server.requests
    assert [request.path.rpartition("/v1/")[2] for request in requests] == [requests[0].path.removeprefix("/v1/")] * len(MISTAKES)

    # what the guard refused and what failed reached the model as text, and is in the results
    wrong = told(requests[1])
    assert any("the arguments do not fit: $.amount_usd: must be a number" in text for text in wrong), wrong
    assert len(wrong) == 2, "one answer for each call, also for the one that was no JSON"
    assert "'W-9'" in told(requests[2])[-1]
    assert [("delivered" in text, "shipped" in text) for text in told(requests[3])[-2:]] == [(True, False), (False, True)]
    seen = decisions(live, case)
    assert seen[:2] == [("payments.refund", "invalid", "schema_invalid"), ("orders.get", "allow", "KeyError")]
    assert sorted(seen[2:]) == [("orders.get", "allow", None)] * 2 + [("payments.refund", "allow", None)]
    assert live.runs[case]["tokens"] == {"input": 12 * len(MISTAKES), "output": 7 * len(MISTAKES)}

    # the server is gone, and so are its address and the key
    replayed = evals(tmp_path)
    assert replayed.code == 0, replayed.text
    assert comparable(replayed.runs[case]) == comparable(live.runs[case])
    assert (live.results["mode"], replayed.results["mode"]) == ("live", "replay")

    # another prompt is a miss, not an old answer
    suite.write_text(suite.read_text().replace("a small shop", "a large shop"))
    missed = evals(tmp_path)
    assert missed.code == 1
    assert missed.runs[case]["miss"]["layer"] == "model"
    assert missed.runs[case]["calls"] == []


@pytest.mark.parametrize(("name", "changed"), AGENTS)
def test_trials_and_turns(name: str, changed: bool, tmp_path: Path) -> None:
    """A client does not outlive its trial; a later turn knows the earlier ones; a contract of the suite stops a call."""
    suite = lay(tmp_path, name, changed)
    text = suite.read_text().replace("    task:", "    turns: [Hello.]\n    task:", 1)
    text = re.sub(r"    turns: \[Hello\.\]\n    task: (.*)\n", r"    turns:\n      - Hello.\n      - \1\n", text)
    suite.write_text(text.replace("cases:\n", f"{LIMIT}cases:\n", 1))
    script = [say("Hi."), use_tools(call("payments__refund", order_id="W-1", amount_usd=500)), *RIGHT]
    with ProtocolServer(script * 2) as server:
        live = evals(tmp_path, "--agent-mode=live", "--agent-trials=2", **online(server))
        assert live.code == 0, live.text
        requests = server.requests
    assert len(requests) == 2 * len(script)
    said = str(requests[1].json.get("messages") or requests[1].json["input"])
    assert said.index("Hello.") < said.index("Hi.") < said.index("Please refund W-1")
    assert '"maximum": 50' in json.dumps(requests[0].json["tools"]), "the model is told the suite's contract"
    assert "$.amount_usd: must be at most 50, found 500" in told(requests[2])[-1]
    assert decisions(live, f"{name}/small_refund")[0] == ("payments.refund", "invalid", "schema_invalid")


@pytest.mark.parametrize(("name", "goes_on"), [("langgraph", True), ("openai_agents", False), ("pydantic_ai", True)])
def test_a_tool_that_does_not_exist(name: str, goes_on: bool, tmp_path: Path) -> None:
    """What the page says each framework does by itself."""
    lay(tmp_path, name, changed=False)
    with ProtocolServer([use_tools(call("orders__drop")), *RIGHT]) as server:
        live = evals(tmp_path, "--agent-mode=live", **online(server))
        assert server.count == (1 + len(RIGHT) if goes_on else 1), live.text
        if goes_on:
            assert "orders__drop" in told(server.requests[1])[0]
    run = live.runs[f"{name}/small_refund"]
    assert (run["success"], run["outcome"]) == ((True, "completed") if goes_on else (False, "error"))


def test_pydantic_ai_gives_up_after_one_retry(tmp_path: Path) -> None:
    lay(tmp_path, "pydantic_ai", changed=False)
    no_json = use_tools(Call(name="orders__get", arguments="{no json"))
    with ProtocolServer([no_json, no_json, *RIGHT]) as server:
        live = evals(tmp_path, "--agent-mode=live", **online(server))
        assert server.count == 2, live.text
    assert live.runs["pydantic_ai/small_refund"]["outcome"] == "error"
