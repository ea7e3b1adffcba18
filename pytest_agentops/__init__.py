"""Run agents' eval cases as pytest tests: recorded, guarded, replayed offline.

The names below are the public API; each is imported when it is first asked for, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import BudgetExceeded, CassetteMiss, SessionClosed, ToolBlocked, ToolError, ToolFailed, ToolRejected
    from .reports.frame import load_results
    from .runner.task import Task
    from .schema.call import ToolResult
    from .schema.run import Run
    from .schema.verdict import CheckResult
    from .scoring.calls import Match, match_calls
    from .tools.tool import tool
    from .tools.toolbox import Toolbox

__version__ = "0.1.0"

_WHERE = {
    "BudgetExceeded": "errors",
    "CassetteMiss": "errors",
    "CheckResult": "schema.verdict",
    "Match": "scoring.calls",
    "Run": "schema.run",
    "SessionClosed": "errors",
    "Task": "runner.task",
    "ToolBlocked": "errors",
    "ToolError": "errors",
    "ToolFailed": "errors",
    "ToolRejected": "errors",
    "ToolResult": "schema.call",
    "Toolbox": "tools.toolbox",
    "load_results": "reports.frame",
    "match_calls": "scoring.calls",
    "tool": "tools.tool",
}

__all__ = [
    "BudgetExceeded",
    "CassetteMiss",
    "CheckResult",
    "Match",
    "Run",
    "SessionClosed",
    "Task",
    "ToolBlocked",
    "ToolError",
    "ToolFailed",
    "ToolRejected",
    "ToolResult",
    "Toolbox",
    "load_results",
    "match_calls",
    "tool",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
