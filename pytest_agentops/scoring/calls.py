"""Matching the calls that were made with those that were wanted: the public `match_calls`, and what the `calls` check uses."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias, get_args

from ..schema import operators, paths, values
from ..schema.call import Call
from ..schema.case import ArgsMode, Extra, Missing, Order
from ..schema.operators import Difference
from ..schema.suggest import did_you_mean
from ..schema.values import JsonObject
from . import alignment

CallLike: TypeAlias = Mapping[str, Any] | Call | str
"""``{"name": ..., "args": {...}}``, a `Call` of a run, or an OpenAI tool call; as an expectation also a bare name."""

LIKE: Mapping[str, tuple[Order, Extra, Missing]] = {
    "strict": ("exact", "forbid", "forbid"),
    "unordered": ("any_order", "forbid", "forbid"),
    "subset": ("any_order", "forbid", "allow"),
    "superset": ("any_order", "allow", "forbid"),
    "exact": ("exact", "forbid", "forbid"),
    "in_order": ("in_order", "allow", "forbid"),
    "any_order": ("any_order", "allow", "forbid"),
}
"""The words of LangChain (strict, unordered, subset, superset) and ADK (EXACT, IN_ORDER, ANY_ORDER) in ours."""


class Pair(NamedTuple):
    """A call and the expectation it meets, as indexes from 0."""

    actual: int
    expected: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """One expectation: a tool's name (``*`` stands for any text) and its arguments; None is any arguments."""

    name: str
    args: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """One call that was made; `effect` None counts as a write, as for tools that declare none."""

    name: str
    args: JsonObject
    effect: str | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """How calls and expectations are compared."""

    order: Order = "in_order"
    args: ArgsMode = "partial"
    extra: Extra = "allow"
    missing: Missing = "forbid"

    def strict(self) -> Rules:
        """`order: exact` leaves no room for a missing or an extra call."""
        return Rules("exact", self.args, "forbid", "forbid") if self.order == "exact" else self


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What became of the expectations. True where all is well, so that ``assert match_calls(...)`` reads well."""

    passed: bool
    why: str = ""
    """Empty if it passed; else what was missing, extra, out of order, or had which argument different."""
    pairs: list[Pair] = field(default_factory=list)
    """Every call that meets an expectation, in the order of the expectations."""
    missing: list[int] = field(default_factory=list)
    """Expectations that no call met, though they had to be met."""
    extra: list[int] = field(default_factory=list)
    """Calls that no expectation asked for, though that is forbidden."""
    moved: list[Pair] = field(default_factory=list)
    """Calls that fit an expectation and stand at the wrong place."""
    near: list[tuple[Pair, list[Difference]]] = field(default_factory=list)
    """The closest call of an expectation that was not met, and where it differs."""

    def __bool__(self) -> bool:
        return self.passed


def match_calls(
    actual: Sequence[CallLike],
    expected: Sequence[CallLike],
    *,
    order: Order = "in_order",
    args: ArgsMode = "partial",
    extra: Extra = "allow",
    missing: Missing = "forbid",
    like: str | None = None,
) -> Match:
    """Compare the calls that were made with those that were wanted.

    A call meets at most one expectation, and the pairing is the best possible one. `order: exact` allows no other call and none
    missing. `like` takes another tool's word in place of order, extra and missing. Wanted arguments may hold operators.
    """
    rules = _rules(order, args, extra, missing, like)
    made = [_made(call, i) for i, call in enumerate(actual)]
    wanted = [_wanted(call, i) for i, call in enumerate(expected)]
    return match(made, wanted, rules)


def _rules(order: Order, args: ArgsMode, extra: Extra, missing: Missing, like: str | None) -> Rules:
    words: dict[str, tuple[str, Any]] = {
        "order": (order, Order),
        "args": (args, ArgsMode),
        "extra": (extra, Extra),
        "missing": (missing, Missing),
    }
    for name, (word, kind) in words.items():
        known = get_args(kind)
        if word not in known:
            raise ValueError(f"{name}={word!r}: expected one of {', '.join(known)} {did_you_mean(str(word), known)}".rstrip())
    if like is None:
        return Rules(order, args, extra, missing)
    if (order, extra, missing) != ("in_order", "allow", "forbid"):
        raise ValueError(f"like={like!r} stands in place of order, extra and missing; give one or the other")
    return like_rules(like, args)


def like_rules(like: str, args: ArgsMode = "partial") -> Rules:
    """The rules behind another tool's word, in any letter case."""
    if like.lower() not in LIKE:
        raise ValueError(f"like={like!r}: expected one of {', '.join(LIKE)} {did_you_mean(like, LIKE)}".rstrip())
    order, extra, missing = LIKE[like.lower()]
    return Rules(order, args, extra, missing)


