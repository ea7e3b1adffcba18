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
from collections.abc import Iterator
from contextlib import contextmanager
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
    """Plain imports of the folder's files work while the block runs, and give the same modules as the package's."""
    prefix = f"{package}."
    shown = {name.removeprefix(prefix): module for name, module in list(sys.modules.items()) if name.startswith(prefix)}
    hidden = {path.stem: sys.modules.pop(path.stem) for path in folder.glob("*.py") if path.stem in sys.modules}
    sys.modules.update(shown)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for path in folder.glob("*.py"):
            module = sys.modules.pop(path.stem, None)
            if module is not None and _is_from(module, folder):
                sys.modules.setdefault(prefix + path.stem, module)
        sys.modules.update(hidden)


def _is_from(module: ModuleType, folder: Path) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).parent == folder
