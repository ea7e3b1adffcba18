"""Which files of two versions stand for each other: those whose paths end alike."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Protocol, TypeVar


class HasFile(Protocol):
    """Something that stands in a file."""

    @property
    def file(self) -> str: ...


T = TypeVar("T", bound=HasFile)


def paired(before: Sequence[T], after: Sequence[T]) -> list[tuple[T | None, T | None]]:
    """The longest common end first; one and one in any case. None where a side has nothing for it."""
    if len(before) == len(after) == 1:
        return [(before[0], after[0])]
    near = [(_alike(one.file, other.file), n, m) for n, one in enumerate(before) for m, other in enumerate(after)]
    of_new: dict[int, int] = {}
    taken: set[int] = set()
    for score, n, m in sorted(near, key=lambda found: (-found[0], found[1], found[2])):
        if score and n not in taken and m not in of_new:
            of_new[m] = n
            taken.add(n)
    pairs: list[tuple[T | None, T | None]] = [(before[of_new[m]] if m in of_new else None, one) for m, one in enumerate(after)]
    return [*pairs, *((one, None) for n, one in enumerate(before) if n not in taken)]


def _alike(one: str, other: str) -> int:
    """How many steps the ends of two paths have in common."""
    steps = zip(_steps(one), _steps(other), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], steps))


def _steps(path: str) -> list[str]:
    """From the file's name upwards; a git revision is a step."""
    return path.replace(":", "/").split("/")[::-1]
