"""The house rules that import-linter cannot see: a heavy library has one home, and is imported there only when it is needed."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pytest_agentops

PACKAGE = Path(pytest_agentops.__file__).parent
ROOT = PACKAGE.parent
HEAVY = (
    "yaml",
    "pydantic",
    "vcr",
    "openai",
    "pandas",
    "tabulate",
    "jsonschema_rs",
    "scipy",
    "jinja2",
    "genai_prices",
    "matplotlib",
)
GENERATORS = {"loading/schema_file.py"}
"""Modules that do not run for a user: they make files that are shipped."""
MODULES = sorted(PACKAGE.rglob("*.py"))


def imports(tree: ast.AST, *, inside: bool = False) -> Iterator[tuple[str, int, bool]]:
    """``(top-level name, line, inside a function)`` of every import that runs; those for type checkers only are left out."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from imports(ast.Module(body=node.orelse, type_ignores=[]), inside=inside)
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], node.lineno, inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.split(".")[0], node.lineno, inside
        yield from imports(node, inside=inside or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)))


def found_in_package(name: str) -> list[tuple[str, int, bool]]:
    return [
        (path.relative_to(PACKAGE).as_posix(), line, inside)
        for path in MODULES
        for library, line, inside in imports(ast.parse(path.read_text(encoding="utf-8")))
        if library == name
    ]


def test_imports_are_told_apart() -> None:
    code = """
import yaml
if TYPE_CHECKING:
    import pandas
else:
    import vcr
class A:
    import openai.types
    def f(self):
        from pydantic.fields import Field
        if x:
            import jinja2
from .yaml import nothing
"""
    assert list(imports(ast.parse(code))) == [
        ("yaml", 2, False),
        ("vcr", 6, False),
        ("openai", 8, False),
        ("pydantic", 10, True),
        ("jinja2", 12, True),
    ]


@pytest.mark.parametrize("library", HEAVY)
def test_a_heavy_library_is_imported_in_one_module_inside_functions(library: str) -> None:
    found = found_in_package(library)
    outside = [f"{path}:{line}" for path, line, inside in found if not inside]
    assert not outside, f"{library} is imported when these modules are: {outside}"
    homes = {path for path, _, _ in found} - GENERATORS
    assert len(homes) <= 1, f"{library} has more than one home: {sorted(homes)}"


def test_no_private_pytest() -> None:
    assert not found_in_package("_pytest")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_modules_fit_a_head(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= 400, f"{lines} lines: this module is more than one thing"


WATCH = """
import json, sys

def pytest_unconfigure(config):
    with open("modules.json", "w") as file:
        json.dump(sorted(sys.modules), file)
"""


def modules_after(folder: Path, *args: str, cwd: Path | None = None) -> set[str]:
    """What is in `sys.modules` at the end of a pytest run that passes, with no plugin but ours."""
    (folder / "watch.py").write_text(WATCH.replace('"modules.json"', repr(str(folder / "modules.json"))))
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(folder), "PYTEST_ADDOPTS": ""}
    command = [sys.executable, "-m", "pytest", "-p", "pytest_agentops.plugin", "-p", "watch", "-p", "no:cacheprovider", *args]
    done = subprocess.run(command, cwd=cwd or folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return set(json.loads((folder / "modules.json").read_text()))


def test_a_plain_run_imports_nothing_heavy_and_nothing_of_ours(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_plain.py").write_text("def test_plain(): pass\n")
    modules = modules_after(tmp_path)
    assert not modules & {*HEAVY, "jsonschema", "numpy", "httpx", "asyncio"}
    ours = {name for name in modules if name.startswith("pytest_agentops")}
    assert ours <= {"pytest_agentops", "pytest_agentops.plugin", "pytest_agentops.hookspecs"}


def test_a_replay_imports_no_library_that_it_does_not_use(tmp_path: Path) -> None:
    """The bundled shop, from its recordings; its tools are typed functions, so pydantic is used."""
    reports = tmp_path / "results"
    modules = modules_after(tmp_path, "--agent-evals", "cases/shop", f"--agent-report=json:{reports}/results.json", cwd=ROOT)
    assert not modules & {"vcr", "openai", "pandas", "numpy", "scipy", "jinja2", "genai_prices", "requests", "httpx"}
    assert "pytest_agentops.tape.player" in modules
