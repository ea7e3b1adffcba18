"""Every call that two versions of policies decide otherwise, what lets more through first. Exit 2 if they cannot be compared."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import AgentOpsError
from ...schema.sentences import count
from .markdown import cell, code
from .matched import Matched, matched
from .sources import add_suites, policies_in, write_out
from .versions import Side, side

if TYPE_CHECKING:
    from ...policy.diff import Change, Diff
    from ...policy.role_changes import RoleChange

NAME = "diff"
HELP = "what a change of policies changes"
CANNOT = 2
HEADS = {
    "widened": "widened: more is let through",
    "changed": "changed: other people, or other duties",
    "narrowed": "narrowed: less is let through",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("before", metavar="A", help="a policy file, a folder, or REV:path of git")
    parser.add_argument("after", metavar="B", help="the same")
    add_suites(parser)
    parser.add_argument(
        "--fail-on-widening", action="store_true", help="exit 1 if anything is widened or cannot be shown not to be"
    )
    parser.add_argument("--format", choices=("text", "markdown", "json"), default="text")
    parser.add_argument("--output", "-o", type=Path, metavar="FILE", help="write to a file")


def run(options: argparse.Namespace) -> int:
    """Compare."""
    try:
        before, after = side(options.before), side(options.after)
        found = compare(before, after, matched(options, before, after))
    except AgentOpsError as problem:
        print(f"pytest-agentops policy diff: {problem}", file=sys.stderr)
        return CANNOT
    if options.format == "json":
        from ...schema.values import dumps

        text = dumps(as_json(found), indent=2)
    else:
        text = "\n".join(markdown(found) if options.format == "markdown" else _text(found, before, after))
    write_out(options.output, text)
    return 1 if options.fail_on_widening and may_widen(found) else 0


def compare(before: Side, after: Side, sides: Matched) -> Diff:
    """What is decided otherwise in any suite, each change once."""
    from ...policy.diff import diff, united
    from ...policy.role_changes import role_changes, written_roles
    from ...policy.written import text_changes

    every = {name for one in sides.compared for name in one.facts.contracts}
    found = [
        diff(policies_in(one.before), policies_in(one.after), one.facts.contracts, elsewhere=every) for one in sides.compared
    ]
    written = [change for pair in sides.pairs for change in written_roles(*pair)]
    return united(
        found,
        written=[*written, *text_changes(before.policies, after.policies)],
        roles=[change for one in sides.compared for change in role_changes(one.before, one.after)],
        lost=sides.lost,
    )


def may_widen(found: Diff) -> bool:
    """Whether it widens, or something was written otherwise and not all could be looked at."""
    return found.widens or bool(found.partial and found.written)


def _text(found: Diff, before: Side, after: Side) -> Iterator[str]:
    from ...policy.compared import DIRECTIONS

    for way in DIRECTIONS:
        changes = found.of(way)
        if found.count(way):
            yield HEADS[way]
        for change in changes:
            yield from _of(change)
        for role in found.roles:
            if role.direction == way:
                yield f"  {_role(role)}"
    if found.written:
        yield "written otherwise"
        yield from (f"  {line}" for line in found.written)
    yield from (f"partial: {why}" for why in found.partial)
    yield summary(found, before.name, after.name)


def _of(change: Change) -> Iterator[str]:
    was, now = outcomes(change)
    yield f"  {change.tool}: {was} -> {now}"
    for where in change.where:
        yield f"      where {where}"
    if change.more:
        yield f"      and {count(change.more, 'cell')} more"
    if not change.duty:
        yield f"      was {_by(change.before)}; now {_by(change.after)}"
    yield f"      such as {example(change)}"


def _role(change: RoleChange) -> str:
    was, now = change.words
    return f"role {change.role}: {was} -> {now} ({change.where})"


def outcomes(change: Change) -> tuple[str, str]:
    """Both decisions in words."""
    from ...policy.compared import duties, whole

    if change.duty:
        return duties(change.before.obligations), duties(change.after.obligations)
    return whole(change.before, other=change.after), whole(change.after, other=change.before)


def _by(decision: Any) -> str:
    from ...policy.words import by

    return by(decision)


def example(change: Change) -> str:
    """One call, as a policy test writes it."""
    from ...policy.examples import as_test

    return as_test(change.example)


def summary(found: Diff, before: str, after: str) -> str:
    """The last line."""
    over = f"{count(found.cells, 'cell')} of {count(len(found.tools), 'tool')}"
    from ...policy.compared import DIRECTIONS

    counts = [f"{number} {way}" for way in DIRECTIONS if (number := found.count(way))]
    said = f"{before} -> {after}: {', '.join(counts) or 'no call is decided otherwise'}; {over} compared"
    return f"partial: {said}" if found.partial else said


def markdown(found: Diff) -> Iterator[str]:
    """For the comment of a pull request."""
    from ...policy.compared import DIRECTIONS

    yield "### Policy change"
    if not found.changes and not found.roles:
        yield ""
        yield "No call is decided otherwise." if not found.partial else "No call that was tried is decided otherwise."
    for way in DIRECTIONS:
        changes = found.of(way)
        if not found.count(way):
            continue
        yield ""
        yield f"**{HEADS[way][0].upper()}{HEADS[way][1:]}**"
        yield ""
        roles = [role for role in found.roles if role.direction == way]
        yield from (f"- {cell(_role(role))}" for role in roles)
        if not changes:
            continue
        yield from [""] if roles else []
        yield "| tool | calls | before | after | rule |"
        yield "|---|---|---|---|---|"
        for change in changes:
            was, now = outcomes(change)
            where = "<br>".join(code(w) for w in change.where) + (
                f"<br>and {count(change.more, 'cell')} more" if change.more else ""
            )
            rules = "" if change.duty else f"{_by(change.before)} → {_by(change.after)}"
            yield f"| {cell(change.tool)} | {where} | {cell(was)} | {cell(now)} | {cell(rules)} |"
    if found.written:
        yield ""
        yield "<details><summary>Written otherwise</summary>"
        yield ""
        yield from (f"- {cell(str(line))}" for line in found.written)
        yield ""
        yield "</details>"
    if found.partial:
        yield ""
        yield from (f"- partial: {cell(why)}" for why in found.partial)


def as_json(found: Diff) -> dict[str, Any]:
    """The same for machines."""
    return {
        "widens": may_widen(found),
        "changes": [
            {
                "direction": c.direction,
                "duty": c.duty,
                "tool": c.tool,
                "where": list(c.where),
                "cells": c.cells,
                "before": {
                    "verdict": c.before.verdict,
                    "reason": c.before.reason,
                    "rule": c.before.rule,
                    "where": c.before.where,
                },
                "after": {"verdict": c.after.verdict, "reason": c.after.reason, "rule": c.after.rule, "where": c.after.where},
                "words": list(outcomes(c)),
                "example": example(c),
            }
            for c in found.changes
        ],
        "roles": [
            {
                "direction": r.direction,
                "role": r.role,
                "before": None if r.before is None else sorted(r.before),
                "after": None if r.after is None else sorted(r.after),
                "where": r.where,
            }
            for r in found.roles
        ],
        "written": [{"name": t.name, "before": t.before, "after": t.after, "where": t.where} for t in found.written],
        "partial": list(found.partial),
        "cells": found.cells,
        "tools": list(found.tools),
    }
