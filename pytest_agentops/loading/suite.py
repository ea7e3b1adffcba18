"""A suite file to variants: read, checked as a whole with every mistake at once, defaults merged, matrices unfolded."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import CaseFileError, Mistake
from ..schema.case import ID_PATTERN, Case, CaseFields
from ..schema.disk import read_bytes
from ..schema.document import Document, no_gc, read
from ..schema.parsed import ParsedCache
from ..schema.suggest import did_you_mean
from ..schema.values import JsonObject, NotJson, dumps, jsonable
from . import amounts, gates, governed, places, rules, shape
from .build import build
from .kept import from_json, to_json
from .kinds import IsPolicyFile, kind_of
from .merge import is_named, merged, point_id, point_value, points, with_point
from .named import defaults_of, name_of
from .variant import LoadedSuite, SuiteHead, Variant

_FIXED = ("matrix", "id", "tags")
"""What does not vary within a case."""


def load_suite(path: Path, rootdir: Path, *, checks: Collection[str] = (), cache: ParsedCache | None = None) -> LoadedSuite:
    """Read a suite file; raises `CaseFileError` with all its mistakes. `checks` are registered keys under `expect`."""
    file = _shown(path, rootdir)
    with no_gc():
        text = _text(path, file)
        kept = cache.get("suite", file, text) if cache is not None and not checks else None
        digest = hashlib.sha256(text.encode()).hexdigest()
        known = from_json(kept, path, file, digest) if kept is not None else None
        if known is not None:
            return known
        document = read(text, file=file, deep=("turns",))
        kind = kind_of(document)
        if kind == "policy":
            hint = "name it under `policies:` of a suite, or its folder, to run its tests"
            raise IsPolicyFile([document.mistake((), "a policy file, and a suite is wanted here", "", hint)])
        if kind is None:
            raise CaseFileError([_no_suite(document)])
        suite = _Loader(document, path, checks).load(digest)
        keep = to_json(suite) if cache is not None else None
        if cache is not None and keep is not None:
            cache.put("suite", keep, file, text)
        return suite


def _shown(path: Path, rootdir: Path) -> str:
    """The path from the rootdir; pytest's own paths have no ``..`` in them."""
    text, start = str(path), f"{rootdir}{os.sep}"
    below = text[len(start) :] if text.startswith(start) and ".." not in text else os.path.relpath(path, rootdir)
    return below.replace(os.sep, "/")


def _text(path: Path, file: str) -> str:
    try:
        data = read_bytes(path)
    except OSError as error:
        raise CaseFileError(
            [Mistake(file=file, line=1, col=1, found=f"the file cannot be read: {error.strerror or error}")]
        ) from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, col = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        found = f"the byte 0x{data[error.start]:02x} is not UTF-8"
        raise CaseFileError([Mistake(file=file, line=line, col=col, found=found, hint="save the file as UTF-8")]) from None


def _no_suite(document: Document) -> Mistake:
    keys = list(document.value) if isinstance(document.value, dict) else []
    near = next((f"did you mean 'cases' instead of {k!r}?" for k in keys if did_you_mean(k, ["cases"])), "")
    found = "neither a suite (`cases:`) nor a policy file (`policy:`)" if document.value is not None else "the file is empty"
    return document.mistake((), found, "", near or "move it out of the case folder, or name it in ini agentops_ignore")


