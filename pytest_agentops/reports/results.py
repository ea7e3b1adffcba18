"""The results file: cases are kept as JSON text in a temporary file while they come in, and copied out in order at the end.

Ten thousand cases stay out of memory this way, and equal input gives equal bytes whatever order the workers reported in.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, TypeAlias

from ..errors import AgentOpsError
from ..schema.disk import replacing
from ..schema.values import Json, JsonObject, dumps, loads, written
from .shape import fits_case, fits_head

VERSION = 1
IN_MEMORY = 4 * 1024 * 1024
"""Bytes of case texts that stay in memory before they go to a file."""
BuildVerdict: TypeAlias = Literal["pass", "fail", "regression", "inconclusive", "not_comparable", "budget_exceeded"]
Key: TypeAlias = tuple[str, str]
"""Case id and variant (an empty string without one): the order of the file."""

_HEAD = re.compile(r'\{"id":"([^"\\]*)","suite":"[^"\\]*","variant":(?:null|"([^"\\]*)")[,}]')


class Results:
    """The cases of one session; a case that comes twice (a rerun) counts as it came last."""

    def __init__(self) -> None:
        self._spool = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 (it lives as long as this does)
        self._places: dict[Key, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __enter__(self) -> Results:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def add(self, case_json: str) -> bool:
        """Keep one case, given as compact JSON text; says whether it is a new one."""
        raw = written(case_json)
        start = self._spool.seek(0, os.SEEK_END)
        self._spool.write(raw)
        key = key_of(case_json)
        new = key not in self._places
        self._places[key] = (start, len(raw))
        return new

    def find(self, case_id: str, variant: str | None) -> JsonObject | None:
        """A case that was kept."""
        key = (case_id, variant or "")
        found: JsonObject | None = loads(self._read(key)) if key in self._places else None
        return found

    def texts(self) -> Iterator[str]:
        """The cases' texts in the order of the file, one at a time."""
        for key in sorted(self._places):
            yield self._read(key)

    def _read(self, key: Key) -> str:
        start, length = self._places[key]
        self._spool.seek(start)
        return self._spool.read(length).decode("utf-8")

    def write(
        self,
        path: Path,
        *,
        mode: str,
        verdict: BuildVerdict,
        metrics: JsonObject,
        suites: JsonObject,
        selection: Literal["all", "partial"],
        audit: JsonObject | None = None,
        prices: JsonObject | None = None,
        gates: Sequence[JsonObject] = (),
        asked: JsonObject | None = None,
    ) -> JsonObject:
        """Write the file: whole or not at all, one case a line. Gives what stands above the cases.

        `audit` is the anchor of the session's log, `prices` the table that the costs are of, `gates` are those over the whole
        session, and `asked` is what was to run: what a merge of shards needs in order to judge.
        """
        head: JsonObject = {
            "version": VERSION,
            "mode": mode,
            "verdict": verdict,
            "metrics": metrics,
            "suites": dict(sorted(suites.items())),
            "selection": selection,
            **({"audit": audit} if audit is not None else {}),
            **({"prices": prices} if prices is not None else {}),
            **({"gates": list(gates)} if gates else {}),
            **({"asked": asked} if asked is not None else {}),
        }
        with replacing(path) as temp, temp.open("w", encoding="utf-8", newline="\n") as out:
            out.write("{\n")
            for key, value in head.items():
                if key == "suites":  # one at a time: there may be thousands
                    texts = (f"{dumps(name)}:{dumps(suite)}" for name, suite in value.items())
                    out.write(f"{dumps(key)}: {{")
                    out.writelines(f"{',' if number else ''}{text}" for number, text in enumerate(texts))
                    out.write("},\n")
                else:
                    out.write(f"{dumps(key)}: {dumps(value)},\n")
            out.write('"cases": [')
            for number, text in enumerate(self.texts()):
                out.write(("," if number else "") + "\n" + text)
            out.write("\n]\n}\n")
        return head

    def close(self) -> None:
        """Let the temporary file go."""
        self._spool.close()


