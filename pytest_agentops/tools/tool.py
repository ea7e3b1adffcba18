"""The mark that `@tool` leaves on a function, and `Tool`: a contract together with the code behind it.

A contract is derived from type hints when somebody first asks for it; names and declared fields are known before.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path, PurePath
from typing import Any, TypeAlias, TypeVar, overload

from ..errors import LoadError
from ..schema import money, paths
from ..schema.contract import Contract
from ..schema.suggest import did_you_mean
from ..schema.tier import EFFECT_ORDER, Effect
from .direct import watched
from .look import place_of, plain_function

if typing.TYPE_CHECKING:
    from .hints import Signature

F = TypeVar("F", bound=Callable[..., Any])
Price: TypeAlias = str | int | float | Decimal

MARK = "__agentops_tool__"
_NAME = re.compile(r"[^\s*?\[\]{}'\"<>]+")


@dataclass(slots=True, kw_only=True)
class Mark:
    """What the decorator was told; it belongs to one function, whose contract it keeps."""

    name: str
    effect: Effect | None = None
    tier: int | None = None
    idempotency_key: str | None = None
    cost_usd: Decimal | None = None
    scopes: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()
    passthrough: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    resource: str = "*"
    version: str | None = None
    description: str | None = None
    dry_run: Callable[..., Any] | str | None = None
    """What says what a call would do, and does nothing; of a method's class, its name will do."""
    contract: Contract | None = field(default=None, init=False, compare=False, repr=False)
    """Derived once, however many toolboxes hold the function."""


@overload
def tool(name: F, /) -> F: ...
@overload
def tool(
    name: str | None = None,
    /,
    *,
    effect: Effect | None = None,
    tier: int | None = None,
    idempotency_key: str | None = None,
    cost_usd: Price | None = None,
    scopes: str | Iterable[str] = (),
    sensitive: str | Iterable[str] = (),
    passthrough: str | Iterable[str] = (),
    ignore: str | Iterable[str] = (),
    resource: str = "*",
    version: str | None = None,
    description: str | None = None,
    dry_run: Callable[..., Any] | str | None = None,
) -> Callable[[F], F]: ...
def tool(
    name: Any = None,
    /,
    *,
    effect: Effect | None = None,
    tier: int | None = None,
    idempotency_key: str | None = None,
    cost_usd: Price | None = None,
    scopes: str | Iterable[str] = (),
    sensitive: str | Iterable[str] = (),
    passthrough: str | Iterable[str] = (),
    ignore: str | Iterable[str] = (),
    resource: str = "*",
    version: str | None = None,
    description: str | None = None,
    dry_run: Callable[..., Any] | str | None = None,
) -> Any:
    """Declare a function (or method) as a tool. Called directly it does what it did, but not by an agent that is on trial.

    The schema comes from its type hints and docstring. No effect declared means irreversible, no tier declared means 4.
    `dry_run` takes the same arguments and says what would be done: an approver sees it, and under a policy in shadow mode it is
    called in place of a write.
    """
    if callable(name):
        return _marked(name, Mark(name=name_of(name)))

    def decorate(function: F) -> F:
        chosen = name_of(function) if name is None else name
        mark = Mark(
            name=checked_name(chosen),
            effect=checked_effect(effect, chosen),
            tier=checked_tier(tier, chosen),
            idempotency_key=idempotency_key,
            cost_usd=checked_cost(cost_usd, chosen),
            scopes=_words(scopes),
            sensitive=checked_fields(sensitive, chosen),
            passthrough=checked_fields(passthrough, chosen),
            ignore=checked_fields(ignore, chosen),
            resource=resource,
            version=None if version is None else str(version),
            description=description,
            dry_run=checked_dry_run(dry_run, chosen),
        )
        return _marked(function, mark)

    return decorate


def _marked(function: F, mark: Mark) -> F:
    if inspect.isclass(function):
        raise LoadError(f"@tool marks functions and methods, {function.__name__} is a class", hint="mark its methods")
    if isinstance(function, (staticmethod, classmethod)):
        return typing.cast(F, type(function)(_marked(function.__func__, mark)))
    wrapped: Any = watched(function, lambda: mark.name, is_async=is_async(function))
    setattr(wrapped, MARK, mark)
    return typing.cast(F, wrapped)


def mark_of(value: object) -> Mark | None:
    """The mark of a decorated function or method, None for anything else."""
    mark = getattr(value, MARK, None) if callable(value) and not inspect.isclass(value) else None
    return mark if isinstance(mark, Mark) else None


