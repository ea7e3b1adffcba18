"""Wanted values: literals, and mappings of operators (``{$gt: 0, $le: 30}``), compared with what was found.

A mapping is all operators or none, and several operators must all hold. What stands under `$eq`, `$ne` and `$in` is plain data:
``{$eq: {$ref: x}}`` is how a key that starts with ``$`` is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from . import paths
from .paths import Concrete
from .suggest import did_you_mean
from .values import Json, decimal, dumps, same

CompareMode: TypeAlias = Literal["partial", "exact", "superset", "subset"]
"""partial and superset: what was found has at least the wanted keys; subset: at most these; exact: these. At every mapping."""

_REL = Decimal("1e-6")
_ABS = Decimal("1e-12")


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where a value is not as wanted; `why` is the whole sentence without the place."""

    place: Concrete
    wanted: Json
    found: Json
    """None too where there is nothing; `why` then says that it is missing."""
    why: str

    @property
    def path(self) -> str:
        return paths.text(self.place)

    def __str__(self) -> str:
        name = self.path[1:].removeprefix(".")
        return f"{name}: {self.why}" if name else self.why


def compare(wanted: Json, found: Json, *, mode: CompareMode = "partial") -> list[Difference]:
    """Every place where `found` is not as `wanted` says; empty if it fits."""
    return list(_differences(wanted, found, (), mode))


def fits(wanted: Json, found: Json, *, mode: CompareMode = "partial") -> bool:
    """Whether `found` is as `wanted` says."""
    return next(_differences(wanted, found, (), mode), None) is None


def is_operators(wanted: Json) -> bool:
    """Whether a wanted value is a mapping of operators."""
    return isinstance(wanted, Mapping) and any(key[:1] == "$" for key in wanted)


def leaves(wanted: Json) -> int:
    """How many single values a wanted value asks for; the measure of how close a near miss is."""
    if isinstance(wanted, Mapping) and wanted and not is_operators(wanted):
        return sum(leaves(v) for v in wanted.values())
    if isinstance(wanted, (list, tuple)) and wanted:
        return sum(leaves(v) for v in wanted)
    return 1


def show(value: Json, limit: int = 120) -> str:
    """A value as one short line of JSON, keys sorted, so that equal values read alike."""
    try:
        text = dumps(value, sort_keys=True)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 20]}... ({len(text)} characters)"


def _differences(wanted: Json, found: Json, here: Concrete, mode: CompareMode) -> Iterator[Difference]:
    if isinstance(wanted, Mapping):
        if is_operators(wanted):
            for name, operand in wanted.items():
                why = OPERATORS[name](operand, found) if name in OPERATORS else f"{name} is no operator"
                if why is not None:
                    yield Difference(here, wanted, found, why)
        elif isinstance(found, Mapping):
            yield from _mapping(wanted, found, here, mode)
        else:
            yield Difference(here, wanted, found, f"wanted {show(wanted)}, got {show(found)}")
    elif isinstance(wanted, (list, tuple)) and isinstance(found, (list, tuple)):
        if len(wanted) != len(found):
            yield Difference(here, wanted, found, f"wanted {len(wanted)} items {show(wanted)}, got {len(found)} {show(found)}")
        else:
            for i, (a, b) in enumerate(zip(wanted, found, strict=True)):
                yield from _differences(a, b, (*here, i), mode)
    elif not same(wanted, found):
        yield Difference(here, wanted, found, f"wanted {show(wanted)}, got {_got(wanted, found)}")


def _mapping(wanted: Mapping[str, Json], found: Mapping[str, Json], here: Concrete, mode: CompareMode) -> Iterator[Difference]:
    for key, value in wanted.items():
        if key in found:
            yield from _differences(value, found[key], (*here, key), mode)
        elif mode != "subset" and not _absent(value):
            near = did_you_mean(key, found)
            yield Difference((*here, key), value, None, f"missing, wanted {show(value)}" + (f" ({near})" if near else ""))
    if mode in ("exact", "subset"):
        for key in found:
            if key not in wanted:
                yield Difference((*here, key), None, found[key], f"not expected, got {show(found[key])}")


def _got(wanted: Json, found: Json) -> str:
    """What was found, with its type where the two would read alike (``"30"`` and 30, ``"null"`` and null, true and 1)."""
    alike = show(wanted).strip('"').lower() == show(found).strip('"').lower() or isinstance(wanted, bool) != isinstance(
        found, bool
    )
    return _typed(found) if alike and type_name(wanted) != type_name(found) else show(found)


def _typed(found: Json) -> str:
    name = type_name(found)
    if found is None:
        return "null"
    return f"{show(found)} ({'an' if name[0] in 'aeiou' else 'a'} {name})"


