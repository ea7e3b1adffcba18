"""A desk for the agent: it is run through the whole runner, live, against a server that speaks the protocol."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pytest_agentops import Run, Toolbox, tool
from pytest_agentops.agents.openai import openai

from ..runner.conftest import Lab
from ..servers.protocol import ProtocolServer

TIMES: list[tuple[str, float, float]] = []


def shop() -> Toolbox:
    """A read, a write, and a tool that takes its time."""
    orders = {"W-1": {"id": "W-1", "total_usd": 30.5, "status": "delivered"}}

    @tool("orders.get", effect="read")
    def get(order_id: str) -> dict[str, Any]:
        """Look an order up.

        Args:
            order_id: Such as W-1.
        """
        return orders[order_id]

    @tool("payments.refund", effect="write")
    def refund(order_id: str, amount_usd: float) -> str:
        """Pay back."""
        orders[order_id]["status"] = "refunded"
        return f"paid {amount_usd}"

    @tool("slow.read", effect="read")
    def slow(name: str) -> str:
        """Wait."""
        began = time.monotonic()
        time.sleep(0.15)
        TIMES.append((name, began, time.monotonic()))
        return name

    @tool("slow.aread", effect="read")
    async def aslow(name: str) -> str:
        """Wait, without blocking."""
        import asyncio

        began = time.monotonic()
        await asyncio.sleep(0.15)
        TIMES.append((name, began, time.monotonic()))
        return name

    return Toolbox([get, refund, slow, aslow], state=lambda: orders)


class Desk:
    """Runs the agent on a script of answers; `requests` is what the server saw."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.requests: list[Any] = []
        self.headers: list[Mapping[str, str]] = []
        self.paths: list[str] = []

    def run(self, script: Any, *, agent: Mapping[str, Any] | Callable[..., Any] | None = None, **fields: Any) -> Run:
        """`agent`: its options, or the agent itself; the rest are fields of the case and of `Lab.run`."""
        with self.served(script) as url:
            if not callable(agent):
                agent = openai(base_url=f"{url}/v1", **(agent or {}))
            return self.lab.run(agent, **{"mode": "live", "tools": shop, "model": "gpt-4o-mini", **fields})

    @contextmanager
    def served(self, script: Any) -> Iterator[str]:
        with ProtocolServer(script) as server:
            try:
                yield server.url
            finally:
                self.requests = [seen.json for seen in server.requests]
                self.headers = [seen.headers for seen in server.requests]
                self.paths = [seen.path for seen in server.requests]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-of-the-desk")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    TIMES.clear()
    return Desk(Lab(tmp_path))
