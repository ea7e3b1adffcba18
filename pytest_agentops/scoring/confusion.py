"""The parts of the cost over many runs, from their results JSON: by model, by tool, and what bought nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, TypeAlias

from ..schema import money
from ..schema.values import JsonObject

Kind: TypeAlias = Literal["models", "tools"]
CONFUSION = ("failed", "retries", "loops")


@dataclass(slots=True)
class CostParts:
    """Adds up; an amount of which a part is unknown is None."""

    by_kind: dict[Kind, dict[str, Decimal | None]] = field(default_factory=lambda: {"models": {}, "tools": {}})
    wasted: dict[str, Decimal | None] = field(default_factory=lambda: dict.fromkeys(CONFUSION, Decimal(0)))
    evals: Decimal | None = Decimal(0)

    def add(self, run: JsonObject) -> None:
        """One run. Of a run that failed all is lost: its retries and loops are not counted a second time."""
        costs = run.get("costs") or {}
        for kind, amounts in self.by_kind.items():
            for name, usd in (costs.get(kind) or {}).items():
                _add(amounts, name, _decimal(usd))
        if not run["success"]:
            _add(self.wasted, "failed", _decimal(run["cost_usd"]))
        else:
            for waste in ("retries", "loops"):
                _add(self.wasted, waste, _decimal(costs.get(waste, "0")))
        self.evals = money.total([self.evals, _decimal(run.get("eval_cost_usd", "0"))])

    def merge(self, other: CostParts) -> None:
        """The sum of both, here."""
        for kind, amounts in self.by_kind.items():
            for name, usd in other.by_kind[kind].items():
                _add(amounts, name, usd)
        for name, usd in other.wasted.items():
            _add(self.wasted, name, usd)
        self.evals = money.total([self.evals, other.evals])

    def by(self, kind: Kind) -> JsonObject:
        """Name -> dollars as text, in the order of the names."""
        return {name: money.text(usd) for name, usd in sorted(self.by_kind[kind].items())}

    def confusion(self) -> JsonObject:
        """What failed runs, retries and loops cost."""
        return {name: money.text(self.wasted[name]) for name in CONFUSION}


def _add(amounts: dict[str, Decimal | None], name: str, usd: Decimal | None) -> None:
    amounts[name] = money.total([amounts.get(name, Decimal(0)), usd])


def _decimal(usd: str | None) -> Decimal | None:
    return None if usd is None else Decimal(usd)
