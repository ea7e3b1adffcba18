"""Tools as plain callables, for frameworks that read name, docstring, signature and hints of a function."""

from __future__ import annotations

import inspect
import keyword
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..schema.contract import Contract
from ..schema.values import JsonObject
from . import wire
from .hints import read
from .tool import Tool

if TYPE_CHECKING:
    from .toolbox import Toolbox

_TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "array": list[Any],
    "object": dict[str, Any],
    "null": None,
}


def as_function(toolbox: Toolbox, tool: Tool) -> Callable[..., Any]:
    """A function with the tool's face that calls it through the toolbox; async where the tool is."""
    signature = _signature(tool)
    optional = _not_nullable(tool.contract) if not _by_hints(tool) else frozenset[str]()
    rest = next((p.name for p in signature.parameters.values() if p.kind is p.VAR_KEYWORD), None)

    def arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> JsonObject:
        bound = dict(signature.bind(*args, **kwargs).arguments)
        bound |= bound.pop(rest, {}) if rest else {}
        return {k: v for k, v in bound.items() if not (v is None and k in optional)}

    if tool.is_async:

        async def acall(*args: Any, **kwargs: Any) -> Any:
            return await toolbox.acall(tool.name, **arguments(args, kwargs))

        return _dressed(acall, tool, signature)

    def call(*args: Any, **kwargs: Any) -> Any:
        return toolbox.call(tool.name, **arguments(args, kwargs))

    return _dressed(call, tool, signature)


def _dressed(function: Any, tool: Tool, signature: inspect.Signature) -> Callable[..., Any]:
    function.__name__ = function.__qualname__ = wire.wire_name(tool.name)
    function.__doc__ = _doc(tool)
    function.__module__ = getattr(tool.function, "__module__", None) or __name__
    function.__signature__ = signature
    function.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()} | {"return": Any}
    function.schema = wire.function_schema(tool.contract)
    dressed: Callable[..., Any] = function
    return dressed


def _by_hints(tool: Tool) -> bool:
    return tool.function is not None and tool.typed


def _signature(tool: Tool) -> inspect.Signature:
    """The function's own signature with resolved hints, or one made from the schema.

    It promises `Any` as result: what comes back is JSON in every mode, whatever the function's own hint says.
    """
    if not _by_hints(tool):
        return _from_schema(tool.contract)
    assert tool.function is not None
    hints = {p.name: p.hint for p in read(tool.function, name=tool.name).parameters}
    own = inspect.signature(tool.function)
    return own.replace(parameters=[p.replace(annotation=hints[p.name]) for p in own.parameters.values()], return_annotation=Any)


def _from_schema(contract: Contract) -> inspect.Signature:
    schema = contract.parameters
    properties: JsonObject = schema.get("properties", {})
    parameters: list[inspect.Parameter] = []
    for name, prop in properties.items():
        if not name.isidentifier() or keyword.iskeyword(name):
            continue  # it goes into **arguments below
        hint = _hint(prop)
        default: Any = inspect.Parameter.empty
        if name not in schema.get("required", ()):
            default = prop.get("default") if isinstance(prop, dict) else None
            hint = hint if default is not None or hint is Any else hint | None
        parameters.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint))
    if len(parameters) < len(properties) or (not properties and schema.get("additionalProperties", True)):
        parameters.append(inspect.Parameter(_free("arguments", properties), inspect.Parameter.VAR_KEYWORD, annotation=Any))
    return inspect.Signature(parameters, return_annotation=Any)


def _free(name: str, taken: JsonObject) -> str:
    while name in taken:
        name += "_"
    return name


def _hint(prop: Any) -> Any:
    kind = prop.get("type") if isinstance(prop, dict) else None
    return _TYPES.get(kind, Any) if isinstance(kind, str) else Any


def _not_nullable(contract: Contract) -> frozenset[str]:
    """Optional arguments without a default that may not be null: a framework that passes None for them means "left out"."""
    from ..schema.validate import violations

    properties: JsonObject = contract.parameters.get("properties", {})
    shared: JsonObject = {k: contract.parameters[k] for k in ("$defs", "definitions") if k in contract.parameters}
    required = contract.parameters.get("required", ())
    return frozenset(
        name
        for name, prop in properties.items()
        if name not in required and isinstance(prop, dict) and violations({**shared, **prop}, None)
    )


def _doc(tool: Tool) -> str:
    """The function's own docstring, or one with the arguments' descriptions, in Google style."""
    if _by_hints(tool) and (tool.mark is None or tool.mark.description is None):
        own = read(tool.function, name=tool.name).doc if tool.function else ""
        if own:
            return inspect.cleandoc(own)
    properties: JsonObject = tool.contract.parameters.get("properties", {})
    lines = [
        f"    {name}: {prop['description']}"
        for name, prop in properties.items()
        if isinstance(prop, dict) and isinstance(prop.get("description"), str)
    ]
    return tool.contract.description + ("\n\nArgs:\n" + "\n".join(lines) if lines else "")
