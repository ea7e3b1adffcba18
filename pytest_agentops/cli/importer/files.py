"""The files of an import: what they will hold, whether they may be written, and writing them whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ...errors import AgentOpsError, SecretFound
from ...schema.transcript import transcript_text
from ...schema.values import JsonObject
from ...tape.cassette import Recording, ToolsCassette, dump
from ...tape.store import folder_for
from .grouping import Grouped
from .lines import Line
from .suite import suite_text

Scan = Callable[[bytes], Sequence[str]]
WRITER = "pytest-agentops import"


class WouldOverwrite(AgentOpsError):
    """Files stand where the import would write others."""

    def __init__(self, paths: Sequence[Path]) -> None:
        shown = "".join(f"\n  {path.as_posix()}" for path in paths[:5])
        more = f"\n  ... and {len(paths) - 5} more" if len(paths) > 5 else ""
        super().__init__(f"{len(paths)} files exist and differ; --force overwrites them, nothing was written:{shown}{more}")
        self.paths = list(paths)


def plan(name: str, suite: JsonObject, grouped: Grouped, *, cases: Path, cassettes: Path) -> dict[Path, str]:
    """Every file and its text. The suite is the last: it names the others."""
    from ...schema.document import write

    out: dict[Path, str] = {}
    for case in grouped.cases:
        full = f"{name}/{case.id}"
        for trial, line in enumerate(case.lines, start=1):
            folder = folder_for(cassettes, name, case.id, trial)
            out[folder / "tools.yaml"] = dump(_tools(full, line))
            out[folder / "transcript.yaml"] = transcript_text(write(replace(line.transcript, case=full).as_json()))
    suite_file = cases / name / f"{name}.yaml"
    out[suite_file] = suite_text(suite, write(suite), suite_file)
    return out


def _tools(case: str, line: Line) -> ToolsCassette:
    """No date: the line states none, and importing it again must give the same bytes."""
    return ToolsCassette(
        case=case,
        with_=WRITER,
        calls=[
            Recording(tool=a.asked.tool, args=a.asked.args, result=a.result, error=a.error, overlap=a.overlap)
            for a in line.answered
        ],
        state_before=line.before,
        state_after=line.after,
        has_state=line.has_state,
    )


def write_files(files: Mapping[Path, str], *, force: bool, scan: Scan) -> int:
    """Write what is new or, with `force`, different; the number of files written.

    Raises `WouldOverwrite` or `SecretFound` before the first one is touched.
    """
    texts = {path: text.encode("utf-8") for path, text in files.items()}
    for path, raw in texts.items():
        kinds = scan(raw)
        if kinds:
            raise SecretFound(path.as_posix(), kinds)
    differing = [path for path, raw in texts.items() if _differs(path, raw)]
    if differing and not force:
        raise WouldOverwrite(differing)
    new = [path for path in texts if path in differing or not path.exists()]
    for path in new:
        try:
            _put(path, texts[path])
        except OSError as problem:
            raise AgentOpsError(f"{path.as_posix()}: cannot be written: {problem.strerror or problem}") from None
    return len(new)


def _differs(path: Path, raw: bytes) -> bool:
    try:
        return path.read_bytes() != raw
    except FileNotFoundError:
        return False
    except OSError as problem:
        raise AgentOpsError(f"{path.as_posix()}: cannot be read: {problem.strerror or problem}") from None


def _put(path: Path, raw: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temp = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temp.open("wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temp, path)
    finally:
        temp.unlink(missing_ok=True)
