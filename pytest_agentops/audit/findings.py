"""What is wrong with a log, in words for the person who must look into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Code: TypeAlias = Literal[
    "E_PARSE",
    "E_SEQ",
    "E_PREV",
    "E_HASH",
    "E_ANCHOR",
    "E_PAYLOAD",
    "E_TERMINAL",
    "E_UNAUTHORISED",
    "E_APPROVAL",
    "E_LEAK",
    "W_TIME",
    "W_OPEN",
    "W_UNANCHORED",
]
"""E_ breaks the log, W_ is for a person to judge."""

OK, BROKEN, UNREADABLE = 0, 1, 2
"""Exit codes of ``audit verify``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it should be; `seq` is the record's place in the file, counted from 0, None for the whole file."""

    code: Code
    message: str
    path: str
    seq: int | None = None

    @property
    def breaks(self) -> bool:
        return self.code.startswith("E_")

    @property
    def place(self) -> str:
        """``file:line``, a record a line: it opens in an editor."""
        return self.path if self.seq is None else f"{self.path}:{self.seq + 1}"

    def __str__(self) -> str:
        return f"{self.place}: {self.code}: {self.message}"


def exit_code(findings: Sequence[Finding]) -> int:
    """0 if nothing breaks the log, else 1; 2, where it cannot be read, comes as `AuditUnreadable`."""
    return BROKEN if any(f.breaks for f in findings) else OK
