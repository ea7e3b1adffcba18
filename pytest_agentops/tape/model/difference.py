"""What differs between a recorded request and one of this run: of the conversation first, then of the options."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ...schema import paths
from ...schema.values import Json, JsonObject, dumps, same
from ..wording import NOTHING, VALUE, WIDTH, at, cut, plain
from .conversation import Conversation, Message, read
from .exchange import Request
from .match import normalised

_BLOCK = 3
_AROUND = 30
_TEXT = WIDTH - 14
_BY_THE_CLOCK = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"  # a date, a time
    r"|\b\d\d:\d\d(?::\d\d)?\b|\b\d{10,19}\b"
    r"|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|\b[0-9a-f]{16,}\b",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Difference:
    """One place that differs."""

    where: str
    """``message 2 of 5 (user)``, ``temperature``, ``tool orders.get``."""
    what: str = ""
    """``recorded 0   now 0.7``."""
    lines: list[str] = field(default_factory=list)
    """A short diff, for texts."""
    role: str = ""
    """Of a message."""
    is_new: bool = False
    """Whether the recorded conversation ends here, or goes on without it."""
    by_the_clock: bool = False
    """Whether only dates, times and random ids differ."""


def differences(old: Request, new: Request) -> list[Difference]:
    """Every place that differs, the first differing message first; empty only where the match keys are equal."""
    before, after = read(old), read(new)
    out = [*_places(old, new)]
    if before is not None and after is not None:
        out = [*_messages(before.messages, after.messages), *out, *_options(before, after)]
    return out or _bodies(old, new)


def distance(old: Request, before: Conversation | None, new: Request, after: Conversation | None) -> tuple[int, int, int]:
    """How far two requests are apart: messages that differ, how many more or fewer there are, then everything else."""
    places = (old.path != new.path) + (old.query != new.query)
    if before is None or after is None:
        return 0, 0, places + (old.body != new.body)
    others = sum(not same(before.options.get(k), after.options.get(k)) for k in before.options.keys() | after.options.keys())
    tools = sum(not same(before.tools.get(k), after.tools.get(k)) for k in before.tools.keys() | after.tools.keys())
    longer = abs(len(before.messages) - len(after.messages))
    return _apart(before.messages, after.messages), longer, places + others + tools


def _apart(old: Sequence[Message], new: Sequence[Message]) -> int:
    return max(len(old), len(new)) - (Counter(old) & Counter(new)).total()


def shared(before: Conversation | None, after: Conversation | None) -> bool:
    """Whether two requests have a message in common."""
    return before is not None and after is not None and not set(before.messages).isdisjoint(after.messages)


# ---- the conversation


def _messages(old: Sequence[Message], new: Sequence[Message]) -> Iterator[Difference]:
    """The first message that differs, and how many more do."""
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])
    gone, come = old[start : len(old) - end], new[start : len(new) - end]
    if gone and come:
        yield _changed(start, len(new), gone, come)
    elif come:
        lines = [f"+ {cut(_first(message), _TEXT)}" for message in come[:_BLOCK]]
        yield Difference(_numbered(start, come, len(new), "new"), lines=lines, role=come[0].role, is_new=True)
    elif gone:
        lines = [f"- {cut(_first(message), _TEXT)}" for message in gone[:_BLOCK]]
        yield Difference(_numbered(start, gone, len(old), "gone"), lines=lines)


def _changed(start: int, count: int, gone: Sequence[Message], come: Sequence[Message]) -> Difference:
    was, now = _written(gone[0]), _written(come[0])
    lines = _block(was, now)
    more = _apart(gone, come) - 1
    if more > 0:
        lines.append(f"and {more} more message{'s differ' if more > 1 else ' differs'}")
    where = f"message {start + 1} of {count} ({come[0].role})"
    clock = more <= 0 and _clock_only("\n".join(was), "\n".join(now))
    return Difference(where, lines=lines, role=come[0].role, by_the_clock=clock)


def _numbered(start: int, messages: Sequence[Message], count: int, word: str) -> str:
    if len(messages) == 1:
        return f"message {start + 1} of {count} is {word} ({messages[0].role})"
    return f"messages {start + 1}-{start + len(messages)} of {count} are {word}"


def _common(old: Sequence[object], new: Sequence[object]) -> int:
    count = 0
    for a, b in zip(old, new, strict=False):
        if a != b:
            break
        count += 1
    return count


def _written(message: Message) -> list[str]:
    first, *rest = message.lines or ("(empty)",)
    return [f"{message.role}: {first}", *rest]


def _first(message: Message) -> str:
    lines = _written(message)
    return lines[0] if len(lines) == 1 else f"{lines[0]} …"


def _block(old: Sequence[str], new: Sequence[str]) -> list[str]:
    """The lines that differ, with the one before them; long lines are cut around where they differ."""
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])
    gone, come = list(old[start : len(old) - end]), list(new[start : len(new) - end])
    more = len(gone[_BLOCK:]) + len(come[_BLOCK:])
    if gone and come:
        gone[0], come[0] = pair(gone[0], come[0], _TEXT)
    out = [f"  {cut(old[start - 1], _TEXT)}"] if start else []
    out += [f"- {cut(line, _TEXT)}" for line in gone[:_BLOCK]]
    out += [f"+ {cut(line, _TEXT)}" for line in come[:_BLOCK]]
    return [*out, f"and {more} more line{'s' if more > 1 else ''}"] if more else out


def pair(old: str, new: str, width: int) -> tuple[str, str]:
    """Two texts of which each shows where it differs from the other; what cannot be seen is written as ASCII."""
    at = _common(old, new)
    start = max(0, at - _AROUND) if max(len(old), len(new)) > width else 0
    shown = [f"{'…' if start else ''}{text[start:]}" for text in (old, new)]
    if _looks(shown[0]) == _looks(shown[1]):
        shown = [f"{'…' if start else ''}{text[start:]!a}" for text in (old, new)]
    return cut(shown[0], width), cut(shown[1], width)


def _looks(text: str) -> str:
    import unicodedata  # only where something is wrong already

    return unicodedata.normalize("NFKC", plain(text)).strip()


def _clock_only(old: str, new: str) -> bool:
    return old != new and _BY_THE_CLOCK.sub("*", old) == _BY_THE_CLOCK.sub("*", new)


# ---- everything else


def _places(old: Request, new: Request) -> Iterator[Difference]:
    if old.path != new.path:
        yield _value("path", old.path, new.path)
    if old.query != new.query:
        before, after = dict(old.query), dict(new.query)
        names = [name for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)]
        for name in names or [""]:
            yield _value(f"query {name}".rstrip(), before.get(name, NOTHING), after.get(name, NOTHING))


def _options(old: Conversation, new: Conversation) -> Iterator[Difference]:
    yield from _changes(old.options, new.options, "")
    for name in dict.fromkeys((*old.tools, *new.tools)):
        if name not in new.tools or name not in old.tools:
            yield Difference(f"tool {name}", "is new" if name in new.tools else "is gone")
        else:
            yield from _changes(old.tools[name], new.tools[name], f"tool {name} ")
    if list(old.tools) != list(new.tools) and old.tools.keys() == new.tools.keys():
        yield Difference("tools", "are the same, in another order")


def _changes(old: JsonObject, new: JsonObject, prefix: str) -> Iterator[Difference]:
    places = sorted(paths.changes(old, new), key=lambda place: place[0] != "model")
    for place in places:
        yield _value(f"{prefix}{paths.text(place).removeprefix('$.')}", at(old, place), at(new, place))


def _value(where: str, old: Json, new: Json) -> Difference:
    was, now = ("nothing" if value is NOTHING else dumps(value) for value in (old, new))
    clock = isinstance(old, str) and isinstance(new, str) and _clock_only(old, new)
    was, now = pair(was, now, VALUE)
    return Difference(where, f"recorded {was}   now {now}", by_the_clock=clock)


def _bodies(old: Request, new: Request) -> list[Difference]:
    """Where reading them as a conversation shows no difference: the place in the JSON, the line of the text, or the byte."""
    before, after = normalised(old), normalised(new)
    if before is not None and after is not None:
        return [_value(paths.text(place), at(before, place), at(after, place)) for place in paths.changes(before, after)]
    if old.body == new.body:
        return []
    try:
        was, now = old.body.decode(), new.body.decode()
    except UnicodeDecodeError:
        sizes = f"recorded {len(old.body)} bytes   now {len(new.body)} bytes"
        return [Difference("body", f"{sizes}   they differ from byte {_common(old.body, new.body) + 1}")]
    return [Difference("body", lines=_block(was.split("\n"), now.split("\n")), by_the_clock=_clock_only(was, now))]
