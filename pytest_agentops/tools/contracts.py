"""Contracts from wherever a tool is declared: code, YAML, JSON Schema, a function schema of a model's API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..errors import LoadError
from ..schema.case import ContractSpec
from ..schema.contract import ANYTHING, Answer, Contract
from ..schema.suggest import did_you_mean
from ..schema.tier import EFFECT_ORDER, Effect
from ..schema.validate import check_schema
from ..schema.values import Json, JsonObject
from . import tool as tools


def from_function(function: Callable[..., Any], *, name: str | None = None, **declared: Any) -> Contract:
    """The contract of a function; `declared` are the decorator's words, without them those of its own mark count."""
    if declared or tools.mark_of(function) is None:
        chosen = name or tools.name_of(function)
        marked = tools.tool(chosen, **declared)(lambda: None)
        mark = tools.mark_of(marked)
    else:
        mark = tools.mark_of(function)
        mark = replace(mark, name=name) if mark and name else mark
    assert mark is not None
    return from_mark(function, mark, where=tools.Tool(function=function, mark=mark).where)


def from_mark(function: Callable[..., Any], mark: tools.Mark, *, where: str) -> Contract:
    """The contract of a decorated function."""
    from .signature import describe_function

    found = describe_function(function, name=mark.name)
    properties = found.parameters["properties"]
    _known_argument(mark.name, mark.idempotency_key, properties)
    contract = Contract(
        name=mark.name, description=found.description, parameters=found.parameters, returns=found.returns, where=where
    )
    return tools.declared(contract, mark)


def from_spec(name: str, spec: ContractSpec, where: str = "") -> Contract:
    """A tool that YAML declares; without `parameters` any arguments are accepted."""
    tools.checked_name(name)
    _check_schemas(name, spec.parameters, spec.returns, where)
    if spec.parameters is not None and spec.parameters.get("additionalProperties", True) is False:
        _known_argument(name, spec.idempotency_key, spec.parameters.get("properties", {}))
    contract = Contract(name=name, open=spec.parameters is None, where=where, answers=_answers(spec))
    return _overridden(contract, spec)


def tighten(contract: Contract, spec: ContractSpec, where: str = "") -> Contract:
    """A contract with the fields that YAML names; effect and tier only to the stricter side.

    Where the code declares no effect or no tier, YAML may be the first to do so.
    """
    check_stricter(contract.name, contract.effect, contract.tier, spec, where)
    _check_schemas(contract.name, spec.parameters, spec.returns, where)
    changed = _overridden(contract, spec)
    return changed if spec.parameters is None else replace(changed, open=False)


def check_stricter(name: str, effect: Effect | None, tier: int | None, spec: ContractSpec, where: str = "") -> None:
    """Refuse what would loosen a tool that has code; known before its schema is."""
    if spec.answers is not None:
        raise LoadError(
            f"{_at(where)}contracts.{name}.answers: this tool has code, canned answers would never be true to it",
            hint="remove `answers`, or leave the tool out of `tools` to have it answered from YAML",
        )
    if effect is not None and spec.effect is not None and EFFECT_ORDER.index(spec.effect) < EFFECT_ORDER.index(effect):
        stricter = ", ".join(EFFECT_ORDER[EFFECT_ORDER.index(effect) :])
        raise LoadError(
            f"{_at(where)}contracts.{name}.effect: {spec.effect} is looser than the code's {effect}; expected one of {stricter}",
            hint="change it in the code, where the tool is written",
        )
    if tier is not None and spec.tier is not None and spec.tier < tier:
        raise LoadError(
            f"{_at(where)}contracts.{name}.tier: {spec.tier} is looser than the code's {tier}; expected {tier} to 4",
            hint="change it in the code, where the tool is written",
        )


def from_openai_tool(schema: JsonObject, where: str = "") -> Contract:
    """The contract of a function schema as models' APIs and MCP write it; effect and tier stay undeclared."""
    inner: Json = schema.get("function", schema)
    if not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
        raise LoadError(f"{_at(where)}no function schema: {schema!r}", hint='write {"name": ..., "parameters": {...}}')
    parameters = next((inner[k] for k in ("parameters", "input_schema", "inputSchema") if inner.get(k) is not None), None)
    description = inner.get("description")
    returns = inner.get("outputSchema")
    return from_json(
        inner["name"], parameters, description=description if isinstance(description, str) else "", returns=returns, where=where
    )


def from_json(
    name: str, parameters: Json = None, *, description: str = "", returns: Json = None, where: str = "", **declared: Any
) -> Contract:
    """A contract from JSON Schemas; `declared` are the words of the decorator (effect, tier, scopes, ...)."""
    _check_schemas(name, parameters, returns, where)
    mark = tools.mark_of(tools.tool(tools.checked_name(name), **declared)(lambda: None))
    assert mark is not None
    contract = Contract(
        name=name,
        description=description,
        parameters=dict(ANYTHING) if parameters is None else parameters,
        returns=returns,
        open=parameters is None,
        where=where,
    )
    return tools.declared(contract, mark)


def open_contract(name: str, where: str = "") -> Contract:
    """A tool of which only the name is known: any arguments, any result, irreversible."""
    return Contract(name=name, open=True, where=where)


_SAME = (
    "description",
    "parameters",
    "returns",
    "effect",
    "tier",
    "scopes",
    "idempotency_key",
    "sensitive",
    "passthrough",
    "resource",
    "version",
)
"""Fields that are called alike in YAML and in a contract."""


def _overridden(contract: Contract, spec: ContractSpec) -> Contract:
    named: dict[str, Any] = {f: getattr(spec, f) for f in _SAME if getattr(spec, f) is not None}
    if spec.cost_usd is not None:
        named["cost_usd"] = tools.checked_cost(spec.cost_usd, contract.name)
    if spec.match is not None:
        named["ignore"] = tuple(spec.match.ignore)
    return replace(contract, **named) if named else contract


def _answers(spec: ContractSpec) -> tuple[Answer, ...] | None:
    if spec.answers is None:
        return None
    return tuple(
        Answer(
            args=a.args,
            result=a.result,
            error=None if a.error is None else {"type": a.error.type, "message": a.error.message, "retryable": a.error.retryable},
        )
        for a in spec.answers
    )


def _check_schemas(name: str, parameters: Json, returns: Json, where: str) -> None:
    for word, schema in (("parameters", parameters), ("returns", returns)):
        why = None if schema is None else check_schema(schema)
        if why is not None:
            raise LoadError(f"{_at(where)}{name}: its `{word}` are no JSON Schema: {why}")
    if isinstance(parameters, bool) or (isinstance(parameters, dict) and parameters.get("type", "object") != "object"):
        raise LoadError(
            f"{_at(where)}{name}: its `parameters` must describe a mapping",
            hint="write {type: object, properties: {...}, required: [...]}",
        )


def _known_argument(name: str, key: str | None, properties: JsonObject) -> None:
    if key is not None and key not in properties:
        near = did_you_mean(key, properties)
        raise LoadError(
            f"{name}: idempotency_key {key!r} is none of its arguments ({', '.join(properties) or 'it has none'})", hint=near
        )


def _at(where: str) -> str:
    return f"{where}: " if where else ""
