"""``tools.yaml``: reading and writing it.

A file that we write starts with ``---`` and ends with ``...`` (YAML's marks for the start and the end of a document). A file that
starts so and does not end so was cut off: without the marks, one cut at the end of a line would be a valid file with fewer calls.
A file without a first ``---`` was written by hand and needs no last line.
"""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import CaseFileError, CassetteError, MissingCassette
from ..schema import document
from ..schema.parsed import ParsedCache
from .recording import FORMAT, Recording, ToolsCassette
from .shape import check, lines_of_calls, read_value

__all__ = ["Recording", "ToolsCassette", "dump", "loads", "missing", "read", "record_command"]

_START = "---\n"
_END = "...\n"


def dump(cassette: ToolsCassette) -> str:
    """The text of the file; equal cassettes give equal texts."""
    return f"{_START}{document.write(cassette.as_json())}{_END}"


def read(path: Path, *, case: str | None = None, shown: str | None = None, cache: ParsedCache | None = None) -> ToolsCassette:
    """The cassette at `path`; raises `CassetteError` (damaged) or `MissingCassette`.

    `case` is what it must be a recording of, `shown` how messages name the file (default: relative to the working folder).
    """
    name = shown or _relative(path)
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise missing(path, shown=name) from None
    except OSError as error:
        raise CassetteError(f"cannot be read: {error.strerror or error}", path=name) from None
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise CassetteError("is no UTF-8 text", path=name, line=line, cure=_again(path)) from None
    kept = cache.get("tools", text) if cache is not None else None
    if kept is not None:  # the usual way; the words of a message are not even made
        cassette = read_value(kept["value"], kept["lines"], name)
    else:
        cassette = loads(text, file=name, cure=_again(path), cache=cache)
    if case is not None and cassette.case not in ("", case):
        raise CassetteError(
            f"is a recording of {cassette.case!r}, not of {case!r}", path=name, line=_line_of_case(text), cure=_again(path)
        )
    return cassette


def _line_of_case(text: str) -> int:
    return document.read(text, file="").position(("case",))[0]


def loads(text: str, *, file: str, cure: str = "", cache: ParsedCache | None = None) -> ToolsCassette:
    """The cassette that `text` writes; `file` and `cure` are for messages."""
    doc = _checked(text, file, cure)
    lines = lines_of_calls(doc)
    if cache is not None:
        cache.put("tools", {"value": doc.value, "lines": lines}, text)
    return read_value(doc.value, lines, file)


def _checked(text: str, file: str, cure: str) -> document.Document:
    """The document, known to be a whole cassette of this format; raises `CassetteError`."""
    text = text.replace("\r\n", "\n").removeprefix("\ufeff")
    if not text.strip():
        raise CassetteError("is empty: it was cut off while it was written or copied", path=file, line=1, cure=cure)
    if text.startswith(_START) and not text.endswith(("\n...\n", "\n...")):
        raise CassetteError(
            "is cut off: it starts with --- and its last line is not ...",
            path=file,
            line=text.count("\n") + 1,
            cure=f"{cure}; or, if nothing is lost, put the last line back" if cure else "",
        )
    try:
        doc = document.read(text, file=file)
    except CaseFileError as error:
        raise _damaged(error, file, cure) from None
    newer = _newer(doc.value)
    if newer is not None:
        line, _ = doc.position(("format",))
        raise CassetteError(
            f"has format {newer}, this version of pytest-agentops reads format {FORMAT}",
            path=file,
            line=line,
            cure=f"upgrade: pip install -U pytest-agentops{f'; or {cure}' if cure else ''}",
        )
    mistakes = check(doc)
    if mistakes:
        raise _damaged(CaseFileError(mistakes), file, cure)
    return doc


def missing(path: Path, *, shown: str | None = None) -> MissingCassette:
    """The error for a recording that is not there; the command depends on whether the trial's folder is."""
    word = "all" if path.parent.is_dir() else "once"
    return MissingCassette(
        "there is no recording" if word == "once" else f"there is no {path.name} in the recording's folder",
        path=shown or _relative(path),
        cure=record_command(path.parent.name, word),
    )


def record_command(folder: str, word: str = "all") -> str:
    """The command that records the trial of `folder` (``case[~variant][.tN]``) again; -k knows no ``~`` outside of quotes."""
    name = folder
    stem, dot, trial = folder.rpartition(".t")
    if dot and trial.isdigit():
        name = stem
    wanted = " and ".join(part for part in name.split("~") if part)
    quoted = f'"{wanted}"' if " " in wanted else wanted
    return f"pytest --agent-evals --agent-record={word} -k {quoted}"


def _again(path: Path) -> str:
    return f"{record_command(path.parent.name)}, or take the file back from version control"


def _newer(value: object) -> int | None:
    found = value.get("format") if isinstance(value, dict) else None
    return found if isinstance(found, int) and not isinstance(found, bool) and found > FORMAT else None


def _damaged(error: CaseFileError, file: str, cure: str) -> CassetteError:
    """Every mistake of the file, the first as the error's own place."""
    first, *others = error.mistakes
    says = "; ".join(part for part in (first.found, first.allowed, first.hint) if part)
    rest = "".join(f"\n  {mistake}" for mistake in others)
    correct = "correct the file"
    return CassetteError(
        f"{says}{rest}", path=file, line=first.line, col=first.col, cure=f"{correct}, or {cure}" if cure else correct
    )


def _relative(path: Path) -> str:
    try:
        return Path(os.path.relpath(path)).as_posix() if path.is_absolute() else path.as_posix()
    except ValueError:  # another drive
        return path.as_posix()
