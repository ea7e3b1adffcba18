"""Strict YAML: JSON's values in YAML's clothes. The only module that imports yaml.

Only ``null``, ``true``, ``false`` and JSON numbers mean something when they stand plain; ``NO``, ``yes``, dates, ``0123``,
``1_000`` and ``.inf`` are texts. Duplicate keys, anchors, aliases, tags, directives and a second document are mistakes.

Values are built from parser events and not from yaml's node graph, which costs more than linear time on large files.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ..errors import AgentOpsError, CaseFileError, Mistake
from .values import Json, number

MAX_DEPTH = 100
"""Deeper nesting is a mistake: no case needs it, and later stages walk values recursively."""

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_NUMBER_START = frozenset("-0123456789")
_WORDS: dict[str, Json] = {"null": None, "true": True, "false": False, "": None}
_MAX_DIGITS = 1000
"""More digits, or an exponent beyond it, is a mistake: 1e999999999 would fill the memory as soon as somebody compares it."""
_KEPT_LEVELS = 4
"""Places are kept for the levels down to ``cases[0].expect.calls``; deeper ones cost memory and are found in a second pass."""
_DEEPER = 2
"""So many levels more below keys that the reader was asked to know better."""
_COLUMNS = 1 << 20
"""Places are kept as line * _COLUMNS + column, one int each."""

PathItem = str | int


@dataclass(slots=True)
class Document:
    """What a file says, and where it says it. `value` is not to be changed while places are still asked for."""

    value: Json
    file: str
    text: str = field(repr=False)
    places: dict[int, list[int]] = field(repr=False)
    """id of a mapping or list of the upper levels of `value` -> the places of its keys or items, in order."""
    root: int = 0
    _all: dict[tuple[PathItem, ...], tuple[int, int]] | None = field(default=None, repr=False)

    def position(self, path: Sequence[PathItem]) -> tuple[int, int]:
        """Line and column (from 1) of the key or list item at `path`; where there is none, of its nearest parent."""
        node, place = self.value, self.root
        for item in path:
            index = _index(node, item)
            if index is None:
                break
            if id(node) not in self.places:
                return _unpack(self._nearest(path)[0])
            place = self.places[id(node)][index]
            node = node[item]
        return _unpack(place)

    key_position = position

    def value_position(self, path: Sequence[PathItem]) -> tuple[int, int]:
        """Like `position`, but of the value that stands after a key."""
        return _unpack(self._nearest(path)[1])

    def _nearest(self, path: Sequence[PathItem]) -> tuple[int, int]:
        """From a second pass over the text, which only a message about a mistake needs."""
        if self._all is None:
            self._all = _all_places(self.text)
        trail = tuple(path)
        while trail not in self._all and trail:
            trail = trail[:-1]
        return self._all.get(trail, (self.root, self.root))

    def lines(self, path: Sequence[PathItem]) -> dict[str, int]:
        """Key to its line (from 1), for the mapping at `path`; empty if there is none."""
        node = self.value
        for item in path:
            if _index(node, item) is None:
                return {}
            node = node[item]
        if not isinstance(node, dict):
            return {}
        if id(node) not in self.places:
            return {key: self.position((*path, key))[0] for key in node}
        return {key: place // _COLUMNS + 1 for key, place in zip(node, self.places[id(node)], strict=True)}

    def mistake(self, path: Sequence[PathItem], found: str, allowed: str = "", hint: str = "", *, value: bool = False) -> Mistake:
        """A mistake at `path`: at its key, or with `value` at what stands there."""
        line, col = self.value_position(path) if value else self.position(path)
        return Mistake(file=self.file, line=line, col=col, found=found, allowed=allowed, hint=hint)


def _index(node: Json, item: PathItem) -> int | None:
    if isinstance(node, dict):
        if item not in node:
            return None
        return next(i for i, key in enumerate(node) if key == item)
    if isinstance(node, list) and isinstance(item, int) and 0 <= item < len(node):
        return item
    return None


def _unpack(place: int) -> tuple[int, int]:
    return place // _COLUMNS + 1, place % _COLUMNS + 1


def write(value: Json) -> str:
    """YAML that `read` gives back as `value`: block style, key order kept, ``|`` for many lines, no aliases, no folding."""
    from . import yaml_text

    return yaml_text.write(value)


def read(text: str, *, file: str, deep: Collection[str] = ()) -> Document:
    """The value of one strict YAML document (None if empty); raises `CaseFileError` with every mistake the parser got to.

    `deep` are keys below which places are at hand for some levels more.
    """
    with no_gc():
        reader = _Reader(file, text.removeprefix("\ufeff"), deep)
        document = reader.run()
    if reader.mistakes:
        raise CaseFileError(reader.mistakes)
    return document


@contextmanager
def no_gc() -> Iterator[None]:
    """No cyclic collection while many containers come to life that all stay: it would visit them over and over."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class _Reader:
    """Builds the value from events, and goes on after a mistake wherever the parser can."""

    def __init__(self, file: str, text: str, deep: Collection[str] = ()) -> None:
        import yaml

        self.file = file
        self.text = text
        self.mistakes: list[Mistake] = []
        self.plain: dict[str, Json] = dict(_WORDS)
        """Plain scalars that were met already: equal ones are one object, which saves time and memory."""
        self.keys: dict[str, str] = {}
        self.places: dict[int, list[int]] = {}
        self.depth = 0
        self.deep = deep
        self.kept_levels = _KEPT_LEVELS
        self.syntax_errors = (yaml.MarkedYAMLError, yaml.reader.ReaderError, UnicodeEncodeError)
        loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            self.get: Callable[[], Any] = loader(text).get_event
        except self.syntax_errors as error:
            self.get = _raiser(error)
        self.Scalar, self.Mapping, self.Sequence = yaml.ScalarEvent, yaml.MappingStartEvent, yaml.SequenceStartEvent
        self.MappingEnd, self.SequenceEnd = yaml.MappingEndEvent, yaml.SequenceEndEvent
        self.Start, self.End, self.Alias = yaml.DocumentStartEvent, yaml.StreamEndEvent, yaml.AliasEvent

    def run(self) -> Document:
        from . import yaml_errors

        value: Json = None
        root = 0
        documents = 0
        try:
            while (event := self.get()).__class__ is not self.End:
                kind = event.__class__
                if event is None:  # its C part still makes events of the first import's classes: nothing would ever match
                    raise AgentOpsError("yaml was imported twice in this process (something removed it from sys.modules)")
                if kind is self.Start:
                    documents += 1
                    if documents > 1:
                        self.wrong(event, "a second document (---)", "one document a file")
                        break
                    if event.version or event.tags:
                        self.wrong(event, "a % directive", "plain YAML without directives")
                elif kind in (self.Scalar, self.Mapping, self.Sequence, self.Alias):
                    root = _place(event)
                    value = self.value(event)
        except self.syntax_errors as error:
            self.mistakes.append(yaml_errors.explain(self.file, self.text, error))
        except _TooDeep as error:
            self.wrong(error.event, f"nested deeper than {MAX_DEPTH} levels")
        return Document(value, self.file, self.text, self.places, root)

    def wrong(self, event: Any, found: str, allowed: str = "", hint: str = "") -> None:
        line, col = _unpack(_place(event))
        self.mistakes.append(Mistake(file=self.file, line=line, col=col, found=found, allowed=allowed, hint=hint))

    def value(self, event: Any) -> Json:
        kind = event.__class__
        if kind is self.Alias:
            self.wrong(event, f"an alias (*{event.anchor})", "anchors and aliases are not allowed", "write the value out")
            return None
        if event.tag is not None or event.anchor is not None:
            self._decorated(event)
        if kind is self.Scalar:
            return self.scalar(event) if event.implicit[0] else event.value
        if self.depth == MAX_DEPTH:
            raise _TooDeep(event)
        self.depth += 1
        result: Json = self.mapping() if kind is self.Mapping else self.sequence()
        self.depth -= 1
        return result

    def mapping(self) -> Json:
        """The rest of a mapping, up to its end event."""
        get, plain, keys, scalar, end = self.get, self.plain, self.keys, self.Scalar, self.MappingEnd
        result: dict[str, Json] = {}
        places: list[int] = []
        while True:
            event = get()
            if event.__class__ is end:
                break
            key = event.value if event.__class__ is scalar else None
            if key is None or event.tag is not None or event.anchor is not None:
                key = self._odd_key(event)
            elif key in result:
                self.wrong(event, f"duplicate key {key!r}", f"it stands on line {_line_of(result, places, key)} already")
                key = f"{key} (again, line {event.start_mark.line + 1})"
            key = keys.setdefault(key, key)
            mark = event.start_mark
            places.append(mark.line * _COLUMNS + mark.column)
            event = get()
            if event.__class__ is scalar and event.tag is None and event.anchor is None:
                text = event.value
                if not event.implicit[0]:
                    result[key] = text
                elif text in plain:
                    result[key] = plain[text]
                else:
                    result[key] = self.scalar(event)
            elif key in self.deep:
                self.kept_levels += _DEEPER
                result[key] = self.value(event)
                self.kept_levels -= _DEEPER
            else:
                result[key] = self.value(event)
        if self.depth <= self.kept_levels:
            self.places[id(result)] = places
        return result

    def sequence(self) -> Json:
        """The rest of a list, up to its end event."""
        get, end = self.get, self.SequenceEnd
        result: list[Json] = []
        places: list[int] = []
        while (event := get()).__class__ is not end:
            places.append(_place(event))
            result.append(self.value(event))
        if self.depth <= self.kept_levels:
            self.places[id(result)] = places
        return result

    def scalar(self, event: Any) -> Json:
        """What a plain scalar says."""
        text: str = event.value
        if text in self.plain:
            return self.plain[text]
        value: Json = text
        if text[0] in _NUMBER_START and _NUMBER.fullmatch(text):
            if len(text) > _MAX_DIGITS or abs(int(re.split("[eE]", text)[1] if "e" in text.lower() else 0)) > _MAX_DIGITS:
                self.wrong(event, f"the number {text[:20]}... is out of all proportion", "", "quote it if it is a text")
            else:
                value = number(text)
        self.plain[text] = value
        return value

    def _decorated(self, event: Any) -> None:
        if event.anchor is not None:
            self.wrong(event, f"an anchor (&{event.anchor})", "anchors and aliases are not allowed", "write the value out")
        if event.tag is not None:
            self.wrong(event, f"a tag ({event.tag})", "tags are not allowed", "quote the value if the ! belongs to the text")

    def _odd_key(self, event: Any) -> str:
        """A key that is no plain text: a mistake, but its value is read too."""
        if event.__class__ is self.Scalar:
            self._decorated(event)
            return str(event.value)
        if event.__class__ is self.Alias:
            self.value(event)
        else:
            self.wrong(event, "a mapping or list as a key", "a key is a text", "quote it if it is meant as text")
            before = len(self.mistakes)
            self.value(event)
            del self.mistakes[before:]
        return f"(key on line {event.start_mark.line + 1})"


