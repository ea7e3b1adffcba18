"""Run the tests inside policy files; 1 if one fails, if there is none, or if a policy does not go with its tools."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...schema.sentences import count
from .groups import Group, by_suites, together
from .sources import add_paths, policies_in, policy_files

if TYPE_CHECKING:
    from ...policy.model import Policy, PolicyFile, PolicyTest

NAME = "test"
HELP = "run the tests inside policy files"


def arguments(parser: argparse.ArgumentParser) -> None:
    add_paths(parser)
    parser.add_argument("-k", metavar="TEXT", help="only tests whose policy or name has this in it")
    parser.add_argument("-v", "--verbose", action="store_true", help="name the tests that hold, too")


def run(options: argparse.Namespace) -> int:
    """Run them."""
    from ...policy.binding import check

    files = policy_files(options.paths)
    policies = policies_in(files)
    groups = by_suites(options, options.paths, files)
    for note in dict.fromkeys(note for group in groups for note in group.facts.notes):
        print(f"note: {note}")
    mistakes = dict.fromkeys(m for g in groups for m in check(policies_in(g.files), g.facts.contracts, g.facts.context))
    for mistake in mistakes:
        print(mistake)
    every = [(file, mine, policy, test) for file, mine in together(groups) for policy in file.policies for test in policy.tests]
    chosen = [one for one in every if options.k is None or options.k in f"{one[2].id}::{one[3].name}"]
    failed = sum(not _holds(file, policy, test, mine, options.verbose) for file, mine, policy, test in chosen)
    return _summary(policies, chosen, failed, len(mistakes), options.k)


def _holds(file: PolicyFile, policy: Policy, test: PolicyTest, groups: Sequence[Group], verbose: bool) -> bool:
    """A policy is tested together with the others of its file, over the tool of each suite that has it, as pytest tests it."""
    from ...policy.binding import bind
    from ...policy.decide import decide
    from ...policy.expected import differences, request_of, stand_in, tool_of

    tool = tool_of(policy, test)
    declared = [contract for group in groups if (contract := group.facts.contracts.get(tool)) is not None]
    wrong: dict[str, None] = {}
    for contract in declared or [stand_in(policy, test)]:
        bound = bind(file.policies, {tool: contract})
        said = differences(policy, test, decide(bound, request_of(policy, test)))
        wrong.update(dict.fromkeys(said))
        if said and len(declared) > 1:
            wrong[f"tool: {tool}, tier {int(bound.tools[tool].tier)} ({contract.where})"] = None
    if wrong:
        print(f"FAILED {test.file}:{test.line}: {policy.id}::{test.name}")
        for line in wrong:
            print(f"  {line}")
        if not declared:
            tier = stand_in(policy, test).tier
            said_tier = "no tier, so 4" if tier is None else f"tier {tier}"
            print(f"  no suite declares {tool}: it was taken to be a write of {said_tier} (--suite FILE names one)")
    elif verbose:
        print(f"passed {test.file}:{test.line}: {policy.id}::{test.name}")
    return not wrong


def _summary(policies: Sequence[Policy], chosen: Sequence[object], failed: int, mistakes: int, text: str | None) -> int:
    without = [policy for policy in policies if not policy.tests]
    for policy in without:
        print(f"{policy.where}: policy {policy.id} has no tests")
    if not chosen:
        every = sum(len(policy.tests) for policy in policies)
        why = f"none of {every} tests has {text!r} in its name" if text is not None and every else "there are no tests"
        print(f"nothing was tested: {why} in {count(len(policies), 'policy', 'policies')}")
        return 1
    good = len(chosen) - failed
    print(f"{good} passed, {failed} failed" + (f", {count(mistakes, 'mistake')}" if mistakes else ""))
    return 1 if failed or mistakes else 0
