"""What a text must hold: shared by `output` (one value) and `said` (any of several)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..schema import operators
from ..schema.case import TextExpect
from ..schema.unset import UNSET
from ..schema.values import Json, JsonObject, canonical, loads

_SHOWN = 400


@dataclass(frozen=True, slots=True)
class Texts:
    """The values to look at, with the noun for them: one reply, or every message to the user."""

    values: Sequence[Json]
    noun: str
    """``the output`` or ``the messages to the user``."""

    def texts(self) -> list[str]:
        """Each as text: a JSON value in its canonical form; nothing at all is no text."""
        return [v if isinstance(v, str) else canonical(v) for v in self.present()]

    def present(self) -> list[Json]:
        """Without null, which is how an agent gives no reply; only who asks for null means it."""
        return [v for v in self.values if v is not None]


def failures(wanted: TextExpect, found: Texts) -> list[str]:
    """A sentence for each key that does not hold; empty if all hold. With several texts each key may hold in another one."""
    out = [f"{why}\n{_excerpt(found)}" for why in _words(wanted, found.texts(), found.noun)]
    if wanted.equals is not UNSET:
        out += _equals(wanted.equals, found)
    if wanted.json_schema is not None:
        out += _json_schema(wanted.json_schema, found)
    if wanted.any is not None:
        out += _alternatives(wanted.any, found)
    return out


def _words(wanted: TextExpect, texts: list[str], noun: str) -> Iterator[str]:
    for word in _each(wanted.contains):
        if not any(word in text for text in texts):
            yield f"contains: {operators.show(word)} is not in {noun}{_near(word, texts)}"
    for word in _each(wanted.icontains):
        if not any(word.casefold() in text.casefold() for text in texts):
            yield f"icontains: {operators.show(word)} is not in {noun}, in any letter case{_near(word, texts)}"
    for word in _each(wanted.not_contains):
        for text in texts:
            if word in text:
                yield f"not_contains: {operators.show(word)} is in {noun}: {_around(text, text.index(word), len(word))}"
                break
    for pattern in _each(wanted.matches):
        if not any(re.search(pattern, text) for text in texts):
            yield f"matches: no match of {pattern!r} in {noun}{_near_pattern(pattern, texts)}"


def _each(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return () if value is None else (value,) if isinstance(value, str) else tuple(value)


def _equals(wanted: Json, found: Texts) -> list[str]:
    best: list[operators.Difference] | None = None
    null = wanted is None or wanted == {"$eq": None}
    for value in found.values if null else found.present():
        differences = operators.compare(
            wanted, _as_json(value) if isinstance(wanted, (dict, list, tuple)) else value, mode="exact"
        )
        if not differences:
            return []
        best = differences if best is None or len(differences) < len(best) else best
    if best is None:
        return [f"equals: wanted {operators.show(wanted)}, there is nothing: {found.noun} {_empty(found)}"]
    return ["equals:" + "".join(f"\n  {d}" for d in best[:8]) if len(best) > 1 or best[0].place else f"equals: {best[0]}"]


def _as_json(value: Json) -> Json:
    """A model's JSON often comes as text; a mapping or list in it is meant as such."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return loads(value)
        except ValueError:
            return value
    return value


def _json_schema(schema: JsonObject, found: Texts) -> list[str]:
    from ..schema.validate import violations

    best: list[str] | None = None
    for value in found.present():
        forms = [value] if _as_json(value) is value else [value, _as_json(value)]
        for form in forms:
            wrong = [str(v) for v in violations(schema, form)]
            if not wrong:
                return []
            best = wrong  # of the parsed form where there is one: it says more
    if best is None:
        return [f"json_schema: there is nothing to look at: {found.noun} {_empty(found)}"]
    return ["json_schema: " + "\n  ".join([f"{found.noun} {_do(found)} not fit", *best[:8]])]


def _alternatives(wanted: Sequence[TextExpect], found: Texts) -> list[str]:
    reasons: list[str] = []
    for i, alternative in enumerate(wanted):
        wrong = failures(alternative, found)
        if not wrong:
            return []
        reasons += [f"  any[{i}]: {why.splitlines()[0]}" for why in wrong]
    return ["\n".join(["any: none of the alternatives holds", *reasons, _excerpt(found)])]


# --- what a person needs to see


def _do(found: Texts) -> str:
    return "does" if found.noun == "the output" else "do"


def _empty(found: Texts) -> str:
    return "is empty" if found.noun == "the output" else "are none"


def _excerpt(found: Texts) -> str:
    texts = found.texts()
    if not texts:
        return f"  {found.noun} {_empty(found)}"
    lines = [f"  {found.noun}: {_cut(texts[0])}"] if len(texts) == 1 else [f"  {found.noun}:"]
    if len(texts) > 1:
        lines += [f"    {_cut(text, _SHOWN // 2)}" for text in texts[-6:]]
        lines += [f"    (the last 6 of {len(texts)})"] if len(texts) > 6 else []
    return "\n".join(lines)


def _cut(text: str, most: int = _SHOWN) -> str:
    shown = operators.show(text, limit=10 * most)
    return shown if len(shown) <= most else f'{shown[: most - 3]}..." ({len(text)} characters)'


def _around(text: str, at: int, length: int) -> str:
    start, end = max(0, at - 30), min(len(text), at + length + 30)
    return operators.show(("..." if start else "") + text[start:end] + ("..." if end < len(text) else ""))


def _near(word: str, texts: Sequence[str]) -> str:
    """The closest thing that is there: another letter case, other blanks, or similar words."""
    for text in texts:
        at = text.casefold().find(word.casefold())
        if at >= 0 and word not in text:
            return f"; close: {operators.show(text[at : at + len(word)])} (another letter case; icontains ignores it)"
    blanks = re.compile(r"\s+".join(re.escape(part) for part in word.split()) or r"(?!)")
    for text in texts:
        if found := blanks.search(text):
            return f"; close: {operators.show(found.group())} (other blanks)"
    return _similar(word, texts)


def _similar(word: str, texts: Sequence[str]) -> str:
    import difflib

    length = len(word.split())
    if not 0 < length <= 12:
        return ""
    windows: dict[str, None] = {}
    for text in texts[-20:]:
        words = text[:5000].split()
        for size in {length, length + 1}:
            windows |= dict.fromkeys(" ".join(words[i : i + size]).strip(".,;:!?\"'") for i in range(len(words) - size + 1))
    close = difflib.get_close_matches(word, list(windows)[:2000], n=1, cutoff=0.75)
    return f"; close: {operators.show(close[0])}" if close else ""


def _near_pattern(pattern: str, texts: Sequence[str]) -> str:
    for text in texts:
        try:
            found = re.search(pattern, text, re.IGNORECASE)
        except re.error:
            return ""
        if found:
            return f"; close: {operators.show(found.group())} (another letter case; (?i) ignores it)"
    return ""
