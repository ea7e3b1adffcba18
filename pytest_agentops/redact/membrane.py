"""The two-way membrane at the tool boundary.

On the way in (results, and whatever the agent says) each secret becomes a placeholder, ``<<secret:OPENAI_API_KEY>>`` or
``<<card_number:1>>``: stable within a trial, so that equal values stay equal. A number and the text that writes it are one
secret; where both stand alone, the one that came later says its kind (``<<card_number:1.text>>``). On the way out, to a live
tool, the placeholders that this trial made become the real values again. The table between them lives in memory only.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from functools import lru_cache

from ..schema import paths
from ..schema.values import Json, dumps, written
from .secrets import MIN_LENGTH, PATTERNS, Pattern, from_environment, spellings

PLACEHOLDER = re.compile(r"<<([A-Za-z][A-Za-z0-9_.-]*):([^<>\s]+)>>")
_RESERVED_KINDS = ("uuid",)
"""Kinds that the tape makes itself."""


class Membrane:
    """The placeholders of one trial; safe to use from threads."""

    def __init__(
        self,
        env: Mapping[str, str],
        patterns: Sequence[Pattern] = PATTERNS,
        *,
        known: Mapping[str, str] | None = None,
    ) -> None:
        """`known` is what `from_environment(env)` gave, where the environment is the same still."""
        self._patterns = tuple(patterns)
        self._env = from_environment(env) if known is None else dict(known)
        self._lock = threading.RLock()
        self._real: dict[str, Json] = {}
        """Placeholder -> the value behind it."""
        self._by_value: dict[str, str] = {}
        """A value as it is written -> its placeholder."""
        self._taken: set[str] = set()
        """Placeholders that came from outside: their numbers are not given to other values."""
        self._counts: dict[str, int] = {}
        self._known: re.Pattern[str] | None = _either_again(tuple(self._env))
        """Whole secrets that are looked for inside of texts: the environment's, and fields that were seen."""
        self._fields: dict[str, str] = {}
        """Text of a field's value, long enough to be looked for elsewhere -> its kind."""
        self._hint = _either_again(tuple(hint for pattern in self._patterns for hint in pattern.hints))

    def hide(self, value: Json, keys: Sequence[str] = (), *, passthrough: Sequence[str] = ()) -> Json:
        """A copy of `value` on the placeholder side.

        `keys` are exact keys (at any depth) or JSON paths whose values are secrets. What `passthrough` names stays as it is.
        """
        if not keys and not passthrough:
            try:
                with self._lock:
                    return self._copied(value)
            except _Found:
                pass  # the long way replaces it
        names, whole_paths = _names(tuple(keys))
        if names and not passthrough and not whole_paths and not _has_key(value, names):
            return self.hide(value)
        hiding = _hiding(self, value, keys, passthrough)
        with self._lock:
            self._reserve(value)
            hiding.learn(value, ())
            return hiding.walk(value, ())

    def hide_again(self, said: Sequence[tuple[Json, Sequence[str]]]) -> list[Json]:
        """What a recording says, each value with its secret keys, without what stands there in clear.

        The run that is replayed makes the recording's placeholders anew: their numbers stay free for it, and new ones are
        others. It knows these secrets from its start, so that they are hidden before the call that shows them, too.
        """
        with self._lock:
            taken, counts = set(self._taken), dict(self._counts)
            for value, _ in said:
                self._reserve(value)
            for value, keys in said:
                _hiding(self, value, keys).learn(value, ())
            hidden = [self.hide(value, keys) for value, keys in said]
            self._taken, self._counts = taken, counts
        return hidden

    def reveal(self, value: Json) -> Json:
        """A copy of `value` with the real values; a text that is one whole placeholder gets the type of what it stands for."""
        if isinstance(value, str):
            return self._revealed(value) if "<<" in value else value
        if isinstance(value, dict):
            return {str(self.reveal(k)): self.reveal(v) for k, v in value.items()}
        return [self.reveal(v) for v in value] if isinstance(value, list) else value

    def scan(self, data: bytes) -> list[str]:
        """The kinds of secrets in bytes that are about to be kept, never the secrets; empty if it is clean."""
        text = data.decode("utf-8", "replace")
        kinds: set[str] = set()
        if self._hint is not None and self._hint.search(text) is not None:
            kinds = {pattern.kind for pattern in self._patterns if any(True for _ in pattern.spans(text))}
        kinds.update(f"secret:{self._env[value]}" for value in _spelled_again(tuple(self._env)).in_text(text))
        if self._fields:
            with self._lock:
                fields = dict(self._fields)
            kinds.update(fields[value] for value in _Spelled(tuple(fields)).in_text(text))
        return sorted(kinds)

    # ---- below: with the lock held, but for _revealed

    def _revealed(self, text: str) -> Json:
        with self._lock:
            if text in self._real:
                return self._real[text]
            return PLACEHOLDER.sub(lambda found: _written(self._real.get(found[0], found[0])), text)

    def _copied(self, value: Json) -> Json:
        """A copy of a value that holds no secret; raises `_Found` at the first one. Most values by far hold none."""
        if isinstance(value, str):
            if not value.isascii():
                value = written(value).decode()  # an error of the agent's may hold half a surrogate pair, and no report could
            if "<<" in value:
                self._reserve(value)
            if (self._known is not None and self._known.search(value)) or (self._hint is not None and self._hint.search(value)):
                raise _Found
            return value
        if value is None:
            return None
        if isinstance(value, dict):
            return {self._copied(key): self._copied(inner) for key, inner in value.items()}
        return [self._copied(inner) for inner in value] if isinstance(value, list) else value

    def _reserve(self, value: Json) -> None:
        """Placeholders in passing values keep their numbers."""
        if isinstance(value, str):
            if "<<" in value:
                each = (f"<<{found[1]}:{found[2].partition('.')[0]}>>" for found in PLACEHOLDER.finditer(value))
                self._taken.update(one for one in each if one not in self._real)
        elif isinstance(value, dict):
            for key, inner in value.items():
                self._reserve(key)
                self._reserve(inner)
        elif isinstance(value, list):
            for inner in value:
                self._reserve(inner)

    def text(self, text: str) -> str:
        """A text without the secrets in it."""
        text = text if text.isascii() else written(text).decode()
        if self._known is not None:
            whole = text
            text = self._known.sub(lambda found: self._known_one(found[0], alone=found[0] == whole), text)
        if self._hint is None or self._hint.search(text) is None:
            return text
        for pattern in self._patterns:
            done = 0
            parts: list[str] = []
            for start, end in pattern.spans(text):
                parts += (text[done:start], self.placeholder(pattern.kind, text[start:end]))
                done = end
            text = "".join(parts) + text[done:] if parts else text
        return text

    def _known_one(self, value: str, *, alone: bool = True) -> str:
        if value in self._fields:
            return self.placeholder(self._fields[value], value, alone=alone)
        name = self._env[value]
        placeholder = f"<<secret:{name}>>"
        self._real.setdefault(placeholder, value)
        return placeholder

    def field(self, kind: str, value: Json) -> Json:
        """The placeholder of a value that is secret by its key; null says nothing and stays."""
        if value is None or value == "":
            return value
        if isinstance(value, str):
            if PLACEHOLDER.fullmatch(value):
                return value
            if value in self._env:
                return self._known_one(value)
        placeholder = self.placeholder(kind, value)
        text = _written(value)
        if len(text) >= MIN_LENGTH and not isinstance(value, bool) and text not in self._fields:
            self._fields[text] = kind
            self._known = _either((*self._env, *self._fields))
        return placeholder

    def placeholder(self, kind: str, value: Json, *, alone: bool = True) -> str:
        """The value's placeholder: the one it has, or the next free number.

        With its JSON kind, where it stands `alone` and a value of another kind had it first.
        """
        key = _written(value)
        found = self._by_value.get(key)
        if found is not None:
            return self._of_kind(found, value) if alone else found
        number = self._counts.get(kind, 0) + 1
        while (made := f"<<{kind}:{number}>>") in self._taken or made in self._real:
            number += 1
        self._counts[kind] = number
        self._by_value[key] = made
        self._real[made] = value
        return made

    def _of_kind(self, placeholder: str, value: Json) -> str:
        """The placeholder that gives back this value in its own kind."""
        kind = _json_kind(value)
        if _json_kind(self._real[placeholder]) != kind:
            placeholder = f"{placeholder[:-2]}.{kind}>>"
            self._real.setdefault(placeholder, value)
        return placeholder


