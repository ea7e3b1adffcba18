"""The toolbox: the tools of a case, and what an agent calls them through."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any, Protocol

from ..errors import AgentOpsError, BudgetExceeded, Interrupted, LoadError, ToolBlocked, ToolError
from ..schema.call import Reason, ToolResult
from ..schema.case import ContractSpec
from ..schema.contract import Contract
from ..schema.suggest import did_you_mean
from ..schema.values import Json, JsonObject, NotJson, jsonable
from . import wire
from .contracts import check_stricter, from_openai_tool, from_spec, tighten
from .tool import Tool, mark_of

StateFunction = Callable[[], object]


class Caller(Protocol):
    """Who carries a call out: the session of a trial."""

    def call(self, name: str, args: JsonObject, /) -> Json:
        """The tool's value, or `ToolError`."""

    async def acall(self, name: str, args: JsonObject, /) -> Json:
        """Like `call`, awaiting async tools."""


class Toolbox:
    """Tools by name. Bound to a trial it carries its session with it, into any thread or task."""

    def __init__(self, tools: Iterable[Tool | Callable[..., Any]] = (), *, state: StateFunction | None = None) -> None:
        self._tools = _by_name(_as_tool(t) for t in tools)
        self._wire = wire.names(self._tools)
        self._states: tuple[StateFunction, ...] = () if state is None else (_checked_state(state),)
        self._caller: Caller | None = None
        self._shown: Mapping[str, Contract] = {}

    # ---- making one

    @classmethod
    def of(cls, thing: object) -> Toolbox:
        """The decorated methods of an object (or functions of a module); its `state`, where it has one."""
        found = [Tool(function=f) for f in _decorated(thing)]
        if not found:
            raise LoadError(f"{_kind(thing)} offers no tools", hint="mark its methods with @tool")
        return cls(found, state=_state_of(thing))

    @classmethod
    def declared(cls, contracts: Mapping[str, Contract] | Iterable[Contract]) -> Toolbox:
        """Tools without code: they answer from canned answers or from a recording."""
        each = contracts.values() if isinstance(contracts, Mapping) else contracts
        return cls([Tool(contract=c) for c in each])

    @classmethod
    def from_json(cls, schemas: Sequence[JsonObject], call: Callable[[str, JsonObject], Any]) -> Toolbox:
        """Tools that something else runs (an MCP server, an HTTP API): function schemas, and one function that calls by name."""
        return cls([Tool(contract=(c := from_openai_tool(s)), function=_forward(call, c.name)) for s in schemas])

    @classmethod
    def union(cls, toolboxes: Iterable[Toolbox]) -> Toolbox:
        """All tools of several toolboxes; a name that occurs twice is an error, and so is a key of their states."""
        boxes = list(toolboxes)
        out = cls([t for box in boxes for t in box._tools.values()])
        out._states = tuple(s for box in boxes for s in box._states)
        return out

    def with_contracts(self, specs: Mapping[str, ContractSpec], *, where: str = "") -> Toolbox:
        """These tools with what YAML says of them; a name without code becomes a tool that is only declared."""
        out = copy.copy(self)
        out._tools = dict(self._tools)
        for name, spec in specs.items():
            known = self._tools.get(name)
            if known is None or known.function is None:
                out._tools[name] = Tool(contract=from_spec(name, spec, where))
            else:
                effect, tier = known.declared
                check_stricter(name, effect, tier, spec, where)
                out._tools[name] = known.with_overrides(lambda contract, spec=spec: tighten(contract, spec, where))  # type: ignore[misc]
        out._wire = wire.names(out._tools)
        return out

    def bind(self, caller: Caller) -> Toolbox:
        """The same tools, called through `caller`; a tool that cannot be described is an error here, not in the agent's hands."""
        for one in self._tools.values():
            _ = one.contract
        bound = Toolbox.__new__(type(self))
        bound.__dict__.update(self.__dict__)
        bound._caller = caller
        bound._shown = _Shown(bound._tools)
        return bound

    # ---- calling

    def call(self, name: str, /, **args: Any) -> Json:
        """The tool's value as JSON; raises `ToolError` where it gives none."""
        return self.caller.call(self.resolve(name), args)

    async def acall(self, name: str, /, **args: Any) -> Json:
        """Like `call`, for async agents."""
        return await self.caller.acall(self.resolve(name), args)

    def attempt(self, name: str, args: Mapping[str, Any] | None = None, /) -> ToolResult:
        """Like `call`, with the error as a value to hand to a model; a miss or a spent budget fails the trial all the same."""
        caller = self.caller
        try:
            return ToolResult(True, caller.call(self.resolve(name), _mapping(name, args)))
        except AgentOpsError as error:
            return _refused(name, error)

    async def aattempt(self, name: str, args: Mapping[str, Any] | None = None, /) -> ToolResult:
        """Like `attempt`, for async agents."""
        caller = self.caller
        try:
            return ToolResult(True, await caller.acall(self.resolve(name), _mapping(name, args)))
        except AgentOpsError as error:
            return _refused(name, error)

    @property
    def caller(self) -> Caller:
        """The session of the trial."""
        if self._caller is None:
            raise AgentOpsError(
                "no case is running: this toolbox is bound to none. Tools are called through the toolbox that the agent is "
                "handed (agent(task, tools)); call the decorated functions themselves anywhere else"
            )
        return self._caller

    # ---- looking

    @property
    def names(self) -> list[str]:
        """The tools' names, as they were declared."""
        return list(self._tools)

    @property
    def contracts(self) -> Mapping[str, Contract]:
        """Contracts by name; each is worked out when it is first looked up. An agent's toolbox shows copies."""
        return _Contracts(self._tools) if self._caller is None else self._shown

    def tool(self, name: str) -> Tool:
        """The tool of that name; raises LoadError."""
        own = self.resolve(name)
        found = self._tools.get(own)
        if found is None:
            raise LoadError(
                f"no tool {name!r}; there are: {', '.join(self._tools) or 'none'}", hint=did_you_mean(name, self._tools)
            )
        # an agent's toolbox shows what a tool promises; its code is reached through the guard only
        return found if self._caller is None else Tool(contract=self.contracts[own])

    def openai(self) -> list[JsonObject]:
        """Function schemas for a model's API; a dot in a name is written as two underscores."""
        return [copy.deepcopy(wire.function_schema(t.contract)) for t in self._tools.values()]  # who gets them may change them

    def resolve(self, wire_name: str) -> str:
        """The tool's own name for the one that a model was told; any other text as it is."""
        return wire_name if wire_name in self._tools else self._wire.get(wire_name, wire_name)

    def functions(self) -> dict[str, Callable[..., Any]]:
        """Callables by name, with signature, hints and docstring for frameworks; each calls through the guard."""
        from .functions import as_function

        return {name: as_function(self, t) for name, t in self._tools.items()}

    @property
    def has_state(self) -> bool:
        return bool(self._states)

    def snapshot(self) -> Json | None:
        """The state behind the tools as JSON (a copy); None where they offer none."""
        if not self._states:
            return None
        parts = [_snapshot(state) for state in self._states]
        return parts[0] if len(parts) == 1 else _joined(parts)

    def __contains__(self, name: object) -> bool:
        return name in self._tools

    def __iter__(self) -> Iterator[str]:
        return iter(self._tools)

    def __len__(self) -> int:
        return len(self._tools)

    def __repr__(self) -> str:
        return f"Toolbox({', '.join(self._tools)})"


