"""The typed promise of a tool: schemas, effect, tier, idempotency, cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from .tier import Effect, Tier
from .values import Json, JsonObject

ANYTHING: JsonObject = {"type": "object"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One canned answer of a tool that is declared in YAML: the first that fits `args` is given."""

    args: JsonObject | None = None
    """A pattern (partial, with operators); None fits every call."""
    result: Json = None
    error: JsonObject | None = None
    """``{type, message, retryable}``; None for a result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What a tool promises, wherever it was declared (type hints, JSON Schema, YAML)."""

    name: str
    description: str = ""
    parameters: JsonObject = field(default_factory=lambda: dict(ANYTHING))
    returns: JsonObject | None = None
    effect: Effect | None = None
    """None: not declared. It is then irreversible for policy and state, and the summary names it."""
    tier: int | None = None
    idempotency_key: str | None = None
    """The argument that holds the key; ignored when recordings are matched."""
    cost_usd: Decimal | None = None
    """A call's price; None costs nothing."""
    scopes: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()
    """Exact keys or JSON paths whose values are secrets, in arguments and results."""
    passthrough: tuple[str, ...] = ()
    """JSON paths of the result that the agent may see in the clear while files hold the placeholder."""
    ignore: tuple[str, ...] = ()
    """Argument keys or JSON paths that do not count when recordings are matched (``match: {ignore: [...]}``)."""
    resource: str = "*"
    """What the tool's writes change; a read of another resource is not affected by them."""
    version: str | None = None
    answers: tuple[Answer, ...] | None = None
    """Canned answers (YAML only); None for a tool with code or one that only replays."""
    open: bool = False
    """True where the schema is not known (an import without tools): any object is accepted."""
    where: str = ""
    """file:line or module:name of the declaration, for messages."""

    # by identity: what is derived from a contract (its pin, its compiled schema) is kept with this very object
    __hash__ = object.__hash__

    @property
    def writes(self) -> bool:
        """Whether a call may change something: a tool with no declared effect may."""
        return self.effect != "read"

    @property
    def autonomy(self) -> Tier:
        return Tier.PRODUCTION if self.tier is None else Tier(self.tier)

    @property
    def ignored(self) -> tuple[str, ...]:
        """All argument keys and paths that do not count in matching."""
        return (*self.ignore, self.idempotency_key) if self.idempotency_key else self.ignore
