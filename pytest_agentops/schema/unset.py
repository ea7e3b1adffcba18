"""What a key holds that nobody wrote, where null is a value of its own."""

from __future__ import annotations

from enum import Enum
from typing import Final


class Unset(Enum):
    """One member, so that it stays itself when it is copied or pickled."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET


def unset() -> Unset:
    """For `default_factory`: unlike a default it does not come into a JSON Schema."""
    return UNSET
