"""Hooks that a conftest.py may implement to extend the plugin; the groups of entry points do the same for packages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest


@pytest.hookspec
def pytest_agentops_agents(config: pytest.Config) -> Mapping[str, Callable[..., Any]]:  # type: ignore[empty-body]
    """Return agents by the name that YAML uses: ``name -> factory(**options)`` giving ``agent(task, tools)``."""


@pytest.hookspec
def pytest_agentops_checks(config: pytest.Config) -> Mapping[str, Callable[..., Any]]:  # type: ignore[empty-body]
    """Return checks by their key under ``expect``: ``name -> check(wanted, run, context)`` giving a CheckResult."""


@pytest.hookspec
def pytest_agentops_reports(config: pytest.Config) -> Mapping[str, Callable[..., Any]]:  # type: ignore[empty-body]
    """Return reports by the name of ``--agent-report=NAME:PATH``: ``name -> write(results_path, path)``."""
