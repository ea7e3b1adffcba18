"""Type hints to JSON Schemas, and JSON arguments to Python values: the only module that imports pydantic for tools.

A Decimal is a JSON number (its text is not accepted: ``"1000"`` would slip past every check and policy that compares amounts), a
named tuple a mapping, as `values.jsonable` writes them. Results are described as they are written, not as they are read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ..errors import AgentOpsError, LoadError
from ..schema.sentences import shown
from ..schema.validate import Violation
from ..schema.values import Json, JsonObject, NotJson, jsonable
from . import plain
from .docstring import describe
from .hints import REQUIRED, Parameter, Signature, read

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from pydantic.json_schema import GenerateJsonSchema

_Mode: TypeAlias = Literal["validation", "serialization"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What the code itself says of a tool."""

    description: str
    parameters: JsonObject
    returns: JsonObject | None


class InvalidArguments(AgentOpsError):
    """Arguments that fit the schema, but not the types (a model's own validator said no)."""

    def __init__(self, tool: str, violations: list[Violation]) -> None:
        super().__init__(f"{tool}: the arguments do not fit: {'; '.join(map(str, violations))}")
        self.violations = violations


def describe_function(function: Callable[..., Any], *, name: str) -> Described:
    """Description and schemas; equal functions (the closures of one factory) are worked out once."""
    signature = read(function, name=name)
    return _describe(signature, name) if _hashable(signature) else _describe.__wrapped__(signature, name)


def _hashable(signature: Signature) -> bool:
    """Whether it can be looked up; `Annotated` may carry notes that cannot."""
    try:
        hash(signature)
    except TypeError:
        return False
    return True


@lru_cache(maxsize=1024)
def _describe(signature: Signature, name: str) -> Described:
    description, texts = describe(signature.doc)
    try:
        defs: JsonObject = {}
        props = {p.name: plain.schema(p.hint, defs) for p in signature.parameters}
        defs = plain.finished(defs)
    except plain.NotPlain:
        props, defs = _parameters_by_pydantic(signature.parameters, name)
    for parameter in signature.parameters:
        prop = props[parameter.name]
        if parameter.name in texts and "description" not in prop:
            prop = {**prop, "description": texts[parameter.name]}
        props[parameter.name] = prop if parameter.required else plain.with_default(prop, parameter.default)
    parameters: JsonObject = {"type": "object", "properties": props, "additionalProperties": False}
    required = [p.name for p in signature.parameters if p.required]
    if required:
        parameters["required"] = required
    if defs:
        parameters["$defs"] = defs
    return Described(description=description, parameters=parameters, returns=_returns(signature.returns))


def _returns(hint: Any) -> JsonObject | None:
    """The result's schema; None where the hint promises nothing that a schema could say."""
    if hint is REQUIRED:
        return None
    try:
        defs: JsonObject = {}
        schema = plain.schema(hint, defs)
        defs = plain.finished(defs)
    except plain.NotPlain:
        try:
            schemas, defs = _by_pydantic([("return", hint)], "serialization")
            schema = schemas["return"]
        except Exception:  # pydantic raises many kinds for a type that it does not know
            return None
    if not schema:
        return None
    return {**schema, "$defs": defs} if defs else schema


def _parameters_by_pydantic(parameters: tuple[Parameter, ...], tool: str) -> tuple[JsonObject, JsonObject]:
    try:
        return _by_pydantic([(p.name, p.hint) for p in parameters], "validation")
    except Exception as error:
        for p in parameters:  # which one is it?
            try:
                _by_pydantic([(p.name, p.hint)], "validation")
            except Exception as single:
                reason = str(single).splitlines()[0]
                raise LoadError(
                    f"{tool}: no JSON Schema for the argument {p.name!r} ({p.hint!r}): {reason}",
                    hint="use JSON types, dataclasses or pydantic models",
                ) from None
        raise LoadError(f"{tool}: no JSON Schema for its arguments: {error}") from None


def _by_pydantic(hints: list[tuple[str, Any]], mode: _Mode) -> tuple[JsonObject, JsonObject]:
    from pydantic import TypeAdapter

    adapters: list[tuple[str, _Mode, TypeAdapter[Any]]] = [(name, mode, TypeAdapter(_noted(hint))) for name, hint in hints]
    found, shared = TypeAdapter.json_schemas(adapters, schema_generator=_generator())
    props = {name: _untitled(schema) for (name, _), schema in found.items()}
    return props, {name: _untitled(schema) for name, schema in shared.get("$defs", {}).items()}


