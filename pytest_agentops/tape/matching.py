"""When a call is a recorded one: the tool's name and the canonical text of its arguments.

Two tiers. Exact: the schema's defaults filled in, the contract's ignored fields left out, 1 equal to 1.0. Normalised: also
without the blanks around texts, and without nulls where null is the schema's default. No field is ever ignored for its name.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

from ..schema import paths
from ..schema.contract import Contract
from ..schema.validate import Schema, compiled
from ..schema.values import Json, JsonObject, canonical

Fold: TypeAlias = Callable[[Json], Json]
"""Replaces what differs from run to run (`TrialValues.fold`)."""


class Keys:
    """The match keys of one tool's calls."""

    __slots__ = ("contract", "fold", "schema")

    def __init__(self, contract: Contract, fold: Fold | None = None) -> None:
        self.contract = contract
        self.fold = fold
        self.schema: Schema | None = None if contract.open or "properties" not in contract.parameters else _schema(contract)

    def exact(self, args: JsonObject) -> str:
        """The key of the first tier."""
        return f"{self.contract.name} {canonical(self.counted(args))}"

    def normalised(self, args: JsonObject) -> str:
        """The key of the second tier."""
        return f"{self.contract.name} {canonical(_tidy(self.counted(args), self.contract.parameters))}"

    def counted(self, args: JsonObject) -> Json:
        """What of the arguments counts."""
        value: Json = self.fold(args) if self.fold else args
        if self.schema is not None:
            value = self.schema.fill(value)
        return paths.remove(value, self.contract.ignored) if self.contract.ignored else value


def key(contract: Contract, args: JsonObject, fold: Fold | None = None, *, normalised: bool = False) -> str:
    """The match key of one call."""
    keys = Keys(contract, fold)
    return keys.normalised(args) if normalised else keys.exact(args)


@lru_cache(maxsize=1024)
def _schema(contract: Contract) -> Schema | None:
    try:
        return compiled(contract.parameters)
    except ValueError:  # no JSON Schema: the contract stage says so
        return None


def _tidy(value: Json, schema: Json) -> Json:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list):
        items = schema.get("items") if isinstance(schema, dict) else None
        return [_tidy(item, items) for item in value]
    if isinstance(value, dict):
        known = schema.get("properties") if isinstance(schema, dict) else None
        known = known if isinstance(known, dict) else {}
        return {k: _tidy(v, known.get(k)) for k, v in value.items() if not (v is None and _null_by_default(known.get(k)))}
    return value


def _null_by_default(schema: Json) -> bool:
    return isinstance(schema, dict) and "default" in schema and schema["default"] is None
