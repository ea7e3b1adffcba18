"""What one trial is given, and what it is made of once it is set up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..schema import paths
from ..schema.case import Case
from ..schema.parsed import ParsedCache
from ..schema.run import Mode
from ..schema.values import Json
from ..tape.store import folder_for
from .modes import Plan, Record

if TYPE_CHECKING:
    from ..approvals.request import Approver
    from ..audit.log import AuditLog
    from ..policy.model import PolicyFile
    from ..tape.cassette import ToolsCassette
    from ..tape.model.exchange import ModelCassette
    from ..tape.player import Player
    from ..tape.recorder import Recorder
    from ..tools.toolbox import Toolbox
    from .answers import TapeAnswers
    from .budget import BudgetMeter
    from .governance import Governance
    from .invoke import AgentLoop, ToolLoop
    from .ledger import Ledger
    from .model import ModelLayer
    from .session import Session


class Written(Enum):
    """How many of the recorded writes had been played at some moment."""

    NONE = 0
    SOME = 1
    ALL = 2


@dataclass(slots=True, kw_only=True)
class Trial:
    """Everything one trial needs; the doors fill it in."""

    case: Case
    number: int
    agent: Callable[..., Any]
    """``agent(task, tools)``; with a true attribute `plays_user` it brings the user's messages itself (a transcript)."""
    make_toolbox: Callable[[], Toolbox]
    mode: Mode
    record: Record
    cassettes: Path
    """The cassettes' root folder."""
    enforce_contracts: bool = True
    cache: ParsedCache | None = None
    """Parsed recordings of earlier sessions."""
    on_late: Callable[[str], None] | None = None
    """Told of every call that comes when the run has been given back already."""
    policies: tuple[PolicyFile, ...] = ()
    """What the calls are decided by."""
    audit: AuditLog | None = None
    terminal: Callable[[], Approver | None] | None = None
    """Where a person can be asked; None, or what gives None, where there is nobody."""
    ledger: Ledger | None = None
    """What the whole session spends; None where that has no limit."""
    folder: Path = field(init=False)
    """Where the trial's recording lies, or goes."""

    def __post_init__(self) -> None:
        self.folder = folder_for(self.cassettes, self.case.suite, self.case.name, self.number)


@dataclass(slots=True, kw_only=True)
class Setting:
    """One trial, set up: what its parts share."""

    trial: Trial
    plan: Plan
    folder: Path
    cassette: ToolsCassette | None
    toolbox: Toolbox
    session: Session
    meter: BudgetMeter
    player: Player | None
    recorder: Recorder | None
    answers: TapeAnswers
    model: ModelLayer | None
    """None where the model is replayed and the recording has no model layer: then the network is off."""
    model_cassette: ModelCassette | None
    agent_loop: AgentLoop
    tool_loop: ToolLoop
    governance: Governance
    before: Json = None
    """The toolbox's state before the agent ran, as it was; None where the tools are not live."""
    turn_ends: list[Json | Written] = field(default_factory=list)
    """Of each turn but the last: live, the state as it was; in replay, how many of the recorded writes were played."""

    def hidden(self, state: Json) -> Json:
        """A state as files may hold it: what a tool calls sensitive is sensitive here, too."""
        contracts = self.session.contracts
        keys = {key for name in contracts for key in self.session.sensitive(contracts[name]) if not paths.is_path(key)}
        return self.session.values.fold(self.session.membrane.hide(state, sorted(keys)))
