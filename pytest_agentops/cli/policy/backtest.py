"""A changed policy over recorded runs: what it would newly block, newly allow, newly send to a human, against a baseline."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import AgentOpsError
from ...schema.sentences import count
from .markdown import cell
from .recorded import add_recorded, named_by, recorded_runs
from .sources import add_paths, facts_of, policy_files, write_out
from .versions import now, side, standing, with_gone

if TYPE_CHECKING:
    from ...policy.backtest import Backtest, Changed, Numbers
    from ...policy.model import Policy
    from ...policy.played import PlayedRun
    from ...policy.standing import Files, Standing
    from .versions import Side

NAME = "backtest"
HELP = "what changed policies would have done to recorded runs"
SHOWN = 20
"""Calls of one rule and effect that are listed; --format json has all."""


def arguments(parser: argparse.ArgumentParser) -> None:
    add_paths(parser)
    parser.add_argument("--baseline", metavar="A", help="the policies before: a file, a folder, REV:path; without it none")
    add_recorded(parser)
    parser.add_argument("--format", choices=("text", "markdown", "json"), default="text")
    parser.add_argument("--output", "-o", type=Path, metavar="FILE", help="write to a file")


def run(options: argparse.Namespace) -> int:
    """Play them back. Exit 0 whatever is found."""
    from ...policy.backtest import backtest

    files = policy_files(options.paths)
    after = now(options.paths, files)
    if not after.files:
        raise AgentOpsError("there are no policies to test")
    old = side(options.baseline) if options.baseline else None
    facts = facts_of(options, options.paths, files)
    runs = recorded_runs(options, facts)
    if old is not None:
        for_these_tools(old.policies, runs, old.name)
    found = backtest(runs, *sides(old, after, named_by(runs)))
    found.notes = [*facts.notes, *found.notes]
    if options.format == "json":
        from ...schema.values import dumps

        text = dumps(as_json(found), indent=2)
    else:
        text = "\n".join(lines(found) if options.format == "text" else markdown(found))
    write_out(options.output, text)
    return 0


def sides(old: Side | None, after: Standing, named: Files) -> tuple[Standing, Standing]:
    """Both versions at the places of the files that cases name."""
    from ...policy.standing import fitted, instead

    new = fitted(after, named)
    if old is None:
        return (new or after).without(), new or after
    given = standing(old)
    before = fitted(given, named)
    if new is None and before is not None:
        new = instead(after, before)
    elif before is None and new is not None:
        before = fitted(given, new.files) or instead(given, new)
    return with_gone(before or given), with_gone(new or after)


def for_these_tools(before: Sequence[Policy], runs: Sequence[PlayedRun], name: str) -> None:
    """A baseline for other tools would make every decision of the change look new."""
    from ...policy.match import fits

    called = {call.tool for run in runs for call in run.calls} | {tool for run in runs for tool in run.contracts}
    if not any(fits(policy.tool, tool) for policy in before for tool in called):
        mine = ", ".join(sorted({policy.tool for policy in before}))
        raise AgentOpsError(
            f"{name}: its policies are for {mine}, and no run has such a tool (they have {', '.join(sorted(called)[:8])})"
        )


def lines(found: Backtest) -> Iterator[str]:
    """For people."""
    for rule, effects in found.by_rule().items():
        yield rule
        for effect, changed in effects.items():
            yield f"  {effect}: {count(len(changed), 'call')} in {count(_runs(changed), 'run')}"
            yield from (f"    {_line(one)}" for one in changed[:SHOWN])
            if len(changed) > SHOWN:
                yield f"    and {len(changed) - SHOWN} more (--format json lists all)"
    yield from _effects(found)
    yield from (f"note: {note}" for note in found.notes)
    yield summary(found)


def summary(found: Backtest) -> str:
    """The last line."""
    if not found.runs:
        return "no run was played back: none is concerned"
    what = f"{count(found.runs, 'run')}, {count(found.calls, 'call')}"
    if not found.changed:
        return f"nothing is decided otherwise: {what}"
    counts = ", ".join(f"{sum(one.effect == effect for one in found.changed)} {effect}" for effect in _effects_of(found))
    return f"{counts}; {len(found.affected)} of {what} are affected"


def _effects_of(found: Backtest) -> list[str]:
    from ...policy.backtest import EFFECTS

    return [effect for effect in EFFECTS if any(one.effect == effect for one in found.changed)]


def _runs(changed: Sequence[Changed]) -> int:
    return len({one.run.name for one in changed})


def _line(one: Changed) -> str:
    from ...policy.words import outcome

    later = ", after a call that is decided otherwise" if one.after_divergence else ""
    was = f"{outcome(one.before)} -> {outcome(one.after)}"
    return f"{one.run.name}, call {one.number}: {one.call.tool}: {was}{later} ({one.run.place})"


def _effects(found: Backtest) -> Iterator[str]:
    """What it does to the four numbers. Runs that would have gone on differently are apart: nobody knows their end."""
    if found.before is None or not found.runs:
        return
    yield "the four numbers"
    yield f"  all runs, as the baseline decides: {_numbers(found.before)}"
    if found.changed and found.same is not None and found.counterfactual is not None:
        yield f"  runs that are decided alike: {_numbers(found.same)}"
        yield f"  runs that are decided otherwise (with the end that they had): {_numbers(found.counterfactual)}"
        yield (
            f"  the same calls before and after: policy blocks {found.blocks[0]} -> {found.blocks[1]}, "
            f"runs with a human {found.interventions[0]} -> {found.interventions[1]} of {found.runs}"
        )
    if found.left_recording:
        yield f"  counterfactual when they were run, told apart: {', '.join(found.left_recording)}"
    if found.unconcerned:
        yield f"  left out, for their cases name none of these policies: {count(found.unconcerned, 'run')}"


def _numbers(numbers: Numbers) -> str:
    rate = (
        "not judged" if numbers.success_rate is None else f"{numbers.success_rate:.1%} ({numbers.successes} of {numbers.judged})"
    )
    cost = "unknown" if numbers.cost_per_success is None else f"${numbers.cost_per_success:.4f}"
    human = "none" if numbers.intervention_rate is None else f"{numbers.intervention_rate:.1%}"
    return (
        f"{count(numbers.runs, 'run')}, success {rate}, cost per success {cost}, "
        f"intervention rate {human}, policy blocks {numbers.policy_blocks}"
    )


def markdown(found: Backtest) -> Iterator[str]:
    """For the comment of a pull request."""
    yield "### Policy backtest"
    yield ""
    yield f"{summary(found)}."
    if found.changed:
        yield ""
        yield "| rule | effect | calls | runs |"
        yield "|---|---|---|---|"
        for rule, effects in found.by_rule().items():
            for effect, changed in effects.items():
                names = list(dict.fromkeys(one.run.name for one in changed))
                shown = ", ".join(cell(name) for name in names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
                yield f"| {cell(rule)} | {effect} | {len(changed)} | {shown} |"
    more = [*_effects(found), *(f"note: {note}" for note in found.notes)]
    if more:
        yield ""
        yield from (f"- {cell(line.strip())}" for line in more)


def as_json(found: Backtest) -> dict[str, Any]:
    """For machines."""
    return {
        "runs": found.runs,
        "calls": found.calls,
        "affected": found.affected,
        "changed": [
            {
                "run": one.run.id,
                "trial": one.run.trial,
                "call": one.number,
                "tool": one.call.tool,
                "effect": one.effect,
                "rule": one.rule,
                "before": {"verdict": one.before.verdict, "reason": one.before.reason, "rule": one.before.rule},
                "after": {"verdict": one.after.verdict, "reason": one.after.reason, "rule": one.after.rule},
                "after_divergence": one.after_divergence,
                "place": one.run.place,
            }
            for one in found.changed
        ],
        "before": _numbers_json(found.before),
        "same": _numbers_json(found.same),
        "counterfactual": _numbers_json(found.counterfactual),
        "policy_blocks": list(found.blocks),
        "runs_with_a_human": list(found.interventions),
        "left_recording": found.left_recording,
        "unconcerned": found.unconcerned,
        "notes": found.notes,
    }


def _numbers_json(numbers: Numbers | None) -> dict[str, Any] | None:
    if numbers is None:
        return None
    from ...schema import money

    return {
        "runs": numbers.runs,
        "task_success_rate": numbers.success_rate,
        "cost_usd": money.text(numbers.cost_usd),
        "cost_per_success_usd": None if numbers.cost_per_success is None else money.text(numbers.cost_per_success),
        "intervention_rate": numbers.intervention_rate,
        "policy_blocks": numbers.policy_blocks,
    }
