"""The report ``json``: ``--agent-report=json:PATH`` puts the results file where a person or a CI step wants it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def write(results: Path, path: Path) -> None:
    """Copy the results file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temp = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        shutil.copyfile(results, temp)
        os.replace(temp, path)
    finally:
        temp.unlink(missing_ok=True)
