"""For the plugin's own tests."""

from __future__ import annotations

import anthropic  # noqa: F401
import h11  # noqa: F401
import httpcore  # noqa: F401
import httpcore2  # noqa: F401
import openai  # noqa: F401
import pytest
import vcr.patch  # noqa: F401
import yaml  # noqa: F401

# pytester forgets the modules that a test imports first. yaml's C part cannot be imported twice; of HTTP clients there would be
# two copies: one that the tap patches, and one whose exceptions are caught.


@pytest.fixture(autouse=True)
def _own_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests say themselves whether they run under CI; what the machine says does not count."""
    for name in ("CI", "PYTEST_ADDOPTS", "NO_COLOR", "FORCE_COLOR", "PYTEST_AGENTOPS_REPLAY", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
