"""Words of the types that make the JSON Schema: keywords, counts and ranges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

from .values import JsonObject

STRICT: Any = {"extra": "forbid", "use_attribute_docstrings": True}
"""pydantic's configuration for every type here (a plain mapping: pydantic is not imported for it)."""


class Says:
    """JSON Schema keywords of an annotated type (pydantic asks for them by this method's name when it makes the schema)."""

    __slots__ = ("keywords",)

    def __init__(self, **keywords: Any) -> None:
        self.keywords = keywords

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Any) -> JsonObject:
        schema: JsonObject = {**handler(core_schema), **self.keywords}
        return schema


Count: TypeAlias = Annotated[int, Says(minimum=0)]
Share: TypeAlias = Annotated[float, Says(minimum=0, maximum=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """A range; both ends belong to it."""

    __pydantic_config__ = STRICT
    min: float | None = None
    max: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CountBounds:
    """A range of counts; both ends belong to it."""

    __pydantic_config__ = STRICT
    min: Count | None = None
    max: Count | None = None
