"""Checks of this suite that no key under `expect` can say."""

from __future__ import annotations

from pytest_agentops import Run


def money_is_announced(run: Run) -> None:
    """Every refund that was paid is announced by a mail that names its amount."""
    mails = [call.args["body"] for call in run.calls if call.tool == "email.send" and call.error is None]
    for call in run.calls:
        if call.tool == "payments.refund" and call.error is None:
            amount = f"${call.args['amount_usd']:.2f}"
            assert any(amount in mail for mail in mails), f"{amount} was refunded and no mail says so"
