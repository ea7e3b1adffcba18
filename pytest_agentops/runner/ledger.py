"""What a session really spent, over all its processes: one line a payment in a file that every worker appends to.

A suite that limits more than money has one line more for each of its runs.

Only live layers spend. A replay costs what its recording had cost, which is counted afterwards, in whatever order the cases ran.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path

from ..errors import BudgetExceeded
from ..schema.disk import SharedLines
from ..schema.values import decimal

OPTION = "--agent-budget-usd"
_UNKNOWN = "unknown"
_NOTHING = Decimal(0)


class Ledger:
    """The payments of one session; `limit` is what it may spend, None for no limit."""

    def __init__(self, path: Path, limit: Decimal | None) -> None:
        self.limit = limit
        self._lines = SharedLines(path)
        self._sums: dict[tuple[str, str], Decimal | None] = {}
        self._lock = threading.RLock()

    def clear(self) -> None:
        """What an earlier session spent is not this one's; once, before any worker starts."""
        self._lines.clear()

    def pay(self, suite: str, usd: Decimal | None) -> None:
        """A real payment; None where nobody knows how much it was."""
        if usd != 0:
            self._lines.add(f"{suite} {_written(usd)}")

    def use(self, suite: str, used: Mapping[str, Decimal | None]) -> None:
        """What a run that is over used beside money: `tokens`, `steps`, `tool_calls`, `seconds`."""
        self._lines.add(" ".join([suite, *(f"{what}={_written(amount)}" for what, amount in used.items())]))

    def spent(self) -> Mapping[str, Decimal | None]:
        """Suite -> the dollars that it spent so far, by all workers; None where a part is unknown."""
        with self._lock:
            self._follow()
            return {suite: amount for (suite, what), amount in self._sums.items() if what == "usd"}

    def _follow(self) -> None:
        for line in self._lines.fresh():
            suite, *words = line.split(" ")
            for word in words:
                what, said, amount = word.rpartition("=")
                key = suite, what if said else "usd"
                before, paid = self._sums.get(key, _NOTHING), _read(amount)
                self._sums[key] = None if before is None or paid is None else before + paid

    def total(self) -> Decimal | None:
        """What the session spent; None where a part is unknown."""
        amounts = self.spent().values()
        return None if None in amounts else sum((a for a in amounts if a is not None), _NOTHING)

    def used_up(self, suite: str, limits: Mapping[str, float]) -> BudgetExceeded | None:
        """The limit of the suite, beside that of money, that its runs have reached: no further one is begun."""
        with self._lock:
            self._follow()
            for what, limit in limits.items():
                used = self._sums.get((suite, what), _NOTHING)
                if what != "usd" and (used is None or used >= decimal(limit)):
                    return BudgetExceeded(what, limit, None if used is None else float(used), key=suite_key(suite, what))
        return None

    def check(self, suite: str, suite_limit: Decimal | None, price: Decimal | None = _NOTHING) -> BudgetExceeded | None:
        """The limit that `price` more would go over, if there is one; None is a price that nobody knows yet, but not nothing."""
        limits = ((OPTION, self.limit, self.total), (suite_key(suite, "usd"), suite_limit, lambda: self._of(suite)))
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


def suite_key(suite: str, what: str) -> str:
    """Whose limit it is, for messages."""
    return f"budget.{what} of the suite {suite}"


def _read(amount: str) -> Decimal | None:
    """What a process that was killed had half written is unknown, too."""
    try:
        return Decimal(amount)
    except InvalidOperation:
        return None


def _written(amount: Decimal | None) -> str:
    return _UNKNOWN if amount is None else format(amount, "f")
