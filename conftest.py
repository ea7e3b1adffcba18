"""For every pytest run in this repository, its own tests and its bundled suites alike."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Property tests have no deadline of their own: shared machines stall, and a stall is no bug."""
    if config.getoption("agent_evals", False):
        return
    from hypothesis import settings

    settings.register_profile("house", settings.get_profile(settings.get_current_profile_name()), deadline=None)
    settings.load_profile("house")
