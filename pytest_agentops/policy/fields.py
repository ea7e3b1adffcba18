"""The fields of a tool's schemas, as `redact_fields` names them: exact keys at any depth, or JSON paths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..schema import paths
from ..schema.contract import Contract
from ..schema.values import Json, JsonObject
from .possible import parts

_DEEP = 6


def names(contract: Contract) -> list[str]:
    """The names of all properties of arguments and results, at any depth, each once."""
    return list(dict.fromkeys(name for schema in _schemas(contract) for name in _names(schema, schema, 0)))


def may_have(contract: Contract, field: str) -> bool:
    """Whether a call of the tool could have the field, as far as its schemas say."""
    if not paths.is_path(field):
        return any(_named(schema, schema, field, 0) for schema in _schemas(contract))
    steps = paths.parse(field).steps
    return any(_reached(schema, schema, steps) for schema in _schemas(contract))


def meant(contract: Contract, field: str) -> str | None:
    """The JSON path that a name with dots was meant as: it is nobody's key, and the place is in a schema."""
    if paths.is_path(field) or "." not in field or may_have(contract, field):
        return None
    found = (_walked(schema, schema, field.split("."), "$") for schema in _schemas(contract))
    return next((path for path in found if path is not None), None)


def _schemas(contract: Contract) -> tuple[JsonObject, ...]:
    return (contract.parameters, contract.returns or {})


def _inside(schema: Json, top: Json) -> Iterator[tuple[str | None, Json]]:
    """What lies one step below: properties by name; None for items, and for keys that the schema does not name."""
    for part in parts(schema, top, 0):
        yield from (part.get("properties") or {}).items()
        for word in ("items", "additionalProperties"):
            if isinstance(part.get(word), dict):
                yield None, part[word]


def _names(schema: Json, top: Json, depth: int) -> Iterator[str]:
    for name, inner in _inside(schema, top) if depth <= _DEEP else ():
        if name is not None:
            yield name
        yield from _names(inner, top, depth + 1)


def _named(schema: Json, top: Json, name: str, depth: int) -> bool:
    if depth > _DEEP:  # a schema that holds itself has no new names down there
        return False
    return _free(schema, top, within=depth > 0) or any(
        key == name or _named(inner, top, name, depth + 1) for key, inner in _inside(schema, top)
    )


def _reached(schema: Json, top: Json, steps: Sequence[paths.Step]) -> bool:
    if not steps:
        return True
    step = steps[0]
    fits = [inner for key, inner in _inside(schema, top) if key is None or step is paths.ALL or key == step]
    return _free(schema, top, within=schema is not top) or any(_reached(inner, top, steps[1:]) for inner in fits)


def _free(schema: Json, top: Json, *, within: bool) -> bool:
    """Whether it is an object of which nothing is said: any key may be in it. At the top, `open` says so."""
    found = list(parts(schema, top, 0))
    closed = any("properties" in part or part.get("additionalProperties") is False for part in found)
    return within and not closed and any(part.get("type") == "object" for part in found)


def _walked(schema: Json, top: Json, keys: Sequence[str], so_far: str) -> str | None:
    """The path along these keys; lists on the way are gone through whole."""
    if not keys:
        return so_far
    for name, inner in _inside(schema, top):
        if name is None and any(part.get("type") == "array" for part in parts(schema, top, 0)):
            found = _walked(inner, top, keys, f"{so_far}[*]")
        elif name == keys[0]:
            found = _walked(inner, top, keys[1:], so_far + paths.text((name,))[1:])
        else:
            continue
        if found is not None:
            return found
    return None
