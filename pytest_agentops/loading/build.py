"""JSON to the dataclasses of `schema.case`, by their type hints. The value is known to fit (see `shape`)."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Any, TypeAlias, TypeVar, Union

from ..schema.values import Json

T = TypeVar("T")
Maker: TypeAlias = Callable[[Json], Any]


def build(kind: type[T], value: Json) -> T:
    """`value` as a `kind`; keys that are not given get their defaults, and keys it does not know are an error of ours."""
    made: T = _dataclass(kind)(value)  # type: ignore[arg-type]
    return made


@lru_cache(maxsize=256)
def _dataclass(kind: type[Any]) -> Maker:
    """The maker of a dataclass; its fields are looked up at the first use, since types may hold themselves."""
    makers: dict[str, Maker | None] = {}

    def make(value: Json) -> Any:
        if not makers:
            hints = typing.get_type_hints(kind, include_extras=True)
            makers.update({f.name: _maker(hints[f.name]) for f in dataclasses.fields(kind)})
        given = {}
        for key, item in value.items():
            maker = makers[key]
            given[key] = item if maker is None or item is None else maker(item)
        return kind(**given)

    return make


def _maker(hint: Any) -> Maker | None:
    """How a JSON value becomes `hint`; None if it is one already."""
    origin = typing.get_origin(hint)
    if origin is Annotated:
        return _maker(typing.get_args(hint)[0])
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _dataclass(hint)
    if origin is tuple:
        return _tuple(_maker(typing.get_args(hint)[0]))
    if origin is dict:
        return _values(_maker(typing.get_args(hint)[1]))
    if origin in (Union, types.UnionType):
        return _union([_maker(a) for a in typing.get_args(hint)], typing.get_args(hint))
    return None


def _tuple(item: Maker | None) -> Maker:
    return tuple if item is None else lambda value: tuple([item(v) for v in value])


def _values(item: Maker | None) -> Maker | None:
    return None if item is None else lambda value: {k: item(v) for k, v in value.items()}


def _union(makers: list[Maker | None], hints: tuple[Any, ...]) -> Maker | None:
    """By what the value is: at most one member of a union here is made of mappings, and one of lists."""
    mapping, listed = None, None
    for maker, hint in zip(makers, hints, strict=True):
        bare = typing.get_args(hint)[0] if typing.get_origin(hint) is Annotated else hint
        if typing.get_origin(bare) is tuple:
            listed = maker
        elif maker is not None:
            mapping = maker
    if mapping is None and listed is None:
        return None

    def make(value: Json) -> Any:
        maker = mapping if isinstance(value, dict) else listed if isinstance(value, list) else None
        return value if maker is None else maker(value)

    return make
