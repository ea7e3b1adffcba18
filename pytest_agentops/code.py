"""Code that YAML names: ``./file.py:attr`` beside the suite, or ``module:attr``.

A file is imported once a session, as a submodule of a package made for its folder, so that two suites may both have
``tools.py``, relative imports work, and pytest rewrites its assertions. While it loads its folder is importable too
(``from tools import Shop``).
"""

from __future__ import annotations

import hashlib
import importlib
import sys
import sysconfig
import traceback
import types
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from .errors import LoadError
from .schema.suggest import did_you_mean


def load(ref: str, base: Path) -> Any:
    """The object that `ref` names; raises `LoadError` that says what is not there."""
    place, _, attribute = ref.rpartition(":")
    if place.startswith(("./", "../")) or place.endswith(".py"):
        module = _load_file((base / place).resolve(), ref)
    else:
        module = _import(place, ref)
    return _attribute(module, attribute, ref)


def _attribute(module: ModuleType, dotted: str, ref: str) -> Any:
    found: Any = module
    for name in dotted.split("."):
        if not hasattr(found, name):
            public = [n for n in vars(found) if not n.startswith("_")] if hasattr(found, "__dict__") else []
            raise LoadError(
                f"{ref}: there is no {name!r} in {getattr(found, '__name__', found)}", ref=ref, hint=did_you_mean(name, public)
            )
        found = getattr(found, name)
    return found


def _load_file(path: Path, ref: str) -> ModuleType:
    if not path.is_file():
        near = [p.name for p in path.parent.glob("*.py")] if path.parent.is_dir() else []
        raise LoadError(
            f"{ref}: there is no file {path.name} in {path.parent.name}/", ref=ref, hint=did_you_mean(path.name, near)
        )
    if not path.stem.isidentifier():
        raise LoadError(f"{ref}: {path.stem!r} cannot be a module's name; rename the file", ref=ref)
    package = _package(path.parent)
    loaded = sys.modules.get(f"{package}.{path.stem}")
    if loaded is not None:
        return loaded
    with _importable(path.parent, package):
        return _import(f"{package}.{path.stem}", ref)


def _import(name: str, ref: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (error.name == name or name.startswith(error.name + ".")):
            raise LoadError(f"{ref}: there is no module {error.name!r}", ref=ref) from error
        raise LoadError(f"{ref}: importing it failed: {error}{_place(error)}", ref=ref) from error
    except Exception as error:
        told = error.msg if isinstance(error, SyntaxError) else error
        raise LoadError(f"{ref}: importing it failed: {type(error).__name__}: {told}{_place(error)}", ref=ref) from error


def _place(error: BaseException) -> str:
    """``file:line`` of the last line of a person's own code on the way to the error."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({Path(error.filename).name}:{error.lineno})"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<frozen ")]
    libraries = (*(sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib")), str(Path(__file__).parent))
    own = [frame for frame in frames if not frame.filename.startswith(libraries)]
    return f" ({Path(own[-1].filename).name}:{own[-1].lineno})" if own else ""


def _package(folder: Path) -> str:
    """The package that stands for a folder: named by its path, made on first use."""
    name = f"agentops_cases_{hashlib.sha256(str(folder).encode()).hexdigest()[:10]}"
    if name not in sys.modules:
        pytest.register_assert_rewrite(name)
        package = types.ModuleType(name, f"The case folder {folder.name}.")
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    return name


@contextmanager
def _importable(folder: Path, package: str) -> Iterator[None]:
    """Plain imports of the folder's files work while the block runs, and give the same modules as relative ones."""
    files = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/*.py")}
    names = files - sys.stdlib_module_names  # a file types.py of a suite is not what libraries mean by `import types`
    hidden = _taken_out(names)
    finder = _SamePlace(names, package)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        _taken_out(names)
        sys.modules.update(hidden)


def _taken_out(names: Collection[str]) -> dict[str, ModuleType]:
    """Remove these modules, with what is below them, from those that Python knows."""
    return {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] in names}


class _SamePlace(MetaPathFinder, Loader):
    """Finds ``tools`` as ``<package>.tools``: one module, whatever it is called."""

    def __init__(self, names: Collection[str], package: str) -> None:
        self._names = names
        self._package = package

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        there = f"{self._package}.{fullname}"
        if fullname.partition(".")[0] not in self._names or (there not in sys.modules and find_spec(there) is None):
            return None
        return ModuleSpec(fullname, self)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(f"{self._package}.{spec.name}")
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """It has run; only the spec that Python has just put in is taken out again."""
        spec = module.__spec__
        module.__spec__ = spec.loader_state if spec else None
