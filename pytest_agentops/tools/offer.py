"""What a suite's `tools` names, as a toolbox: a toolbox, tools, a factory, or an object with decorated methods."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import LoadError
from ..schema.values import JsonObject
from .tool import Tool, mark_of
from .toolbox import Toolbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A toolbox, and whether a factory asked for the case's `setup`."""

    toolbox: Toolbox
    read_setup: bool = False


def offered(values: Sequence[tuple[str, object]], setup: JsonObject) -> Offer:
    """The union of what several names (with their values) offer; each factory gets the whole `setup`."""
    found = [offer(value, setup, what=what) for what, value in values]
    return found[0] if len(found) == 1 else _union(found)


def offer(value: object, setup: JsonObject, *, what: str) -> Offer:
    """One value as a toolbox; a factory is called, once a trial. `what` names it in errors."""
    if _is_factory(value):
        made, read_setup = _made(value, setup, what)  # type: ignore[arg-type]
        if _is_factory(made):
            raise LoadError(
                f"{what}: gave {_kind(made)}, not tools", hint="return a Toolbox, tools, or an object with @tool methods"
            )
        found = offer(made, setup, what=what)
        return Offer(toolbox=found.toolbox, read_setup=read_setup or found.read_setup)
    if isinstance(value, Toolbox):
        return Offer(toolbox=value)
    if isinstance(value, Tool) or mark_of(value) is not None:
        return Offer(toolbox=Toolbox([value]))  # type: ignore[list-item]
    if isinstance(value, (list, tuple)):
        if value and all(isinstance(item, Tool) or mark_of(item) is not None for item in value):
            return Offer(toolbox=Toolbox(value))
        return _union([offer(item, setup, what=f"{what}[{i}]") for i, item in enumerate(value)])
    if value is None or isinstance(value, (str, bytes, int, float, dict, set, frozenset)):
        raise LoadError(
            f"{what}: expected tools, found {_kind(value)}",
            hint="name a @tool function, a list of them, a Toolbox, an object with @tool methods, or a function that makes one",
        )
    try:
        return Offer(toolbox=Toolbox.of(value))
    except LoadError as error:
        raise LoadError(f"{what}: {error}") from None


def _union(offers: list[Offer]) -> Offer:
    if len(offers) == 1:
        return offers[0]
    return Offer(toolbox=Toolbox.union(o.toolbox for o in offers), read_setup=any(o.read_setup for o in offers))


def _is_factory(value: object) -> bool:
    """A class or a plain callable; a decorated function is a tool, an object with decorated methods is not called."""
    if isinstance(value, (Toolbox, Tool)) or mark_of(value) is not None:
        return False
    if inspect.isclass(value) or inspect.isroutine(value) or isinstance(value, functools.partial):
        return True
    return callable(value) and not any(mark_of(v) for c in type(value).__mro__ for v in vars(c).values())


def _made(factory: Callable[..., Any], setup: JsonObject, what: str) -> tuple[object, bool]:
    takes = _takes_setup(factory, what)
    made = factory(setup=copy.deepcopy(setup)) if takes else factory()
    if inspect.isawaitable(made):
        if inspect.iscoroutine(made):
            made.close()
        raise LoadError(
            f"{what}: an async factory; tools are made before the agent's loop runs", hint="write `def`, not `async def`"
        )
    return made, takes


def _takes_setup(factory: Callable[..., Any], what: str) -> bool:
    try:
        parameters = inspect.signature(factory).parameters
    except (TypeError, ValueError):
        return False
    other = [
        p.name
        for p in parameters.values()
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and p.name != "setup"
    ]
    if other:
        raise LoadError(
            f"{what}: a factory of tools is called with `setup` or with nothing; it asks for {', '.join(other)}",
            hint="decorate it with @tool if it is a tool itself",
        )
    found = parameters.get("setup")
    return found is not None and found.kind not in (found.POSITIONAL_ONLY, found.VAR_POSITIONAL, found.VAR_KEYWORD)


def _kind(value: object) -> str:
    return "null" if value is None else f"a {type(value).__name__}"