def _written(value: Json) -> str:
    return value if isinstance(value, str) else dumps(value)


def _json_kind(value: Json) -> str:
    return "text" if isinstance(value, str) else "boolean" if isinstance(value, bool) else "number"


class _Found(Exception):
    """A value holds a secret."""


class _Hiding:
    """One pass of `Membrane.hide` over a value."""

    def __init__(
        self,
        membrane: Membrane,
        names: frozenset[str],
        places: frozenset[paths.Concrete],
        clear_names: frozenset[str],
        clear: frozenset[paths.Concrete],
    ) -> None:
        self.membrane = membrane
        self.names = names
        self.places = places
        self.clear_names = clear_names
        self.clear = clear
        self.plain = not (names or places or clear_names or clear)
        """No place is special: the walk need not know where it is."""

    def learn(self, value: Json, here: paths.Concrete) -> None:
        """Give the secret fields their placeholders first, so that texts that repeat them lose them too."""
        if not (self.names or self.places):
            return
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, inner in items:
            place = (*here, key)
            if key in self.names or place in self.places:
                self.secret(_kind(place), inner)
            else:
                self.learn(inner, place)

    def walk(self, value: Json, here: paths.Concrete) -> Json:
        if isinstance(value, str):
            return self.membrane.text(value)
        if isinstance(value, dict):
            return {self.membrane.text(k): self.item(k, v, here) for k, v in value.items()}
        return [self.item(i, v, here) for i, v in enumerate(value)] if isinstance(value, list) else value

    def item(self, key: str | int, value: Json, here: paths.Concrete) -> Json:
        if self.plain:
            return self.walk(value, here)
        place = (*here, key)
        if place in self.clear or key in self.clear_names:
            return value
        if place in self.places or key in self.names:
            return self.secret(_kind(place), value)
        return self.walk(value, place)

    def secret(self, kind: str, value: Json) -> Json:
        """Every value below a secret key is secret."""
        if isinstance(value, dict):
            return {k: self.secret(_kind((kind, k)), v) for k, v in value.items()}
        if isinstance(value, list):
            return [self.secret(kind, v) for v in value]
        return self.membrane.field(kind, value)


