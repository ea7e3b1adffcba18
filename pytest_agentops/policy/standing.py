"""Which policy files a recorded run was under: on each side of a comparison by the place of the file, never by its name alone.

A version of policies may lie anywhere: in the case folder, in a copy of it, in a git revision. Each of its files stands for one
file that cases name; what one side has and the other has not was absent there.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from ..errors import AgentOpsError
from .model import Policy
from .played import PlayedRun

Files = Mapping[str, tuple[Policy, ...]]
"""Policies by the place of their file: absolute, with forward slashes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A version of policy files, each at the place of the file for which it stands."""

    name: str = ""
    """As a person gave it."""
    files: Files
    folders: tuple[str, ...] = ()
    """It has all that was in them: a file of theirs that is not here was absent."""
    named: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The places that a run's case names in the suites of this version, by the run's id; empty where it has no suites."""
    gone: frozenset[str] = frozenset()
    """Places where there is no file now, so that no suite of today names it."""

    def places(self, run: PlayedRun) -> tuple[str, ...]:
        """The files that the run is under: as this version's suites say, else as the case says now.

        Where no suite of this version tells who named a file that only it has, the suites in its folder and below did.
        """
        if run.policies is None:
            return tuple(self.files)
        if run.id in self.named:
            return self.named[run.id]
        suite = f"{run.id.partition('/')[0]}/"
        if any(other.startswith(suite) for other in self.named):
            return run.policies
        return (*run.policies, *(f for f in sorted(self.gone) if _below(run.suite, posixpath.dirname(f))))

    def covers(self, place: str) -> bool:
        """Whether it speaks of the file: it has it, or would have it."""
        return place in self.files or any(_below(place, folder) for folder in self.folders)

    def under(self, run: PlayedRun) -> dict[str, tuple[Policy, ...]]:
        """The policies that the run is under, by their places. Files that are not compared are as they are now."""
        every = {p: self.files.get(p, ()) if self.covers(p) else run.own.get(p, ()) for p in self.places(run)}
        return {place: policies for place, policies in every.items() if policies}

    def of(self, run: PlayedRun) -> tuple[Policy, ...]:
        """The same as one list."""
        return tuple(policy for policies in self.under(run).values() for policy in policies)

    def concerns(self, run: PlayedRun) -> bool:
        """Whether the run is under one of its files."""
        return run.policies is None or any(place in self.files for place in self.places(run))

    def without(self) -> Standing:
        """What it was before there was any of its policies."""
        return replace(self, files=dict.fromkeys(self.files, ()), named={}, gone=frozenset())

    def moved(self, places: Mapping[str, str], folders: tuple[str, ...], named_from: Mapping[str, str]) -> Standing:
        """The same files at other places; `named_from` are the folders that moved, with where they are now."""
        return replace(
            self,
            files={places[place]: policies for place, policies in self.files.items()},
            folders=folders,
            named={run: tuple(_moved(place, named_from) for place in named) for run, named in self.named.items()},
        )


def _below(place: str, folder: str) -> bool:
    return place.startswith(f"{folder.rstrip('/')}/")


def _moved(place: str, folders: Mapping[str, str]) -> str:
    for old, new in folders.items():
        if _below(place, old):
            return posixpath.join(new, posixpath.relpath(place, old))
    return place


# --- where a version stands


def fitted(side: Standing, wanted: Files) -> Standing | None:
    """The version at the places of the files that cases name; None where it has none of them.

    A folder stands for the one folder in which most of its files are found at the same paths; a single file for the file of its
    name, else for the one with a policy of the same id. Raises `AgentOpsError` where it could be several.
    """
    if side.files.keys() & wanted.keys():
        return side  # it lies where the cases look for it
    inside = {place: _inside(place, side.folders) for place in side.files}
    found = _folder_for(side, inside, wanted)
    if found is not None:
        places = {place: posixpath.join(found, rel) for place, rel in inside.items()}
        return side.moved(places, (found,) if side.folders else (), dict.fromkeys(side.folders, found))
    if len(side.files) != 1:
        return None
    ((mine, policies),) = side.files.items()
    same = {place: _shown(wanted, place) for place, others in wanted.items() if _ids(policies) & _ids(others)}
    place = _one_of(side, same)
    return None if place is None else side.moved({mine: place}, (), {})


def instead(side: Standing, other: Standing) -> Standing | None:
    """A single file that nothing else tells the place of stands for the single file of the other version."""
    if len(side.files) != 1 or len(other.files) != 1:
        return None
    return side.moved(dict(zip(side.files, other.files, strict=True)), (), {})


def _inside(place: str, folders: Iterable[str]) -> str:
    return next((posixpath.relpath(place, folder) for folder in folders if _below(place, folder)), posixpath.basename(place))


def _folder_for(side: Standing, inside: Mapping[str, str], wanted: Files) -> str | None:
    scores: dict[str, tuple[int, int]] = {}
    for folder in dict.fromkeys(_folders(inside.values(), wanted)):
        pairs = [(side.files[p], wanted[there]) for p, rel in inside.items() if (there := posixpath.join(folder, rel)) in wanted]
        scores[folder] = len(pairs), sum(bool(_ids(one) & _ids(other)) for one, other in pairs)
    best = max(scores.values(), default=(0, 0))
    first = next((rel for rel in inside.values()), "")
    return _one_of(side, {folder: _shown(wanted, posixpath.join(folder, first)) for folder, s in scores.items() if s == best})


def _shown(wanted: Files, place: str) -> str:
    """A place as messages write it."""
    return next((policy.file for policy in wanted.get(place, ())), place)


def _folders(inside: Iterable[str], wanted: Iterable[str]) -> Iterator[str]:
    names = list(wanted)
    yield from (name[: -len(rel) - 1] for rel in inside for name in names if name.endswith(f"/{rel}"))


def _one_of(side: Standing, places: Mapping[str, str]) -> str | None:
    """The only one; `places` are said by their names."""
    if len(places) > 1:
        which = " or for ".join(sorted(places.values())[:4])
        cure = "lay it out as they lie (a folder with each file at its path), or look at the runs of one of them"
        raise AgentOpsError(f"{side.name}: it may stand for {which}; {cure}")
    return next(iter(places), None)


def _ids(policies: Iterable[Policy]) -> set[str]:
    return {policy.id for policy in policies}


__all__ = ["Files", "Standing", "fitted", "instead"]
