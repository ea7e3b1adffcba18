"""Policies of one side of a comparison: a file, a folder, or either of them in a git revision (``REV:path``)."""

from __future__ import annotations

import os
import posixpath
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import AgentOpsError, CaseFileError
from .sources import SUFFIXES, policies_in, policies_of, policy_files, read_yaml, yaml_files

if TYPE_CHECKING:
    from ...policy.extends import Resolve
    from ...policy.model import Policy, PolicyFile
    from ...policy.standing import Standing
    from ...schema.document import Document


@dataclass(frozen=True, slots=True)
class Side:
    """One version of the policies."""

    name: str
    files: tuple[PolicyFile, ...]
    folder: Path | None
    """Where suites may stand beside it: of a git revision those of the working folder, if it has this place."""
    at: Path = Path()
    """From where a git revision names its files; those on disk are named from where we are."""
    revision: str = ""
    whole: str = ""
    """The folder that was named with all that is below it, if it was one: its place, in a revision the one that it would have."""

    @property
    def policies(self) -> tuple[Policy, ...]:
        return tuple(policies_in(self.files))

    def path_of(self, file: PolicyFile) -> str:
        """Where the file stands, or would stand, in the working folder."""
        return posixpath.normpath(file.file.removeprefix(f"{self.revision}:") if self.revision else file.file)

    def place(self, file: str) -> str:
        """The same as a place: absolute."""
        return place_of(self.at / file.removeprefix(f"{self.revision}:") if self.revision else Path(file))

    def covers(self, name: str) -> bool:
        """Whether a file of this path would be among its files."""
        return bool(self.whole) and Path(self.whole) in Path(place_of(Path(name))).parents

    def suites(self) -> Iterator[Document]:
        """The suites that lie among its policies."""
        from ...loading.kinds import kind_of

        if not self.whole:
            return
        names = _in_revision(self.name, self.at)[0] if self.revision else yaml_files([Path(self.whole)])
        for name in names:
            try:
                document = _document(self.revision, self.at, str(name)) if self.revision else read_yaml(Path(name))
            except CaseFileError:
                continue
            if kind_of(document) == "suite":
                yield document


def standing(found: Side) -> Standing:
    """The version at its own places, with what its own suites say of who is under which file."""
    from ...loading.named import policies_named
    from ...policy.standing import Standing

    named: dict[str, tuple[str, ...]] = {}
    for document in found.suites():
        folder = posixpath.dirname(found.place(document.file))
        refs = policies_named(document)
        named.update({run: tuple(place_of(Path(folder, ref)) for ref in mine) for run, mine in refs.items()})
    files = _by_place(found.policies, found.place)
    return Standing(name=found.name, files=files, folders=(found.whole,) if found.whole else (), named=named)


def now(paths: Sequence[Path], files: Iterable[PolicyFile]) -> Standing:
    """The policy files that a person named, at their places."""
    from ...policy.standing import Standing

    folders = tuple(place_of(path) for path in paths if path.is_dir())
    names = " ".join(path.as_posix() for path in paths)
    return Standing(name=names, files=_by_place(policies_in(files), lambda file: place_of(Path(file))), folders=folders)


def with_gone(version: Standing) -> Standing:
    """The same, knowing which of its files are not there any more."""
    return replace(version, gone=frozenset(place for place in version.files if not Path(place).is_file()))


def _by_place(policies: Iterable[Policy], place: Callable[[str], str]) -> dict[str, tuple[Policy, ...]]:
    found: dict[str, list[Policy]] = {}
    for policy in policies:
        found.setdefault(place(policy.file), []).append(policy)
    return {where: tuple(mine) for where, mine in found.items()}


def place_of(path: Path) -> str:
    """A file's place: absolute, with forward slashes."""
    return Path(os.path.abspath(path)).as_posix()


def side(text: str, at: Path = Path()) -> Side:
    """The policies that `text` names, from the folder `at`; raises `AgentOpsError` where there are none or they do not parse."""
    path = at / text
    if path.exists():
        whole = place_of(path) if path.is_dir() else ""
        found = Side(text, tuple(policy_files([path])), path if whole else path.parent, whole=whole)
    elif ":" in text:
        found = _revision(text, at)
    else:
        raise AgentOpsError(f"{text}: no such file or folder, and no REV:path of git")
    if not found.policies:
        raise AgentOpsError(f"{text}: there are no policies")
    return found


def _revision(text: str, at: Path) -> Side:
    rev, _, path = text.partition(":")
    names, named = _in_revision(text, at)
    files = policies_of(((partial(_document, rev, at, name), named) for name in names), _in_the_same(rev, at))
    here = at / path
    folder = here if here.is_dir() else here.parent if here.is_file() else None
    return Side(text, tuple(files), folder, at, rev, "" if named else place_of(here))


def _in_revision(text: str, at: Path) -> tuple[list[str], bool]:
    """The YAML files, and whether one of them was named itself."""
    rev, _, path = text.partition(":")
    _git(at, "rev-parse", "--is-inside-work-tree", or_else="this is no git repository, and there is no such file")
    if not rev or rev.startswith("-"):
        raise AgentOpsError(f"{text}: expected REV:path, such as HEAD:cases/policy.yaml")
    _git(at, "rev-parse", "--verify", "--quiet", f"{rev}^{{commit}}", or_else=f"git knows no revision {rev!r}")
    inside = path.rstrip("/") if path.startswith(("./", "../")) else f"./{path.rstrip('/')}"  # from here, as for plain paths
    listed = _git(at, "ls-tree", "-r", "--name-only", "-z", rev, "--", inside, or_else=f"git cannot list {path!r} in {rev}")
    names = [name for name in listed.split("\0") if name]
    if not names:
        raise AgentOpsError(f"{text}: there is no {path!r} in revision {rev}")
    named = names == [posixpath.normpath(path)]
    return (names if named else [name for name in names if name.endswith(SUFFIXES)]), named


def _document(rev: str, at: Path, name: str) -> Document:
    from ...policy.files import document_of

    return document_of(_show(rev, at, name), f"{rev}:{name}")


def _in_the_same(rev: str, at: Path) -> Resolve:
    """A base file is taken from the revision of the policy that extends it."""

    def resolve(ref: str, file: str) -> tuple[str, str]:
        inside = file.removeprefix(f"{rev}:")
        name = posixpath.normpath(posixpath.join(posixpath.dirname(inside), ref))
        try:
            return f"{rev}:{name}", _show(rev, at, name)
        except AgentOpsError as error:
            raise ValueError(str(error)) from None

    return resolve


def _show(rev: str, at: Path, name: str) -> str:
    return _git(at, "show", f"{rev}:./{name}", or_else=f"{rev}:{name} cannot be read").removeprefix("\ufeff")


def _git(at: Path, *words: str, or_else: str) -> str:
    try:
        done = subprocess.run(["git", *words], cwd=at, capture_output=True, check=False, timeout=60)
        if done.returncode == 0:
            return done.stdout.decode("utf-8")
    except FileNotFoundError:
        raise AgentOpsError("git is not installed") from None
    except (UnicodeDecodeError, subprocess.TimeoutExpired) as error:
        raise AgentOpsError(f"{or_else} ({type(error).__name__})") from None
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    raise AgentOpsError(or_else + (f": {said[0]}" if said else ""))