def _made(call: CallLike, index: int) -> Made:
    if isinstance(call, Call):
        return Made(call.tool, call.args if call.sent is None else call.sent, call.effect)
    name, args = _name_and_args(call, f"actual[{index}]")
    return Made(name, args or {}, call.get("effect") if isinstance(call, Mapping) else None)


def _wanted(call: CallLike, index: int) -> Wanted:
    if isinstance(call, Call):
        return Wanted(call.tool, call.args)
    name, args = (call, None) if isinstance(call, str) else _name_and_args(call, f"expected[{index}]")
    for path, message in operators.check(args):
        raise ValueError(f"expected[{index}].args{paths.text(path)[1:]}: {message}")
    return Wanted(name, args)


def _name_and_args(call: Mapping[str, Any] | str, where: str) -> tuple[str, JsonObject | None]:
    if isinstance(call, Mapping):
        inner = call.get("function", call)
        name = inner.get("name") if isinstance(inner, Mapping) else None
        args = inner.get("args", inner.get("arguments")) if isinstance(inner, Mapping) else None
        if isinstance(args, str):
            args = values.loads(args)
        if isinstance(name, str) and (args is None or isinstance(args, Mapping)):
            return name, None if args is None else dict(args)
    raise ValueError(f'{where}: a call is {{"name": str, "args": dict}}, found {call!r}')


def match(made: Sequence[Made], wanted: Sequence[Wanted], rules: Rules) -> Match:
    """`match_calls` after its arguments were read."""
    rules = rules.strict()
    fits = _fits(made, wanted, rules)
    forbidden = [rules.extra == "forbid" or (rules.extra == "forbid_writes" and call.effect != "read") for call in made]
    pairs = _pair(made, wanted, rules, fits, forbidden)
    unmet = len(wanted) - len(pairs) if rules.missing == "forbid" else 0
    if not unmet:
        used = {pair.actual for pair in pairs}
        if not any(bad and f not in used for f, bad in enumerate(forbidden)):
            return Match(passed=True, pairs=pairs)
    from .explain import explain  # only where something is wrong

    return explain(made, wanted, rules, fits, forbidden, pairs)


def _pair(
    made: Sequence[Made], wanted: Sequence[Wanted], rules: Rules, fits: Callable[[int, int], bool], forbidden: Sequence[bool]
) -> list[Pair]:
    due = rules.missing == "forbid"
    if rules.order == "any_order":
        mates = alignment.pair_freely(len(wanted), len(made), fits, due=due, claimed=forbidden)
        return [Pair(f, w) for w, f in enumerate(mates) if f != alignment.NOBODY]
    first = _first_fits(len(made), len(wanted), fits)
    if len(first) == len(wanted) and (not any(forbidden) or len(made) == len(wanted)):
        return first
    big = len(wanted) + len(made) + 1
    return [
        Pair(f, w)
        for w, f in alignment.pair_in_order(
            len(wanted),
            len(made),
            lambda w, f: -1 if fits(w, f) else None,
            missing=big if due else 0,
            extra=[big if bad else 0 for bad in forbidden],
        )
    ]


def _first_fits(made: int, wanted: int, fits: Callable[[int, int], bool]) -> list[Pair]:
    """The quick way for what mostly happens: each expectation takes the first call that fits after the one before."""
    pairs: list[Pair] = []
    f = 0
    for w in range(wanted):
        while f < made and not fits(w, f):
            f += 1
        if f == made:
            break
        pairs.append(Pair(f, w))
        f += 1
    return pairs


def _fits(made: Sequence[Made], wanted: Sequence[Wanted], rules: Rules) -> Callable[[int, int], bool]:
    known: dict[tuple[int, int], bool] = {}

    def fits(w: int, f: int) -> bool:
        answer = known.get((w, f))
        if answer is None:
            answer = known[w, f] = call_fits(wanted[w], made[f].name, made[f].args, rules.args)
        return answer

    return fits


def call_fits(wanted: Wanted, name: str, args: JsonObject, mode: ArgsMode = "partial") -> bool:
    """Whether one call is as one expectation says."""
    if not name_fits(wanted.name, name):
        return False
    return wanted.args is None or mode == "ignore" or operators.fits(wanted.args, args, mode=mode)


def name_fits(pattern: str, name: str) -> bool:
    """Whether a tool's name is as wanted; only ``*`` is special."""
    return pattern == name or ("*" in pattern and _glob(pattern).fullmatch(name) is not None)


@lru_cache(maxsize=512)
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.DOTALL)


def differences(wanted: Wanted, args: JsonObject, mode: ArgsMode) -> list[Difference]:
    """Where the arguments of a call of the right name are not as wanted, in an order that no mapping's order changes."""
    if wanted.args is None or mode == "ignore":
        return []
    found = operators.compare(wanted.args, args, mode=mode)
    return sorted(found, key=lambda d: (d.path, d.why))
