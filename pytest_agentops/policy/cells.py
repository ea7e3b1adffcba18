"""What a decision table is asked: predicates over the values of some attributes, each attribute by its one name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from .attributes import ROOTS, Kind, Path, Prepared

Cells: TypeAlias = int
"""A set of cells: the n-th bit is the n-th cell."""
FREE: Prepared = (Kind.FREE, None)


def canonical(path: Path, declared: Collection[str]) -> Path:
    """The one name of an attribute: a bare name is an argument that the contract declares, else a key of the context."""
    if path[0] in ROOTS and len(path) > 1:
        return path
    return ("args" if path[0] in declared else "context", *path)


class Cell:
    """The values of one cell, or of some of its attributes; any other is free."""

    __slots__ = ("_declared", "values")

    def __init__(self, declared: Collection[str], values: Mapping[Path, Any]) -> None:
        self._declared = declared
        self.values = values

    def get(self, path: Path) -> Prepared | None:
        found: Prepared | None = self.values.get(canonical(path, self._declared), FREE)
        return found


@dataclass(frozen=True, slots=True)
class Predicate:
    """Something that is true, false or unknown of a call and depends on these attributes."""

    key: object
    """Equal keys mean the same."""
    paths: tuple[Path, ...]
    holds: Callable[[Cell], bool | None] = field(compare=False)
    crossing: bool = True
    """Of several attributes: the values of each matter one by one; False where what is asked of each alone is enough."""
