"""Which tools a policy is for."""

from __future__ import annotations

import re
from functools import lru_cache


def fits(pattern: str, tool: str) -> bool:
    """Whether `tool` is the name, or fits the pattern; ``*`` stands for anything, dots too. Letter for letter: no look-alikes."""
    return pattern == tool if "*" not in pattern else _compiled(pattern).fullmatch(tool) is not None


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, re.sub(r"\*+", "*", pattern).split("*"))), re.DOTALL)
