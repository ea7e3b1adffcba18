"""What is wrong, or likely not meant, in policies, by a decision table. Exit 1 for an error, with --strict for a warning."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import CaseFileError
from ...schema.sentences import count
from ..options import from_one
from .groups import by_suites
from .sources import add_paths, policies_in, policy_files, write_out

if TYPE_CHECKING:
    from ...policy.lint.finding import Report

NAME = "lint"
HELP = "find rules that never decide, gaps, orders that matter, missing bounds"


def arguments(parser: argparse.ArgumentParser) -> None:
    add_paths(parser)
    parser.add_argument(
        "--strict", action="store_true", help="warnings, and what could only be looked at in part, are exit 1, too"
    )
    parser.add_argument("--min-retain-days", type=from_one, metavar="N", help="how long calls must be kept at least (POL010)")
    parser.add_argument("--format", choices=("text", "json", "sarif"), default="text")
    parser.add_argument("--output", "-o", type=Path, metavar="FILE", help="write to a file")


def run(options: argparse.Namespace) -> int:
    """Lint them."""
    from ...policy.lint.finding import Report, from_mistakes, ordered, together
    from ...policy.lint.run import lint
    from ...policy.lint.world import world_of

    notes: list[str] = []
    try:
        files = policy_files(options.paths)
    except CaseFileError as error:
        report = Report(findings=ordered(from_mistakes(error.mistakes)), partial=("files with mistakes were not analysed",))
    else:
        reports = []
        for group in by_suites(options, options.paths, files):
            facts = group.facts
            notes += [note for note in facts.notes if note not in facts.lost]
            world = world_of(
                group.files,
                facts.contracts,
                facts.cases,
                suites_known=bool(facts.suites),
                elsewhere=group.elsewhere,
                least_days=options.min_retain_days,
            )
            reports.append(lint(policies_in(group.files), world))
            reports.append(Report(findings=(), partial=tuple(facts.lost)))
        report = replace(together(reports), policies=len(policies_in(files)))
    write_out(options.output, _text(report, options.format, notes))
    return 1 if report.errors or not report.policies or (options.strict and not report.clean) else 0


def _text(report: Report, form: str, notes: Sequence[str]) -> str:
    from ...schema.values import dumps

    if form == "sarif":
        from importlib.metadata import version

        from ...policy.lint.sarif import sarif

        return dumps(sarif(report, version=version("pytest-agentops")), indent=2)
    if form == "json":
        found = [finding.as_json() for finding in report.findings]
        return dumps({"findings": found, "partial": list(report.partial), "cells": report.cells, "clean": report.clean}, indent=2)
    lines = [str(finding) for finding in report.findings]
    lines += [f"partial: {why}" for why in report.partial]
    lines += [f"note: {note}" for note in notes]
    return "\n".join([*lines, _summary(report)])


def _summary(report: Report) -> str:
    over = f"{count(report.policies, 'policy', 'policies')}, {count(report.cells, 'cell')}"
    if not report.policies and not report.findings:
        return "nothing was linted: there are no policies"
    if report.clean:
        return f"clean: {over}"
    warnings = len(report.findings) - report.errors
    said = f"{count(report.errors, 'error')}, {count(warnings, 'warning')}: {over}"
    return f"partial, not clean: {said}" if report.partial else said
