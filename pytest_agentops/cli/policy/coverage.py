"""What policy tests, and the calls of agents, exercise of the policies. Exit 1 below a minimum, compared unrounded."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import AgentOpsError
from ...schema.sentences import count
from .recorded import add_recorded, named_by, recorded_runs
from .sources import Facts, add_paths, facts_of, policies_in, policy_files, write_out
from .versions import now

if TYPE_CHECKING:
    from ...policy.coverage import Covered, PointKind, Share
    from ...policy.model import Policy
    from ...policy.standing import Standing
    from ...schema.policy import Request

NAME = "coverage"
HELP = "what tests and agents exercise of the policies"
KINDS: tuple[PointKind, ...] = ("rules", "comparisons", "boundaries", "cells")


def arguments(parser: argparse.ArgumentParser) -> None:
    add_paths(parser)
    add_recorded(parser)
    parser.add_argument(
        "--min",
        action="append",
        default=[],
        type=_minimum,
        metavar="[KIND=]PERCENT",
        help=f"fail below it; KIND is one of {', '.join(KINDS)}; without it rules, comparisons and boundaries together",
    )
    parser.add_argument("--of", choices=("tests", "runs"), default="tests", help="what --min is about (default: tests)")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.add_argument("--output", "-o", type=Path, metavar="FILE", help="write to a file")


def _minimum(text: str) -> tuple[str, Fraction]:
    kind, equals, number = text.rpartition("=")
    if equals and kind not in KINDS:
        raise argparse.ArgumentTypeError(f"{kind!r} is none of {', '.join(KINDS)}")
    try:
        share = Fraction(number)
    except (ValueError, ZeroDivisionError):
        raise argparse.ArgumentTypeError(f"{number!r} is no number of per cent") from None
    if not 0 <= share <= 100:
        raise argparse.ArgumentTypeError(f"{number} is not between 0 and 100 per cent")
    return kind, share


def run(options: argparse.Namespace) -> int:
    """Measure, tests and runs apart."""
    files = policy_files(options.paths)
    policies = policies_in(files)
    if not policies:
        raise AgentOpsError("there are no policies, nothing can be covered")
    facts = facts_of(options, options.paths, files)
    by_tests = _by_tests(policies, facts)
    by_runs = _by_runs(now(options.paths, files), policies, facts, options) if options.results or options.transcripts else None
    if options.of == "runs" and by_runs is None:
        raise AgentOpsError("--of runs: name them with --results or --transcripts")
    judged = by_tests if options.of == "tests" or by_runs is None else by_runs
    missed = list(_missed(judged, options.min, options.of))
    if options.format == "json":
        from ...schema.values import dumps

        text = dumps({"tests": _as_json(by_tests), "runs": by_runs and _as_json(by_runs), "missed": missed}, indent=2)
    else:
        text = "\n".join([*_text(by_tests, by_runs), *(f"note: {note}" for note in facts.notes), *missed])
    write_out(options.output, text)
    return 1 if missed else 0


def _by_tests(policies: Sequence[Policy], facts: Facts) -> list[Covered]:
    from ...policy.expected import request_of

    return [
        covered
        for policy in policies
        for covered in _each(policy, policies, facts, [request_of(policy, t) for t in policy.tests])
    ]


def _by_runs(given: Standing, every: Sequence[Policy], facts: Facts, options: argparse.Namespace) -> list[Covered]:
    from ...policy.played import Binder, decided
    from ...policy.standing import fitted

    runs = recorded_runs(options, facts)
    under = fitted(given, named_by(runs)) or given
    binder = Binder(under.of)
    calls: dict[str, list[Request]] = {place: [] for place in under.files}
    for run in (run for run in runs if not run.counterfactual):  # it left its recording: nobody knows what it would have done
        mine = [place for place in under.places(run) if place in calls]
        requests = [judged.request for judged in decided(run, binder.of(run))] if mine else []
        for place in mine:  # another suite's calls exercise nothing of this file
            calls[place] += requests
    return [
        covered
        for place, policies in under.files.items()
        for policy in policies
        for covered in _each(policy, every, facts, calls[place])
    ]


def _each(policy: Policy, policies: Sequence[Policy], facts: Facts, calls: Sequence[Request]) -> Iterator[Covered]:
    from ...policy.assumed import assumed, tools_of
    from ...policy.coverage import coverage

    called = {call.tool for call in calls}
    tools = tools_of([policy], tuple(facts.contracts))
    for tool in [name for name in tools if name in called] or tools[:1]:  # of a pattern, the tools that were called
        contract = facts.contracts.get(tool) or assumed(policies, tool)
        yield coverage(policy, contract, [call for call in calls if call.tool == tool])


def _missed(covered: Sequence[Covered], minimums: Sequence[tuple[str, Fraction]], of: str) -> Iterator[str]:
    from ...policy.coverage import total

    for kind, least in minimums:
        chosen: Any = kind or None
        share = total(covered, chosen)
        if share.exact < least:
            what = kind or "rules, comparisons and boundaries"
            yield f"FAILED: {_percent(share.exact)} of {what} are covered by {of}, at least {_percent(least)} are asked for"
            if share.most < least:
                yield f"  at most {_percent(share.most)} can be reached; these never can:"
                names = (
                    p.name for c in covered for p in c.points if p.reachable is False and not p.covered and kind in ("", p.kind)
                )
                yield from (f"    {name}" for name in names)


def _percent(share: Fraction) -> str:
    """With as many digits as tell it from what it is compared with: never 100 for what is less."""
    text = f"{float(share):.4f}".rstrip("0").rstrip(".")
    if share < 100 and text == "100":
        return "99.9999..."
    return f"{text} %"


def _text(by_tests: Sequence[Covered], by_runs: Sequence[Covered] | None) -> Iterator[str]:
    for head, covered in (("by policy tests", by_tests), ("by agents' runs", by_runs)):
        if covered is None:
            continue
        yield head
        for one in covered:
            yield f"  {one.policy.id} ({one.policy.where}), {one.tool}: {count(one.calls, 'call')}"
            for kind in KINDS:
                yield f"    {kind:12}{_share(one.share(kind))}"
            yield from (
                f"    not covered: {p.name} ({p.where})" for p in one.points if not p.covered and p.reachable is not False
            )
            yield from (f"    can never be: {p.name} ({p.where})" for p in one.points if not p.covered and p.reachable is False)
            yield from (f"    no call where {words}" for words in one.unreached[:5])
            if len(one.unreached) > 5:
                yield "    ..."
            yield from (f"    partial: {why}" for why in one.partial)
        yield f"  total {_share(_total(covered))}"
    if by_runs is not None:
        never = [p for c in by_runs for p in c.points if p.kind == "rules" and not p.covered]
        yield from (f"no run ever exercised: {p.name} ({p.where})" for p in never)


def _total(covered: Sequence[Covered]) -> Share:
    from ...policy.coverage import total

    return total(covered)


def _share(share: Share) -> str:
    most = f", {share.reachable} can be reached" if share.reachable < share.total else ""
    return f"{share.covered} of {share.total} ({_percent(share.exact)}{most})" if share.total else "none"


def _as_json(covered: Sequence[Covered]) -> list[dict[str, Any]]:
    return [
        {
            "policy": one.policy.id,
            "where": one.policy.where,
            "tool": one.tool,
            "calls": one.calls,
            **{kind: _numbers(one.share(kind)) for kind in KINDS},
            "points": [
                {"kind": p.kind, "name": p.name, "where": p.where, "covered": p.covered, "reachable": p.reachable}
                for p in one.points
            ],
            "cells_not_covered": one.unreached,
            "partial": list(one.partial),
        }
        for one in covered
    ]


def _numbers(share: Share) -> dict[str, Any]:
    return {"covered": share.covered, "reachable": share.reachable, "total": share.total, "percent": str(share.exact)}