def _absent(wanted: Json) -> bool:
    return isinstance(wanted, Mapping) and "$absent" in wanted and is_operators(wanted)


# --- operators: each gives None where it holds, else the sentence that says why not


def _eq(operand: Json, found: Json) -> str | None:
    return None if same(operand, found) else f"wanted {show(operand)}, got {_got(operand, found)}"


def _ne(operand: Json, found: Json) -> str | None:
    return f"wanted anything but {show(operand)}, got it" if same(operand, found) else None


def _ordered(sign: str, holds: Callable[[Any, Any], bool]) -> Callable[[Json, Json], str | None]:
    def check(operand: Json, found: Json) -> str | None:
        if _number(operand) and _number(found):
            exact = isinstance(operand, Decimal) or isinstance(found, Decimal)
            ok = holds(decimal(found), decimal(operand)) if exact else holds(found, operand)
        elif isinstance(operand, str) and isinstance(found, str):
            ok = holds(found, operand)
        else:
            kind = "number" if _number(operand) else "text"
            return f"wanted a {kind} {sign} {show(operand)}, got {_typed(found)}"
        return None if ok else f"wanted {sign} {show(operand)}, got {show(found)}"

    return check


def _in(operand: Json, found: Json) -> str | None:
    return None if any(same(o, found) for o in operand) else f"wanted one of {show(operand)}, got {show(found)}"


def _contains(operand: Json, found: Json) -> str | None:
    wanted = operand if isinstance(operand, (list, tuple)) else [operand]
    if isinstance(found, (str, Mapping)):
        lacking = [w for w in wanted if not (isinstance(w, str) and w in found)]
    elif isinstance(found, (list, tuple)):
        lacking = [w for w in wanted if not any(fits(w, item) for item in found)]
    else:
        return f"wanted something that contains {show(operand)}, got {_typed(found)}"
    return f"wanted to contain {', '.join(show(w) for w in lacking)}, got {show(found)}" if lacking else None


def _matches(operand: Json, found: Json) -> str | None:
    if not isinstance(found, str):
        return f"wanted a text that matches {operand!r}, got {_typed(found)}"
    return None if re.search(operand, found) else f"wanted a match of {operand!r}, got {show(found)}"


def _approx(operand: Json, found: Json) -> str | None:
    spec: Mapping[str, Any] = operand if isinstance(operand, Mapping) else {"value": operand}
    value = decimal(spec["value"])
    # like pytest.approx: an absolute tolerance alone switches the relative one off
    rel = decimal(spec["rel"]) if "rel" in spec else Decimal(0) if "abs" in spec else _REL
    margin = max(abs(value) * rel, decimal(spec["abs"]) if "abs" in spec else _ABS)
    if not _number(found):
        return f"wanted a number near {show(spec['value'])}, got {_typed(found)}"
    off = abs(decimal(found) - value)
    return None if off <= margin else f"wanted {show(spec['value'])} ± {margin:.6g}, got {show(found)}"


def _any(operand: Json, found: Json) -> str | None:
    return None


def _is_absent(operand: Json, found: Json) -> str | None:
    return f"wanted to be absent, got {show(found)}"


def _type(operand: Json, found: Json) -> str | None:
    names = [operand] if isinstance(operand, str) else operand
    if any(_TYPES[name](found) for name in names):
        return None
    return f"wanted the type {' or '.join(names)}, got {_typed(found)}"


def _len(operand: Json, found: Json) -> str | None:
    if not isinstance(found, (str, list, tuple, Mapping)):
        return f"wanted something with a length, got {_typed(found)}"
    if isinstance(operand, Mapping) and not is_operators(operand):
        low, high = operand.get("min"), operand.get("max")
        ok = (low is None or len(found) >= low) and (high is None or len(found) <= high)
    else:
        ok = fits(operand, len(found))
    return None if ok else f"wanted the length {show(operand)}, got {len(found)}: {show(found)}"


def _number(value: object) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def _integer(value: Any) -> bool:
    return _number(value) and (isinstance(value, int) or value == value // 1)


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "null": lambda v: v is None,
    "boolean": lambda v: isinstance(v, bool),
    "integer": _integer,
    "number": _number,
    "string": lambda v: isinstance(v, str),
    "array": lambda v: isinstance(v, (list, tuple)),
    "object": lambda v: isinstance(v, Mapping),
}


def type_name(value: Json) -> str:
    """JSON Schema's name of a value's type."""
    return next((name for name, holds in _TYPES.items() if holds(value)), type(value).__name__)