class Tool:
    """A tool: its contract, and the code behind it (None for one that is declared in YAML only)."""

    def __init__(
        self,
        *,
        contract: Contract | None = None,
        function: Callable[..., Any] | None = None,
        mark: Mark | None = None,
        overrides: Callable[[Contract], Contract] | None = None,
    ) -> None:
        if contract is None and function is None:
            raise LoadError("a tool needs a contract or a function")
        self.function = function
        self.typed = contract is None
        """Whether the function says by its type hints what it takes; else it gets the JSON values as they are."""
        self.mark = mark or (mark_of(function) if function is not None else None)
        self._given = contract
        self._overrides = overrides
        self._contract: Contract | None = None
        self._signature: Signature | None = None
        if contract is not None:
            self.name = checked_name(contract.name)
        else:
            self.name = self.mark.name if self.mark else checked_name(name_of(function))

    @property
    def contract(self) -> Contract:
        """The whole promise; derived from the type hints at the first look."""
        if self._contract is None:
            contract = self._given or self._derived()
            self._contract = self._overrides(contract) if self._overrides else contract
        return self._contract

    @property
    def signature(self) -> Signature:
        """What the function takes, read at the first call."""
        if self._signature is None:
            from .hints import read

            assert self.function is not None
            self._signature = read(self.function, name=self.name)
        return self._signature

    def _derived(self) -> Contract:
        assert self.function is not None
        mark = self.mark or Mark(name=self.name)
        if mark.contract is None:
            from .contracts import from_mark

            mark.contract = from_mark(self.function, mark, where=self.where)
        return mark.contract

    @property
    def declared(self) -> tuple[Effect | None, int | None]:
        """Effect and tier as the code declares them, known without its schema."""
        source: Contract | Mark | None = self._given or self.mark
        return (source.effect, source.tier) if source is not None else (None, None)

    @property
    def dry_run(self) -> Callable[..., Any] | str | None:
        """What says what a call would do; None if there is no such thing."""
        return None if self.mark is None or self.function is None else self.mark.dry_run

    def dry(self) -> Tool:
        """The tool's dry run as a tool, for its arguments; raises `LoadError` where its class has no such method."""
        given, owner = self.dry_run, getattr(self.function, "__self__", None)
        if isinstance(given, str):
            given = getattr(owner, given, None)
        elif owner is not None and inspect.isfunction(given):
            given = given.__get__(owner)
        if not callable(given):
            raise LoadError(f"{self.name}: dry_run {self.dry_run!r} is no method of {type(owner).__name__}")
        return Tool(function=given, mark=Mark(name=self.name))

    @property
    def is_async(self) -> bool:
        return self.function is not None and is_async(self.function)

    @property
    def where(self) -> str:
        """``file:line`` of the code, from the working directory if it lies below, or of the declaration."""
        if self._given is not None and self._given.where:
            return self._given.where
        place = place_of(self.function)
        if place is None:
            return ""
        path = PurePath(place[0])
        below = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else PurePath(*path.parts[-2:])
        return f"{below.as_posix()}:{place[1]}"

    def with_overrides(self, overrides: Callable[[Contract], Contract]) -> Tool:
        """The same tool with a contract that `overrides` changes once it is known."""
        before = self._overrides
        both = overrides if before is None else lambda contract: overrides(before(contract))
        return Tool(contract=self._given, function=self.function, mark=self.mark, overrides=both)

    def __repr__(self) -> str:
        return f"Tool({self.name!r})"


def is_async(function: Callable[..., Any]) -> bool:
    """Whether a call gives a coroutine, also for partials and objects with an async ``__call__``."""
    if inspect.iscoroutinefunction(function):
        return True
    inner = plain_function(function)
    return inspect.iscoroutinefunction(inner) or inspect.iscoroutinefunction(getattr(inner, "__call__", None))  # noqa: B004


def name_of(function: Any) -> str:
    """A function's own name, also under a partial."""
    name = getattr(plain_function(function), "__name__", None)
    if not isinstance(name, str) or name == "<lambda>":
        raise LoadError("a tool without a name of its own", hint='give one: @tool("shop.refund")')
    return name


def checked_name(name: object) -> str:
    """A tool's name: one word, without the signs that patterns and placeholders need."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise LoadError(f"{name!r} is no name for a tool", hint='use one word, dots are welcome: "payments.refund"')
    return name


def checked_effect(effect: object, name: str) -> Effect | None:
    for known in EFFECT_ORDER:
        if effect == known:
            return known
    if effect is None:
        return None
    near = did_you_mean(str(effect), EFFECT_ORDER)
    raise LoadError(f"{name}: effect {effect!r}; expected one of {', '.join(EFFECT_ORDER)}", hint=near)


def checked_tier(tier: object, name: str) -> int | None:
    if tier is None:
        return None
    if isinstance(tier, int) and not isinstance(tier, bool) and 0 <= tier <= 4:
        return int(tier)
    raise LoadError(f"{name}: tier {tier!r}; expected 0 (read-only) to 4 (production control)")


def checked_dry_run(dry_run: object, name: str) -> Callable[..., Any] | str | None:
    if dry_run is None or callable(dry_run) or (isinstance(dry_run, str) and dry_run.isidentifier()):
        return dry_run
    raise LoadError(f"{name}: dry_run {dry_run!r} is neither a function nor the name of a method")


def checked_cost(cost: Price | None, name: str) -> Decimal | None:
    if cost is None:
        return None
    try:
        dollars = money.usd(cost)
    except InvalidOperation:
        dollars = Decimal("NaN")
    if isinstance(cost, bool) or not dollars.is_finite() or dollars < 0:
        raise LoadError(f"{name}: cost_usd {cost!r} is no price", hint='write dollars: "0.02"')
    return dollars


def checked_fields(fields: str | Iterable[str], name: str) -> tuple[str, ...]:
    """Exact keys or JSON paths; a path that cannot be read would raise at the first call."""
    words = _words(fields)
    for word in words:
        if paths.is_path(word):
            try:
                paths.parse(word)
            except paths.PathError as error:
                raise LoadError(f"{name}: {error}") from None
    return words


def _words(value: str | Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def declared(contract: Contract, mark: Mark) -> Contract:
    """The contract with what the decorator was told."""
    return replace(
        contract,
        effect=mark.effect,
        tier=mark.tier,
        idempotency_key=mark.idempotency_key,
        cost_usd=mark.cost_usd,
        scopes=mark.scopes,
        sensitive=mark.sensitive,
        passthrough=mark.passthrough,
        ignore=mark.ignore,
        resource=mark.resource,
        version=mark.version,
        description=contract.description if mark.description is None else mark.description,
    )