def case_json(
    *, id: str, suite: str, variant: str | None, file: str, line: int, tags: Sequence[str], trials: list[JsonObject]
) -> JsonObject:
    """A case of the file, but for its status."""
    return {
        "id": id,
        "suite": suite,
        "variant": variant,
        "file": file,
        "line": line,
        "tags": list(tags),
        "trials": trials,
    }


def key_of(case_json: str) -> Key:
    """Id and variant of a case; read off its beginning where it has the usual form, since texts may be long."""
    head = _HEAD.match(case_json)
    if head:
        return head[1], head[2] or ""
    case = loads(case_json)
    return case["id"], case.get("variant") or ""


class NoResults(AgentOpsError):
    """A results file that is missing or is none."""


def load(path: str | os.PathLike[str]) -> JsonObject:
    """A results file; unknown keys stay in, a newer version is refused."""
    try:
        value: Json = loads(Path(path).read_bytes())
    except FileNotFoundError:
        raise NoResults(f"{os.fspath(path)}: there is no results file; run pytest --agent-evals") from None
    except OSError as error:
        raise NoResults(f"{os.fspath(path)}: the results cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as problem:
        raise NoResults(f"{os.fspath(path)}: not a results file: {problem}") from None
    if not isinstance(value, dict) or not isinstance(value.get("cases"), list):
        raise NoResults(f"{os.fspath(path)}: not a results file: it has no list of cases")
    if value.get("version") != VERSION:
        raise NoResults(
            f"{os.fspath(path)}: results of version {value.get('version')!r}; this version of pytest-agentops reads {VERSION}"
        )
    for case in value["cases"]:
        if not isinstance(case, dict) or not isinstance(case.get("id"), str):
            raise NoResults(f"{os.fspath(path)}: not a results file: a case is a mapping with an id")
        runs = case.get("trials", [])
        if not isinstance(runs, list) or not all(isinstance(run, dict) for run in runs):
            raise NoResults(f"{os.fspath(path)}: not a results file: case {case['id']}: trials: expected a list of mappings")
    return value


def stream(path: str | os.PathLike[str]) -> tuple[JsonObject, Iterator[JsonObject]]:
    """What stands above the cases, and the cases one at a time: as it was written, a case is a line. Others are read whole.

    What lacks something that is compared or judged by is no results file.
    """
    cases = _lines_of(Path(path))
    try:
        head: JsonObject | None = next(cases)
    except (OSError, ValueError, RecursionError, StopIteration):
        head = None
    if head is None or head.get("version") != VERSION:
        head = load(path)
        cases = iter(head.pop("cases"))
    try:
        fits_head(head)
    except ValueError as problem:
        raise _no_results(path, problem) from None
    return head, _told(cases, path)


def _lines_of(path: Path) -> Iterator[JsonObject]:
    """The head, then the cases; a ValueError where the file is not laid out so."""
    with path.open(encoding="utf-8") as file:
        above = []
        for line in file:
            if line == '"cases": [\n':
                break
            above.append(line)
        else:
            raise ValueError("there is no list of cases")
        yield loads("".join(above).rstrip().rstrip(",") + "}")
        yield from _cases_in(file)


def _cases_in(file: Iterable[str]) -> Iterator[JsonObject]:
    """The cases in the lines that follow their head."""
    for line in file:
        if line == "]\n":
            return
        yield loads(line.rstrip("\n").removesuffix(","))
    raise ValueError("the list of cases does not end")


def _told(cases: Iterator[JsonObject], path: str | os.PathLike[str]) -> Iterator[JsonObject]:
    try:
        yield from map(fits_case, cases)
    except (ValueError, RecursionError) as problem:
        raise _no_results(path, problem) from None


def _no_results(path: str | os.PathLike[str], problem: Exception) -> NoResults:
    return NoResults(f"{os.fspath(path)}: not a results file: {problem}; run pytest --agent-evals once more")
