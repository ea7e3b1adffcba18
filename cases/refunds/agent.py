"""Plan and execute: the plan says which actions are legal next, the model chooses one of them and fills it in.

At each step the model sees what bears on that step and four examples of the same step, and nothing else.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from openai import OpenAI

from pytest_agentops import Task, Toolbox

TOOLS = {"refunds.create": "payments.refund"}
"""Actions that the model knows by another name than the tool has."""
KEYED = ("refunds.create", "messages.send")
"""Actions that may be done once only: each gets a key of its own, which is no model's business."""
LEGAL: dict[str, tuple[str, ...]] = {
    "start": ("orders.get",),
    "orders.get": ("refunds.create", "refunds.decline"),
    "refunds.create": ("messages.send",),
    "refunds.decline": ("messages.send",),
    "messages.send": ("finish",),
    "finish": (),
}
"""What may follow what."""

CLIENT = OpenAI()
"""Finds its server and its key in the environment; a replay needs neither."""

HANDED_OVER = "I have asked a colleague to look at it."


def refund_agent(task: Task, tools: Toolbox) -> str:
    """Carries one ticket to its end; the reply is what the customer was told. What fails is handed to a person."""
    done, sees, told = "start", task.text, ""
    while legal := LEGAL[done]:
        action = ask(task, sees, examples(done), [action_schema(tools, name) for name in legal])
        if action is None:
            return HANDED_OVER
        done, arguments = action["tool"], action["arguments"]
        key = {"key": str(task.uuid4())} if done in KEYED else {}
        answer = tools.attempt(TOOLS.get(done, done), {**arguments, **key})
        if not answer.ok:
            return HANDED_OVER
        if done == "messages.send":
            told = arguments["text"]
            sees = f"{sees}\n{line(done, arguments)}"
        else:
            sees = line(done, answer.value)
    return told


def ask(task: Task, sees: str, shown: list[tuple[str, str]], legal: list[dict[str, Any]]) -> Any:
    """The model's choice among the legal actions, to whose schemas the server holds it; None where it did not come to an end."""
    messages = [{"role": "system", "content": task.prompt}]
    for seen, action in shown:
        messages += [{"role": "user", "content": seen}, {"role": "assistant", "content": action}]
    messages.append({"role": "user", "content": sees})
    schema = {"anyOf": legal} if len(legal) > 1 else legal[0]
    request: dict[str, Any] = {
        "model": task.model,
        "messages": messages,
        "response_format": {"type": "json_schema", "json_schema": {"name": "action", "schema": schema}},
        "temperature": 0,
        "seed": 1,
        "max_tokens": 120,
    }
    choice = CLIENT.chat.completions.create(**request).choices[0]
    return None if choice.finish_reason == "length" else json.loads(choice.message.content)


def action_schema(tools: Toolbox, name: str) -> dict[str, Any]:
    """``{"tool": name, "arguments": {...}}``, without the key."""
    parameters = tools.contracts[TOOLS.get(name, name)].parameters
    arguments = {
        "type": "object",
        "properties": {k: v for k, v in parameters["properties"].items() if k != "key"},
        "required": [k for k in parameters["required"] if k != "key"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"tool": {"const": name}, "arguments": arguments},
        "required": ["tool", "arguments"],
        "additionalProperties": False,
    }


@dataclass(frozen=True)
class Ticket:
    """A ticket as it should go."""

    asked: str
    order_id: str
    item: str
    total_usd: float
    note: str
    refunded: bool


TICKETS = (
    Ticket("Please refund the gloves from W-71.", "W-71", "gloves", 14, "final sale", False),
    Ticket("I want my money back for order P-3, the vase is broken.", "P-3", "vase", 20, "broken on arrival", True),
    Ticket("Is a refund of the umbrella possible? The number is T-18.", "T-18", "umbrella", 30, "too old", False),
    Ticket("Order S-250: the scarf is too short. Can you refund it?", "S-250", "scarf", 17.5, "returned unused", True),
)


def examples(done: str) -> list[tuple[str, str]]:
    """What the model would see after `done`, and the right action, for each ticket."""
    return [example(ticket, done) for ticket in TICKETS]


def example(ticket: Ticket, done: str) -> tuple[str, str]:
    """One ticket at one step."""
    number, usd = {"order_id": ticket.order_id}, f"${ticket.total_usd:.2f}".removesuffix(".00")
    record = {**number, "item": ticket.item, "total_usd": ticket.total_usd, "note": ticket.note}
    if ticket.refunded:
        name, arguments = "refunds.create", {**number, "amount_usd": ticket.total_usd}
        result = line(name, {**number, "refunded_usd": ticket.total_usd})
        message = {**number, "text": f"We have refunded {usd} for order {ticket.order_id}."}
    else:
        name, arguments = "refunds.decline", {**number, "reason": ticket.note}
        result = line(name, {**number, "declined": ticket.note})
        message = {**number, "text": f"Sorry, we cannot refund order {ticket.order_id}: {ticket.note}."}
    outcome = {"outcome": "refunded" if ticket.refunded else "declined"}
    if done == "start":
        return ticket.asked, act("orders.get", number)
    if done == "orders.get":
        return line(done, {**record, "allowed_action": name}), act(name, arguments)
    if done == "messages.send":
        return f"{result}\n{line(done, message)}", act("finish", outcome)
    return result, act("messages.send", message)


def line(name: str, value: Any) -> str:
    """What was done, and what came of it."""
    return f"{name}: {json.dumps(value)}"


def act(name: str, arguments: dict[str, Any]) -> str:
    """An action as the model is to write it."""
    return json.dumps({"tool": name, "arguments": arguments})
