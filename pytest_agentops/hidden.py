"""Case files in folders that pytest leaves out by their names (ini ``norecursedirs``): never left out in silence."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from .commands import from_here
from .settings import Settings

YAML = (".yaml", ".yml")
_SUITE = re.compile(rb"^(\"?)(?:cases|policy|policies)\1[ \t]*:", re.MULTILINE)


class HiddenFolders:
    """What pytest did not look into, as far as it holds case files."""

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self._patterns: list[str] = config.getini("norecursedirs")
        self._settings = settings
        self.files: list[str] = []
        """Relative to the rootdir."""

    def look(self, path: Path) -> None:
        """Take up a folder that pytest ignores; what a person names in ``--ignore`` is theirs."""
        mine = any(path.is_relative_to(folder) or folder.is_relative_to(path) for folder in self._settings.case_folders)
        if not mine or not path.is_dir() or not any(_names(pattern, path) for pattern in self._patterns):
            return
        for folder, below, names in os.walk(path):
            below.sort()
            files = [os.path.join(folder, name) for name in sorted(names) if name.endswith(YAML)]
            self.files += [self._shown(file) for file in files if self._settings.reads(file) and _is_suite(file)]

    def _shown(self, file: str) -> str:
        return os.path.relpath(file, self._settings.rootdir).replace(os.sep, "/")


def sentence(file: str) -> str:
    """What is wrong, and the three ways out."""
    return (
        f"{file} is not collected: pytest looks into no folder of such a name (ini norecursedirs); "
        "rename the folder, set norecursedirs, or name the file in ini agentops_ignore"
    )


def _names(pattern: str, path: Path) -> bool:
    """As pytest reads it: a pattern with a slash is matched with the whole path."""
    return fnmatch(path.as_posix(), f"*/{pattern}") if "/" in pattern else fnmatch(path.name, pattern)


def _is_suite(file: str) -> bool:
    try:
        with open(file, "rb") as stream:
            return _SUITE.search(stream.read()) is not None
    except OSError:
        return True


def outside(config: pytest.Config, settings: Settings) -> Iterator[str]:
    """A sentence for each folder on the command line in which no case file is looked for."""
    known = ", ".join(from_here(config, folder) for folder in settings.case_folders)
    for arg in config.args:
        path = Path(os.path.normpath(config.invocation_params.dir / arg))
        related = (path.is_relative_to(folder) or folder.is_relative_to(path) for folder in settings.case_folders)
        if path.is_dir() and not any(related):
            yield f"{arg}: outside of the case folders ({known}); name its files one by one, or set ini agentops_cases"
