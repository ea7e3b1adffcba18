"""Whether a recording still fits the tools of today."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import NamedTuple

from ..schema.contract import Contract
from ..schema.pins import contract_digest
from ..schema.validate import Violation, violations
from .cassette import record_command
from .recording import Contracts, Recording, ToolsCassette


class Staleness(NamedTuple):
    """One pin that changed; fatal if a recorded call no longer fits."""

    sentence: str
    fatal: bool


def staleness(cassette: ToolsCassette, contracts: Contracts, digests: Mapping[str, str] | None = None) -> list[Staleness]:
    """What changed since the recording, tool by tool. `digests` are the tools' pins of today, where they are known already."""
    out: list[Staleness] = []
    used = {call.tool for call in cassette.calls}
    for name, pin in cassette.pins.tools.items():
        contract = contracts.get(name)
        if contract is None:
            if name in used:
                out.append(Staleness(f"{name}: the tool is gone since the recording was made", False))
            continue
        now = digests[name] if digests is not None and name in digests else contract_digest(contract)
        if now != pin:
            out.append(_judge(cassette, contract, f"{short(pin)} -> {short(now)}"))
    return out


def short(pin: str) -> str:
    """The first digits of a pin, for reading."""
    return pin.removeprefix("sha256:")[:6]


def _judge(cassette: ToolsCassette, contract: Contract, change: str) -> Staleness:
    calls = [call for call in cassette.calls if call.tool == contract.name]
    for call in calls:
        what = _misfit(contract, call)
        if what is not None:
            sentence = (
                f"{contract.name}: its contract changed since the recording ({change}), and the recorded call at "
                f"{cassette.place(call)} no longer fits: {what}\n  cure: {record_command(PurePath(cassette.file).parent.name)}"
            )
            return Staleness(sentence, True)
    still = (
        f"; its {len(calls)} recorded calls still fit" if len(calls) > 1 else "; its recorded call still fits" if calls else ""
    )
    return Staleness(f"{contract.name}: its contract changed since the recording ({change}){still}", False)


def _misfit(contract: Contract, call: Recording) -> str | None:
    found: list[Violation] = [] if contract.open else violations(contract.parameters, call.args)
    if found:
        return f"arguments, {found[0]}"
    if call.error is None and contract.returns is not None:
        found = violations(contract.returns, call.result)
    return f"result, {found[0]}" if found else None
