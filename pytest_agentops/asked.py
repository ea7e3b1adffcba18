"""What a session was to run, in its results: a merge of shards judges by it, with the rules that stand here for both."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from .reports.results import BuildVerdict
from .schema.values import JsonObject


def asked(
    suites: Mapping[str, JsonObject],
    gates: Sequence[str],
    *,
    whole_folders: bool,
    baseline: str | None = None,
    compared: bool = False,
) -> JsonObject:
    """The suites that were collected with their gates, the gates over the session, whether no case folder was left out, where
    the baseline is, from the rootdir, and whether it was there to compare with.
    """
    where: JsonObject = {} if baseline is None else {"baseline": baseline}
    where |= {"compared": True} if compared else {}
    return {"suites": dict(sorted(suites.items())), "gates": list(gates), "whole_folders": whole_folders, **where}


def verdict_of_runs(*, failed: bool, over_budget: bool, unanswerable: int) -> BuildVerdict:
    """Without the gates: not comparable, if a rate over the runs that the recordings could answer measures their likeness."""
    if failed:
        return "fail"
    if over_budget:
        return "budget_exceeded"
    return "not_comparable" if unanswerable else "pass"


def mode_of(modes: Collection[str], otherwise: str) -> str:
    """What all runs were; of several, the one that says most: live."""
    return otherwise if not modes else "live" if len(modes) > 1 else next(iter(modes))
