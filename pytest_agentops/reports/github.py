"""A job of GitHub Actions shows the report ``md`` on its page, without being asked to."""

from __future__ import annotations

import os
from pathlib import Path

STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


def told_github(results: Path) -> list[str]:
    """Add the report to the job's page, where there is one; what went wrong, a sentence each."""
    page = os.environ.get(STEP_SUMMARY)
    if not page:
        return []
    from .markdown import append

    try:
        append(results, Path(page))
    except OSError as error:
        return [f"{STEP_SUMMARY}={page}: the report cannot be added: {error.strerror or error}"]
    return []
