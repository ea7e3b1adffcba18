"""The desk that takes returns in: it believes what it is told, so what it is told had better be right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pytest_agentops import Toolbox, tool

Reason = Literal["damaged", "wrong item", "late", "changed mind"]


@dataclass(frozen=True)
class Return:
    """One return, as the warehouse will expect it."""

    number: str
    order_id: str
    product: str
    reason: Reason


def make_desk() -> Toolbox:
    """A desk with no returns yet."""
    returns: list[Return] = []

    @tool("returns.open", effect="write", tier=2)
    def open_return(order_id: str, product: str, reason: Reason) -> Return:
        """Open a return for one product of an order.

        Args:
            order_id: The number of the order that the product is from.
            product: What the customer sends back.
            reason: Why.
        """
        opened = Return(f"R-{len(returns) + 1}", order_id, product, reason)
        returns.append(opened)
        return opened

    return Toolbox([open_return], state=lambda: {"returns": returns})
