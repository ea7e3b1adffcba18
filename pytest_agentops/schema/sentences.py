"""Words that messages share: counts, lists that are cut, and what does not fit a JSON Schema."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from .suggest import did_you_mean
from .values import Json, dumps

_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
    "array": "a list",
    "object": "a mapping",
}
_SHOWN = 60


def sentence(keyword: str, *, wanted: Json, found: Json) -> str:
    """What was allowed and what was found; empty for a keyword that has no words of its own.

    `wanted` is the keyword's value; for an unknown key the keys that are known, with `found` its name.
    """
    say = _WORDS.get(keyword)
    return say(wanted, found) if say else ""


def shown(value: Json) -> str:
    """A value as JSON, cut where it is long."""
    text = dumps(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def count(number: int, word: str, many: str = "") -> str:
    """``1 run``, ``2 runs``; `many` where an s is not enough."""
    return f"{number} {word if number == 1 else many or f'{word}s'}"


def some(words: Iterable[str], most: int, *, between: str = ", ") -> str:
    """The first of them, and how many more there are."""
    every = list(words)
    return between.join(every[:most]) + (f" and {len(every) - most} more" if len(every) > most else "")


def _either(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _type(wanted: Json, found: Json) -> str:
    names = [wanted] if isinstance(wanted, str) else [n for n in wanted if not (n == "integer" and "number" in wanted)]
    ordered = sorted(names, key=lambda n: n == "null")
    return f"must be {_either([_TYPES.get(n, n) for n in ordered])}, found {shown(found)}"


def _enum(wanted: Json, found: Json) -> str:
    near = did_you_mean(found, [w for w in wanted if isinstance(w, str)]) if isinstance(found, str) else ""
    return f"must be {_either([shown(w) for w in wanted])}, found {shown(found)}" + (f"; {near}" if near else "")


def _unknown(wanted: Json, found: Json) -> str:
    allowed = f"; expected one of {', '.join(wanted)}" if wanted else ""
    near = did_you_mean(found, wanted)
    return f"unknown key {found!r}{allowed}" + (f"; {near}" if near else "")


def _length(what: str, side: str) -> Callable[[Json, Json], str]:
    def say(wanted: Json, found: Json) -> str:
        return f"must have {side} {wanted} {what if wanted == 1 else _MANY[what]}, found {len(found)}"

    return say


def _limit(words: str) -> Callable[[Json, Json], str]:
    return lambda wanted, found: f"must be {words} {shown(wanted)}, found {shown(found)}"


_MANY = {"character": "characters", "item": "items", "key": "keys"}

_WORDS: dict[str, Callable[[Json, Json], str]] = {
    "type": _type,
    "enum": _enum,
    "const": lambda wanted, found: f"must be {shown(wanted)}, found {shown(found)}",
    "required": lambda wanted, found: f"{wanted!r} is missing",
    "additionalProperties": _unknown,
    "unevaluatedProperties": _unknown,
    "pattern": lambda wanted, found: f"must match the pattern {wanted}, found {shown(found)}",
    "format": lambda wanted, found: f"must be a {wanted}, found {shown(found)}",
    "minimum": _limit("at least"),
    "maximum": _limit("at most"),
    "exclusiveMinimum": _limit("more than"),
    "exclusiveMaximum": _limit("less than"),
    "multipleOf": _limit("a multiple of"),
    "minLength": _length("character", "at least"),
    "maxLength": _length("character", "at most"),
    "minItems": _length("item", "at least"),
    "maxItems": _length("item", "at most"),
    "minProperties": _length("key", "at least"),
    "maxProperties": _length("key", "at most"),
    "uniqueItems": lambda wanted, found: "must not hold an item twice",
    "propertyNames": lambda wanted, found: f"has a key that is not allowed: {wanted}",
    "oneOf": lambda wanted, found: f"fits more than one of the allowed forms, found {shown(found)}",
    "not": lambda wanted, found: f"is not allowed, found {shown(found)}",
    "falseSchema": lambda wanted, found: f"is not allowed, found {shown(found)}",
    "contains": lambda wanted, found: "holds none of the items that are asked for",
}