OPERATORS: Mapping[str, Callable[[Json, Json], str | None]] = {
    "$eq": _eq,
    "$ne": _ne,
    "$gt": _ordered(">", lambda found, bound: found > bound),
    "$ge": _ordered(">=", lambda found, bound: found >= bound),
    "$lt": _ordered("<", lambda found, bound: found < bound),
    "$le": _ordered("<=", lambda found, bound: found <= bound),
    "$in": _in,
    "$contains": _contains,
    "$matches": _matches,
    "$approx": _approx,
    "$any": _any,
    "$absent": _is_absent,
    "$type": _type,
    "$len": _len,
}
"""Every operator: (operand, found) -> None where it holds, else why not."""


# --- well-formed?


def check(wanted: Json) -> list[tuple[Concrete, str]]:
    """What is malformed in a wanted value: places and messages, for the loader; empty if it is well-formed."""
    out: list[tuple[Concrete, str]] = []
    _check(wanted, (), out)
    return out


def check_state(wanted: Mapping[str, Json]) -> list[tuple[Concrete, str]]:
    """As `check`, for `expect.state`: keys there may be JSON paths."""
    out: list[tuple[Concrete, str]] = []
    for key, value in wanted.items():
        if paths.is_path(key):
            try:
                paths.parse(key)
            except paths.PathError as error:
                out.append(((key,), str(error)))
            _check(value, (key,), out)
    _check({k: v for k, v in wanted.items() if not paths.is_path(k)}, (), out)
    return out


def _check(wanted: Json, here: Concrete, out: list[tuple[Concrete, str]]) -> None:
    if isinstance(wanted, Mapping):
        signed = [k for k in wanted if k.startswith("$")]
        for key in signed if len(signed) == len(wanted) else ():
            message = _malformed(key, wanted[key], len(wanted))
            if message:
                out.append(((*here, key), message))
            elif key == "$contains" or (key == "$len" and is_operators(wanted[key])):
                _check(wanted[key], (*here, key), out)
        if signed and len(signed) < len(wanted):
            cure = f"a key that starts with $ is data only under $eq: {{$eq: {{{signed[0]}: ...}}}}"
            out.append(((*here, signed[0]), f"{signed[0]!r} beside plain keys: a mapping is all operators or none; {cure}"))
        if not signed:
            for key, value in wanted.items():
                _check(value, (*here, key), out)
    elif isinstance(wanted, (list, tuple)):
        for i, value in enumerate(wanted):
            _check(value, (*here, i), out)


def _malformed(name: str, operand: Json, beside: int) -> str | None:
    """What is wrong with one operator, in words."""
    if name not in OPERATORS:
        near = did_you_mean(name, OPERATORS)
        return f"unknown operator {name!r}; expected one of {', '.join(OPERATORS)}" + (f"; {near}" if near else "")
    if name in ("$any", "$absent"):
        if operand is not True:
            return f"{name} takes true" + ("; for a value that must be there write {$any: true}" if name == "$absent" else "")
        return "$absent stands alone" if name == "$absent" and beside > 1 else None
    if name in ("$gt", "$ge", "$lt", "$le") and not (_number(operand) or isinstance(operand, str)):
        return f"{name} takes a number or a text, found {show(operand)}"
    if name == "$in" and not isinstance(operand, (list, tuple)):
        return f"$in takes a list, found {show(operand)}"
    checker = {"$matches": _bad_regex, "$approx": _bad_approx, "$type": _bad_type, "$len": _bad_len}.get(name)
    return checker(operand) if checker else None


def _bad_regex(operand: Json) -> str | None:
    if not isinstance(operand, str):
        return f"$matches takes a regular expression, found {show(operand)}"
    try:
        re.compile(operand)
    except re.error as error:
        return f"$matches: {operand!r} is no regular expression: {error}"
    return None


def _bad_approx(operand: Json) -> str | None:
    if _number(operand):
        return None
    keys = set(operand) if isinstance(operand, Mapping) else set()
    if "value" in keys and keys <= {"value", "rel", "abs"} and all(_number(v) for v in operand.values()):
        return None if all(operand.get(k, 0) >= 0 for k in ("rel", "abs")) else "$approx: rel and abs are not negative"
    return f"$approx takes a number or {{value, rel, abs}}, found {show(operand)}"


def _bad_type(operand: Json) -> str | None:
    names = operand if isinstance(operand, (list, tuple)) and operand else [operand]
    for name in names:
        if not (isinstance(name, str) and name in _TYPES):
            near = did_you_mean(str(name), _TYPES)
            return f"$type takes one of {', '.join(_TYPES)}, found {show(name)}" + (f"; {near}" if near else "")
    return None


def _bad_len(operand: Json) -> str | None:
    if isinstance(operand, Mapping) and (is_operators(operand) or (operand and operand.keys() <= {"min", "max"})):
        return None
    if isinstance(operand, int) and not isinstance(operand, bool) and operand >= 0:
        return None
    return f"$len takes a count, {{min, max}} or operators, found {show(operand)}"
