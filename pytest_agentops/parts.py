"""From a suite's `agent`, `tools` and `python` to the callables that a trial needs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import code
from .errors import LoadError
from .registry import Registry
from .schema.case import Case, Ref
from .schema.suggest import did_you_mean
from .schema.values import JsonObject
from .tools.offer import Offer, offered
from .tools.toolbox import Toolbox

if TYPE_CHECKING:
    from .policy.model import PolicyFile


@dataclass(frozen=True, slots=True)
class Fixture:
    """A name that pytest resolves when the case is set up."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a variant is made of, as far as it is known at collection."""

    agent: Fixture | Callable[..., Any]
    tools: tuple[Any, ...]
    """Loaded objects, or `Fixture`s."""
    tool_names: tuple[str, ...] = ()
    """What YAML calls each of them."""
    python: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    policies: tuple[PolicyFile, ...] = ()
    """What the calls are decided by."""
    built_in: str | None = None
    """The registered name of the agent, where it has one."""

    @property
    def fixtures(self) -> tuple[str, ...]:
        """The fixtures to ask for, each once."""
        names = [part.name for part in (self.agent, *self.tools) if isinstance(part, Fixture)]
        return tuple(dict.fromkeys(names))


def agent_part(ref: Ref, base: Path, registry: Registry) -> tuple[Fixture | Callable[..., Any], str | None]:
    """What `agent:` names, and its registered name where it is one; raises `LoadError`."""
    if isinstance(ref, dict):
        if len(ref) != 1:
            raise LoadError("agent: one registered name with its options is expected", ref=str(list(ref)))
        ((name, options),) = ref.items()
        return _built_agent(name, options or {}, registry), name
    if ":" in ref:
        found = code.load(ref, base)
        if not callable(found):
            raise LoadError(f"{ref} is a {type(found).__name__}, no callable agent(task, tools)", ref=ref)
        return (_agent_object(found, ref) if inspect.isclass(found) else found), None
    if registry.built_in("agents", ref) or ref in registry.external("agents"):
        return _built_agent(ref, {}, registry), ref
    return Fixture(ref), None


def _agent_object(made_by: Callable[[], object], ref: str) -> Callable[..., Any]:
    """A class of agents is made one of, with nothing."""
    try:
        agent = made_by()
    except Exception as error:
        raise LoadError(f"{ref}: it cannot be made: {type(error).__name__}: {error}", ref=ref) from error
    if not callable(agent):
        raise LoadError(f"{ref}: its objects cannot be called as agent(task, tools)", ref=ref)
    return agent


def _built_agent(name: str, options: JsonObject, registry: Registry) -> Callable[..., Any]:
    factory = registry.get("agents", name)
    if factory is None:
        raise LoadError(f"no agent is registered as {name!r}", ref=name, hint=did_you_mean(name, registry.names("agents")))
    try:
        made: Callable[..., Any] = factory(**options)
    except LoadError:
        raise
    except Exception as error:
        raise LoadError(f"agent {name}: it cannot be made of these options: {error}", ref=name) from error
    if not callable(made):
        raise LoadError(f"agent {name}: its factory gave a {type(made).__name__}, no callable agent(task, tools)", ref=name)
    return made


def tool_parts(ref: Ref | tuple[Ref, ...] | None, base: Path) -> tuple[Any, ...]:
    """What `tools:` names: code loaded, other names left to pytest."""
    return tuple(_tool_part(one, base) for one in refs_of(ref))


def refs_of(ref: Ref | tuple[Ref, ...] | None) -> tuple[Ref, ...]:
    """`tools:` as a list, whether it was written as one or not."""
    return () if ref is None else ref if isinstance(ref, tuple) else (ref,)


def _tool_part(ref: Ref, base: Path) -> Any:
    if not isinstance(ref, str):
        raise LoadError("tools: no registered tools take options in this version; name code or a fixture", ref=str(ref))
    return code.load(ref, base) if ":" in ref else Fixture(ref)


def make_toolbox(parts: tuple[Any, ...], names: tuple[str, ...], case: Case) -> Offer:
    """The tools of one trial: every part made anew, then what YAML says of them."""
    given = offered(tuple(zip(names, parts, strict=True)), case.fields.setup or {}) if parts else Offer(toolbox=Toolbox())
    if not case.contracts:
        return given
    return Offer(toolbox=given.toolbox.with_contracts(case.contracts, where=case.file), read_setup=given.read_setup)
