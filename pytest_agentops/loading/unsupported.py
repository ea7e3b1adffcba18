"""Keys of the format that this version knows and does not do yet: refused when the file is read, never accepted and ignored."""

from __future__ import annotations

UNSUPPORTED: tuple[str, ...] = ("faults",)
"""Keys of the suite file and of a case (or of `defaults`) alike."""
