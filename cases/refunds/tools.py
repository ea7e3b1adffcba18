"""A refund desk: orders, money that goes back, messages to customers, and the ticket that is closed at the end.

It does what it is told. Whether a refund is allowed is for the agent to see in the order's record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from pytest_agentops import Toolbox, tool

Outcome = Literal["refunded", "declined"]


@dataclass(frozen=True)
class Order:
    """What the shop's records say of an order; where they name the action, the desk has looked at it before."""

    order_id: str
    item: str
    total_usd: Decimal
    note: str
    allowed_action: str | None = None


@dataclass(frozen=True)
class Refund:
    order_id: str
    refunded_usd: Decimal


@dataclass(frozen=True)
class Refusal:
    order_id: str
    declined: str


class UnknownOrder(Exception):
    """No order has this number."""


class TooMuch(Exception):
    """More than the order cost."""


@dataclass
class Desk:
    """What one trial's desk holds."""

    orders: dict[str, Order]
    refunds: dict[str, Refund] = field(default_factory=dict)
    """By idempotency key."""
    refusals: dict[str, str] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)
    """What customers were told, by order."""
    outcome: Outcome | None = None

    def state(self) -> dict[str, Any]:
        return {
            "refunds": {one.order_id: one.refunded_usd for one in self.refunds.values()},
            "refusals": self.refusals,
            "messages": self.messages,
            "outcome": self.outcome,
        }

    def order(self, order_id: str) -> Order:
        if order_id not in self.orders:
            raise UnknownOrder(f"there is no order {order_id}")
        return self.orders[order_id]


def make_desk(setup: Mapping[str, Any]) -> Toolbox:
    """A desk with the orders of the case's `setup`."""
    desk = Desk(orders={number: _order(number, **fields) for number, fields in setup["orders"].items()})

    @tool("orders.get", effect="read", tier=0)
    def get_order(order_id: str) -> Order:
        """Look up an order."""
        return desk.order(order_id)

    @tool("payments.refund", effect="write", tier=3, idempotency_key="key", cost_usd="0.02")
    def create_refund(order_id: str, amount_usd: Decimal, key: str) -> Refund:
        """Pay money back; one key pays once, however often it is asked."""
        if not 0 < amount_usd <= desk.order(order_id).total_usd:
            raise TooMuch(f"{order_id} cost ${desk.order(order_id).total_usd}")
        return desk.refunds.setdefault(key, Refund(order_id, amount_usd))

    @tool("refunds.decline", effect="write", tier=1)
    def decline_refund(order_id: str, reason: str) -> Refusal:
        """Note that an order is not refunded, and why."""
        desk.refusals[desk.order(order_id).order_id] = reason
        return Refusal(order_id, reason)

    @tool("messages.send", effect="irreversible", tier=2, idempotency_key="key")
    def send_message(order_id: str, text: str, key: str) -> None:
        """Write to the customer of an order; one key writes once."""
        desk.messages[desk.order(order_id).order_id] = text

    @tool("finish", effect="write", tier=1)
    def finish(outcome: Outcome) -> None:
        """Close the ticket with what came of it; the month's figures are made from this."""
        desk.outcome = outcome

    return Toolbox([get_order, create_refund, decline_refund, send_message, finish], state=desk.state)


def _order(number: str, total_usd: float, **fields: Any) -> Order:
    return Order(order_id=number, total_usd=Decimal(str(total_usd)), **fields)
