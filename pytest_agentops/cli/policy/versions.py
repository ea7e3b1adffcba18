"""Policies of one side of a comparison: a file, a folder, or either of them in a git revision (``REV:path``)."""

from __future__ import annotations

import posixpath
import subprocess
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import AgentOpsError
from .sources import SUFFIXES, policies_in, policies_of, policy_files

if TYPE_CHECKING:
    from ...policy.extends import Resolve
    from ...policy.model import Policy, PolicyFile
    from ...schema.document import Document


@dataclass(frozen=True, slots=True)
class Side:
    """One version of the policies."""

    name: str
    files: tuple[PolicyFile, ...]
    folder: Path | None
    """Where suites may stand beside it: of a git revision those of the working folder, if it has this place."""
    whole: bool = False
    """Whether it is the folder that was named, with all that is below it."""
    revision: str = ""

    @property
    def policies(self) -> tuple[Policy, ...]:
        return tuple(policies_in(self.files))

    def path_of(self, file: PolicyFile) -> str:
        """Where the file stands, or would stand, in the working folder."""
        return posixpath.normpath(file.file.removeprefix(f"{self.revision}:") if self.revision else file.file)

    def covers(self, name: str) -> bool:
        """Whether a file of this path would be among its files."""
        return self.whole and self.folder is not None and self.folder.resolve() in Path(name).resolve().parents


def side(text: str) -> Side:
    """The policies that `text` names; raises `AgentOpsError` where there are none or they do not parse."""
    revision = ""
    path = Path(text)
    if path.exists():
        found = policy_files([path])
    elif ":" in text:
        found = _in_revision(text)
        revision, _, inside = text.partition(":")
        path = Path(inside)
    else:
        raise AgentOpsError(f"{text}: no such file or folder, and no REV:path of git")
    if not policies_in(found):
        raise AgentOpsError(f"{text}: there are no policies")
    folder = path if path.is_dir() else path.parent if path.is_file() else None
    return Side(text, tuple(found), folder, path.is_dir(), revision)


def _in_revision(text: str) -> list[PolicyFile]:
    rev, _, path = text.partition(":")
    _git("rev-parse", "--is-inside-work-tree", or_else="this is no git repository, and there is no such file")
    if not rev or rev.startswith("-"):
        raise AgentOpsError(f"{text}: expected REV:path, such as HEAD:cases/policy.yaml")
    _git("rev-parse", "--verify", "--quiet", f"{rev}^{{commit}}", or_else=f"git knows no revision {rev!r}")
    inside = path.rstrip("/") if path.startswith(("./", "../")) else f"./{path.rstrip('/')}"  # from here, as for plain paths
    listed = _git("ls-tree", "-r", "--name-only", "-z", rev, "--", inside, or_else=f"git cannot list {path!r} in {rev}")
    names = [name for name in listed.split("\0") if name]
    if not names:
        raise AgentOpsError(f"{text}: there is no {path!r} in revision {rev}")
    named = names == [posixpath.normpath(path)]
    chosen = names if named else [name for name in names if name.endswith(SUFFIXES)]
    return policies_of(((partial(_document, rev, name), named) for name in chosen), _in_the_same(rev))


def _document(rev: str, name: str) -> Document:
    from ...policy.files import document_of

    return document_of(_show(rev, name), f"{rev}:{name}")


def _in_the_same(rev: str) -> Resolve:
    """A base file is taken from the revision of the policy that extends it."""

    def resolve(ref: str, file: str) -> tuple[str, str]:
        inside = file.removeprefix(f"{rev}:")
        name = posixpath.normpath(posixpath.join(posixpath.dirname(inside), ref))
        try:
            return f"{rev}:{name}", _show(rev, name)
        except AgentOpsError as error:
            raise ValueError(str(error)) from None

    return resolve


def _show(rev: str, name: str) -> str:
    return _git("show", f"{rev}:./{name}", or_else=f"{rev}:{name} cannot be read").removeprefix("\ufeff")


def _git(*words: str, or_else: str) -> str:
    try:
        done = subprocess.run(["git", *words], capture_output=True, check=False, timeout=60)
        if done.returncode == 0:
            return done.stdout.decode("utf-8")
    except FileNotFoundError:
        raise AgentOpsError("git is not installed") from None
    except (UnicodeDecodeError, subprocess.TimeoutExpired) as error:
        raise AgentOpsError(f"{or_else} ({type(error).__name__})") from None
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    raise AgentOpsError(or_else + (f": {said[0]}" if said else ""))
