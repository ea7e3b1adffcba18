"""A support agent that follows rules, with no model in it, and one that looks several things up at once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

from pytest_agentops import Task, Toolbox, ToolError, ToolFailed

ORDER = re.compile(r"\bW-\d+\b")
REFUND_LIMIT_USD = {"standard": 200, "gold": 1000}
ATTEMPTS = 3


def support_agent(task: Task, tools: Toolbox) -> str:
    """Answers one message of a customer: the first rule whose words it holds."""
    text = task.text.lower()
    if "points" in text:
        return tell_points(task, tools)
    for words, rule in RULES:
        if any(word in text for word in words):
            number = order_number(task)
            return rule(task, tools, number) if number else "Which order is it? The number starts with W-."
    return "I can track, cancel or refund an order for you."


def order_number(task: Task) -> str | None:
    """The order that the customer named last, in this message or in an earlier one."""
    for message in reversed(task.messages):
        if message["role"] == "user" and (found := ORDER.findall(message["content"])):
            return str(found[-1])
    return None


def refund(task: Task, tools: Toolbox, number: str) -> str:
    """Delivered orders are refunded, up to what the customer's tier allows."""
    found = tools.attempt("orders.get", {"order_id": number})
    if not found.ok:
        return f"I cannot find an order {number}."
    order = found.value
    if order["status"] == "refunded":
        return f"{number} has been refunded already."
    if order["status"] != "delivered":
        return f"{number} is not delivered yet. Shall I cancel it?"
    if order["total_usd"] > REFUND_LIMIT_USD[task.context["customer_tier"]]:
        return f"${order['total_usd']:.2f} is more than I may refund. Please call our service desk."
    pay_back(task, tools, number, order)
    tools.call("orders.set_status", order_id=number, status="refunded")
    return f"I have refunded ${order['total_usd']:.2f} for {number}."


def cancel(task: Task, tools: Toolbox, number: str) -> str:
    """Orders that have not left yet are cancelled, paid back and put on the shelf again."""
    order = tools.call("orders.get", order_id=number)
    if order["status"] != "processing":
        return f"{number} is {order['status']}, it is too late to cancel it."
    tools.call("orders.set_status", order_id=number, status="cancelled")
    tools.call("stock.add", item=order["item"], quantity=order["quantity"])
    pay_back(task, tools, number, order)
    return f"I have cancelled {number} and paid back ${order['total_usd']:.2f}."


def track(task: Task, tools: Toolbox, number: str) -> str:
    """The carrier knows."""
    try:
        parcel = patiently(lambda: tools.call("carrier.track", order_id=number))
    except ToolFailed as error:
        if error.error and error.error.type == "NotShipped":
            return f"{number} has not left our warehouse yet."
        return "The carrier does not answer just now. Please ask me again later."
    return f"{number} is {parcel['status']}, last seen in {parcel['place']}."


def tell_points(task: Task, tools: Toolbox) -> str:
    """The loyalty programme is another department's: its tool is only declared, in shop.yaml."""
    customer = task.context["customer"]
    return f"You have {tools.call('loyalty.points', customer=customer)['points']} points."


def pay_back(task: Task, tools: Toolbox, number: str, order: dict[str, Any]) -> None:
    """Refund the whole order to its card, and say so by mail. All attempts share one key, so the money moves once."""
    card = tools.call("payments.card", order_id=number)
    key = str(task.uuid4())
    receipt = patiently(
        lambda: tools.call(
            "payments.refund",
            order_id=number,
            amount_usd=order["total_usd"],
            card_number=card["card_number"],
            idempotency_key=key,
        )
    )
    text = f"We have paid ${receipt['amount_usd']:.2f} back to your {card['brand']}."
    tools.call("email.send", to=order["email"], subject=f"Your order {number}", body=text)


def patiently(call: Callable[[], Any]) -> Any:
    """What `call` gives, tried again while its error says that this may help."""
    for _ in range(ATTEMPTS - 1):
        try:
            return call()
        except ToolFailed as error:
            if error.error is None or not error.error.retryable:
                raise
    return call()


RULES: tuple[tuple[tuple[str, ...], Callable[[Task, Toolbox, str], str]], ...] = (
    (("cancel",), cancel),
    (("refund", "money back"), refund),
    (("where", "track", "shipped"), track),
)


async def overview_agent(task: Task, tools: Toolbox) -> str:
    """One line for each order that the message names; everything is looked up at once."""
    return "\n".join(await asyncio.gather(*(overview(tools, number) for number in ORDER.findall(task.text))))


async def overview(tools: Toolbox, number: str) -> str:
    """``W-1: mug, delivered (Utrecht)``"""
    order, place = await asyncio.gather(tools.acall("orders.get", order_id=number), whereabouts(tools, number))
    return f"{number}: {order['item']}, {order['status']} ({place})"


async def whereabouts(tools: Toolbox, number: str) -> str:
    """Where the parcel is, as far as the carrier tells."""
    try:
        return str((await tools.acall("carrier.track", order_id=number))["place"])
    except ToolError:
        return "no parcel"
