"""Pins: a changed contract is told, and fatal only where a recorded call no longer fits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pytest_agentops.schema.contract import Contract
from pytest_agentops.schema.pins import contract_digest
from pytest_agentops.tape.recording import ToolsCassette
from pytest_agentops.tape.stale import staleness

Contracts = dict[str, Contract]
OnDisk = Callable[[ToolsCassette], ToolsCassette]


def changed(contracts: Contracts, tool: str, **changes: object) -> Contracts:
    return {**contracts, tool: replace(contracts[tool], **changes)}  # type: ignore[arg-type]


def test_nothing_changed(cassette: ToolsCassette, contracts: Contracts) -> None:
    assert staleness(cassette, contracts) == []


def test_prose_does_not_count(cassette: ToolsCassette, contracts: Contracts) -> None:
    assert staleness(cassette, changed(contracts, "orders.get", description="Look an order up.")) == []


def test_a_change_that_still_fits_is_told(cassette: ToolsCassette, contracts: Contracts) -> None:
    now = changed(contracts, "orders.get", version="2")
    old, new = (contract_digest(c["orders.get"])[7:13] for c in (contracts, now))
    assert staleness(cassette, now) == [
        (f"orders.get: its contract changed since the recording ({old} -> {new}); its 3 recorded calls still fit", False)
    ]


def test_arguments_that_no_longer_fit_are_fatal(cassette: ToolsCassette, contracts: Contracts, on_disk: OnDisk) -> None:
    schema = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
    ((sentence, fatal),) = staleness(on_disk(cassette), changed(contracts, "orders.get", parameters=schema))
    assert fatal
    assert "the recorded call at cassettes/refunds/small_refund/tools.yaml:13 no longer fits: arguments, $" in sentence
    assert "cure: pytest --agent-evals --agent-record=all -k small_refund" in sentence


def test_a_result_that_no_longer_fits_is_fatal(cassette: ToolsCassette, contracts: Contracts) -> None:
    returns = {"type": "object", "properties": {"total_usd": {"type": "string"}}}
    ((sentence, fatal),) = staleness(cassette, changed(contracts, "orders.get", returns=returns))
    assert fatal
    assert "result, $.total_usd: must be text, found 30" in sentence


def test_an_error_has_no_result_to_fit(cassette: ToolsCassette, contracts: Contracts) -> None:
    only_error = replace(cassette, calls=cassette.calls[3:])
    ((_, fatal),) = staleness(only_error, changed(contracts, "orders.get", returns={"type": "object"}))
    assert not fatal


def test_a_placeholder_fits_every_type(cassette: ToolsCassette, contracts: Contracts) -> None:
    hidden = replace(cassette.calls[0], args={"order_id": "<<order_id:1>>"})
    schema = {"type": "object", "properties": {"order_id": {"type": "integer"}}}
    ((_, fatal),) = staleness(replace(cassette, calls=[hidden]), changed(contracts, "orders.get", parameters=schema))
    assert not fatal


def test_a_tool_that_is_gone(cassette: ToolsCassette, contracts: Contracts) -> None:
    del contracts["orders.get"]
    assert staleness(cassette, contracts) == [("orders.get: the tool is gone since the recording was made", False)]


def test_digests_that_are_known_already_are_used(cassette: ToolsCassette, contracts: Contracts) -> None:
    assert staleness(cassette, changed(contracts, "orders.get", version="2"), cassette.pins.tools) == []
