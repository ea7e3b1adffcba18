"""Policies as suites use them: the files that a case names together, over that suite's tools. So the acts judge them, too.

Two suites may have a tool of one name, and policies of two suites never meet in one call.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from .sources import Facts, facts_over, refs_of, suites_of

if TYPE_CHECKING:
    from pathlib import Path

    from ...loading.suite import LoadedSuite, Variant
    from ...policy.model import PolicyFile
    from ...schema.contract import Contract

Named: TypeAlias = frozenset[str]
"""Policy files by their paths, as messages write them."""


@dataclass(slots=True)
class Use:
    """The cases of one suite that name the same policy files for the same tools."""

    suite: LoadedSuite
    names: Named
    variants: list[Variant] = field(default_factory=list)

    def facts(self) -> Facts:
        return facts_over([(self.suite, self.variants)])


@dataclass(slots=True)
class Group:
    """Policy files that are judged together, and what their suite says."""

    facts: Facts
    files: list[PolicyFile]
    elsewhere: frozenset[str] = frozenset()
    """Tools that are another group's: a file that several suites share may be for tools that one of them does not have."""


def uses_of(suites: Iterable[LoadedSuite]) -> list[Use]:
    """What the cases of these suites name together."""
    found: dict[tuple[str, Named, str], Use] = {}
    for suite in suites:
        for variant in suite.variants:
            names = refs_of(suite, variant)
            use = found.setdefault((suite.file, names, repr(variant.tools)), Use(suite, names))
            use.variants.append(variant)
    return [*found.values()]


def by_suites(options: argparse.Namespace, paths: Sequence[Path], files: Sequence[PolicyFile]) -> list[Group]:
    """The files in the groups in which cases name them, each with what its suite says; what no case names is one more.

    Such files are held against the suites that name no policy at all, or against those that `--suite` gives.
    """
    lost: list[str] = []
    uses = uses_of(suites_of(options, paths, lost))
    where = {id(file): os.path.normpath(file.file) for file in files}
    groups = [(use, mine) for use in uses if (mine := [file for file in files if where[id(file)] in use.names])]
    named = {id(file) for _, mine in groups for file in mine}
    left = [file for file in files if id(file) not in named]
    found = [Group(use.facts(), mine) for use, mine in groups]
    if left:
        found += [Group(facts, left) for facts in idle(options, uses, where.values())]
    for group in found:
        group.elsewhere = frozenset(name for other in found for name in other.facts.contracts if other is not group)
    if found:
        found[0].facts.note_lost(lost)
    return found


def idle(options: argparse.Namespace, uses: Sequence[Use], names: Iterable[str]) -> list[Facts]:
    """What is said by suites that name none of these files, or by those that were given; nothing where there are none."""
    known = set(names)
    naming = set() if options.suite else {use.suite.file for use in uses if known & use.names}
    found: list[Facts] = []
    for use in uses:
        facts = use.facts() if use.suite.file not in naming else None
        if facts is not None and not any(alike(facts, other) for other in found):
            found.append(facts)
    return found or [Facts()]


def alike(one: Facts, other: Facts) -> bool:
    """Whether two suites say the same of tools, contexts and principals, wherever they say it."""
    return same_tools(one, other) and one.context == other.context and _principals(one) == _principals(other)


def same_tools(one: Facts, other: Facts) -> bool:
    return _plain(one) == _plain(other)


def _plain(facts: Facts) -> dict[str, Contract]:
    return {name: replace(contract, where="", answers=None) for name, contract in facts.contracts.items()}


def _principals(facts: Facts) -> list[object]:
    return [*dict.fromkeys(case.fields.principal for case in facts.cases)]


def together(groups: Sequence[Group]) -> Iterator[tuple[PolicyFile, list[Group]]]:
    """Each file once, with the groups that it is in."""
    files = {id(file): file for group in groups for file in group.files}
    for key, file in files.items():
        yield file, [group for group in groups if any(id(one) == key for one in group.files)]
