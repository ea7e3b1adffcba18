"""What git says of the project: the commit that runs, and since when a file is as it is. Without git nothing is said."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

PATIENCE_S = 10


@dataclass(frozen=True, slots=True)
class Age:
    """When a committed file was last changed."""

    day: str
    """YYYY-MM-DD"""
    commits: int
    """Commits since then."""
    changed: bool
    """Whether the file differs from what is committed."""


def head(root: Path) -> str | None:
    """The commit that is checked out, whatever was changed since."""
    return _git(root, "rev-parse", "HEAD")


def commit(root: Path) -> str | None:
    """The commit that is checked out; with ``+`` where a tracked file differs from it."""
    found = head(root)
    if not found:
        return None
    return found + ("+" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")


def age(root: Path, path: Path) -> Age | None:
    """The age of a file; None where there is no git, it is not committed, or the clone is too shallow to know."""
    if _git(root, "rev-parse", "--is-shallow-repository") != "false":
        return None
    found = (_git(root, "log", "-1", "--format=%H %cs", "--", str(path)) or "").split()
    if len(found) != 2:
        return None
    since = _git(root, "rev-list", "--count", f"{found[0]}..HEAD")
    changed = bool(_git(root, "status", "--porcelain", "--", str(path)))
    return Age(found[1], int(since), changed) if since else None


def _git(root: Path, *words: str) -> str | None:
    """What a git command prints, None if it fails."""
    env = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(["git", *words], cwd=root, env=env, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
