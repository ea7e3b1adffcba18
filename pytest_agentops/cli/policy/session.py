"""The backtest of a session that just ran: its own results, under its own policies, against a baseline."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import AgentOpsError
from .backtest import for_these_tools
from .recorded import recorded_runs
from .sources import Facts
from .versions import side

if TYPE_CHECKING:
    from ...policy.backtest import Backtest
    from ...policy.model import Policy
    from ...policy.played import PlayedRun


def play_back(results: Path, baseline: str) -> Backtest:
    """Play the runs back. Files of the baseline stand for those of the same names that cases name; others hold on both sides."""
    from ...policy.backtest import backtest

    facts = Facts()
    before = side(baseline).policies
    if not results.is_file():
        raise AgentOpsError("no case ran, there is nothing to play back")
    runs = recorded_runs(argparse.Namespace(results=results, transcripts=None), facts)
    for_these_tools(before, runs, baseline)
    after = _same_files(before, runs)
    if not after:
        names = ", ".join(sorted({policy.file for policy in before}))
        raise AgentOpsError(f"{baseline}: no case names a policy file that is called like one of it ({names})")
    found = backtest(runs, before, after)
    found.notes = [*facts.notes, *found.notes]
    return found


def _same_files(before: tuple[Policy, ...], runs: list[PlayedRun]) -> list[Policy]:
    """The policies of now in files that the baseline has, too; of a single file with another name, those of the same ids."""
    from ...policy.played import file_name

    now = {policy.where: policy for run in runs for policy in run.own}
    names = {file_name(policy.file) for policy in before}
    same = [policy for policy in now.values() if file_name(policy.file) in names]
    if same or len(names) > 1:
        return same
    ids = {policy.id for policy in before}
    files = {policy.file for policy in now.values() if policy.id in ids}
    return [policy for policy in now.values() if policy.file in files]
