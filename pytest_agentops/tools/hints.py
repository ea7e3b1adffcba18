"""A function's parameters and their type hints, read without pydantic."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ..errors import LoadError
from .look import doc_of, hinted, scope_of

REQUIRED: Any = inspect.Parameter.empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One argument of a tool."""

    name: str
    hint: Any
    """The resolved hint; `Any` where there is none."""
    default: Any = field(compare=False)
    """REQUIRED where there is none."""
    default_text: str
    """Stands for the default in comparisons: 1, True and 1.0 are different defaults, and a list has no hash."""
    positional: bool = False

    @property
    def required(self) -> bool:
        return self.default is REQUIRED


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a function takes and gives; equal for every closure that a factory makes of one function."""

    parameters: tuple[Parameter, ...]
    returns: Any
    """The resolved hint; REQUIRED (inspect's `empty`) where there is none."""
    doc: str


def read(function: Callable[..., Any], *, name: str) -> Signature:
    """The signature of a tool's function; raises LoadError for what no agent could be told of."""
    try:
        found = inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise LoadError(f"{name}: its parameters cannot be read: {error}", hint="wrap it in a function with type hints") from None
    hints = _hints(function, name, found)
    parameters = tuple(_parameter(p, hints.get(p.name, Any), name) for p in found.parameters.values())
    return Signature(parameters=parameters, returns=hints.get("return", REQUIRED), doc=doc_of(function))


def _parameter(parameter: inspect.Parameter, hint: Any, tool: str) -> Parameter:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        stars = "*" if parameter.kind is parameter.VAR_POSITIONAL else "**"
        raise LoadError(
            f"{tool}: {stars}{parameter.name} has no schema, an agent could not know what to pass",
            hint="name each argument, or take one dict",
        )
    hint, default = _pydantic_field(hint, parameter.default)
    if default is None and not _allows_none(hint):
        hint = typing.Optional[hint]  # noqa: UP045 - also for hints that know no `|`
    return Parameter(
        name=parameter.name,
        hint=hint,
        default=default,
        default_text="" if default is REQUIRED else repr(default),
        positional=parameter.kind is parameter.POSITIONAL_ONLY,
    )


def _pydantic_field(hint: Any, default: Any) -> tuple[Any, Any]:
    """``x: int = Field(ge=0)`` as ``x: Annotated[int, Field(ge=0)]``; pydantic's object is known by its type's name."""
    if type(default).__name__ != "FieldInfo" or not type(default).__module__.startswith("pydantic."):
        return hint, default
    plain = REQUIRED if default.is_required() else default.get_default(call_default_factory=True)
    return typing.Annotated[hint, default], plain


def _allows_none(hint: Any) -> bool:
    if hint is Any or hint is None or hint is type(None) or hint is object:
        return True
    if typing.get_origin(hint) is typing.Annotated:
        return _allows_none(typing.get_args(hint)[0])
    if typing.get_origin(hint) is typing.Literal:
        return None in typing.get_args(hint)
    return typing.get_origin(hint) in (typing.Union, types.UnionType) and any(_allows_none(a) for a in typing.get_args(hint))


def _hints(function: Callable[..., Any], tool: str, found: inspect.Signature) -> dict[str, Any]:
    scope = scope_of(function)
    raw = getattr(hinted(function), "__annotations__", {})
    try:
        return typing.get_type_hints(types.SimpleNamespace(__annotations__=_evaluated(raw, scope)), scope, include_extras=True)
    except Exception:
        return _hints_one_by_one(raw, scope, tool, found)


def _evaluated(raw: dict[str, Any], scope: dict[str, Any]) -> dict[str, Any]:
    """Hints that are text, evaluated: compiling them anew for every closure of a factory would cost more than all the rest."""
    return {name: eval(_compiled(hint), scope) if isinstance(hint, str) else hint for name, hint in raw.items()}


@lru_cache(maxsize=4096)
def _compiled(hint: str) -> types.CodeType:
    return compile(hint, "<type hint>", "eval")


def _hints_one_by_one(raw: dict[str, Any], scope: dict[str, Any], tool: str, found: inspect.Signature) -> dict[str, Any]:
    """Which hint is wrong: one that cannot be resolved is an error, but as the return hint it is only no promise."""
    out: dict[str, Any] = {}
    for name, hint in raw.items():
        holder = types.SimpleNamespace(__annotations__={name: hint})
        try:
            out |= typing.get_type_hints(holder, globalns=scope, include_extras=True)
        except Exception as error:
            if name != "return" and name in found.parameters:
                raise LoadError(
                    f"{tool}: the type hint {hint!r} of {name!r} cannot be resolved: {error}",
                    hint="define or import the type at the top of the module, not under TYPE_CHECKING or in a function",
                ) from None
    return out