def _hiding(membrane: Membrane, value: Json, keys: Sequence[str], passthrough: Sequence[str] = ()) -> _Hiding:
    names, whole_paths = _names(tuple(keys))
    clear_names = frozenset(key for key in passthrough if not paths.is_path(key))
    return _Hiding(membrane, names, _places(value, whole_paths), clear_names, _places(value, passthrough))


@lru_cache(maxsize=256)
def _names(keys: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Keys at any depth, and JSON paths."""
    return frozenset(key for key in keys if not paths.is_path(key)), tuple(key for key in keys if paths.is_path(key))


def _has_key(value: Json, names: frozenset[str]) -> bool:
    """Whether one of these keys stands anywhere in the value."""
    if isinstance(value, dict):
        return not names.isdisjoint(value) or any(_has_key(inner, names) for inner in value.values())
    return isinstance(value, list) and any(_has_key(inner, names) for inner in value)


def _places(value: Json, keys: Sequence[str]) -> frozenset[paths.Concrete]:
    return frozenset(place for key in keys if paths.is_path(key) for place, _ in paths.parse(key).find(value))


def _kind(place: paths.Concrete) -> str:
    """The placeholder's kind: the nearest key's name."""
    name = next((step for step in reversed(place) if isinstance(step, str)), "secret")
    kind = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")
    return kind if kind[:1].isalpha() and kind not in _RESERVED_KINDS else "secret"


class _Spelled:
    """Values in every way in which a file may write them."""

    def __init__(self, values: tuple[str, ...]) -> None:
        self.ways = [(way, value) for value in values for way in dict.fromkeys(spellings(value)) if way]

    def in_text(self, text: str) -> list[str]:
        return [value for way, value in self.ways if way in text]


_spelled_again = lru_cache(maxsize=64)(_Spelled)


def _either(texts: tuple[str, ...]) -> re.Pattern[str] | None:
    """Any of these texts, the longest first."""
    ordered = sorted(texts, key=lambda text: (-len(text), text))
    return re.compile("|".join(map(re.escape, ordered))) if ordered else None


_either_again = lru_cache(maxsize=64)(_either)
"""For what is the same in every trial: the environment's secrets and the patterns' hints."""