class _Loader:
    """One file on its way."""

    def __init__(self, document: Document, path: Path, checks: Collection[str]) -> None:
        self.document = document
        self.path = path
        self.shape = shape.check(document, checks)
        self.mistakes: list[Mistake] = self.shape.mistakes
        self.axes: JsonObject = {}
        """The matrix point that is looked at."""
        head = self.shape.head
        defaults = defaults_of(head)
        self.head = SuiteHead(
            name=name_of(head, path.stem),
            file=document.file,
            base_dir=str(path.parent),
            contracts=head.get("contracts") or {},
            checks=frozenset(checks),
            budget={name: limit for name, limit in (head.get("budget") or {}).items() if limit is not None},
            runbooks=head.get("runbooks") or {},
            prices=head.get("prices") or {},
            slo=head.get("slo") or {},
            defaults=defaults,
            lines=places.lines(document, ("defaults",)),
            places=places.of_head(document),
            gates={name: spec for name, spec in (head.get("gates") or {}).items() if spec is not None},
            gate_places={name: list(document.position(("gates", name))) for name in head.get("gates") or {}},
        )
        self.shared: dict[tuple[str, ...], tuple[str, ...]] = {}

    def load(self, digest: str) -> LoadedSuite:
        if not re.fullmatch(ID_PATTERN, self.head.name):
            self._say((), f"the file's name gives no suite name: {self.head.name!r}", "", "name it: `suite: refunds`")
        governed.suite_budget(self.shape.head.get("budget"), self._say)
        governed.detectors(self.shape.head.get("runbooks") or {}, ("runbooks",), self._say)
        amounts.check_prices(self.head.prices, self._say_at("prices"))
        amounts.check_slo(self.head.slo, self._say_at("slo"))
        for tool, spec in self.head.contracts.items():
            rules.check_contract(spec, self._say_at("contracts", tool))
        variants: list[Variant] = []
        ids: dict[str, int] = {}
        for index, entry, whole in self.shape.cases:
            line = self.document.position(("cases", index))[0]
            other = ids.setdefault(entry["id"].lower(), index)
            if other != index:
                first = self.document.position(("cases", other, "id"))[0]
                self._say(("cases", index, "id"), f"the id {entry['id']!r} is taken", "", f"the other one is on line {first}")
            variants += self._variants(index, entry, line, whole)
        raw = self.document.value.get("gates")
        right = {k: spec for k, spec in self.head.gates.items() if spec == raw[k]}  # what was taken out of the others was said
        gates.check(right, [] if self.mistakes else variants, self._say_at("gates"))
        if self.mistakes:
            raise CaseFileError(list(dict.fromkeys(self.mistakes)))
        description = self.shape.head.get("description")
        return LoadedSuite(self.head.name, self.head.file, self.path, description, variants, digest)

    def _variants(self, index: int, entry: JsonObject, line: int, whole: bool) -> Iterator[Variant]:
        case = merged(self.head.defaults, entry)
        case.pop("id")
        matrix = case.pop("matrix", None)
        if matrix and not self._matrix(index, matrix):
            return
        lines = places.lines(self.document, ("cases", index))
        for variant, fields in points(matrix):
            self.axes = fields
            one = with_point(case, fields) if fields else case
            if not fields or self._fits(index, entry["id"], one, fields, whole):
                rules.check(one, self.path.parent, self._say_in(index), whole=whole)
                yield self._variant(index, entry, variant, line, one, lines)
        self.axes = {}

    def _variant(
        self, index: int, entry: JsonObject, variant: str | None, line: int, case: JsonObject, lines: dict[str, int]
    ) -> Variant:
        if self.axes:
            lines = {**lines, **places.lines_of_point(self.document, index, self.axes)}
        code = places.of_case(self.document, index, entry, self.axes)
        tools = case.get("tools")
        python = (case.get("expect") or {}).get("python") or ()
        prompt = case.get("prompt")
        if prompt and rules.is_prompt_file(prompt) and prompt not in self.head.prompts and not self.mistakes:
            self.head.prompts[prompt] = (self.path.parent / prompt).read_text(encoding="utf-8")
        own = {k: v for k, v in entry.items() if k not in ("id", "matrix")}
        return Variant(
            head=self.head,
            id=entry["id"],
            variant=variant,
            line=line,
            tags=self._one(case.get("tags")),
            fixtures=self._one(case.get("fixtures")),
            skip=case.get("skip"),
            xfail=case.get("xfail"),
            trials=case.get("trials") or 1,
            agent=case.get("agent"),
            tools=tuple(tools) if isinstance(tools, list) else tools,
            python=self._one([python] if isinstance(python, str) else python),
            policies=self._one(case.get("policies")),
            asks=gates.digest_of(case),
            payload=dumps({"own": own, "point": self.axes, "lines": lines, "places": code}),
        )

    def _one(self, names: Collection[str] | None) -> tuple[str, ...]:
        """Equal tuples as one object."""
        made = tuple(names or ())
        return self.shared.setdefault(made, made)

    def _matrix(self, index: int, matrix: JsonObject) -> bool:
        """Note what is wrong with the matrix itself; False if it cannot be unfolded."""
        before = len(self.mistakes)
        for axis, values in matrix.items():
            say = self._say_in(index, "matrix", axis)
            first = axis.split(".")[0]
            if first in _FIXED or first not in CaseFields.__dataclass_fields__:
                near = did_you_mean(first, [k for k in CaseFields.__dataclass_fields__ if k not in _FIXED])
                say((), f"matrix: {axis!r} is no field of a case that can vary", "", near)
            names: dict[str, int] = {}
            for at, value in enumerate(values):
                if isinstance(point_value(value), (dict, list)) and not is_named(value):
                    say((at,), "matrix: a mapping or list needs a name", "{id: a_name, value: ...}")
                    continue
                name = point_id(value)
                if not re.fullmatch(ID_PATTERN, name):
                    say((at,), f"matrix: {name[:90]!r} is no variant id: lower-case letters, digits, _ and -, at most 80")
                elif names.setdefault(name, at) != at:
                    say((at,), f"matrix: two points of {axis!r} are called {name!r}", "", "name them: {id: ..., value: ...}")
        if len(self.mistakes) > before:
            return False
        ids = [variant or "" for variant, _ in points(matrix)]
        double = next((name for name in ids if ids.count(name) > 1), None) if len(set(ids)) < len(ids) else None
        if double:
            self._say_in(index, "matrix")((), f"matrix: two points are called {double!r}", "", "name them: {id: ..., value: ...}")
        if any(len(name) > 80 for name in ids):
            self._say_in(index, "matrix")(
                (), "matrix: a variant id is over 80 characters", "", "name the points: {id: ..., value: ...}"
            )
        return len(self.mistakes) == before

    def _fits(self, index: int, ident: str, case: JsonObject, point: JsonObject, whole: bool) -> bool:
        """A point may put a wrong type anywhere: the whole case is looked at again."""
        _, schema = shape.suite_schemas()
        wrong = [
            v
            for v in schema.violations({**case, "id": ident}, placeholders=False)
            if not (v.name in self.head.checks and v.loc == ("expect",))
        ]
        for violation in wrong if whole else ():
            message, hint = shape.describe(violation, violation.loc)
            self._say_in(index)(violation.loc, f"matrix: {shape.words(violation.loc)}: {message}", "", hint)
        return not wrong

    def _say(self, place: tuple[str | int, ...], found: str, allowed: str = "", hint: str = "") -> None:
        self.mistakes.append(self.document.mistake(place, found, allowed, hint))

    def _say_at(self, *start: str | int) -> rules.Say:
        """For places below `start` in the file."""
        return lambda place, *words: self._say((*start, *place), *words)

    def _say_in(self, index: int, *start: str | int) -> rules.Say:
        """For places of a merged case: noted where the key was written, in the matrix, the case, the defaults or at the top."""
        return lambda place, *words: self._say(places.origin(self.document.value, index, (*start, *place), self.axes), *words)


def case_from(words: Mapping[str, Any], *, id: str, suite: str, file: str, line: int) -> Case:
    """A case from Python words instead of YAML, with the same rules; raises `CaseFileError`."""

    def say(place: tuple[str | int, ...], found: str, allowed: str = "", hint: str = "") -> None:
        mistakes.append(Mistake(file=file, line=line, col=1, found=found, allowed=allowed, hint=hint))

    mistakes: list[Mistake] = []
    try:
        value = jsonable({**words, "id": id})
    except NotJson as error:
        raise CaseFileError([Mistake(file=file, line=line, col=1, found=str(error))]) from None
    _, schema = shape.suite_schemas()
    for violation in schema.violations(value, placeholders=False):
        say((), str(violation).removeprefix("$: ").removeprefix("$."))
    for place in shape.unsupported_in(value):
        say((), f"{shape.words(place)}: not supported by this version")
    if not mistakes:
        rules.check(value, Path(file).parent, say)
    if mistakes:
        raise CaseFileError(mistakes)
    value.pop("id")
    return Case(id=id, suite=suite, variant=None, file=file, line=line, fields=build(CaseFields, value))


__all__ = ["LoadedSuite", "SuiteHead", "Variant", "case_from", "load_suite"]
