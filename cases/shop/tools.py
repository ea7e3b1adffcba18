"""A small shop: orders, stock, payments, mail, and a carrier whose API is not always up."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from pytest_agentops import tool

Status = Literal["processing", "shipped", "delivered", "cancelled", "refunded"]


@dataclass
class Order:
    item: str
    quantity: int
    total_usd: Decimal
    status: Status
    email: str


@dataclass(frozen=True)
class Card:
    brand: str
    card_number: str


@dataclass(frozen=True)
class Receipt:
    order_id: str
    amount_usd: Decimal


@dataclass(frozen=True)
class Mail:
    to: str
    subject: str
    body: str


@dataclass(frozen=True)
class Parcel:
    status: str
    place: str


class UnknownOrder(Exception):
    """No order has this number."""


class OutOfStock(Exception):
    """There are not enough pieces left."""


class PaymentRefused(Exception):
    """The bank says no; asking again does not help."""


class PaymentTimeout(Exception):
    """The bank did not answer in time; whether the money moved is not known."""

    retryable = True


class NotShipped(Exception):
    """The carrier has never seen this parcel."""


class CarrierDown(Exception):
    """The carrier's API does not answer just now."""

    retryable = True


class Shop:
    """The shop of one trial, filled from the case's `setup`; what it offers to agents is marked with `@tool`."""

    def __init__(self, setup: Mapping[str, Any]) -> None:
        self.orders = {number: _order(**fields) for number, fields in setup.get("orders", {}).items()}
        self.stock: dict[str, int] = dict(setup.get("stock", {}))
        self.cards = {number: Card(**fields) for number, fields in setup.get("cards", {}).items()}
        self.parcels = {number: Parcel(**fields) for number, fields in setup.get("parcels", {}).items()}
        self.failures: dict[str, int] = dict(setup.get("failures", {}))
        self.receipts: dict[str, Receipt] = {}
        self.outbox: list[Mail] = []

    def state(self) -> dict[str, Any]:
        """What a case may check afterwards. Card numbers stay in the vault."""
        refunds = {receipt.order_id: receipt.amount_usd for receipt in self.receipts.values()}
        return {"orders": self.orders, "stock": self.stock, "refunds": refunds, "outbox": self.outbox}

    @tool("orders.get", effect="read", tier=0)
    def get_order(self, order_id: str) -> Order:
        """Look up an order."""
        if order_id not in self.orders:
            raise UnknownOrder(f"there is no order {order_id}")
        return self.orders[order_id]

    @tool("orders.set_status", effect="write", tier=2)
    def set_status(self, order_id: str, status: Status) -> Order:
        """Move an order to another status."""
        order = self.get_order(order_id)
        order.status = status
        return order

    @tool("stock.add", effect="write", tier=2)
    def add_stock(self, item: str, quantity: int) -> int:
        """Put pieces back on the shelf (or take them, with a negative quantity); gives what is there now."""
        left = self.stock.get(item, 0) + quantity
        if left < 0:
            raise OutOfStock(f"only {self.stock.get(item, 0)} of {item} are left")
        self.stock[item] = left
        return left

    @tool("payments.card", effect="read", tier=1, sensitive=["card_number"])
    def card(self, order_id: str) -> Card:
        """The card that an order was paid with."""
        return self.cards[order_id]

    @tool(
        "payments.refund",
        effect="write",
        tier=3,
        cost_usd="0.02",
        idempotency_key="idempotency_key",
        sensitive=["card_number"],
    )
    def refund(self, order_id: str, amount_usd: Decimal, card_number: str, idempotency_key: str) -> Receipt:
        """Pay money back to the card of an order; one key pays once, however often it is asked."""
        if idempotency_key in self.receipts:
            return self.receipts[idempotency_key]
        order = self.get_order(order_id)
        if card_number != self.cards[order_id].card_number:
            raise PaymentRefused(f"{order_id} was not paid with this card")
        if not 0 < amount_usd <= order.total_usd:
            raise PaymentRefused(f"{order_id} cost ${order.total_usd}")
        self.receipts[idempotency_key] = Receipt(order_id, amount_usd)
        if self._fails("bank"):  # after the money has moved: the worst moment
            raise PaymentTimeout("504: the bank did not answer in time")
        return self.receipts[idempotency_key]

    @tool("email.send", effect="irreversible", tier=2)
    def send_mail(self, to: str, subject: str, body: str) -> None:
        """Send a mail to a customer."""
        self.outbox.append(Mail(to, subject, body))

    @tool("carrier.track", effect="read", tier=0)
    async def track(self, order_id: str) -> Parcel:
        """Ask the carrier where a parcel is."""
        await asyncio.sleep(0.01)
        if self._fails("carrier"):
            raise CarrierDown("503: please try again")
        if order_id not in self.parcels:
            raise NotShipped(f"no parcel for {order_id}")
        return self.parcels[order_id]

    def _fails(self, service: str) -> bool:
        """Whether the service fails this time: `failures: {carrier: 2}` in the setup means its next two calls."""
        left = self.failures.get(service, 0)
        self.failures[service] = max(0, left - 1)
        return left > 0


def _order(total_usd: float, **fields: Any) -> Order:
    return Order(total_usd=Decimal(str(total_usd)), **fields)
