"""A small shop to record: two reads, two writes, one tool that declares no effect."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_agentops.schema.call import ErrorInfo
from pytest_agentops.schema.contract import Contract
from pytest_agentops.schema.pins import Pins, contract_digest
from pytest_agentops.tape.cassette import dump, read
from pytest_agentops.tape.recording import Recording, ToolsCassette
from pytest_agentops.tape.staging import Scan
from pytest_agentops.tape.store import save_partial_recording, save_recording

ORDER = {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]}
REFUND = {
    "type": "object",
    "properties": {
        "order_id": {"type": "string"},
        "amount_usd": {"type": "number"},
        "currency": {"type": "string", "default": "USD"},
        "note": {"type": ["string", "null"], "default": None},
        "idempotency_key": {"type": "string"},
    },
    "required": ["order_id", "amount_usd"],
}


def save(path: Path, cassette: ToolsCassette, scan: Scan | None = None) -> bool:
    """A recording without a model layer."""
    return save_recording(path.parent, cassette, None, scan)


def save_partial(path: Path, cassette: ToolsCassette, scan: Scan | None = None) -> Path:
    return save_partial_recording(path.parent, cassette, None, scan)


def rec(tool: str, result: object = "ok", *, overlap: int = 0, error: str | None = None, **args: object) -> Recording:
    failure = ErrorInfo(type=error) if error else None
    return Recording(tool=tool, args=args, result=None if error else result, error=failure, overlap=overlap)


@pytest.fixture
def contracts() -> dict[str, Contract]:
    declared = (
        Contract(name="orders.get", parameters=ORDER, effect="read"),
        Contract(name="stock.get", parameters=ORDER, effect="read", resource="stock"),
        Contract(name="payments.refund", parameters=REFUND, effect="write", idempotency_key="idempotency_key"),
        Contract(name="email.send", effect="irreversible", resource="mail"),
        Contract(name="misc.do"),
    )
    return {contract.name: contract for contract in declared}


@pytest.fixture
def cassette(contracts: dict[str, Contract]) -> ToolsCassette:
    tools = ("orders.get", "payments.refund")
    return ToolsCassette(
        case="refunds/small_refund",
        recorded_at="2026-11-22",
        with_="pytest-agentops 0.1.0",
        pins=Pins(model="smollm2", prompt="sha256:1f2e9c0a4b7d", tools={t: contract_digest(contracts[t]) for t in tools}),
        clock="2026-11-22T09:00:00Z",
        calls=[
            rec("orders.get", {"id": "W-1", "status": "delivered", "total_usd": 30}, order_id="W-1"),
            rec(
                "payments.refund",
                {"id": "R-1", "note": "Mug arrived broken.\nPhoto attached.\n"},
                order_id="W-1",
                amount_usd=39.5,
                idempotency_key="<<uuid:1>>",
            ),
            rec("orders.get", {"id": "W-1", "status": "refunded", "total_usd": 30}, order_id="W-1"),
            rec("orders.get", error="ToolTimeout", order_id="W-2"),
        ],
        state_before={"orders": {"W-1": {"status": "delivered"}}},
        state_after={"orders": {"W-1": {"status": "refunded"}}},
        has_state=True,
    )


@pytest.fixture
def on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[ToolsCassette], ToolsCassette]:
    """Write a cassette where it belongs below the working folder, and read it back."""
    monkeypatch.chdir(tmp_path)

    def put(cassette: ToolsCassette) -> ToolsCassette:
        path = Path("cassettes", *cassette.case.split("/"), "tools.yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dump(cassette), encoding="utf-8")
        return read(path)

    return put
