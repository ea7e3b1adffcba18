"""The state rule: a recorded read may answer a live one only if the world was the same for both.

The world is the writes. A recorded read may be played if

- the writes that had returned when it was recorded have been issued now, and
- the writes that have returned now had been issued when it was recorded,

counting only writes to what it reads (`Contract.resource`), as multisets of match keys. Writes are not ordered among
themselves, and a write that failed counts. A call with ``overlap: N`` was issued while the N calls before it were in flight,
so the order of these says nothing. Tools with no declared effect take no part: they are neither reads nor writes here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..schema.contract import Contract
from .recording import Contracts, Recording

Side = Literal["early", "late"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a recorded read may not be played now."""

    side: Side
    """early: writes that it was recorded after were not issued yet; late: writes were made that it had not seen."""
    tools: tuple[str, ...]
    """The tools of these writes."""

    def __str__(self) -> str:
        names = ", ".join(self.tools)
        if self.side == "early":
            return f"it was recorded after {names}, which this run has not called yet"
        return f"it was recorded before {names}, which this run has called already"


@dataclass(slots=True)
class Made:
    """A write of this run."""

    key: str
    contract: Contract
    returned: bool = False


def is_write(contract: Contract | None) -> bool:
    """Whether the state rule counts a call as a write."""
    return contract is not None and contract.effect in ("write", "irreversible")


def is_read(contract: Contract | None) -> bool:
    return contract is not None and contract.effect == "read"


def touches(write: Contract, read: Contract) -> bool:
    """Whether the write may change what the read sees."""
    return "*" in (write.resource, read.resource) or write.resource == read.resource


class History:
    """The writes of the recorded run beside those of this one."""

    def __init__(self, calls: Sequence[Recording], keys: Sequence[str], contracts: Contracts) -> None:
        self._calls = calls
        self._contracts = contracts
        self._writes = [(i, keys[i], contracts[c.tool]) for i, c in enumerate(calls) if is_write(contracts.get(c.tool))]
        self.made: list[Made] = []

    def issued(self, key: str, contract: Contract | None) -> Made | None:
        """A call of this run was issued; the mark to hand to `returned`, None if it is no write."""
        if contract is None or not is_write(contract):
            return None
        self.made.append(Made(key, contract))
        return self.made[-1]

    def refuses(self, index: int) -> Refusal | None:
        """Why the recording at `index` may not be played now; None if it may."""
        read = self._contracts.get(self._calls[index].tool)
        if read is None or not is_read(read):
            return None
        before = self._before(index, read)
        if not before and not self.made:
            return None
        issued = Counter(m.key for m in self.made if touches(m.contract, read))
        absent = before - issued
        if absent:
            return Refusal("early", _tools(absent))
        returned = Counter(m.key for m in self.made if m.returned and touches(m.contract, read))
        unseen = returned - self._seen(index, read)
        return Refusal("late", _tools(unseen)) if unseen else None

    def _before(self, index: int, read: Contract) -> Counter[str]:
        """Writes that had returned when the recording at `index` was issued."""
        first_in_flight = index - self._calls[index].overlap
        return Counter(key for i, key, write in self._writes if i < first_in_flight and touches(write, read))

    def _seen(self, index: int, read: Contract) -> Counter[str]:
        """Writes that had been issued before the recording at `index` returned."""
        calls = self._calls
        return Counter(
            key for i, key, write in self._writes if (i < index or i - calls[i].overlap <= index) and touches(write, read)
        )


def _tools(keys: Counter[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key.split(" ", 1)[0] for key in keys))
