"""Time windows: on which days, from when to when, in which zone. A clock without a zone is outside of every window."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from ..schema.suggest import did_you_mean

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00")
_DAY = 24 * 60
_YEAR = dt.datetime(2026, 1, 1)
_YEAR_DAYS = 366
_STEP = 15
"""Clocks are changed at such minutes."""


@dataclass(frozen=True, slots=True)
class Window:
    """``[start, end)`` in minutes of the day's wall clock; over midnight it belongs to the day on which it begins."""

    days: frozenset[int]
    start: int
    end: int
    zone: ZoneInfo

    def open(self, now: dt.datetime | None) -> bool:
        """Whether `now` is inside; a missing clock, and one without a zone, is not."""
        if now is None or now.tzinfo is None or now.utcoffset() is None:
            return False
        try:
            local = now.astimezone(self.zone)
        except OverflowError:  # the first and the last hours of the calendar
            return False
        minute = local.hour * 60 + local.minute
        today = local.weekday()
        if self.start < self.end:
            return today in self.days and self.start <= minute < self.end
        return (today in self.days and minute >= self.start) or ((today - 1) % 7 in self.days and minute < self.end)


def ever_open(windows: Sequence[Window]) -> bool:
    """Whether all are open at some moment of a year: one of them just opened then, or the clocks of its zone were changed."""
    return any(all(window.open(at) for window in windows) for window in windows for at in _openings(window))


def _openings(window: Window) -> Iterator[dt.datetime]:
    for day in range(_YEAR_DAYS):
        midnight = _YEAR.replace(tzinfo=window.zone) + dt.timedelta(days=day)
        if midnight.weekday() in window.days:
            yield (midnight + dt.timedelta(minutes=window.start)).astimezone(dt.UTC)
        if midnight.utcoffset() != (midnight + dt.timedelta(days=1)).utcoffset():
            start = midnight.astimezone(dt.UTC)
            yield from (start + dt.timedelta(minutes=minute) for minute in range(0, _DAY + 120, _STEP))


def zone(name: str) -> ZoneInfo:
    """The zone of that name; raises ValueError with a sentence."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        pass
    from zoneinfo import available_timezones

    known = available_timezones()
    if not known:
        raise ValueError("this machine has no time zone data; pip install tzdata")
    near = did_you_mean(name, known) or "write one such as Europe/Berlin or UTC"
    raise ValueError(f"{name!r} is no time zone; {near}")


def minutes(text: str) -> int:
    """``09:30`` in minutes; raises ValueError with a sentence."""
    if not _TIME.fullmatch(text):
        raise ValueError(f"{text!r} is no time of day; expected one such as 09:00, at most 24:00")
    return int(text[:2]) * 60 + int(text[3:])


def days(words: Sequence[str]) -> frozenset[int]:
    """``[mon-fri, sun]`` as weekdays from Monday 0; raises ValueError with a sentence."""
    found: set[int] = set()
    for word in words:
        first, dash, last = word.lower().partition("-")
        for name in (first, last) if dash else (first,):
            if name not in DAYS:
                near = did_you_mean(name, DAYS)
                raise ValueError(
                    f"{word!r} is no day; expected {', '.join(DAYS)} or a range such as mon-fri" + (near and f"; {near}")
                )
        start, end = DAYS.index(first), DAYS.index(last or first)
        found.update((start + step) % 7 for step in range((end - start) % 7 + 1))
    return frozenset(found)


def window(*, days_: Sequence[str] | None, start: str | None, end: str | None, tz: str) -> Window:
    """A window from its words; raises ValueError with a sentence."""
    first, last = minutes(start or "00:00"), minutes(end or "24:00")
    if first in (last, _DAY):
        raise ValueError(f"the window from {start} to {end} is empty")
    chosen = frozenset(range(7)) if days_ is None else days(days_)
    if not chosen:
        raise ValueError("days: an empty list, the window is never open")
    return Window(days=chosen, start=first, end=last, zone=zone(tz))
