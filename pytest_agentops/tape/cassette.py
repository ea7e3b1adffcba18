"""``tools.yaml``: reading and writing it."""

from __future__ import annotations

from pathlib import Path

from ..schema import document
from ..schema.parsed import ParsedCache
from .reading import (
    END,
    START,
    again,
    hybrid_command,
    missing,
    model_command,
    read_text,
    record_command,
    relative,
    the_case,
    whole_document,
)
from .recording import FORMAT, Recording, ToolsCassette
from .shape import check, lines_of_calls, read_value

__all__ = ["Recording", "ToolsCassette", "dump", "hybrid_command", "loads", "missing", "model_command", "read", "record_command"]


def dump(cassette: ToolsCassette) -> str:
    """The text of the file; equal cassettes give equal texts."""
    return f"{START}{document.write(cassette.as_json())}{END}"


def read(path: Path, *, case: str | None = None, shown: str | None = None, cache: ParsedCache | None = None) -> ToolsCassette:
    """The cassette at `path`; raises `CassetteError` (damaged) or `MissingCassette`.

    `case` is what it must be a recording of, `shown` how messages name the file (default: relative to the working folder).
    """
    name = shown or relative(path)
    text = read_text(path, name)
    kept = cache.get("tools", text) if cache is not None else None
    if kept is not None:  # the usual way; the words of a message are not even made
        cassette = read_value(kept["value"], kept["lines"], name)
    else:
        cassette = loads(text, file=name, cure=again(path), cache=cache)
    the_case(cassette.case, case, text, path, name)
    return cassette


def loads(text: str, *, file: str, cure: str = "", cache: ParsedCache | None = None) -> ToolsCassette:
    """The cassette that `text` writes; `file` and `cure` are for messages."""
    doc = whole_document(text, file, cure, FORMAT, check)
    lines = lines_of_calls(doc)
    if cache is not None:
        cache.put("tools", {"value": doc.value, "lines": lines}, text)
    return read_value(doc.value, lines, file)
