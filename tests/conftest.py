"""For the plugin's own tests."""

from __future__ import annotations

import pytest
import vcr.patch  # noqa: F401  what it patches must be the modules that later tests use
import yaml  # noqa: F401  pytester forgets modules that a test imports first, and yaml's C part cannot be imported twice


@pytest.fixture(autouse=True)
def _own_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests say themselves whether they run under CI; what the machine says does not count."""
    for name in ("CI", "PYTEST_ADDOPTS", "NO_COLOR", "FORCE_COLOR", "PYTEST_AGENTOPS_REPLAY"):
        monkeypatch.delenv(name, raising=False)
