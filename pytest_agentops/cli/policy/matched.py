"""Two sides of a comparison, matched: which files stand for each other, and what each suite's cases name together.

Over all files at once the strictest would win, and a policy that one suite names would hide what widens in another's.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from .groups import Use, idle, same_tools, uses_of
from .sources import Facts, policy_files, suites_of
from .versions import Side

if TYPE_CHECKING:
    from ...policy.model import PolicyFile

Pair: TypeAlias = "tuple[PolicyFile | None, PolicyFile | None]"
"""One file on both sides; None where it is not there."""


@dataclass(slots=True)
class Compared:
    """The files that a suite's cases name, on both sides."""

    facts: Facts
    before: list[PolicyFile]
    after: list[PolicyFile]

    def is_as(self, other: Compared) -> bool:
        """Whether it asks the same."""
        ours, theirs = ([id(file) for file in (*one.before, None, *one.after)] for one in (self, other))
        return ours == theirs and same_tools(self.facts, other.facts)


@dataclass(slots=True)
class Matched:
    """All that is compared."""

    pairs: list[Pair]
    compared: list[Compared] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    """What suites could not say."""

    def add(self, facts: Facts, pairs: Sequence[Pair], beside: Sequence[PolicyFile] = ()) -> None:
        if not pairs:
            return
        before, after = ([file for pair in pairs if (file := pair[n]) is not None] for n in (0, 1))
        new = Compared(facts, [*before, *beside], [*after, *beside])
        if not any(new.is_as(other) for other in self.compared):
            self.compared.append(new)


def matched(options: argparse.Namespace, before: Side, after: Side) -> Matched:
    """Every suite with its files. Of a suite that is on both sides the new one says what its tools are."""
    from ...policy.paired import paired

    found = Matched(paired(before.files, after.files))
    new = uses_of(suites_of(options, [after.folder] if after.folder else [], found.lost))
    old = (
        [] if options.suite or before.folder in (None, after.folder) else uses_of(suites_of(options, [before.folder], found.lost))
    )
    known = {use.suite.file for use in new}
    uses = [*new, *(use for use in old if use.suite.file not in known)]
    for use in uses:
        named = [pair for pair in found.pairs if _names(use, pair, before, after)]
        if named:
            found.add(_same(use, new).facts(), named, _beside(use, before, after))
    _unnamed(found, options, uses, {side.path_of(file) for side in (before, after) for file in side.files})
    for one in found.compared:
        found.lost += one.facts.lost
    return found


def _same(use: Use, new: Sequence[Use]) -> Use:
    """The use as the new side has it, where that has a suite of this name."""
    if use in new:
        return use
    same = [other for other in new if other.suite.name == use.suite.name]
    return next((other for other in same if other.variants[0].tools == use.variants[0].tools), use)


def _names(use: Use, pair: Pair, before: Side, after: Side) -> bool:
    return any(file is not None and side.path_of(file) in use.names for side, file in zip((before, after), pair, strict=True))


def _beside(use: Use, before: Side, after: Side) -> list[PolicyFile]:
    """What the cases name beside the files that are compared: it is the same on both sides, and may be the stricter."""
    sides = (before, after)
    compared = {side.path_of(file) for side in sides for file in side.files}
    names = [name for name in sorted(use.names - compared) if not any(side.covers(name) for side in sides)]
    return policy_files([path for name in names if (path := Path(name)).is_file()])


def _unnamed(found: Matched, options: argparse.Namespace, uses: Sequence[Use], names: Collection[str]) -> None:
    """Files that no case names: each alone, since nobody says that another is beside it, and all of them together."""
    used = {id(file) for one in found.compared for file in (*one.before, *one.after)}
    left = [p for p in found.pairs if not any(id(file) in used for file in p)]
    gone = [old for old, new in left if old is not None and new is None]
    for one in found.compared:  # who named it cannot be known: it may have been any
        one.before += gone
    if found.compared:
        left = [pair for pair in left if pair[1] is not None]
    for facts in idle(options, uses, names) if left else []:
        found.add(facts, left)
        for pair in left:
            if None not in pair:
                found.add(facts, [pair])
