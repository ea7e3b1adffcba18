"""``python -m pytest_agentops.cli``."""

from __future__ import annotations

from .main import main

raise SystemExit(main())
