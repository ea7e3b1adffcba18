"""What the acts work on: policy files from paths, and what the suites beside them say of tools, contexts and principals."""

from __future__ import annotations

import argparse
import datetime as dt
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import AgentOpsError, CaseFileError, Mistake

if TYPE_CHECKING:
    from ...loading.suite import LoadedSuite, Variant
    from ...policy.extends import Resolve
    from ...policy.model import Policy, PolicyFile
    from ...schema.case import Case
    from ...schema.contract import Contract
    from ...schema.document import Document

SUFFIXES = (".yaml", ".yml")


@dataclass(slots=True)
class Facts:
    """What suites say of the world in which policies act."""

    contracts: dict[str, Contract] = field(default_factory=dict)
    context: set[str] = field(default_factory=set)
    """Names that some case's context has."""
    contracts_by_suite: dict[str, dict[str, Contract]] = field(default_factory=dict)
    policies: dict[Path, tuple[Policy, ...]] = field(default_factory=dict)
    """Policy files that cases name, read once."""
    cases: list[Case] = field(default_factory=list)
    suites: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What could not be known, a sentence each."""
    lost: list[str] = field(default_factory=list)
    """Those of them that name tools which are not known: what is said of these policies is said in part."""

    def note_lost(self, lost: Sequence[str], *, first: bool = False) -> None:
        """Tools that are not known, each told once."""
        new = [why for why in dict.fromkeys(lost) if why not in self.lost]
        self.lost = [*new, *self.lost] if first else [*self.lost, *new]
        self.notes = [*new, *self.notes] if first else [*self.notes, *new]


def add_paths(parser: argparse.ArgumentParser) -> None:
    """The arguments that most acts take."""
    parser.add_argument("paths", type=Path, nargs="*", default=[Path("cases")], help="policy files, or folders (default: cases)")
    add_suites(parser)


def add_suites(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--suite",
        type=Path,
        action="append",
        metavar="FILE",
        help="a suite that declares the tools; its code is imported (default: the suites in the policies' folders)",
    )
    parser.add_argument(
        "--no-suite", action="store_true", help="import nothing: policies and their own tests say what tools take"
    )


def moment(text: str) -> dt.datetime:
    """A time as an option takes it."""
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; expected one such as 2026-11-22T09:00:00Z") from None
    if found.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} has no zone; expected one such as 2026-11-22T09:00:00Z")
    return found


def mapping(text: str, option: str, known: tuple[str, ...] | None = None) -> dict[str, Any]:
    """A JSON mapping as an option takes it; with `known` only of these keys."""
    from ...schema.suggest import did_you_mean
    from ...schema.values import loads

    try:
        value = loads(text)
    except ValueError as error:
        raise AgentOpsError(f'{option}: this is no JSON: {error}; expected a mapping such as {{"key": "value"}}') from None
    if not isinstance(value, dict):
        raise AgentOpsError(f"{option}: expected a mapping such as {{}}, found {text[:60]}")
    for key in value:
        if known is not None and key not in known:
            near = did_you_mean(key, known)
            allowed = f"expected one of {', '.join(known)}" if known else "no limit is in these policies"
            raise AgentOpsError(f"{option}: unknown key {key!r}; {allowed}" + (f"; {near}" if near else ""))
    return value


def shown(path: Path) -> str:
    """A path as messages write it."""
    return os.path.relpath(path, Path.cwd()).replace(os.sep, "/")


def yaml_files(paths: Iterable[Path]) -> list[Path]:
    """Files as they were named, folders with all YAML below them; raises `AgentOpsError` for what is not there."""
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found.update(dict.fromkeys(p for p in sorted(path.rglob("*")) if p.suffix in SUFFIXES and p.is_file()))
        elif path.is_file():
            found[path] = None
        else:
            raise AgentOpsError(f"{path.as_posix()}: no such file or folder")
    return list(found)


def policy_files(paths: Sequence[Path]) -> list[PolicyFile]:
    """The policy files among them; raises `CaseFileError` with the mistakes of all. A file that was named must be one."""
    from ...policy.extends import on_disk

    named = {path for path in paths if path.is_file()}
    return policies_of(((partial(read_yaml, path), path in named) for path in yaml_files(paths)), on_disk(Path.cwd()))


def policies_of(documents: Iterable[tuple[Callable[[], Document], bool]], resolve: Resolve) -> list[PolicyFile]:
    """The policy files among documents, each with whether it was named and so must be one; raises with the mistakes of all."""
    from ...policy.files import from_document

    files: list[PolicyFile] = []
    mistakes: list[Mistake] = []
    for read, named in documents:
        try:
            document = read()
            if is_policy(document.value):
                files.append(from_document(document, resolve=resolve))
            elif named:
                mistakes.append(document.mistake((), "no policy file: it has neither `policy` nor `policies`"))
        except CaseFileError as error:
            mistakes += error.mistakes
    if mistakes:
        raise CaseFileError(mistakes)
    return files


def read_yaml(path: Path) -> Document:
    """The file's document; raises `CaseFileError`."""
    from ...policy.files import document_at

    return document_at(path, Path.cwd())


