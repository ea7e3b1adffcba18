"""Policy files of a session: read once each, held against the tools of every suite that names them, before anything runs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import CaseFileError, LoadError, Mistake
from .parts import Fixture, Parts, make_toolbox
from .runner.surroundings import offline
from .schema.case import Case
from .schema.contract import Contract
from .schema.paths import Concrete
from .tools.toolbox import Toolbox

if TYPE_CHECKING:
    from .collect import Suites
    from .loading.suite import LoadedSuite, Variant
    from .policy.model import PolicyFile
    from .policy.people import Wrong


class PolicyFiles:
    """The policy files that were read; what is wrong with one is told once for each suite that names it."""

    def __init__(self, rootdir: Path) -> None:
        self.rootdir = rootdir
        self._read: dict[Path, PolicyFile | CaseFileError] = {}

    def load(self, path: Path) -> PolicyFile:
        """The file at `path`; raises `CaseFileError` with all its mistakes."""
        path = Path(os.path.normpath(path))
        found = self._read.get(path)
        if found is None:
            found = self._read[path] = self._fresh(path)
        if isinstance(found, CaseFileError):
            raise CaseFileError(found.mistakes)
        return found

    def _fresh(self, path: Path) -> PolicyFile | CaseFileError:
        from .policy.files import load

        try:
            return load(path, self.rootdir)
        except CaseFileError as error:
            return error

    def named(self, refs: Sequence[str], base: Path) -> tuple[PolicyFile, ...]:
        """The files that a case names; all mistakes of all of them are one error, and so are two policies of one id."""
        files: dict[Path, PolicyFile] = {}
        mistakes: list[Mistake] = []
        for ref in refs:
            if not (base / ref).is_file():
                raise LoadError(
                    f"policies: there is no file {ref}", ref=ref, hint="expected a policy file, from the suite's folder"
                )
            try:
                files[Path(os.path.normpath(base / ref))] = self.load(base / ref)
            except CaseFileError as error:
                mistakes += error.mistakes
        mistakes += _twins(files.values())
        if not mistakes:
            mistakes += _without_people(tuple(files.values()))
        if mistakes:
            raise CaseFileError(mistakes)
        return tuple(files.values())


def _twins(files: Iterable[PolicyFile]) -> Iterator[Mistake]:
    """Two policies of one id would make `refunds/2` mean two rules."""
    seen: dict[str, str] = {}
    for file in files:
        for policy in file.policies:
            where = seen.setdefault(policy.id, policy.where)
            if where != policy.where:
                yield policy.source.mistake(
                    f"two policies with the id {policy.id!r}", f"the other one is {where}", "give each an `id`"
                )


def _without_people(files: Sequence[PolicyFile]) -> list[Mistake]:
    """Roles that nobody has in all the files together."""
    from .policy.people import between

    return list(dict.fromkeys(between(files)))


def wrong_roles(case: Case, files: Sequence[PolicyFile]) -> Iterator[tuple[Concrete, Wrong]]:
    """Roles that the case names itself and that nobody has, each with its place in the case."""
    from .approvals.request import ANYBODY
    from .policy.model import roles_of
    from .policy.people import never

    steps = (case.fields.budget.degrade if case.fields.budget is not None else None) or ()
    named: list[tuple[Concrete, str | None]] = [
        *((("approvals", i, "role"), entry.role) for i, entry in enumerate(case.fields.approvals or ())),
        *((("budget", "degrade", i, "require_approval"), step.require_approval) for i, step in enumerate(steps)),
    ]
    roles = roles_of(files) if named else None
    for place, role in named:
        why = None if roles is None or role in (None, ANYBODY) else never(str(role), 1, roles)
        if why is not None:
            key = ".".join(step for step in place if isinstance(step, str))
            yield place, (f"{key}: {why[0]}", *why[1:])


def check_suite(suite: LoadedSuite, parts: Mapping[str, Parts]) -> list[Mistake]:
    """What is wrong between a suite's policies, tools and cases: unclear names, roles of nobody, less than a tier's floor."""
    from .policy.binding import check

    found: dict[Mistake, None] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    for variant in suite.variants:
        own = parts[variant.key]
        if not own.policies:
            continue
        case = variant.case()
        for place, (what, allowed, hint) in wrong_roles(case, own.policies):
            line, col = variant.place_of(place, suite.path)
            found[Mistake(file=variant.file, line=line, col=col, found=what, allowed=allowed, hint=hint)] = None
        context = frozenset(case.fields.context or {})
        if (variant.key, context) in seen:
            continue
        seen.add((variant.key, context))
        contracts = contracts_of(variant, own)
        if contracts is None:  # known only when the case is set up: it is looked at then
            continue
        policies = [policy for file in own.policies for policy in file.policies]
        found.update(dict.fromkeys(check(policies, contracts, context)))
        found.update(dict.fromkeys(_for_no_tool(own.policies, contracts, variant)))
    return list(found)


def _for_no_tool(files: Sequence[PolicyFile], contracts: Mapping[str, Contract], variant: Variant) -> Iterator[Mistake]:
    """A file of which no policy is for any tool: the suite would run without one, and look as if it had."""
    from .policy.binding import unused

    for file in files:
        idle = unused(file.policies, contracts)
        if len(idle) == len(file.policies):
            line, col = variant.place("policies")
            yield Mistake(
                file=variant.file,
                line=line,
                col=col,
                found=f"policies: {file.file} is for none of the tools",
                allowed=f"the tools are: {', '.join(sorted(contracts)) or 'none'}",
                hint=next((mistake.hint for mistake in idle if mistake.hint), ""),
            )


def contracts_of(variant: Variant, parts: Parts) -> Mapping[str, Contract] | None:
    """The tools' contracts before anything runs, as a replay makes them; None where a fixture or a live world is needed."""
    if any(isinstance(part, Fixture) for part in parts.tools):
        return None
    try:
        with offline():
            toolbox: Toolbox = make_toolbox(parts.tools, parts.tool_names, variant.case()).toolbox
            return {name: toolbox.contracts[name] for name in toolbox.contracts}
    except Exception:  # the case says so itself when it runs
        return None


