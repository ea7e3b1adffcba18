"""The case that was running when a worker of xdist died: it failed, and the results say so."""

from __future__ import annotations

from typing import Any

import pytest

from .collect import SUITES, variant_json
from .errors import CaseFileError
from .loading.suite import load_suite
from .schema.run import Problem, Run
from .schema.values import JsonObject
from .settings import Settings

YAML = (".yaml", ".yml")


def crashed_case(config: pytest.Config, settings: Settings, report: Any) -> JsonObject | None:
    """The case of a worker's last node id, with the one run that is known to have begun; None if it is no case.

    What that run cost is not known. Earlier trials of it died with the worker.
    """
    path, _, name = report.nodeid.partition("::")
    if not path.endswith(YAML):
        return None
    suites = config.stash[SUITES]
    try:
        suite = load_suite(
            config.rootpath / path, settings.rootdir, checks=tuple(suites.registry.external("checks")), cache=suites.cache
        )
    except CaseFileError:  # it was changed since the worker read it
        return None
    wanted = name.partition("@")[0]  # xdist adds its group
    variant = next((variant for variant in suite.variants if variant.name == wanted), None)
    if variant is None:
        return None
    text = f"the worker process died while it ran this case: {report.longrepr}"
    run = Run(outcome="error", mode="replay" if settings.mode == "replay" and settings.record == "none" else "live", stop=text)
    run.problems.append(Problem(kind="agent", text=text))
    return variant_json(variant, [run.as_json()])
