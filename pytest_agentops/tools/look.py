"""How a callable looks to people, to `inspect` and to type hints, whatever it is: a function, a method, a partial, an object."""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_PLACE = "__agentops_place__"
_SIGNATURE: dict[str, Any] = {}
if sys.version_info >= (3, 14):  # hints are evaluated there as they are read, and need not be defined yet
    from annotationlib import Format

    _SIGNATURE = {"annotation_format": Format.FORWARDREF}


def plain_function(function: Any) -> Any:
    """The function under partials and bound methods."""
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif inspect.ismethod(function):
            function = function.__func__
        else:
            return function


def hinted(function: Any) -> Any:
    """What has the type hints: of an object that is called, its ``__call__``."""
    target = plain_function(function)
    if inspect.isfunction(target) or hasattr(target, "__wrapped__"):
        return target
    return getattr(type(target), "__call__", target)  # noqa: B004 - an object that is called


def scope_of(function: Any) -> dict[str, Any]:
    """Where the names of its type hints are looked up."""
    found: dict[str, Any] = getattr(inspect.unwrap(hinted(function)), "__globals__", {})
    return found


def doc_of(function: Any) -> str:
    """Its docstring, or that of an object's ``__call__``."""
    target = plain_function(function)
    doc = target.__doc__ if inspect.isroutine(target) else inspect.getdoc(getattr(type(target), "__call__", None))  # noqa: B004
    return doc or ""


def place_of(function: Any) -> tuple[str, int] | None:
    """File and line of its code; None where it has none in Python."""
    target = hinted(function)
    place: tuple[str, int] | None = getattr(target, _PLACE, None)
    code = getattr(inspect.unwrap(target), "__code__", None) if place is None else None
    return place if code is None else (code.co_filename, code.co_firstlineno)


def dressed(wrapper: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """The wrapper, which looks as the function does; no attribute of it leads there, as ``__wrapped__`` of `functools` would."""
    scope = scope_of(function) or wrapper.__globals__  # `typing.get_type_hints` looks names up in it
    made: Any = types.FunctionType(wrapper.__code__, scope, wrapper.__name__, None, wrapper.__closure__)
    for name in ("__module__", "__name__", "__qualname__"):
        if hasattr(function, name):
            setattr(made, name, getattr(function, name))
    made.__doc__ = doc_of(function) or None
    made.__annotations__ = dict(getattr(hinted(function), "__annotations__", {}))
    place = place_of(function)
    if place is not None:
        setattr(made, _PLACE, place)
    with suppress(TypeError, ValueError):  # who asks for it is told so
        made.__signature__ = inspect.signature(function, **_SIGNATURE)
    looks: Callable[..., Any] = made
    return looks