def _noted(hint: Any) -> Any:
    """A bare string in `Annotated` is a description, as other frameworks read it."""
    notes = [n for n in getattr(hint, "__metadata__", ()) if isinstance(n, str)]
    if not notes:
        return hint
    from typing import Annotated

    from pydantic import Field

    return Annotated[hint, Field(description=notes[0])]


@lru_cache(maxsize=1)
def _generator() -> type[GenerateJsonSchema]:
    from pydantic.json_schema import GenerateJsonSchema

    class Generator(GenerateJsonSchema):
        """JSON Schema of values as `values.jsonable` writes them."""

        def decimal_schema(self, schema: Any) -> JsonObject:
            before, self._mode = self._mode, "validation"
            try:
                found = super().decimal_schema(schema)
            finally:
                self._mode = before
            number: JsonObject = found["anyOf"][0] if "anyOf" in found else {"type": "number"}
            return number

        def named_tuple_schema(self, schema: Any) -> JsonObject:
            fields = {f["name"]: self.generate_inner(f["schema"]) for f in schema["fields"]}
            required = [name for name in fields if name not in schema["cls"]._field_defaults]
            return {"type": "object", "properties": fields, "required": required}

        def call_schema(self, schema: Any) -> JsonObject:
            """What a named tuple was to pydantic before it had a schema of its own."""
            return self.kw_arguments_schema(schema["arguments_schema"]["arguments_schema"], None)

        def encode_default(self, dft: Any) -> Any:
            try:
                return jsonable(dft)
            except NotJson:
                return super().encode_default(dft)

    return Generator


def _untitled(schema: Json, names: bool = False) -> Json:
    """Without the titles that pydantic makes from names (they say nothing new to a model and cost tokens).

    Nor with ``additionalProperties: true``, which says nothing at all and comes with some versions of pydantic only: a tool's pin
    must not change with them.
    """
    if isinstance(schema, list):
        return [_untitled(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: value
        if key in ("default", "const", "enum", "examples") and not names
        else _untitled(value, _holds_names(key, names))
        for key, value in schema.items()
        if names or not ((key == "title" and isinstance(value, str)) or (key == "additionalProperties" and value is True))
    }


def _holds_names(key: str, names: bool) -> bool:
    return not names and key in ("properties", "$defs", "patternProperties")


def bind(signature: Signature, args: JsonObject, *, name: str) -> tuple[list[Any], dict[str, Any]]:
    """JSON arguments as the Python values that the type hints ask for; raises `InvalidArguments` for what does not fit."""
    known = {p.name for p in signature.parameters}
    wrong = [_unknown(key, known) for key in args if key not in known]
    positional: list[Any] = []
    keywords: dict[str, Any] = {}
    adapters = _adapters(signature) if _hashable(signature) else _adapters.__wrapped__(signature)
    for parameter, adapter in zip(signature.parameters, adapters, strict=True):
        if parameter.name in args:
            value = _converted(parameter.name, adapter, args[parameter.name], wrong)
        elif parameter.required:
            wrong.append(Violation(loc=(), keyword="required", message=f"{parameter.name!r} is missing", name=parameter.name))
            continue
        else:
            value = parameter.default
        if parameter.positional:
            positional.append(value)
        else:
            keywords[parameter.name] = value
    if wrong:
        raise InvalidArguments(name, wrong)
    return positional, keywords


@lru_cache(maxsize=1024)
def _adapters(signature: Signature) -> tuple[TypeAdapter[Any], ...]:
    from pydantic import TypeAdapter

    return tuple(TypeAdapter(p.hint) for p in signature.parameters)


def _converted(name: str, adapter: TypeAdapter[Any], value: Json, wrong: list[Violation]) -> Any:
    from pydantic import ValidationError

    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        for one in error.errors(include_url=False, include_context=False):
            message = f"{one['msg']}, found {_found(one['input'])}"
            wrong.append(Violation(loc=(name, *one["loc"]), keyword=one["type"], message=message))
    return None


def _found(value: object) -> str:
    try:
        return shown(jsonable(value))
    except NotJson:
        return repr(value)


def _unknown(key: str, known: set[str]) -> Violation:
    return Violation(loc=(), keyword="additionalProperties", message=f"unknown key {key!r}", name=key, allowed=tuple(known))
