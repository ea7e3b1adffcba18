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
_NOTHING = Decimal(0)


class Ledger:
    """The payments of one session; `limit` is what it may spend, None for no limit."""

    def __init__(self, path: Path, limit: Decimal | None) -> None:
        self.limit = limit
        self._lines = SharedLines(path)
        self._sums: dict[str, Decimal | None] = {}
        self._lock = threading.RLock()

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

    def check(self, suite: str, suite_limit: Decimal | None, price: Decimal | None = _NOTHING) -> BudgetExceeded | None:
        """The limit that `price` more would go over, if there is one; None is a price that nobody knows yet, but not nothing."""
        limits = ((OPTION, self.limit, self.total), (f"budget.usd of the suite {suite}", suite_limit, lambda: self._of(suite)))
        for key, limit, sum_of in limits:
            if limit is None:
                continue
            spent = sum_of()
            if spent is None or (spent >= limit if price is None else spent + price > limit):
                return BudgetExceeded("usd", float(limit), None if spent is None else float(spent + (price or 0)), key=key)
        return None

    def spend(self, suite: str, suite_limit: Decimal | None, price: Decimal) -> BudgetExceeded | None:
        """Pay, if it goes over no limit; of two threads that ask for the last dollar one gets it."""
        with self._lock:
            over = self.check(suite, suite_limit, price)
            if over is None:
                self.pay(suite, price)
        return over

    def _of(self, suite: str) -> Decimal | None:
        return self.spent().get(suite, _NOTHING)