def contracts_for(path: Path, suites: Suites) -> tuple[list[tuple[str, Mapping[str, Contract]]], list[str]]:
    """Suite -> the contracts of its tools, of every suite in the case folders that names this policy file; and which do not load.

    What a policy decides depends on the tools' tiers, so its tests hold for each of them; where there is none they get tools
    that are made up from the test.
    """
    from .loading.suite import load_suite

    found: list[tuple[str, Mapping[str, Contract]]] = []
    broken: list[str] = []
    for file in _candidates(path, suites):
        try:
            suite = load_suite(
                file, suites.settings.rootdir, checks=tuple(suites.registry.external("checks")), cache=suites.cache
            )
            known: set[str] = set()
            for variant in suite.variants:
                names = {Path(os.path.normpath(file.parent / ref)) for ref in variant.policies}
                if path not in names or variant.key in known:
                    continue
                known.add(variant.key)
                contracts = contracts_of(variant, suites.parts(variant, file.parent))
                if contracts:
                    found.append((suite.name, contracts))
        except (CaseFileError, LoadError):  # told where that suite is collected
            broken.append(os.path.relpath(file, suites.settings.rootdir).replace(os.sep, "/"))
    return found, broken


def _candidates(path: Path, suites: Suites) -> Iterator[Path]:
    """Suite files that could name it: its own name stands in their text."""
    for folder in suites.settings.case_folders:
        for file in sorted(p for p in folder.rglob("*") if p.suffix in (".yaml", ".yml")):
            if file == path or not suites.settings.reads(str(file)):
                continue
            try:
                if path.name in file.read_text(encoding="utf-8"):
                    yield file
            except (OSError, UnicodeDecodeError):
                continue