def is_policy(value: object) -> bool:
    return isinstance(value, dict) and "cases" not in value and bool({"policy", "policies"} & set(value))


def policies_in(files: Iterable[PolicyFile]) -> list[Policy]:
    return [policy for file in files for policy in file.policies]


def facts_of(options: argparse.Namespace, paths: Sequence[Path], files: Sequence[PolicyFile] = ()) -> Facts:
    """What the suites say; without `--suite` those in the folders of the paths, where one that does not load is only noted.

    Where suites name one of `files`, the others do not count: a tool of the same name may be another one there.
    """
    lost: list[str] = []
    suites = suites_of(options, paths, lost)
    facts = facts_over((suite, suite.variants) for suite in _naming(suites, files) or suites)
    facts.note_lost(lost, first=True)
    return facts


def suites_of(options: argparse.Namespace, paths: Sequence[Path], lost: list[str]) -> list[LoadedSuite]:
    """The suites that were given, else those beside the paths; one of these that does not load is lost."""
    if options.suite:
        for path in options.suite:
            if not path.is_file():
                raise AgentOpsError(f"{path.as_posix()}: no such file")
        return [_loaded(path) for path in options.suite]
    found = []
    for path in [] if options.no_suite else _suites_beside(paths):
        try:
            found.append(_loaded(path))
        except AgentOpsError as problem:
            lost.append(f"{shown(path)} does not load, its tools are not known: {str(problem).splitlines()[0]}")
    return found


def _naming(suites: Sequence[LoadedSuite], files: Sequence[PolicyFile]) -> list[LoadedSuite]:
    named = {os.path.normpath(file.file) for file in files}
    return [suite for suite in suites if any(named & refs_of(suite, variant) for variant in suite.variants)]


def facts_over(suites: Iterable[tuple[LoadedSuite, Sequence[Variant]]]) -> Facts:
    """What these cases of suites say."""
    facts = Facts()
    for suite, variants in suites:
        try:
            _take(facts, suite, variants)
        except AgentOpsError as problem:
            facts.note_lost([f"{suite.file}: its tools cannot be made here: {str(problem).splitlines()[0]}"])
    return facts


def refs_of(suite: LoadedSuite, variant: Variant) -> frozenset[str]:
    """The policy files that a case names, as messages write them."""
    folder = suite.path.parent
    return frozenset(os.path.normpath(shown(folder / ref)) for ref in variant.policies)


def _suites_beside(paths: Sequence[Path]) -> list[Path]:
    folders = [path if path.is_dir() else path.parent for path in paths]
    files = dict.fromkeys(
        file
        for folder in folders
        for file in (yaml_files([folder]) if folder in paths else sorted(folder.glob("*.y*ml")))
        if file.suffix in SUFFIXES
    )
    return [file for file in files if _is_suite(file)]


def _is_suite(path: Path) -> bool:
    try:
        value = read_yaml(path).value
    except CaseFileError:
        return False
    return isinstance(value, dict) and "cases" in value


def _loaded(path: Path) -> LoadedSuite:
    from ...loading.suite import load_suite

    return load_suite(path, Path.cwd())


def _take(facts: Facts, loaded: LoadedSuite, variants: Sequence[Variant]) -> None:
    cases = [variant.case() for variant in variants]
    facts.suites.append(loaded.file)
    facts.cases += cases
    seen: set[str] = set()
    for variant, case in zip(variants, cases, strict=True):
        facts.context |= set(case.fields.context or {})
        if repr(variant.tools) not in seen:
            seen.add(repr(variant.tools))
            lost: list[str] = []
            for name, contract in contracts_of(case, lost).items():
                facts.contracts.setdefault(name, contract)
                facts.contracts_by_suite.setdefault(loaded.name, {}).setdefault(name, contract)
            facts.note_lost(lost)


def contracts_of(case: Case, notes: list[str]) -> Mapping[str, Contract]:
    """The contracts of a case's tools: its code is imported with the network off; what pytest makes (fixtures) is noted."""
    from ...parts import Fixture, make_toolbox, refs_of, tool_parts
    from ...runner.surroundings import offline

    refs = refs_of(case.fields.tools)
    with offline():
        parts = tool_parts(refs, Path(case.base_dir))
        known = [(part, str(ref)) for part, ref in zip(parts, refs, strict=True) if not isinstance(part, Fixture)]
        for part in parts:
            if isinstance(part, Fixture):
                notes.append(f"{case.file}: the fixture {part.name!r} is made by pytest, its tools are not known here")
        offer = make_toolbox(tuple(part for part, _ in known), tuple(name for _, name in known), case)
        return dict(offer.toolbox.contracts)


def write_out(output: Path | None, text: str) -> None:
    """Print, or write a file whole or not at all."""
    text = text if text.endswith("\n") else f"{text}\n"
    if output is None:
        print(text, end="")
        return
    from ...schema.disk import write_text

    try:
        write_text(output, text)
    except OSError as error:
        raise AgentOpsError(f"{output.as_posix()}: cannot be written: {error.strerror or error}") from None
