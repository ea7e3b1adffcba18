"""For the plugin's own tests."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterator

import anthropic  # noqa: F401
import h11  # noqa: F401
import httpcore  # noqa: F401
import httpcore2  # noqa: F401
import openai  # noqa: F401
import pytest
import vcr.patch  # noqa: F401
import yaml  # noqa: F401

import pytest_agentops

# pytester forgets the modules that a test imports first. yaml's C part cannot be imported twice; of HTTP clients there would be
# two copies: one that the tap patches, and one whose exceptions are caught. Of our own modules each session that a test starts
# would read, rewrite and compile all again, which took most of the suite's time.
for _module in pkgutil.walk_packages(pytest_agentops.__path__, "pytest_agentops."):
    if not _module.name.endswith(".__main__"):
        importlib.import_module(_module.name)


@pytest.fixture(scope="session", autouse=True)
def _quick_children() -> Iterator[None]:
    """For processes that tests start: no plugins that no test of ours is about, which are most of a start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest -p no:anyio")
        # a test that writes a module anew within a second would be given the old one
        patch.setenv("PYTHONDONTWRITEBYTECODE", "1")
        patch.setattr(sys, "dont_write_bytecode", True)
        yield


@pytest.fixture(autouse=True)
def _own_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests say themselves whether they run under CI; what the machine says does not count."""
    for name in ("CI", "NO_COLOR", "FORCE_COLOR", "PYTEST_AGENTOPS_REPLAY", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
