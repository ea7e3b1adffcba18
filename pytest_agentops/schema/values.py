"""JSON values: what a tool, a model, a cassette and a result are made of, and their canonical text.

Numbers are `int`, `float`, or `Decimal` where a float would lose digits; `number` and `jsonable` keep to that rule, so that
``39.50`` and ``39.5`` are one value and ``0.1234567890123456789`` keeps its digits.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import functools
import hashlib
import json
import math
import unicodedata
import uuid
from collections.abc import Mapping
from decimal import Context, Decimal
from typing import Any, TypeAlias

Json: TypeAlias = Any
"""``None | bool | int | float | Decimal | str | list[Json] | dict[str, Json]`` (mypy has no useful recursive alias for it)."""

JsonObject: TypeAlias = dict[str, Any]


MAX_EXPONENT = 1000
"""Greater numbers are refused: 1e999999999 would fill the memory as soon as somebody compares it."""


class NotJson(ValueError):
    """A value that JSON cannot say; `path` is where it sits (``$.a[0]``), `found` its type's name."""

    def __init__(self, path: str, found: str, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path
        self.found = found


@functools.lru_cache(maxsize=1024)
def number(text: str) -> int | float | Decimal:
    """The JSON number that `text` writes; a `Decimal` only where a float would lose digits."""
    try:
        return int(text)
    except ValueError:
        return _exact(Decimal(text))


def _exact(value: Decimal) -> int | float | Decimal:
    if value == value.to_integral_value() and abs(value) < 10**15:
        return int(value) if value == int(value) and value.as_tuple().exponent == 0 else float(value)
    as_float = float(value)
    return as_float if math.isfinite(as_float) and Decimal(repr(as_float)) == value else value


def jsonable(value: object, path: str = "$") -> Json:
    """`value` as JSON, for what tools and agents return: dataclasses, pydantic models, enums, dates and Decimals are converted.

    Raises `NotJson`, naming the place, for anything else; NaN and infinities are not JSON.
    """
    kind = type(value)
    if kind in _PLAIN or (kind is str and value.isascii()):  # type: ignore[attr-defined]
        return value
    if kind is dict:
        items: JsonObject = value  # type: ignore[assignment]
        return {_key(k, path): v if type(v) in _PLAIN else jsonable(v, f"{path}.{k}") for k, v in items.items()}
    if isinstance(value, enum.Enum):
        return jsonable(value.value, path)
    if isinstance(value, str):
        return _text(str.__str__(value), path)  # of a subclass only the letters: who compares it later is not to be lied to
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise NotJson(path, "float", f"{value!r} is not a JSON number")
        return float(value)
    if isinstance(value, Decimal):
        if not value.is_finite() or abs(value.adjusted()) > MAX_EXPONENT:
            raise NotJson(path, "Decimal", f"{value!r} is not a JSON number")
        return _exact(Decimal(value))
    if isinstance(value, Mapping):
        return {_key(k, path): jsonable(v, f"{path}.{k}") for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        if hasattr(value, "_asdict"):
            return jsonable(value._asdict(), path)
        return [jsonable(v, f"{path}[{i}]") for i, v in enumerate(value)]
    return _convert(value, path)


_PLAIN = frozenset({int, bool, type(None)})
"""What is JSON as it stands."""


def _key(key: object, path: str) -> str:
    if not isinstance(key, str):
        raise NotJson(path, type(key).__name__, f"the key {key!r} is no string")
    return _text(str.__str__(key), path)


def _text(text: str, path: str) -> str:
    """Half a surrogate pair is no text: no file could hold it, and no worker could tell of it."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            half = f"\\u{ord(text[error.start]):04x}"
            raise NotJson(path, "str", f"{half} at {error.start} is half of a surrogate pair, which is no text") from None
    return text


def _convert(value: object, path: str) -> Json:
    if hasattr(value, "model_dump"):  # a pydantic model, known by its public method: pydantic is not imported here
        return jsonable(value.model_dump(mode="python"), path)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: jsonable(getattr(value, f.name), f"{path}.{f.name}") for f in dataclasses.fields(value)}
    if isinstance(value, (dt.datetime, dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, (set, frozenset)):
        raise NotJson(path, type(value).__name__, "a set has no order; return a sorted list")
    raise NotJson(path, type(value).__name__, f"a {type(value).__name__} cannot be written as JSON")


def copied(value: Json) -> Json:
    """A deep copy of a JSON value."""
    if isinstance(value, dict):
        return {k: copied(v) for k, v in value.items()}
    return [copied(v) for v in value] if isinstance(value, list) else value


# made once: json.dumps with these arguments would build an encoder a call
_COMPACT = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_SORTED = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)


def canonical(value: Json) -> str:
    """One text for equal values: sorted keys, no blanks, NFC strings, 1.0 as 1 (after RFC 8785; digits of Decimals stay)."""
    return dumps(_canonical(value), sort_keys=True)


def _canonical(value: Json) -> Json:
    kind = type(value)
    if kind is str:
        return value if value.isascii() else unicodedata.normalize("NFC", value)
    if kind is dict:
        return {k if k.isascii() else unicodedata.normalize("NFC", k): _canonical(v) for k, v in value.items()}
    if kind is list:
        return [_canonical(v) for v in value]
    if kind is float:
        return int(value) if value.is_integer() and abs(value) < 1e15 else value
    return _canonical_rare(value)


def _canonical_rare(value: Json) -> Json:
    """Null, booleans and whole numbers as they are; Decimals and subclasses."""
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, Decimal):
        whole = value.to_integral_value()
        # the default context would round to 28 digits, and two long numbers would be one
        return int(whole) if whole == value else value.normalize(Context(prec=max(28, len(value.as_tuple().digits))))
    if isinstance(value, str):
        return _canonical(str(value))
    if isinstance(value, float):
        return _canonical(float(value))
    return _canonical(dict(value)) if isinstance(value, Mapping) else _canonical(list(value))


def dumps(value: Json, *, sort_keys: bool = False, indent: int | None = None) -> str:
    """JSON text with the digits of Decimals kept; compact unless `indent` is given."""
    try:
        if indent is None:
            return _SORTED.encode(value) if sort_keys else _COMPACT.encode(value)
        return json.dumps(value, sort_keys=sort_keys, indent=indent, ensure_ascii=False, allow_nan=False)
    except TypeError:
        return _dumps_decimals(value, sort_keys=sort_keys, indent=indent)


def _dumps_decimals(value: Json, *, sort_keys: bool, indent: int | None) -> str:
    """The slow way, for the rare value that holds a Decimal: a unique string stands in for each and is replaced afterwards."""
    mark = uuid.uuid4().hex
    seen: list[Decimal] = []

    def stand_in(item: object) -> str:
        if not isinstance(item, Decimal):
            raise TypeError(f"{type(item).__name__} is not JSON")
        seen.append(item)
        return f"{mark}{len(seen) - 1};"

    separators = (",", ":") if indent is None else None
    text = json.dumps(
        value,
        default=stand_in,
        sort_keys=sort_keys,
        indent=indent,
        ensure_ascii=False,
        allow_nan=False,
        separators=separators,
    )
    for i, item in enumerate(seen):
        text = text.replace(f'"{mark}{i};"', format(item, "f"))
    return text


def written(text: str) -> bytes:
    """JSON text as bytes; half a surrogate pair, which a model may well say, is written as JSON's own escape of it."""
    return text.encode("utf-8", "backslashreplace")


def loads(text: str | bytes) -> Json:
    """JSON text to a value; numbers by the rule of this module, NaN and Infinity refused."""
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text), "surrogatepass")
    if text.startswith("\ufeff"):
        raise json.JSONDecodeError("Unexpected UTF-8 BOM (decode using utf-8-sig)", text, 0)
    return _DECODER.decode(text)


