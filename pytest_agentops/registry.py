"""What names in YAML and on the command line mean: built-ins first, then packages (entry points), then conftest hooks.

A built-in is one module whose name is its YAML or CLI name, imported when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Literal, TypeAlias

import pytest

from .errors import UsageError
from .schema.suggest import did_you_mean

Group: TypeAlias = Literal["agents", "checks", "reports"]

BUILT_IN: Mapping[Group, Mapping[str, str]] = {
    "agents": {"transcript": "agents.transcript:transcript"},
    "checks": {},
    "reports": {"json": "reports.json:write"},
}
"""name -> module:attribute in this package. The built-in checks are known to `scoring` itself."""

LATER: Mapping[str, str] = {"openai": "the built-in openai agent comes with the model layer"}


class Registry:
    """The registered agents, checks and reports of one session; packages and hooks are asked on first need."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._found: dict[Group, dict[str, Callable[..., Any]]] = {}

    def built_in(self, group: Group, name: str) -> Callable[..., Any] | None:
        """A built-in by name, without asking packages."""
        place = BUILT_IN[group].get(name)
        if place is None:
            return None
        module, _, attribute = place.partition(":")
        found: Callable[..., Any] = getattr(import_module(f"pytest_agentops.{module}"), attribute)
        return found

    def get(self, group: Group, name: str) -> Callable[..., Any] | None:
        """What `name` means, or None."""
        return self.built_in(group, name) or self.external(group).get(name)

    def external(self, group: Group) -> Mapping[str, Callable[..., Any]]:
        """What packages and conftests add; two of one name are an error."""
        if group not in self._found:
            self._found[group] = self._load(group)
        return self._found[group]

    def _load(self, group: Group) -> dict[str, Callable[..., Any]]:
        from importlib.metadata import entry_points

        out: dict[str, Callable[..., Any]] = {}
        for entry in entry_points(group=f"pytest_agentops.{group}"):
            self._add(out, group, entry.name, entry.load())
        hook = getattr(self._config.hook, f"pytest_agentops_{group}")
        for given in hook(config=self._config):
            for name, value in given.items():
                self._add(out, group, name, value)
        return out

    def _add(self, out: dict[str, Callable[..., Any]], group: Group, name: str, value: Callable[..., Any]) -> None:
        if name in out or name in BUILT_IN[group]:
            raise UsageError(f"two {group} are registered as {name!r}: rename one of them")
        out[name] = value

    def names(self, group: Group) -> list[str]:
        return sorted([*BUILT_IN[group], *self.external(group)])

    def report(self, name: str) -> Callable[..., Any]:
        """The report behind ``--agent-report=NAME:PATH``."""
        found = self.get("reports", name)
        if found is None:
            known = self.names("reports")
            hint = did_you_mean(name, known)
            raise pytest.UsageError(f"--agent-report={name}: expected one of {', '.join(known)}" + (f"; {hint}" if hint else ""))
        return found
