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
    wasted: dict[str, Decimal | None] = field(default_factory=dict)
    """What there was of each kind of waste."""
    evals: Decimal | None = Decimal(0)

    def add(self, run: JsonObject) -> None:
        """One run. Of a run that failed all is lost: its retries and loops are not counted a second time."""
        costs = run.get("costs") or _NOTHING
        for kind in ("models", "tools") if costs else ():
            for name, usd in costs.get(kind, _NOTHING).items():
                money.add(self.by_kind[kind], name, _decimal(usd))
        if not run["success"]:
            money.add(self.wasted, "failed", _decimal(run["cost_usd"]))
        else:
            for waste in ("retries", "loops"):
                if waste in costs:
                    money.add(self.wasted, waste, _decimal(costs[waste]))
        if "eval_cost_usd" in run:
            self.evals = money.total([self.evals, _decimal(run["eval_cost_usd"])])

    def merge(self, other: CostParts) -> None:
        """The sum of both, here."""
        for kind, amounts in self.by_kind.items():
            for name, usd in other.by_kind[kind].items():
                money.add(amounts, name, usd)
        for name, usd in other.wasted.items():
            money.add(self.wasted, name, usd)
        self.evals = money.total([self.evals, other.evals])

    def by(self, kind: Kind) -> JsonObject:
        """Name -> dollars as text, in the order of the names."""
        return {name: money.text(usd) for name, usd in sorted(self.by_kind[kind].items())}

    def confusion(self) -> JsonObject:
        """What failed runs, retries and loops cost."""
        return {name: money.text(self.wasted.get(name, _ZERO)) for name in CONFUSION}


_NOTHING: JsonObject = {}
_ZERO = Decimal(0)


def _decimal(usd: str | None) -> Decimal | None:
    return None if usd is None else Decimal(usd)