class _TooDeep(Exception):
    def __init__(self, event: Any) -> None:
        self.event = event


def _raiser(error: Exception) -> Callable[[], Any]:
    """For a parser that refuses the text before its first event."""

    def get() -> Any:
        raise error

    return get


def _place(event: Any) -> int:
    mark = event.start_mark
    return int(mark.line * _COLUMNS + mark.column)


def _line_of(mapping: dict[str, Json], places: list[int], key: str) -> int:
    return next(place for name, place in zip(mapping, places, strict=True) if name == key) // _COLUMNS + 1


def _all_places(text: str) -> dict[tuple[PathItem, ...], tuple[int, int]]:
    """Path to the places of its key (or list item) and of its value; the text is known to parse."""
    reader = _Reader("", text)
    places: dict[tuple[PathItem, ...], tuple[int, int]] = {}

    def walk(path: tuple[PathItem, ...], key: int | None, event: Any) -> None:
        here = _place(event)
        places[path] = (here if key is None else key, here)
        if event.__class__ is reader.Mapping:
            while (name := reader.get()).__class__ is not reader.MappingEnd:
                walk((*path, name.value), _place(name), reader.get())
        elif event.__class__ is reader.Sequence:
            index = 0
            while (item := reader.get()).__class__ is not reader.SequenceEnd:
                walk((*path, index), None, item)
                index += 1

    while (event := reader.get()).__class__ is not reader.End:
        if event.__class__ in (reader.Scalar, reader.Mapping, reader.Sequence):
            walk((), None, event)
    return places
