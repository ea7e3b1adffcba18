"""Time, identifiers and chance of one trial: real where something is live, the same every time in replay.

A fixed idempotency key would collide in a real sandbox, so a live run gets real values. The tape keeps the n-th uuid as
``<<uuid:n>>`` in files and match keys; in replay the n-th uuid is a fixed one. Nothing patches `datetime`, `uuid` or `random`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import random
import re
import threading
import uuid
from collections.abc import Callable

from ..schema.values import Json

_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|[0-9a-fA-F]{32}")
_FOLDED = re.compile(r"<<uuid:([1-9][0-9]*)(\.hex)?>>")


class TrialValues:
    """What `task.now()`, `task.uuid4()` and `task.random` give; safe to use from threads."""

    def __init__(self, *, live: bool, clock: str | None = None, seed: int | None = None) -> None:
        self.live = live
        self._lock = threading.Lock()
        self._fixed = _moment(clock) if clock and not live else None
        self._start: dt.datetime | None = None
        self._seed = seed if seed is not None else (random.SystemRandom().getrandbits(32) if live else 0)
        self._random: random.Random | None = None
        self._uuids: list[str] = []
        self._number: dict[str, int] = {}
        self._count = 0

    def now(self) -> dt.datetime:
        """Replay: the recording's clock. Live: the time; the first call, in whole seconds, is what the recording keeps."""
        if self._fixed is not None:
            return self._fixed
        with self._lock:
            if self._start is None:
                self._start = dt.datetime.now(dt.UTC).replace(microsecond=0)
                return self._start
        return dt.datetime.now(dt.UTC) if self.live else self._start

    @property
    def moment(self) -> dt.datetime | None:
        """The time for what must come out the same in replay; None where a replay has no clock."""
        return self.now() if self.live or self._fixed is not None else None

    @property
    def clock(self) -> str:
        """The moment that the recording keeps."""
        moment = self._fixed or self._start or dt.datetime.now(dt.UTC).replace(microsecond=0)
        return moment.isoformat().replace("+00:00", "Z")

    @property
    def random(self) -> random.Random:
        """One generator a trial."""
        with self._lock:
            if self._random is None:
                self._random = random.Random(self._seed)
            return self._random

    @property
    def recorded_seed(self) -> int | None:
        """The seed that the recording keeps; None if the run took no chances."""
        return None if self._random is None else self._seed

    def uuid4(self) -> uuid.UUID:
        """The next identifier."""
        with self._lock:
            self._count += 1
            if self.live:
                self._know(str(uuid.uuid4()))
            else:
                self._grow(self._count)
            return uuid.UUID(self._uuids[self._count - 1])

    def _know(self, text: str) -> None:
        self._uuids.append(text)
        self._number[text] = self._number[text.replace("-", "")] = len(self._uuids)

    def _grow(self, count: int) -> None:
        while len(self._uuids) < count:
            raw = hashlib.sha256(f"{self._seed}:{len(self._uuids) + 1}".encode()).digest()[:16]
            self._know(str(uuid.UUID(bytes=raw, version=4)))

    def fold(self, value: Json) -> Json:
        """Every uuid of this trial as ``<<uuid:n>>`` (``<<uuid:n.hex>>`` without hyphens), also inside longer texts."""
        return _mapped(value, self._folded) if self._uuids else value

    def unfold(self, value: Json) -> Json:
        """`value` with every ``<<uuid:n>>`` as this trial's uuid; one that this trial does not have stays."""
        return _mapped(value, self._unfolded)

    def fold_text(self, text: str) -> str:
        """`fold` for one text."""
        return self._folded(text) if self._uuids else text

    def unfold_text(self, text: str) -> str:
        """`unfold` for one text."""
        return self._unfolded(text)

    def _folded(self, text: str) -> str:
        return _UUID.sub(self._fold_one, text) if len(text) >= 32 else text

    def _fold_one(self, found: re.Match[str]) -> str:
        number = self._number.get(found[0].lower())
        if number is None:
            return found[0]
        return f"<<uuid:{number}>>" if "-" in found[0] else f"<<uuid:{number}.hex>>"

    def _unfolded(self, text: str) -> str:
        return _FOLDED.sub(self._unfold_one, text) if "<<uuid:" in text else text

    def _unfold_one(self, found: re.Match[str]) -> str:
        number = int(found[1])
        with self._lock:
            if not self.live and number <= 10_000:
                self._grow(number)
            if number > len(self._uuids):
                return found[0]
            text = self._uuids[number - 1]
        return text.replace("-", "") if found[2] else text


def _moment(text: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _mapped(value: Json, change: Callable[[str], str]) -> Json:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(k): _mapped(v, change) for k, v in value.items()}
    return [_mapped(v, change) for v in value] if isinstance(value, list) else value
