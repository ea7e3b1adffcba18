"""What all files of a recording have in common: how they are read, and what is said of one that is damaged or not there.

A file that we write starts with ``---`` and ends with ``...`` (YAML's marks for the start and the end of a document). A file that
starts so and does not end so was cut off: without the marks, one cut at the end of a line would be a valid file with fewer calls.
A file without a first ``---`` was written by hand and needs no last line.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ..errors import CaseFileError, CassetteError, MissingCassette, Mistake
from ..schema import document
from ..schema.disk import read_bytes

START = "---\n"
END = "...\n"


def read_text(path: Path, shown: str) -> str:
    """The text of a file of a recording; raises `CassetteError` or `MissingCassette`."""
    try:
        raw = read_bytes(path)
    except FileNotFoundError:
        raise missing(path, shown=shown) from None
    except OSError as error:
        raise CassetteError(f"cannot be read: {error.strerror or error}", path=shown) from None
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise CassetteError("is no UTF-8 text", path=shown, line=line, cure=again(path)) from None


def the_case(found: str, wanted: str | None, text: str, path: Path, shown: str) -> None:
    """A file that says of which case it is has to be of the wanted one."""
    if wanted is not None and found not in ("", wanted):
        line = document.read(text, file="").position(("case",))[0]
        raise CassetteError(f"is a recording of {found!r}, not of {wanted!r}", path=shown, line=line, cure=again(path))


def whole_document(
    text: str, file: str, cure: str, known: int, check: Callable[[document.Document], list[Mistake]]
) -> document.Document:
    """The document, known to be whole, of the format `known` and without mistakes; raises `CassetteError`."""
    text = text.replace("\r\n", "\n").removeprefix("\ufeff")
    if not text.strip():
        raise CassetteError("is empty: it was cut off while it was written or copied", path=file, line=1, cure=cure)
    if text.startswith(START) and not text.endswith(("\n...\n", "\n...")):
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
    newer = _newer(doc.value, known)
    if newer is not None:
        line, _ = doc.position(("format",))
        raise CassetteError(
            f"has format {newer}, this version of pytest-agentops reads format {known}",
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
        path=shown or relative(path),
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


def hybrid_command(folder: str) -> str:
    """The command that runs the case of `folder` with its tools replayed and its model live."""
    return record_command(folder).replace("--agent-record=all", "--agent-mode=hybrid")


def model_command(folder: str) -> str:
    """The command that records the model's part of `folder` again and leaves the tools as they are recorded."""
    return record_command(folder).replace("--agent-record=all", "--agent-mode=hybrid --agent-record=all")


def again(path: Path) -> str:
    """The cure for a file that is of no use."""
    return f"{record_command(path.parent.name)}, or take the file back from version control"


def _newer(value: object, known: int) -> int | None:
    found = value.get("format") if isinstance(value, dict) else None
    return found if isinstance(found, int) and not isinstance(found, bool) and found > known else None


def _damaged(error: CaseFileError, file: str, cure: str) -> CassetteError:
    """Every mistake of the file, the first as the error's own place."""
    first, *others = error.mistakes
    says = "; ".join(part for part in (first.found, first.allowed, first.hint) if part)
    rest = "".join(f"\n  {mistake}" for mistake in others)
    correct = "correct the file"
    return CassetteError(
        f"{says}{rest}", path=file, line=first.line, col=first.col, cure=f"{correct}, or {cure}" if cure else correct
    )


def relative(path: Path) -> str:
    """How messages name a file."""
    try:
        return Path(os.path.relpath(path)).as_posix() if path.is_absolute() else path.as_posix()
    except ValueError:  # another drive
        return path.as_posix()