class _Contracts(Mapping[str, Contract]):
    """A view that derives contracts when they are asked for."""

    def __init__(self, tools: Mapping[str, Tool]) -> None:
        self._tools = tools

    def __getitem__(self, name: str) -> Contract:
        return self._tools[name].contract

    def get(self, name: str, default: Any = None) -> Any:
        """As a mapping's, without an exception on the way."""
        found = self._tools.get(name)
        return default if found is None else found.contract

    def __contains__(self, name: object) -> bool:
        return name in self._tools

    def __iter__(self) -> Iterator[str]:
        return iter(self._tools)

    def __len__(self) -> int:
        return len(self._tools)


class _Shown(_Contracts):
    """Copies for an agent: what it does to a schema is no part of what its calls are checked against."""

    def __init__(self, tools: Mapping[str, Tool]) -> None:
        super().__init__(tools)
        self._made: dict[str, Contract] = {}

    def __getitem__(self, name: str) -> Contract:
        if name not in self._made:
            contract = super().__getitem__(name)
            schemas = copy.deepcopy((contract.parameters, contract.returns))
            self._made[name] = replace(contract, parameters=schemas[0], returns=schemas[1])
        return self._made[name]


def _as_tool(value: object) -> Tool:
    if isinstance(value, Tool):
        return value
    if callable(value) and not inspect.isclass(value):
        return Tool(function=value)
    hint = (
        "use Toolbox.union([...])" if isinstance(value, Toolbox) else "use Toolbox.of(...) for an object with decorated methods"
    )
    raise LoadError(f"a toolbox is made of functions; found {_kind(value)}", hint=hint)


