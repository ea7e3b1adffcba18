"""Generates the projects of the model layer: one talk with a model, recorded by the plugin and by plain vcrpy, N cases of it.

Both contenders run the same `chat.py` with the same client; what it asks is answered by the protocol server of the tests while
one case is recorded. The others are its copies, each with an order of its own.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.servers.protocol import Answer, ProtocolServer, call, say, use_tools

from . import gen

CHAT = '''\
import json

import openai

CLIENT = openai.OpenAI(base_url="{url}/v1", api_key="sk-bench")
PROMPT = """\\
You are the agent of a shop's service desk. Look up an order before you say anything about it. An order that was delivered less
than thirty days ago may be refunded, in full, once; say so only after the refund was made. Send the customer a mail with the
number of the receipt. Never ask for a password or a card. Answer in one sentence that names the order."""


def function(name, description, **fields):
    properties = {{field: {{"type": kind}} for field, kind in fields.items()}}
    parameters = {{"type": "object", "properties": properties, "required": list(fields), "additionalProperties": False}}
    return {{"type": "function", "function": {{"name": name, "description": description, "parameters": parameters}}}}


TOOLS = [
    function("orders_get", "Look up an order by its number.", order_id="string"),
    function("payments_refund", "Pay money back to the card that was used.", order_id="string", amount_usd="number"),
    function("email_send", "Send a mail to the customer.", to="string", body="string"),
]


def use(name, arguments):
    if name == "orders_get":
        return {{**arguments, "status": "delivered", "total_usd": 30.5, "email": "ann@example.org"}}
    return {{"receipt": "R-1042", "status": "done"}}


def talk(order, rounds=4):
    """Each round is one request; the model's last answer is text."""
    messages = [{{"role": "system", "content": PROMPT}}, {{"role": "user", "content": f"Please refund order {{order}}"}}]
    for _ in range(rounds):
        asked = CLIENT.chat.completions.create(model="bench-1", messages=messages, tools=TOOLS, temperature=0)
        said = asked.choices[0].message
        if not said.tool_calls:
            return said.content
        messages.append(said.model_dump(include={{"role", "content", "tool_calls"}}))
        for one in said.tool_calls:
            result = json.dumps(use(one.function.name, json.loads(one.function.arguments)))
            messages.append({{"role": "tool", "tool_call_id": one.id, "content": result}})
    raise AssertionError(f"no answer after {{rounds}} rounds")
'''

AGENT = """\
from .chat import talk


def agent(task, tools):
    return talk(task.text.split()[-1], {rounds})
"""

SUITE = """\
version: 1
suite: chats
agent: ./agent.py:agent
tools: []
cases:
"""

CASE = """\
  - id: case_{i:05d}
    task: Please refund order W-{i:05d}
    expect:
      output:
        contains: W-{i:05d}
"""

TESTS = """\
import pytest

from chat import talk

ORDERS = [f"W-{{number:05d}}" for number in range({n})]


@pytest.mark.vcr(match_on=["method", "scheme", "host", "port", "path", "query", "body"])
@pytest.mark.parametrize("order", ORDERS)
def test_chat(order):
    assert order in talk(order)
"""

PLAIN = """\
import sys

import vcr
from chat import talk

with vcr.use_cassette(sys.argv[1], record_mode="once"):
    talk("W-00000", int(sys.argv[2]))
"""

NOTE = (
    "The parcel was handed over on the fourth of May and signed for at the door; "
    "the carrier's note says that the box was dry and whole, and the customer that the mug in it was not. "
)
"""About 180 characters of talk a turn."""


def script(rounds: int) -> list[Answer]:
    """What the model says: tool calls, with some words from the fourth round on, and at last the answer."""
    turns = [
        call("orders_get", order_id="W-00000"),
        call("payments_refund", order_id="W-00000", amount_usd=30.5),
        call("email_send", to="ann@example.org", body="Your receipt is R-1042."),
    ]
    asked = [use_tools(turns[i % 3], text=f"{i}: {NOTE}" if i >= 3 else None) for i in range(rounds - 1)]
    return [*asked, say("I have refunded order W-00000; the receipt R-1042 is in your mail.")]


def ours(folder: Path, n: int, rounds: int = 4) -> Path:
    """A project of `n` cases of an agent that talks `rounds` times with a model, recorded."""
    first, project = folder / "recorded", folder / "replayed"
    with ProtocolServer(script(rounds)) as server:
        _evals(first, server.url, 1, rounds)
        gen.record(first)
    _evals(project, server.url, n, rounds)
    for i in range(n):
        target = project / "cassettes" / "chats" / f"case_{i:05d}"
        target.mkdir(parents=True)
        for file in (first / "cassettes" / "chats" / "case_00000").iterdir():
            (target / file.name).write_text(_renumbered(file, i), encoding="utf-8")
    shutil.rmtree(first)
    return project


def theirs(folder: Path, n: int, rounds: int = 4) -> Path:
    """The same talks as `n` ordinary tests with the marker of pytest-recording, and their cassettes of vcrpy."""
    folder.mkdir(parents=True)
    (folder / "pytest.ini").write_text(gen.INI)
    (folder / "test_chat.py").write_text(TESTS.format(n=n))
    (folder / "plain.py").write_text(PLAIN)
    first = folder / "first.yaml"
    with ProtocolServer(script(rounds)) as server:
        (folder / "chat.py").write_text(CHAT.format(url=server.url))
        command = [sys.executable, "plain.py", str(first), str(rounds)]
        done = subprocess.run(command, cwd=folder, env=gen.environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"recording with vcrpy failed:\n{done.stdout}{done.stderr}")
    for i in range(n):
        target = folder / "cassettes" / "test_chat" / f"test_chat[W-{i:05d}].yaml"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_renumbered(first, i), encoding="utf-8")
    first.unlink()
    return folder


def _evals(folder: Path, url: str, n: int, rounds: int) -> None:
    suites = folder / "cases"
    suites.mkdir(parents=True)
    (folder / "pytest.ini").write_text(gen.INI)
    (suites / "chat.py").write_text(CHAT.format(url=url))
    (suites / "agent.py").write_text(AGENT.format(rounds=rounds))
    (suites / "chats.yaml").write_text(SUITE + "".join(CASE.format(i=i) for i in range(n)))


def _renumbered(file: Path, i: int) -> str:
    return file.read_text(encoding="utf-8").replace("_00000", f"_{i:05d}").replace("W-00000", f"W-{i:05d}")


def size(folder: Path) -> int:
    """The bytes of all cassettes of a project."""
    return sum(file.stat().st_size for file in (folder / "cassettes").rglob("*") if file.is_file())
