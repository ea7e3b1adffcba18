"""What one gate found, before the gates of a build have been corrected for each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ..schema.values import Json

EXACT = "exact"


@dataclass(slots=True, kw_only=True)
class Finding:
    """`p` is there where a test decides: then a fail needs `worse` and a p, corrected, of at most `alpha`."""

    result: Literal["pass", "fail", "inconclusive", "not_judged"]
    why: str
    wanted: str = ""
    measured: Json = None
    baseline: Json = None
    p: float | None = None
    p_holm: float | None = None
    alpha: float = 0.0
    test: str = ""
    """The test's name; of an exact comparison `exact`."""
    worse: bool = False
    """Whether what was seen is worse than is tolerated, proven or not."""
    uncompared: str = ""
    """The cases that could not be compared, in a sentence."""
    details: list[str] = field(default_factory=list)


def percent(share: float) -> str:
    """``0.933`` -> ``93.3 %``."""
    return f"{100 * share:.1f} %"


def signed(share: float) -> str:
    """``0.23`` -> ``+23.0 %``."""
    return f"{100 * share:+.1f} %"
