"""The project of the door tests, for commands that read what a session wrote."""

from __future__ import annotations

from tests.doors.conftest import Project, project

__all__ = ["Project", "project"]
