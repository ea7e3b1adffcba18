"""What a session really spent, over all its processes: one line a payment in a file that every worker appends to.

Only live layers spend. A replay costs what its recording had cost, which is counted afterwards, in whatever order the cases ran.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from ..errors import BudgetExceeded
from ..schema.disk import SharedLines

OPTION = "--agent-budget-usd"
_UNKNOWN = "unknown"


class Ledger:
    """The payments of one session; `limit` is what it may spend, None for no limit."""

    def __init__(self, path: Path, limit: Decimal | None) -> None:
        self.limit = limit
        self._lines = SharedLines(path)
        self._sums: dict[str, Decimal | None] = {}
        self._lock = threading.Lock()

    def clear(self) -> None:
        """What an earlier session spent is not this one's; once, before any worker starts."""
        self._lines.clear()

    def pay(self, suite: str, usd: Decimal | None) -> None:
        """A real payment; None where nobody knows how much it was."""
        if usd != 0:
            self._lines.add(f"{suite} {_UNKNOWN if usd is None else format(usd, 'f')}")

    def spent(self) -> Mapping[str, Decimal | None]:
        """Suite -> what it spent so far, by all workers; None where a part is unknown."""
        with self._lock:
            for line in self._lines.fresh():
                suite, _, amount = line.rpartition(" ")
                before = self._sums.get(suite, Decimal(0))
                self._sums[suite] = None if before is None or amount == _UNKNOWN else before + Decimal(amount)
            return dict(self._sums)

    def total(self) -> Decimal | None:
        """What the session spent; None where a part is unknown."""
        amounts = self.spent().values()
        return None if None in amounts else sum((a for a in amounts if a is not None), Decimal(0))

    def check(self, suite: str, suite_limit: Decimal | None) -> BudgetExceeded | None:
        """The limit that is used up, if one is."""
        if self.limit is None and suite_limit is None:
            return None
        spent = self.spent()
        if self.limit is not None:
            total = self.total()
            if total is None or total > self.limit:
                return BudgetExceeded("usd", float(self.limit), None if total is None else float(total), key=OPTION)
        mine = spent.get(suite, Decimal(0))
        if suite_limit is not None and (mine is None or mine > suite_limit):
            key = f"budget.usd of the suite {suite}"
            return BudgetExceeded("usd", float(suite_limit), None if mine is None else float(mine), key=key)
        return None
