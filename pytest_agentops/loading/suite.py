"""A suite file to variants: read, checked as a whole with every mistake at once, defaults merged, matrices unfolded.

A variant stays small until it runs: its merged case is kept as JSON text, since ten thousand of them may wait in one session.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import CaseFileError, Mistake
from ..schema.case import ID_PATTERN, Case, CaseFields, ContractSpec, Ref
from ..schema.document import Document, read
from ..schema.values import Json, JsonObject, canonical, digest, dumps, loads
from . import rules, shape
from .build import build
from .kinds import kind_of
from .merge import merged, points, slug, with_point

_CASE_KEYS_OF_SUITE = ("agent", "tools", "policies")
"""Keys of the file's top level that are fields of every case."""


@dataclass(frozen=True, slots=True)
class SuiteHead:
    """What all variants of a file share."""

    name: str
    file: str
    base_dir: str
    contracts: JsonObject
    checks: frozenset[str]
    """Keys under `expect` that belong to checks from outside."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One variant of a case, ready to be collected; `case()` gives the whole of it."""

    head: SuiteHead
    id: str
    variant: str | None
    line: int
    tags: tuple[str, ...]
    fixtures: tuple[str, ...]
    skip: str | None
    xfail: str | None
    trials: int
    agent: Ref | None
    tools: Ref | tuple[Ref, ...] | None
    python: tuple[str, ...]
    payload: str
    """The merged fields as JSON text."""
    lines: tuple[tuple[str, int], ...]
    """``expect.*`` -> line."""

    @property
    def suite(self) -> str:
        return self.head.name

    @property
    def file(self) -> str:
        return self.head.file

    @property
    def name(self) -> str:
        """``case`` or ``case~variant``."""
        return self.id if self.variant is None else f"{self.id}~{self.variant}"

    @property
    def key(self) -> str:
        """Equal for variants that are made of the same code."""
        return repr((self.agent, self.tools, self.python))

    def case(self) -> Case:
        """The case as the runner and the checks read it."""
        fields = loads(self.payload)
        more = {k: fields["expect"].pop(k) for k in self.head.checks if k in (fields.get("expect") or {})}
        return Case(
            id=self.id,
            suite=self.head.name,
            variant=self.variant,
            file=self.head.file,
            line=self.line,
            fields=build(CaseFields, fields),
            contracts=_contracts(self.head.contracts),
            lines=dict(self.lines),
            more_checks=more,
            base_dir=self.head.base_dir,
        )


@dataclass(frozen=True, slots=True)
class LoadedSuite:
    """A suite file that is right."""

    name: str
    file: str
    path: Path
    description: str | None
    variants: list[Variant] = field(repr=False)
    digest: str


def load_suite(path: Path, rootdir: Path, *, checks: Collection[str] = ()) -> LoadedSuite:
    """Read a suite file; raises `CaseFileError` with all its mistakes. `checks` are registered keys under `expect`."""
    file = os.path.relpath(path, rootdir).replace(os.sep, "/")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CaseFileError([Mistake(file=file, line=1, col=1, found=f"the file cannot be read: {error}")]) from None
    document = read(text, file=file)
    kind = kind_of(document)
    if kind != "suite":
        found = (
            "policy files: not supported by this version" if kind else "neither a suite (`cases:`) nor a policy file (`policy:`)"
        )
        raise CaseFileError([document.mistake((), found, "", "move it, or name it in ini agentops_ignore")])
    wrong = shape.check(document, checks)
    if wrong:
        raise CaseFileError(wrong)
    return _Loader(document, path, checks).load()


