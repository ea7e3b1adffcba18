"""Text of policies in Markdown tables: nothing of it is markup."""

from __future__ import annotations


def code(text: str) -> str:
    """As code: no sign of it ends the code or the cell."""
    return "`" + " ".join(text.split()).replace("`", "'").replace("|", "\\|") + "`"


def cell(text: str) -> str:
    """As plain words."""
    for char in "\\`*_{}[]<>#|~":
        text = text.replace(char, f"\\{char}")
    return " ".join(text.split())
