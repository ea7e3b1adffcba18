"""Reading a mapping of a policy file key by key: what has the wrong shape is noted at its place, and reading goes on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from ..errors import Mistake
from ..schema.document import Document, PathItem
from ..schema.sentences import sentence, shown
from ..schema.suggest import did_you_mean
from ..schema.values import Json, decimal, number
from .conditions import Attribute, Condition
from .parsing import parse
from .places import place_in
from .tokens import ConditionError

Place = tuple[PathItem, ...]
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")


class Notes:
    """The mistakes of one file."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.mistakes: list[Mistake] = []

    def wrong(self, place: Place, found: str, allowed: str = "", hint: str = "", *, value: bool = False) -> None:
        self.mistakes.append(self.document.mistake(place, found, allowed, hint, value=value))

    def line(self, place: Place) -> int:
        return self.document.position(place)[0]

    def inside(self, place: Place, at: int, found: str, allowed: str = "", hint: str = "") -> None:
        """A mistake at a character of the text at `place`."""
        line, col = place_in(self.document, place, at)
        self.mistakes.append(Mistake(file=self.document.file, line=line, col=col, found=found, allowed=allowed, hint=hint))

    def condition(self, place: Place, text: str) -> Condition | None:
        """The condition at `place`; each of its mistakes at its own character."""
        try:
            return parse(text)
        except ConditionError as error:
            for w in error.wrong:
                self.inside(place, w.at, f"{_name(place)}: {w.found}", w.allowed, w.hint)
            return None


class Keys:
    """One mapping of the file; unknown keys are noted at once."""

    def __init__(self, notes: Notes, place: Place, value: Json, known: Sequence[str], what: str = "") -> None:
        self.notes = notes
        self.place = place
        self.good = isinstance(value, dict)
        self.value: Mapping[str, Any] = value if isinstance(value, dict) else {}
        if not self.good:
            notes.wrong(place, f"{what or _name(place)}: {sentence('type', wanted='object', found=value)}", value=True)
        self.strays = [key for key in self.value if key not in known]
        """Unknown keys, which are told already."""
        for key in self.strays:
            notes.wrong((*place, key), f"unknown key {key!r}", f"expected one of {', '.join(known)}", did_you_mean(key, known))

    def __contains__(self, key: str) -> bool:
        return key in self.value

    def at(self, key: str, *more: PathItem) -> Place:
        return (*self.place, key, *more)

    def wrong(self, key: str, found: str, allowed: str = "", hint: str = "", *, value: bool = True) -> None:
        self.notes.wrong(self.at(key), f"{key}: {found}", allowed, hint, value=value)

    def _typed(self, key: str, kind: str, types: tuple[type, ...], hint: str = "") -> Any:
        """The value of `key` if it is one of `types`; None if it is not there or wrong."""
        if key not in self.value:
            return None
        found = self.value[key]
        if isinstance(found, types) and (bool in types or not isinstance(found, bool)):
            return found
        self.wrong(key, sentence("type", wanted=kind, found=found), "", hint)
        return None

    def text(self, key: str) -> str | None:
        found = self.value.get(key)
        hint = f"quote it: {str(found).lower()!r}" if isinstance(found, (bool, int, float)) else ""
        text: str | None = self._typed(key, "string", (str,), hint)
        if text is not None and not text.strip():
            self.wrong(key, "must not be empty")
            return None
        return text

    def flag(self, key: str) -> bool | None:
        flag: bool | None = self._typed(key, "boolean", (bool,))
        return flag

    def whole(self, key: str, low: int, high: int) -> int | None:
        found: int | None = self._typed(key, "integer", (int,))
        if found is not None and not low <= found <= high:
            self.wrong(key, f"must be {low} to {high}, found {found}")
            return None
        return found

    def amount(self, key: str) -> Decimal | None:
        """A number, or its digits in quotes."""
        found = self.value.get(key)
        if isinstance(found, str) and _NUMBER.fullmatch(found) and len(found) <= 100:
            return decimal(number(found))
        plain = self._typed(key, "number", (int, float, Decimal))
        return None if plain is None else decimal(plain)

    def word(self, key: str, known: Sequence[str]) -> str | None:
        found = self.text(key)
        if found is not None and found not in known:
            self.wrong(key, f"must be {' or '.join(known)}, found {shown(found)}", "", did_you_mean(found, known))
            return None
        return found

    def texts(self, key: str) -> tuple[str, ...] | None:
        """A list of texts."""
        found = self._typed(key, "array", (list,), f"write [{self.value.get(key)}]")
        if found is None:
            return None
        for index, item in enumerate(found):
            if not isinstance(item, str) or not item.strip():
                message = sentence("type", wanted="string", found=item)
                self.notes.wrong(self.at(key, index), f"{key}[{index}]: {message}", value=True)
        return tuple(item for item in found if isinstance(item, str))

    def mapping(self, key: str) -> dict[str, Json] | None:
        found: dict[str, Json] | None = self._typed(key, "object", (dict,))
        return found

    def entries(self, key: str) -> list[Json]:
        found: list[Json] | None = self._typed(key, "array", (list,))
        return found or []

    def condition(self, key: str) -> Condition | None:
        found = self.value.get(key)
        if isinstance(found, bool):
            self.wrong(
                key, f"must be a condition in quotes, found {shown(found)}", "", "leave it out for a rule that always applies"
            )
            return None
        text = self.text(key)
        return None if text is None else self.notes.condition(self.at(key), text)

    def attribute(self, key: str) -> Attribute | None:
        """An attribute's name, by the rules of the condition language."""
        text = self.text(key)
        if text is None:
            return None
        return attribute(self.notes, self.at(key), text)


def attribute(notes: Notes, place: Place, text: str) -> Attribute | None:
    """The attribute that a text names."""
    try:
        found = parse(f"exists({text})")
        named = found.attributes[0]
        if found.text == f"exists({named.name})":
            return named
        wrong = ""
    except ConditionError as error:
        wrong = error.wrong[0].found
    notes.wrong(place, f"{_name(place)}: {shown(text)} names no attribute" + (f": {wrong}" if wrong else ""), value=True)
    return None


def _name(place: Place) -> str:
    return next((str(part) for part in reversed(place) if isinstance(part, str)), "the file")
