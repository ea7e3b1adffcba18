"""A request's JSON as what it adds to the earlier request that it shares most with; the same among responses.

A conversation sends all that was said so far with every request; kept whole, its file would grow with the square of its length.
``like: 3`` names the request (from 1) that this one is like. ``json`` then holds only the keys that differ; a list that begins
as the other's does is ``{keep: 4, add: [...]}``, a mapping of the same keys ``{change: {...}}``. ``drop`` lists keys that are
gone, ``order`` all keys where their order is not: the other's, then the new ones. Values are the same only if their JSON texts
are: 1 is not 1.0, and the order of keys counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...schema.values import Json, JsonObject
from .jsontext import dump_json

KEEP, ADD, CHANGE = "keep", "add", "change"
_WORTH = 40
"""So many characters a change has to save: one that saves less is harder to read for nothing."""
_LAST = 4
"""So many of the last ones are looked at, whatever they say."""


@dataclass(slots=True)
class _Body:
    """One request: the text of every key's value, and of a list the digests of its beginnings, shortest first."""

    number: int
    value: JsonObject
    texts: dict[str, str]
    beginnings: dict[str, list[bytes]]


class Deltas:
    """Takes the JSON of a file's requests, or responses, in their order; gives each as a change of an earlier one if shorter."""

    def __init__(self) -> None:
        self._bodies: dict[int, _Body] = {}
        self._last_with: dict[tuple[str, bytes], int] = {}
        """Key and digest of a list's beginning -> the latest request that has it."""

    def add(self, number: int, value: Json) -> JsonObject | None:
        """``like``, ``json`` and what else is needed; None where `value` is better kept whole. `number` counts from 1."""
        if not isinstance(value, dict):
            return None
        texts = {key: dump_json(item, "") for key, item in value.items()}
        lists = {key: list(_beginnings(item)) for key, item in value.items() if isinstance(item, list)}
        body = _Body(number, value, texts, lists)
        whole = len(dump_json(value, "")) - _WORTH
        best: tuple[int, JsonObject] | None = None
        for candidate in sorted(self._candidates(body), reverse=True):  # of equally good ones the latest
            delta = _delta(body, self._bodies[candidate])
            if delta is not None and (size := len(dump_json(delta, ""))) < (best[0] if best else whole):
                best = size, delta
        self._bodies[number] = body
        self._last_with.update({(key, digest): number for key, digests in lists.items() for digest in digests})
        return best[1] if best else None

    def _candidates(self, body: _Body) -> set[int]:
        """The last ones, and for each list the latest one that shares its longest beginning."""
        found = set(list(self._bodies)[-_LAST:])
        for key, digests in body.beginnings.items():
            known = next((d for d in reversed(digests) if (key, d) in self._last_with), None)
            if known is not None:
                found.add(self._last_with[key, known])
        return found


def _beginnings(items: Sequence[Json]) -> Iterator[bytes]:
    digest = hashlib.sha256()
    for item in items:
        text = dump_json(item, "").encode()
        digest.update(b"%d " % len(text) + text)
        yield digest.digest()


def _delta(body: _Body, base: _Body) -> JsonObject | None:
    change: JsonObject = {}
    for key, item in body.value.items():
        if body.texts[key] == base.texts.get(key):
            continue
        before = base.value.get(key)
        if _is_change(item, before):  # it would be read as one
            return None
        change[key] = item
        if isinstance(item, list) and isinstance(before, list):
            if keep := _shared(body.beginnings[key], base.beginnings[key]):
                change[key] = {KEEP: keep, ADD: item[keep:]}
        elif isinstance(item, dict) and isinstance(before, dict) and list(item) == list(before):
            differs = {name: inner for name, inner in item.items() if dump_json(inner, "") != dump_json(before[name], "")}
            if len(differs) < len(item):
                change[key] = {CHANGE: differs}
    delta: JsonObject = {"like": base.number}
    drop = [key for key in base.value if key not in body.value]
    if drop:
        delta["drop"] = drop
    if _order(base.value, drop, change) != list(body.value):
        delta["order"] = list(body.value)
    return {**delta, "json": change}


def _shared(ours: list[bytes], theirs: list[bytes]) -> int:
    return sum(a == b for a, b in zip(ours, theirs, strict=False))


def _is_change(value: Json, before: Json) -> bool:
    """Whether `value` stands for a change of `before`, and not for itself."""
    if not isinstance(value, dict):
        return False
    return (isinstance(before, list) and value.keys() == {KEEP, ADD}) or (isinstance(before, dict) and value.keys() == {CHANGE})


def _order(base: JsonObject, drop: Sequence[str], change: JsonObject) -> list[str]:
    return [*(key for key in base if key not in drop), *(key for key in change if key not in base)]


def whole(delta: JsonObject, base: Json) -> JsonObject:
    """The JSON that `delta` says; raises `ValueError` with the reason where it does not fit `base`."""
    number = delta["like"]
    if not isinstance(base, dict):
        raise ValueError(f"like: {number} is no mapping of JSON that another could be like")
    change = delta["json"]
    if not isinstance(change, dict):
        raise ValueError("like: json has to be a mapping of what differs")
    drop = delta.get("drop", [])
    for key in drop:
        if key not in base:
            raise ValueError(f"drop: {number} has no {key!r}")
    value = {key: _of_key(key, change, base, number) for key in _order(base, drop, change)}
    order = delta.get("order")
    if order is None:
        return value
    if sorted(order) != sorted(value):
        raise ValueError(f"order: expected the keys {', '.join(value)}, each once")
    return {key: value[key] for key in order}


def _of_key(key: str, change: JsonObject, base: JsonObject, number: int) -> Json:
    if key not in change:
        return base[key]
    item: Json = change[key]
    before: Json = base.get(key)
    if not _is_change(item, before):
        return item
    if isinstance(before, dict):
        differs = item[CHANGE]
        if not isinstance(differs, dict) or not differs.keys() <= before.keys():
            raise ValueError(f"{key}: change has to be a mapping of some of {', '.join(before)}, as {number} has them")
        return {**before, **differs}
    keep, add = item[KEEP], item[ADD]
    if not isinstance(add, list):
        raise ValueError(f"{key}: add is {dump_json(add, '')}, expected a list")
    if not isinstance(keep, int) or isinstance(keep, bool) or not 0 <= keep <= len(before):
        raise ValueError(f"{key}: keep is {dump_json(keep, '')}, {number} has {len(before)} of them")
    return [*before[:keep], *add]
