"""What names in YAML and on the command line mean: built-ins first, then packages (entry points), then conftest hooks.

A built-in is one module whose name is its YAML or CLI name, imported when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pytest

from .schema.suggest import did_you_mean

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Group: TypeAlias = Literal["agents", "checks", "reports"]

BUILT_IN: Mapping[Group, Mapping[str, str]] = {
    "agents": {"openai": "agents.openai:openai", "transcript": "agents.transcript:transcript"},
    "checks": {},
    "reports": {
        "json": "reports.json:write",
        "md": "reports.markdown:write",
        "csv": "reports.frame:csv",
        "parquet": "reports.frame:parquet",
    },
}
"""name -> module:attribute in this package. The built-in checks are known to `scoring` itself."""


class Registry:
    """The registered agents, checks and reports of one session; packages and hooks are asked on first need."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._found: dict[Group, tuple[int, dict[str, Callable[..., Any]]]] = {}
        """With the number of plugins that were there: a conftest deeper in the tree may register more later."""

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
        plugins = len(self._config.pluginmanager.get_plugins())
        found = self._found.get(group)
        if found is None or found[0] != plugins:
            found = self._found[group] = (plugins, self._load(group))
        return found[1]

    def _load(self, group: Group) -> dict[str, Callable[..., Any]]:
        from importlib.metadata import entry_points

        out: dict[str, Callable[..., Any]] = {}
        for entry in entry_points(group=f"pytest_agentops.{group}"):
            self._add(out, group, entry.name, _loaded(entry))
        hook = getattr(self._config.hook, f"pytest_agentops_{group}")
        for given in hook(config=self._config):
            for name, value in given.items():
                self._add(out, group, name, value)
        return out

    def _add(self, out: dict[str, Callable[..., Any]], group: Group, name: str, value: Callable[..., Any]) -> None:
        if name in out or name in BUILT_IN[group]:
            raise pytest.UsageError(f"two {group} are registered as {name!r}: rename one of them")
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


def _loaded(entry: EntryPoint) -> Callable[..., Any]:
    try:
        found: Callable[..., Any] = entry.load()
    except Exception as error:
        raise pytest.UsageError(
            f"{entry.name} of the entry points {entry.group} cannot be loaded ({entry.value}): {type(error).__name__}: {error}"
        ) from error
    return found
