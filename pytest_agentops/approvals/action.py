"""What an approval is bound to: the exact call, by whom, for which rule, in which trial."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from ..schema.values import Json, JsonObject, canonical, dumps, loads, written

_DOMAIN = b"agentops.action.v1\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One call as it would run. `args` are those of the placeholder side, uuids folded as the tape keeps them."""

    tool: str
    args: JsonObject
    principal: JsonObject = field(default_factory=dict)
    """``{id, on_behalf_of, roles, scopes}`` as the case says."""
    rule: str | None = None
    """The rule that asks (``refunds/3``): an approval that another rule asked for does not hold."""
    trial: str = ""
    """``refunds/small~gpt#2``."""
    under: JsonObject = field(default_factory=dict)
    """``{policy, contract}``: digests of the policies that are for the tool and of its contract; a yes under others is none."""
    more: JsonObject = field(default_factory=dict)
    """What else must not change: a change ticket."""

    @property
    def digest(self) -> str:
        """Computed anew each time, so that arguments that somebody changed in place are seen."""
        bound = {"tool": self.tool, "args": self.args, "principal": self.principal, "rule": self.rule, "trial": self.trial}
        text = dumps(_exact({**bound, "under": self.under, "more": self.more}), sort_keys=True)
        return "sha256:" + hashlib.sha256(_DOMAIN + written(text)).hexdigest()

    @property
    def requesters(self) -> frozenset[str]:
        """Who may not approve it: the agent and whom it acts for, in every way in which they are written."""
        return frozenset(name for key in ("id", "on_behalf_of") for name in names_of(self.principal.get(key)))


def _exact(value: Json) -> Json:
    """1.0 is 1; texts stay as they are, letter for letter (two spellings of a name are two names here, unlike in matching)."""
    if isinstance(value, Mapping):
        return {k: _exact(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_exact(v) for v in value]
    if isinstance(value, (float, Decimal)):
        return loads(canonical(value))
    return value


def person(name: str) -> str:
    """One person for all ways to write a name that differ in letter case, blanks or Unicode form only."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).strip().casefold()).strip()


def names_of(name: object) -> frozenset[str]:
    """``user:alice`` is also alice."""
    whole = person(name) if isinstance(name, str) else ""
    return frozenset(text for text in (whole, whole.partition(":")[2].strip()) if text)


def same_person(one: str, other: str) -> bool:
    """Whether two names may be one person: then they do not count as two."""
    return bool(names_of(one) & names_of(other))
