"""The exceptions, as data first.

::

    AgentOpsError
    ├── UsageError            wrong options or ini values (pytest exit 4)
    ├── CaseFileError         a suite file with mistakes: all of them
    ├── LoadError             an agent, tool or check that is not where the YAML says
    ├── CassetteError         a recording that is missing, truncated, newer, out of shape, or cannot be written
    │   └── MissingCassette
    ├── BaselineError         a baseline that is truncated, newer, edited or in conflict
    ├── CassetteMiss          a call that the recording cannot answer (latched: the trial fails even if it is caught)
    ├── SecretFound           a secret in bytes that were about to be kept
    ├── BudgetExceeded        a hard limit of the trial (latched)
    ├── Interrupted           an approval that nobody gave (latched)
    ├── SessionClosed         a call after the agent returned (latched)
    ├── NetworkBlocked        a connect in replay (also an OSError, for clients that retry)
    ├── CheckFailed           what pytest shows for a case that failed
    └── ToolError             what the agent gets for a call that gave no result
        ├── ToolBlocked       stopped by contract or policy
        ├── ToolRejected      a human said no
        └── ToolFailed        the tool itself failed
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .schema.call import ErrorInfo, Reason


class AgentOpsError(Exception):
    """Base of everything this package raises on purpose."""


class UsageError(AgentOpsError):
    """Wrong options or settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One mistake in a file that a person wrote: where, what was found, what was allowed, a likely cure."""

    file: str
    line: int
    col: int
    found: str
    """``unknown key 'expct'``"""
    allowed: str = ""
    """``expected one of a, b``"""
    hint: str = ""
    """``did you mean 'expect'?``"""

    def __str__(self) -> str:
        parts = [p for p in (self.found, self.allowed, self.hint) if p]
        return f"{self.file}:{self.line}:{self.col}: {'; '.join(parts)}"


class CaseFileError(AgentOpsError):
    """Every mistake of a file at once, in the order of its lines."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = sorted(mistakes, key=lambda m: (m.file, m.line, m.col))
        super().__init__("\n".join(str(m) for m in self.mistakes))


class LoadError(AgentOpsError):
    """Code that a suite names cannot be had."""

    def __init__(self, message: str, *, ref: str = "", hint: str = "") -> None:
        super().__init__(f"{message}; {hint}" if hint else message)
        self.ref = ref
        self.hint = hint
        self.key = ""
        """``agent``, ``tools`` or ``python``, where it is known that the name stands there."""


class CassetteError(AgentOpsError):
    """A recording that cannot be used or written; `cure` is the command or the act that helps."""

    def __init__(self, message: str, *, path: str, line: int | None = None, col: int | None = None, cure: str = "") -> None:
        place = ":".join(str(part) for part in (path, line, col) if part is not None)
        super().__init__(f"{place}: {message}" + (f"\n  cure: {cure}" if cure else ""))
        self.path = path
        self.line = line
        self.col = col
        self.cure = cure


class BaselineError(AgentOpsError):
    """A baseline that cannot be used; `cure` is what helps."""

    def __init__(self, message: str, *, path: str, line: int, col: int = 1, cure: str = "") -> None:
        super().__init__(f"{path}:{line}:{col}: {message}" + (f"\n  cure: {cure}" if cure else ""))
        self.path = path
        self.line = line
        self.cure = cure


class MissingCassette(CassetteError):
    """There is no recording where one is needed: an error, never a skip."""


class CassetteMiss(AgentOpsError):
    """The recording has no answer for this call; `report` is the whole text, `data` the same for machines."""

    def __init__(self, report: str, *, data: dict[str, Any]) -> None:
        super().__init__(report)
        self.report = report
        self.data = data


class SecretFound(AgentOpsError):
    """Bytes that were about to be kept hold a secret; `kinds` names them, never their values."""

    def __init__(self, path: str, kinds: Sequence[str], *, cure: str = "") -> None:
        cure = cure or "name the field in the tool's `sensitive`, or keep the value out of the case"
        super().__init__(f"{path}: not written, it would hold a secret ({', '.join(kinds)})\n  cure: {cure}")
        self.path = path
        self.kinds = list(kinds)


class BudgetExceeded(AgentOpsError):
    """The trial used up a hard limit; no further call is let through. `used` is None where nobody knows."""

    def __init__(self, what: str, limit: float, used: float | None, *, key: str = "") -> None:
        said = f"{used:g} {what}" if used is not None else f"an unknown number of {what}"
        why = "" if used is not None else ": a model answer had no price or stated no usage, and unknown is never within a limit"
        super().__init__(f"budget exceeded: {said}, the limit is {limit:g} ({key or f'budget.{what}'}){why}")
        self.what = what
        self.limit = limit
        self.used = used


class Interrupted(AgentOpsError):
    """A call needs a human's approval and nobody answered: the run ends, whatever the agent catches."""

    def __init__(self, message: str, *, tool: str, cure: str = "") -> None:
        super().__init__(message)
        self.tool = tool
        self.cure = cure
        """For the person who runs the case; the agent is not told."""


class SessionClosed(AgentOpsError):
    """A tool was called where its trial does not see it: after the trial had ended, or in a forked child."""


class NetworkBlocked(AgentOpsError, PermissionError):
    """A connect while replaying."""

    def __init__(self, address: str) -> None:
        super().__init__(
            f"network is off in replay: connect to {address}. Call it inside a tool, run with --agent-mode=live, "
            f'or allow it in the case: network: {{allow: ["{address}"]}}'
        )
        self.address = address


class CheckFailed(AgentOpsError):
    """A case that failed; the text is the whole explanation, no traceback is shown."""


class ToolError(AgentOpsError):
    """A call that gave no result. Catch it to replan; uncaught it ends the run."""

    def __init__(
        self, message: str, *, tool: str, reason: Reason, rule: str | None = None, error: ErrorInfo | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.tool = tool
        self.reason = reason
        self.rule = rule
        self.error = error

    def as_json(self) -> dict[str, Any]:
        """What a model is told."""
        out: dict[str, Any] = {"tool": self.tool, "reason": self.reason, "message": self.message}
        if self.rule:
            out["rule"] = self.rule
        if self.error is not None:
            out["error"] = self.error.as_json()
        return out


class ToolBlocked(ToolError):
    """Stopped before it reached the tool."""


class ToolRejected(ToolError):
    """A human said no."""


class ToolFailed(ToolError):
    """The tool (or its recording) answered with an error; `error` has its type and whether a retry may help."""