def _refuse_constant(text: str) -> Json:
    raise ValueError(f"{text} is not JSON")


# made once: json.loads() with these arguments would build a decoder a call
_DECODER = json.JSONDecoder(parse_float=number, parse_constant=_refuse_constant)


class KeyTwice(ValueError):
    """A key that an object has twice: which one counts no reader may choose."""


def once(pairs: list[tuple[str, Json]]) -> JsonObject:
    """For `object_pairs_hook`: an object, or `KeyTwice`."""
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise KeyTwice(f"the key {next(key for key in keys if keys.count(key) > 1)!r} stands there twice")
    return found


_ONCE = json.JSONDecoder(parse_float=number, parse_constant=_refuse_constant, object_pairs_hook=once)


def loads_once(text: str) -> Json:
    """Like `loads`, and raises `KeyTwice`."""
    return _ONCE.decode(text)


def digest(value: Json) -> str:
    """``sha256:`` and 12 hex digits of the canonical text: short enough to read in a diff."""
    return "sha256:" + hashlib.sha256(written(canonical(value))).hexdigest()[:12]


def same(a: Json, b: Json) -> bool:
    """Whether two values are one JSON value: 1 is 1.0, true is not 1, ``"30"`` is not 30, key order does not count."""
    if a is b:
        return True
    if isinstance(a, str) or isinstance(b, str):
        if a == b:
            return True
        both = isinstance(a, str) and isinstance(b, str) and not (a.isascii() and b.isascii())
        return both and unicodedata.normalize("NFC", a) == unicodedata.normalize("NFC", b)
    if isinstance(a, Mapping):
        return isinstance(b, Mapping) and len(a) == len(b) and all(k in b and same(v, b[k]) for k, v in a.items())
    if isinstance(a, (list, tuple)):
        return isinstance(b, (list, tuple)) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, bool) or isinstance(b, bool):
        return False
    if isinstance(a, (int, float, Decimal)) and isinstance(b, (int, float, Decimal)):
        return bool(a == b) or decimal(a) == decimal(b)
    return bool(a == b)


def decimal(value: int | float | Decimal) -> Decimal:
    """The number with the digits that a person would write for it (a float by its shortest text)."""
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
