"""An office with a tool for each autonomy tier: it reads, drafts, gives coupons, pays, and migrates the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from pytest_agentops import tool


@dataclass
class Office:
    """What one trial's office holds."""

    reports: dict[str, int] = field(default_factory=lambda: {"october": 4200})
    drafts: list[str] = field(default_factory=list)
    mails: list[str] = field(default_factory=list)
    coupons: dict[str, int] = field(default_factory=dict)
    paid: dict[str, Decimal] = field(default_factory=dict)
    voided: list[str] = field(default_factory=list)
    migrations: list[str] = field(default_factory=list)

    def state(self) -> dict[str, Any]:
        return {
            "drafts": self.drafts,
            "mails": self.mails,
            "coupons": self.coupons,
            "paid": self.paid,
            "voided": self.voided,
            "migrations": self.migrations,
        }

    # tier 0: reads

    @tool("reports.read", effect="read", tier=0, scopes=["reports:read"])
    def read_report(self, month: str) -> int:
        """A month's turnover."""
        return self.reports[month]

    # tier 1: drafts; what leaves the house cannot be taken back

    @tool("mails.draft", effect="write", tier=1)
    def draft(self, text: str) -> int:
        """Write a draft; gives its number."""
        self.drafts.append(text)
        return len(self.drafts)

    @tool("mails.send", effect="irreversible", tier=1)
    def send(self, text: str) -> None:
        """Send a mail."""
        self.mails.append(text)

    # tier 2: low-risk writes

    @tool("coupons.issue", effect="write", tier=2, idempotency_key="key", cost_usd="0.01")
    def issue_coupon(self, customer: str, percent: int, key: str) -> int:
        """Give a customer a coupon; gives how many percent the customer has in all."""
        self.coupons[customer] = self.coupons.get(customer, 0) + percent
        return self.coupons[customer]

    # tier 3: high-risk writes

    @tool("payments.refund", effect="irreversible", tier=3, idempotency_key="key", cost_usd="0.02", dry_run="would_refund")
    def refund(self, order_id: str, amount_usd: Decimal, key: str, card_number: str | None = None) -> str:
        """Pay money back."""
        self.paid[order_id] = self.paid.get(order_id, Decimal(0)) + amount_usd
        return f"{amount_usd} for {order_id}"

    def would_refund(self, order_id: str, amount_usd: Decimal, key: str, card_number: str | None = None) -> dict[str, Any]:
        """What a refund would do: shown to who approves it."""
        return {"order_id": order_id, "paid_before": self.paid.get(order_id, Decimal(0)), "would_pay": amount_usd}

    # tier 1 as well, since it can be taken back; a policy in shadow mode watches it

    @tool("invoices.void", effect="write", tier=1, dry_run="would_void")
    def void(self, invoice: str) -> str:
        """Declare an invoice void."""
        self.voided.append(invoice)
        return f"{invoice} is void"

    def would_void(self, invoice: str) -> str:
        """The same in words only."""
        return f"{invoice} would be void"

    # tier 4: production control

    @tool("database.migrate", effect="irreversible", tier=4)
    def migrate(self, script: str) -> int:
        """Run a migration; gives how many there were."""
        self.migrations.append(script)
        return len(self.migrations)


def make_office(setup: Mapping[str, Any]) -> Office:
    """An empty office; the plan in `setup` is the clerk's."""
    return Office()