class _Loader:
    """One file on its way; its shape is right, so only meaning is looked at."""

    def __init__(self, document: Document, path: Path, checks: Collection[str]) -> None:
        value: JsonObject = document.value
        self.document = document
        self.path = path
        self.value = value
        self.checks = checks
        self.mistakes: list[Mistake] = []
        self.name = value.get("suite") or slug(path.stem)
        self.head = SuiteHead(self.name, document.file, str(path.parent), value.get("contracts") or {}, frozenset(checks))
        self.defaults = merged({k: value[k] for k in _CASE_KEYS_OF_SUITE if k in value}, value.get("defaults") or {})
        self.default_lines = self._lines(("defaults", "expect"))

    def load(self) -> LoadedSuite:
        variants: list[Variant] = []
        ids: dict[str, int] = {}
        for index, entry in enumerate(self.value["cases"]):
            line = self.document.position(("cases", index))[0]
            other = ids.setdefault(entry["id"].lower(), line)
            if other != line:
                self._say(("cases", index, "id"), f"the id {entry['id']!r} is taken", "", f"the other one is in line {other}")
            variants += self._variants(index, entry, line)
        self._variant_ids(variants)
        if self.mistakes:
            raise CaseFileError(list(dict.fromkeys(self.mistakes)))
        return LoadedSuite(self.name, self.document.file, self.path, self.value.get("description"), variants, digest(self.value))

    def _variant_ids(self, variants: list[Variant]) -> None:
        seen: dict[tuple[str, str], Variant] = {}
        for variant in variants:
            other = seen.setdefault((variant.id.lower(), (variant.variant or "").lower()), variant)
            if other is not variant and variant.variant is not None and other.line == variant.line:
                found = f"two points of the matrix are called {variant.variant!r}"
                self.mistakes.append(
                    Mistake(file=self.head.file, line=variant.line, col=1, found=found, hint="name them: {id: ..., value: ...}")
                )

    def _variants(self, index: int, entry: JsonObject, line: int) -> Iterator[Variant]:
        case = merged(self.defaults, entry)
        ident = case.pop("id")
        matrix = case.pop("matrix", None)
        for field_name in matrix or {}:
            first = field_name.split(".")[0]
            if first not in CaseFields.__dataclass_fields__ or first in ("matrix", "expect", "tags"):
                self._say(("cases", index, "matrix", field_name), f"matrix: {field_name!r} is no field of a case that can vary")
                return
        expect_lines = self._lines(("cases", index, "expect"))
        lines = tuple({**self.default_lines, **expect_lines}.items())
        for variant, fields in points(matrix):
            whole = with_point(case, fields) if fields else case
            if fields:
                self._check_point(index, ident, whole)
            self._check(index, whole)
            yield self._variant(ident, variant, line, whole, lines)

    def _variant(
        self, ident: str, variant: str | None, line: int, case: JsonObject, lines: tuple[tuple[str, int], ...]
    ) -> Variant:
        tools = case.get("tools")
        python = (case.get("expect") or {}).get("python") or ()
        return Variant(
            head=self.head,
            id=ident,
            variant=variant,
            line=line,
            tags=tuple(case.get("tags") or ()),
            fixtures=tuple(case.get("fixtures") or ()),
            skip=case.get("skip"),
            xfail=case.get("xfail"),
            trials=case.get("trials", 1),
            agent=case.get("agent"),
            tools=tuple(tools) if isinstance(tools, list) else tools,
            python=(python,) if isinstance(python, str) else tuple(python),
            payload=dumps(self._with_prompt(case)),
            lines=lines,
        )

    def _with_prompt(self, case: JsonObject) -> JsonObject:
        prompt = case.get("prompt")
        if prompt and prompt.startswith("./") and "\n" not in prompt and (self.path.parent / prompt).is_file():
            return {**case, "prompt": (self.path.parent / prompt).read_text(encoding="utf-8")}
        return case

    def _check(self, index: int, case: JsonObject) -> None:
        def say(place: tuple[str | int, ...], found: str, allowed: str = "", hint: str = "") -> None:
            self._say(self._origin(index, place), found, allowed, hint)

        rules.check(case, self.path.parent, say, needs_task=case.get("agent") != "transcript")

    def _check_point(self, index: int, ident: str, case: JsonObject) -> None:
        """A point of a matrix may put a wrong type anywhere: the whole case is looked at again."""
        _, schema = shape.suite_schemas()
        for violation in schema.violations({**case, "id": ident}, placeholders=False):
            self._say(("cases", index, "matrix"), f"matrix: {violation.path.removeprefix('$.')}: {violation.message}")

    def _origin(self, index: int, place: tuple[str | int, ...]) -> tuple[str | int, ...]:
        """Where a key of the merged case was written: in the case, in the defaults, or at the top."""
        for start in (("cases", index), ("defaults",), ()):
            node: Json = self.value
            for step in (*start, *place[:1]):
                node = node[step] if _has(node, step) else None
            if place and node is not None:
                return (*start, *place)
        return ("cases", index)

    def _say(self, place: tuple[str | int, ...], found: str, allowed: str = "", hint: str = "") -> None:
        self.mistakes.append(self.document.mistake(place, found, allowed, hint))

    def _lines(self, place: tuple[str | int, ...]) -> dict[str, int]:
        return {f"expect.{key}": line for key, line in self.document.lines(place).items()}


def _has(node: Json, step: str | int) -> bool:
    if isinstance(node, dict):
        return step in node
    return isinstance(node, list) and isinstance(step, int) and step < len(node)


def _contracts(specs: JsonObject) -> dict[str, ContractSpec]:
    return {name: build(ContractSpec, spec) for name, spec in specs.items()}


def case_from(words: Mapping[str, Any], *, id: str, suite: str, file: str, line: int) -> Case:
    """A case from Python words instead of YAML, with the same rules; raises `CaseFileError`."""
    value = json.loads(canonical({**words, "id": id}))
    _, schema = shape.suite_schemas()
    mistakes = [Mistake(file=file, line=line, col=1, found=str(v)) for v in schema.violations(value, placeholders=False)]

    def say(place: tuple[str | int, ...], found: str, allowed: str = "", hint: str = "") -> None:
        mistakes.append(Mistake(file=file, line=line, col=1, found=found, allowed=allowed, hint=hint))

    if not mistakes:
        rules.check(value, Path(file).parent, say)
    if mistakes:
        raise CaseFileError(mistakes)
    value.pop("id")
    return Case(id=id, suite=suite, variant=None, file=file, line=line, fields=build(CaseFields, value))


__all__ = ["ID_PATTERN", "LoadedSuite", "SuiteHead", "Variant", "case_from", "load_suite"]
