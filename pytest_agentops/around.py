"""Around a replaying case: its fixtures have no network either, from their set-up to their tear-down."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from typing import Any

import pytest

from .collect import SUITES, CaseItem
from .errors import CheckFailed
from .runner.modes import has_recording, plan
from .runner.network import network_guard, refused
from .runner.surroundings import offline
from .tape.store import folder_for


class Around:
    """The network is off while a replaying case is set up, run and torn down, and on again for the tests between."""

    def __init__(self) -> None:
        self._off = ExitStack()
        self._allow: tuple[str, ...] | None = None
        """What the case that the network is off for allows; None while it is on."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, Any, Any]:
        allow = _allowed(item) if isinstance(item, CaseItem) and replays(item) else None
        if allow != self._allow:
            self._on_again()
        if allow is not None:
            network_guard().drain()
            if self._allow is None:
                self._off.enter_context(offline(allow))
                self._allow = allow
        try:
            return (yield)
        except BaseException:  # it says so itself, if it was a connect
            network_guard().drain()
            raise

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Generator[None, Any, Any]:
        try:
            return (yield)
        except BaseException:
            network_guard().drain()
            raise

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        """After the fixtures: a connect that one of them, or a check, swallowed fails the case, too."""
        addresses = dict.fromkeys(network_guard().drain()[0]) if isinstance(item, CaseItem) else ()
        if addresses:
            raise CheckFailed("\n".join(refused("a fixture or a check", address) for address in addresses))

    @pytest.hookimpl(wrapper=True, tryfirst=True, specname="pytest_runtest_teardown")
    def network_is_back(self, nextitem: pytest.Item | None) -> Generator[None, Any, Any]:
        try:
            return (yield)
        finally:
            if not isinstance(nextitem, CaseItem):  # between two cases it stays off, if the next one wants it so
                self._on_again()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, Any, Any]:
        try:
            return (yield)
        finally:
            self._on_again()

    def _on_again(self) -> None:
        self._off.close()
        self._allow = None


def replays(item: CaseItem) -> bool:
    """Whether nothing of this trial may be called for real."""
    settings = item.config.stash[SUITES].settings
    if settings.record in ("none", "stale"):  # what is stale is recorded at once, and needs its fixtures' network
        return settings.mode == "replay" and settings.record == "none"
    folder = folder_for(settings.cassettes, item.variant.suite, item.variant.name, item.trial)
    return not plan(settings.mode, settings.record, recorded=has_recording(folder)).live


def _allowed(item: CaseItem) -> tuple[str, ...]:
    """What the case allows; building the case costs more than to see that it says nothing."""
    variant = item.variant
    if '"network"' not in variant.payload and "network" not in variant.head.defaults:
        return ()
    network = item.case().fields.network
    return tuple(network.allow) if network else ()
