"""Digests kept with a recording, so that its staleness is visible."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from .contract import Contract
from .values import JsonObject, digest


@lru_cache(maxsize=1024)
def contract_digest(contract: Contract) -> str:
    """The pin of a tool: name, schemas, effect and version, not the description (which belongs to the prompt)."""
    return digest(
        {
            "name": contract.name,
            "parameters": _without_prose(contract.parameters),
            "returns": _without_prose(contract.returns) if contract.returns is not None else None,
            "effect": contract.effect,
            "version": contract.version,
        }
    )


_PROSE = ("description", "title", "examples", "$comment")


def _without_prose(schema: JsonObject, names: bool = False) -> JsonObject:
    """The schema without its prose; below `properties` a key is an argument's name and stays."""
    out: JsonObject = {}
    for key, value in schema.items():
        if not names and key in _PROSE and not isinstance(value, dict):
            continue
        out[key] = _strip(value, names=key in ("properties", "$defs", "definitions") and not names)
    return out


def _strip(value: object, names: bool) -> object:
    if isinstance(value, dict):
        return _without_prose(value, names)
    if isinstance(value, list):
        return [_strip(v, names=False) for v in value]
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Pins:
    """What a recording was made with; None where the run had no such thing."""

    model: str | list[str] | None = None
    prompt: str | None = None
    policy: str | None = None
    tools: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> JsonObject:
        return {
            "model": self.model,
            "prompt": self.prompt,
            "policy": self.policy,
            "tools": dict(sorted(self.tools.items())),
        }
