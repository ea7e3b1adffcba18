"""Where in its file a case says what: for mistakes, for checks that fail, and for code that cannot be had."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from ..schema.document import Document, read
from ..schema.paths import Concrete
from ..schema.values import Json, JsonObject
from .merge import is_named, point_value

CODE: Mapping[str, Concrete] = {
    "agent": ("agent",),
    "tools": ("tools",),
    "policies": ("policies",),
    "python": ("expect", "python"),
}
"""What names code, and where it stands in a case."""


def origin(raw: JsonObject, index: int, place: Concrete, axes: JsonObject) -> Concrete:
    """Where `place` of the merged case was written: in the matrix (`axes` is its point), the case, the defaults or at the top."""
    case, defaults = raw["cases"][index], raw.get("defaults")
    for axis, value in axes.items():
        keys = tuple(axis.split("."))
        rest = place[len(keys) :]
        if place[: len(keys)] == keys and (not rest or depth(value, rest)):
            point = _point(raw, index, axis, value)
            return (*point, "value", *rest) if rest and is_named(value_at(raw, point)) else point
    roots: tuple[tuple[Concrete, Json], ...] = ((("cases", index), case), (("defaults",), defaults), ((), raw))
    if place[:1] == ("tags",):  # tags add up, so a place in the merged list is none in the file
        for start, node in roots[:2]:
            if place[1:] and place[1] in ((node or {}).get("tags") or ()):
                return (*start, "tags", node["tags"].index(place[1]))
    deepest, start = max(((depth(node, place), start) for start, node in roots), key=lambda pair: pair[0])  # of equals the first
    return (*start, *place) if deepest else ("cases", index)


def _point(raw: JsonObject, index: int, axis: str, value: Json) -> Concrete:
    """The place of the point of a matrix that sets `axis` to `value`."""
    owner: Concrete = ("cases", index) if depth(raw, ("cases", index, "matrix", axis)) == 4 else ("defaults",)
    values = value_at(raw, (*owner, "matrix", axis))
    return (*owner, "matrix", axis, next((i for i, v in enumerate(values) if point_value(v) == value), 0))


def depth(node: Json, place: Concrete) -> int:
    """How many steps of `place` are there."""
    for at, step in enumerate(place):
        inside = step in node if isinstance(node, dict) else isinstance(node, list) and step in range(len(node))
        if not inside:
            return at
        node = node[step]
    return len(place)


def value_at(node: Json, place: Concrete) -> Json:
    """What stands at `place`; None if there is no such place."""
    if depth(node, place) < len(place):
        return None
    for step in place:
        node = node[step]
    return node


def again(path: Path, file: str, case: str, axes: JsonObject, place: Concrete) -> tuple[int, int]:
    """Line and column of `place` of a case that was loaded before, for a mistake that shows only now: the file is read again."""
    document = read(path.read_text(encoding="utf-8-sig"), file=file)
    index = next(i for i, entry in enumerate(document.value["cases"]) if entry["id"] == case)
    return document.position(origin(document.value, index, place, axes))


# --- lines of checks


def lines(document: Document, start: Concrete) -> dict[str, int]:
    """``expect.calls``, ``turns[0].expect.said`` -> line, of the case fields that stand at `start`."""
    return dict([*_expect(document, (*start, "expect")), *_turns(document, (*start, "turns"))])


def lines_of_point(document: Document, index: int, axes: JsonObject) -> dict[str, int]:
    """The same, of what a point of the matrix sets."""
    out: dict[str, int] = {}
    for axis, value in axes.items():
        first, _, below = axis.partition(".")
        if first not in ("expect", "turns"):
            continue
        point = _point(document.value, index, axis, value)
        inside = (*point, "value") if is_named(value_at(document.value, point)) else point
        if below:
            out[f"expect.{below.partition('.')[0]}"] = document.position(inside)[0]
        else:
            out.update(_expect(document, inside) if first == "expect" else _turns(document, inside))
    return out


def _expect(document: Document, place: Concrete) -> Iterator[tuple[str, int]]:
    for key, line in document.lines(place).items():
        yield f"expect.{key}", line


def _turns(document: Document, place: Concrete) -> Iterator[tuple[str, int]]:
    turns = value_at(document.value, place)
    for index, turn in enumerate(turns if isinstance(turns, list) else ()):
        if isinstance(turn, dict):
            for key, line in document.lines((*place, index, "expect")).items():
                yield f"turns[{index}].expect.{key}", line


# --- places of code


def of_head(document: Document) -> dict[str, list[int]]:
    """Line and column of the code that all cases share: in `defaults`, else at the top of the file."""
    out: dict[str, list[int]] = {}
    for key, place in CODE.items():
        start: Concrete = ("defaults",) if depth(document.value, ("defaults", *place)) == 1 + len(place) else ()
        if depth(document.value, (*start, *place)) == len(start) + len(place):
            out |= _code(document, key, (*start, *place))
    return out


def of_case(document: Document, index: int, entry: JsonObject, axes: JsonObject) -> dict[str, list[int]]:
    """The same, of the code that a case or a point of its matrix names itself."""
    out: dict[str, list[int]] = {}
    for key, place in CODE.items():
        if depth(entry, place) == len(place) or any(axis.partition(".")[0] == place[0] for axis in axes):
            out |= _code(document, key, origin(document.value, index, place, axes))
    return out


def _code(document: Document, key: str, place: Concrete) -> dict[str, list[int]]:
    out = {key: list(document.position(place))}
    node = value_at(document.value, place)
    named = point_value(node)
    if key == "tools" and isinstance(named, list):
        inside = place if named is node else (*place, "value")
        out |= {f"tools[{index}]": list(document.position((*inside, index))) for index in range(len(named))}
    return out
