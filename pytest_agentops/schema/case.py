"""What a person writes in a suite file, as types (design section 4).

Plain dataclasses: the JSON Schema of suite files, which editors and `loading` use, is made from them, so that this is the only
place where the format is written down. Keys of stages that are not built yet are known here (editors complete
them) and refused by `loading`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeAlias

from .gates import Gates
from .governed import BudgetExpect, PolicyExpect, SuiteBudget
from .governed import Degrade as Degrade
from .limits import STRICT, Count, Says
from .limits import Bounds as Bounds
from .limits import CountBounds as CountBounds
from .prices import ModelPrice, Slo
from .tier import Effect
from .unset import unset
from .values import JsonObject

ID_PATTERN = "[a-z0-9][a-z0-9_-]{0,79}"
"""Case, suite and variant ids: safe as folder names everywhere, also where case does not count."""
TAG_PATTERN = "[a-z][a-z0-9_-]*"

Order: TypeAlias = Literal["exact", "in_order", "any_order"]
ArgsMode: TypeAlias = Literal["exact", "partial", "ignore", "superset", "subset"]
Extra: TypeAlias = Literal["allow", "forbid", "forbid_writes"]
Missing: TypeAlias = Literal["forbid", "allow"]
Outcome: TypeAlias = Literal["completed", "interrupted", "blocked", "budget_exceeded", "timed_out", "unanswerable", "error"]
DETECTORS = ("loop", "empty_retrieval", "policy_blocked", "spend_spike")
"""The runbook detectors."""
ApprovalWord: TypeAlias = Literal["approve", "edit", "reject", "escalate", "timeout"]


Ref: TypeAlias = str | dict[str, Any]
"""``./file.py:attr``, ``module:attr``, a registered name, a fixture's name, or one registered name with options."""
CallRef: TypeAlias = str | dict[str, dict[str, Any] | None]
"""``tool`` or ``{tool: {argument: value or operators}}``; a name may hold ``*``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsExpect:
    """What the sequence of tool calls must look like."""

    __pydantic_config__ = STRICT
    order: Order | None = None
    """exact, in_order (default) or any_order."""
    args: ArgsMode | None = None
    """partial (default), exact or ignore; LangChain's superset and subset are accepted."""
    extra: Extra | None = None
    """allow (default), forbid or forbid_writes: calls that no expectation asked for."""
    missing: Missing | None = None
    """forbid (default) or allow: expectations that no call met."""
    like: str | None = None
    """Another tool's word in place of order, extra, missing: strict, unordered, subset, superset, exact, in_order, any_order."""
    include: tuple[CallRef, ...] | None = None
    """Calls that reached the tool, with the arguments that reached it."""
    never: tuple[CallRef, ...] | None = None
    """Calls that must not have reached the tool."""
    never_tried: tuple[CallRef, ...] | None = None
    """Calls that must not even have been attempted."""
    count: dict[str, Count | CountBounds] | None = None
    """How often a tool was reached; "*" is the total. A bare number means exactly that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextExpect:
    """What a text must hold; all keys must hold, a list means each of its values."""

    __pydantic_config__ = STRICT
    contains: str | tuple[str, ...] | None = None
    icontains: str | tuple[str, ...] | None = None
    """Like contains, without regard to case."""
    not_contains: str | tuple[str, ...] | None = None
    matches: str | tuple[str, ...] | None = None
    """Regular expressions (Python's re.search)."""
    equals: Any = field(default_factory=unset)
    """The whole value, null too; a JSON output is compared as JSON."""
    json_schema: JsonObject | None = None
    any: tuple[TextExpect, ...] | None = None
    """Alternatives: at least one must hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostExpect:
    """Upper bounds of what the run cost; an unknown cost fails."""

    __pydantic_config__ = STRICT
    usd: Bounds | None = None
    tokens: CountBounds | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnExpect:
    """Checks on one turn of the conversation."""

    __pydantic_config__ = STRICT
    calls: CallsExpect | None = None
    said: TextExpect | None = None
    state: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """What a run must be like; each key is one check, all must pass."""

    __pydantic_config__ = STRICT
    outcome: Outcome | None = None
    """How the run must end (default: completed)."""
    calls: CallsExpect | None = None
    output: TextExpect | None = None
    """The final reply."""
    said: TextExpect | None = None
    """Any message to the user."""
    state: JsonObject | None = None
    """JSON paths ("$.orders['W-1'].status") to values, or a nested partial mapping, of the state after the run."""
    changed_only: tuple[str, ...] | None = None
    """The only JSON paths of the state that may differ after the run; [] means nothing changed."""
    policy: PolicyExpect | None = None
    """Which calls the policies stopped, or sent to a human."""
    interventions: Count | CountBounds | None = None
    """Human acts on the run: approve, edit, reject, escalate."""
    cost: CostExpect | None = None
    steps: Count | CountBounds | None = None
    """Model answers (tool calls, in a run without a model)."""
    budget: BudgetExpect | None = None
    detectors: dict[str, Literal["ignore", "fail"]] | None = None
    """What a runbook detector (loop, empty_retrieval, policy_blocked, spend_spike) means for this case."""
    python: str | tuple[str, ...] | None = None
    """Functions of your own, ``./checks.py:name``: fn(run) or fn(run, case)."""
    any: tuple[Expect, ...] | None = None
    """Alternatives: at least one of them must hold in full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One message of the user, with checks of its own."""

    __pydantic_config__ = STRICT
    user: str
    expect: TurnExpect | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PassIf:
    """How many trials must pass; both keys must hold where both are given."""

    __pydantic_config__ = STRICT
    rate: Annotated[float, Says(exclusiveMinimum=0, maximum=1)] | None = None
    at_least: Annotated[int, Says(minimum=1)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Hard limits of one trial; going over ends it with outcome budget_exceeded (seconds: timed_out)."""

    __pydantic_config__ = STRICT
    usd: Annotated[float, Says(minimum=0)] | None = None
    steps: Annotated[int, Says(minimum=1)] | None = None
    tool_calls: Annotated[int, Says(minimum=0)] | None = None
    tokens: Annotated[int, Says(minimum=0)] | None = None
    seconds: Annotated[float, Says(exclusiveMinimum=0)] | None = None
    degrade: tuple[Degrade, ...] | None = None
    """Steps before the stop, in their order."""


DEFAULT_STEPS = 50
DEFAULT_TOOL_CALLS = 100
DEFAULT_SECONDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """How the recording is replayed."""

    __pydantic_config__ = STRICT
    order: Literal["any", "per_tool", "strict"] = "any"
    """any: equal calls in their order, others freely; per_tool: each tool's calls in order; strict: the full sequence."""
    unused: Literal["error", "warn", "ignore"] = "error"
    """What a recording that was not played means; an unused write is always an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What a replay may connect to."""

    __pydantic_config__ = STRICT
    allow: tuple[str, ...] = ()
    """``host:port`` each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who acts: the agent's identity, and on whose behalf."""

    __pydantic_config__ = STRICT
    id: str | None = None
    on_behalf_of: str | None = None
    roles: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedApproval:
    """A scripted human answer to one approval request."""

    __pydantic_config__ = STRICT
    tool: str | None = None
    args: JsonObject | None = None
    """What is asked (partial, with operators)."""
    role: str | None = None
    """The role that is asked."""
    by: str | None = None
    """Who answers; two approvals of one person count once."""
    decision: ApprovalWord
    edit: JsonObject | None = None
    """For edit: the arguments that are changed."""
    message: str | None = None
    """Why; told to the agent and kept in the results."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchRules:
    """What does not count when recordings of a tool are matched."""

    __pydantic_config__ = STRICT
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorSpec:
    """A tool's error, as recorded or canned."""

    __pydantic_config__ = STRICT
    type: str
    message: str = ""
    retryable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSpec:
    """A canned answer: a result or an error."""

    __pydantic_config__ = STRICT
    args: JsonObject | None = None
    result: Any = None
    error: ErrorSpec | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractSpec:
    """A tool declared in YAML, or named fields of one that has code."""

    __pydantic_config__ = STRICT
    description: str | None = None
    parameters: JsonObject | None = None
    returns: JsonObject | None = None
    effect: Effect | None = None
    tier: Annotated[int, Says(minimum=0, maximum=4)] | None = None
    scopes: tuple[str, ...] | None = None
    cost_usd: float | str | None = None
    idempotency_key: str | None = None
    sensitive: tuple[str, ...] | None = None
    passthrough: tuple[str, ...] | None = None
    match: MatchRules | None = None
    resource: str | None = None
    version: str | None = None
    answers: tuple[AnswerSpec, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFields:
    """Every field that a case may have and `defaults` may set."""

    __pydantic_config__ = STRICT
    description: str | None = None
    tags: tuple[str, ...] | None = None
    """Become pytest marks; tags of defaults and case add up."""
    agent: Ref | None = None
    tools: Ref | tuple[Ref, ...] | None = None
    fixtures: tuple[str, ...] | None = None
    """pytest's usefixtures."""
    policies: tuple[str, ...] | None = None
    """Policy files, ``./policy.yaml``: what the agent's calls are decided by."""
    task: str | None = None
    turns: Annotated[tuple[str | Turn, ...], Says(minItems=1)] | None = None
    setup: JsonObject | None = None
    """Handed to tool factories that take `setup`, and to the agent as task.setup."""
    model: str | None = None
    prompt: str | None = None
    """Text, or ``./file.md``; task.prompt."""
    principal: Principal | None = None
    context: JsonObject | None = None
    clock: str | None = None
    """The time that task.now() starts from in replay (ISO 8601 with zone); default: the recording's."""
    budget: Budget | None = None
    trials: Annotated[int, Says(minimum=1)] | None = None
    pass_if: PassIf | None = None
    matrix: dict[str, Annotated[tuple[Any, ...], Says(minItems=1)]] | None = None
    """Case fields (dots allowed) to lists; the product of the points are the variants."""
    approvals: tuple[ScriptedApproval, ...] | None = None
    """Scripted humans: the first unused entry that fits answers."""
    faults: tuple[JsonObject, ...] | None = None
    contracts_mode: Literal["enforce", "report"] | None = None
    """enforce: invalid arguments stop the call; report: they are a finding (what the transcript agent does by itself)."""
    replay: Replay | None = None
    network: Network | None = None
    skip: str | None = None
    xfail: str | None = None
    expect: Expect | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseEntry(CaseFields):
    """One scenario."""

    __pydantic_config__ = STRICT
    id: str
    """A slug, unique in the suite; it names the cassette folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteFile:
    """A suite file."""

    __pydantic_config__ = STRICT
    version: Literal[1]
    suite: str | None = None
    """The suite's name; default: the file's stem."""
    description: str | None = None
    agent: Ref | None = None
    tools: Ref | tuple[Ref, ...] | None = None
    contracts: dict[str, ContractSpec] | None = None
    policies: tuple[str, ...] | None = None
    budget: SuiteBudget | None = None
    """Over all runs of the suite in one session; limits of one trial stand in `defaults`."""
    prices: dict[str, ModelPrice] | None = None
    """Model (a name, or a glob) -> what it asks; they win over every other price."""
    runbooks: dict[str, str] | None = None
    slo: Slo | None = None
    """What the suite wants to reach over time (`pytest-agentops scorecard`)."""
    defaults: CaseFields | None = None
    gates: Gates | None = None
    """What decides the build over all runs of the suite."""
    cases: Annotated[tuple[CaseEntry, ...], Says(minItems=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One variant of a case, defaults merged in: what the runner and the checks work with."""

    id: str
    suite: str
    variant: str | None
    file: str
    """Relative to the rootdir, with forward slashes."""
    line: int
    fields: CaseFields
    contracts: dict[str, ContractSpec] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    """``expect.calls``, ``turns[0].expect.said`` -> the line of that key in `file`: in the matrix, the case or `defaults`."""
    more_checks: JsonObject = field(default_factory=dict)
    """Keys of `expect` that belong to checks registered from outside."""
    base_dir: str = "."
    """The folder of the suite file, absolute: what ``./`` means."""
    suite_budget: dict[str, float] = field(default_factory=dict)
    """The limits of all runs of the suite: `usd`, `tokens`, `steps`, `tool_calls`, `seconds`, those that it names."""
    runbooks: dict[str, str] = field(default_factory=dict)
    """Detector -> the page that says what to do."""
    prices: dict[str, ModelPrice] = field(default_factory=dict)
    """The suite's own prices of models."""

    @property
    def name(self) -> str:
        """``case`` or ``case~variant``: the pytest name and the cassette folder's name."""
        return self.id if self.variant is None else f"{self.id}~{self.variant}"

    @property
    def trials(self) -> int:
        return self.fields.trials or 1
