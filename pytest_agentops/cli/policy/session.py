"""The backtest of a session that just ran: its own results, under its own policies, against a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import AgentOpsError, CaseFileError
from .backtest import for_these_tools
from .recorded import from_results, named_by
from .sources import Facts, policy_files
from .versions import Side, now, side, standing, with_gone

if TYPE_CHECKING:
    from ...policy.backtest import Backtest
    from ...policy.played import PlayedRun


def play_back(results: Path, baseline: str, *, at: Path, rootdir: Path, cases: Sequence[Path]) -> Backtest:
    """Play the runs back under the baseline, which is named from `at`; `cases` are the case folders.

    A file that the baseline does not speak of (it lies outside of its folder) holds on both sides.
    """
    from ...policy.backtest import Backtest, backtest
    from ...policy.standing import Standing, fitted

    facts = Facts()
    old = side(baseline, at)
    runs = list(from_results(results, rootdir, facts))
    named = named_by(runs)
    found = fitted(standing(old), named)
    if found is None:
        _fits_elsewhere(old, runs, cases)
        return Backtest(unconcerned=len(runs), notes=facts.notes)
    before = with_gone(found)
    after = Standing(files={place: mine for place, mine in named.items() if before.covers(place)}, folders=before.folders)
    for_these_tools(old.policies, [run for run in runs if before.concerns(run) or after.concerns(run)], baseline)
    out = backtest(runs, before, after)
    out.notes = [*facts.notes, *out.notes]
    return out


def _fits_elsewhere(old: Side, runs: Sequence[PlayedRun], cases: Sequence[Path]) -> None:
    """Cases that the baseline does not concern may have run alone; one that stands for no policy file at all is a mistake."""
    from ...policy.standing import fitted

    folders = [folder for folder in cases if folder.is_dir()]
    try:
        if fitted(standing(old), now(folders, policy_files(folders)).files) is not None:
            return
    except CaseFileError:  # the cases that did not run have mistakes of their own
        pass
    for_these_tools(old.policies, runs, old.name)
    names = ", ".join(sorted({policy.file for policy in old.policies}))
    raise AgentOpsError(f"{old.name}: no case names a policy file that is called like one of it ({names})")