def _by_name(tools: Iterable[Tool]) -> dict[str, Tool]:
    out: dict[str, Tool] = {}
    for one in tools:
        if one.name in out:
            places = " and ".join(p for p in (out[one.name].where, one.where) if p)
            raise LoadError(f"two tools are named {one.name!r}" + (f" ({places})" if places else ""))
        out[one.name] = one
    return out


def _decorated(thing: object) -> Iterator[Callable[..., Any]]:
    """The marked attributes, base classes first, in the order in which they are written."""
    places: list[Mapping[str, Any]] = [vars(c) for c in reversed(type(thing).__mro__)] if not isinstance(thing, type) else []
    places += [vars(c) for c in reversed(thing.__mro__)] if isinstance(thing, type) else [getattr(thing, "__dict__", {})]
    for name in dict.fromkeys(n for place in places for n in place):
        raw = inspect.getattr_static(thing, name, None)
        inner = raw.__func__ if isinstance(raw, (staticmethod, classmethod)) else raw
        if mark_of(inner) is not None:
            yield getattr(thing, name)


def _state_of(thing: object) -> StateFunction | None:
    state = getattr(thing, "state", None)
    if state is None or mark_of(state) is not None or (isinstance(thing, ModuleType) and not callable(state)):
        return None
    if callable(state):
        return _checked_state(state)
    return lambda: getattr(thing, "state")  # noqa: B009 - looked up anew each time


def _checked_state(state: object) -> StateFunction:
    if not callable(state):
        raise LoadError(f"state must be a function without arguments; found {_kind(state)}", hint="write state=lambda: ...")
    if inspect.iscoroutinefunction(state):
        raise LoadError(
            "state must be a plain function, it is looked at before and after the run", hint="write `def`, not `async def`"
        )
    return state


def _snapshot(state: StateFunction) -> Json:
    try:
        return jsonable(state())
    except NotJson as error:
        raise LoadError(f"the tools' state is no JSON: {error}") from error
    except Exception as error:
        raise LoadError(f"the tools' state cannot be read: {type(error).__name__}: {error}") from error


def _joined(parts: list[Json]) -> JsonObject:
    out: JsonObject = {}
    for part in parts:
        if not isinstance(part, dict):
            raise LoadError(f"the states of several toolboxes are joined by key; found {_kind(part)}", hint="return a mapping")
        twice = out.keys() & part.keys()
        if twice:
            raise LoadError(f"two toolboxes have the state key {sorted(twice)[0]!r}")
        out |= part
    return out


def _forward(call: Callable[[str, JsonObject], Any], name: str) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(call):

        async def aforward(**args: Any) -> Any:
            return await call(name, args)

        return aforward

    def forward(**args: Any) -> Any:
        return call(name, args)

    return forward


def _mapping(name: str, args: object) -> JsonObject:
    if args is None:
        return {}
    if isinstance(args, Mapping):
        return dict(args)
    raise ToolBlocked(f"{name}: the arguments must be a mapping, found {_kind(args)}", tool=name, reason="schema_invalid")


def _refused(name: str, error: AgentOpsError) -> ToolResult:
    if isinstance(error, ToolError):
        return ToolResult(False, error=error.as_json(), exception=error)
    over, open_question = isinstance(error, BudgetExceeded), isinstance(error, Interrupted)
    reason: Reason = "budget_exceeded" if over else "approval_unanswered" if open_question else "tool_failed"
    return ToolResult(False, error={"tool": name, "reason": reason, "message": str(error)}, exception=error)


def _kind(value: object) -> str:
    return "null" if value is None else f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"
