"""What a suite's `gates:` may say: limits under the names of the metrics, and regressions against the baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from .limits import STRICT, Count, Says, Share

Chance: TypeAlias = Annotated[float, Says(exclusiveMinimum=0, exclusiveMaximum=1)]
Amount: TypeAlias = Annotated[float, Says(minimum=0)]

ALPHA = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A range that the metric must lie in; both ends belong to it. An unknown metric is in no range."""

    __pydantic_config__ = STRICT
    min: Amount | None = None
    max: Amount | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """A range for a share of runs."""

    __pydantic_config__ = STRICT
    min: Share | None = None
    max: Share | None = None
    confidence: Chance | None = None
    """Live: the one-sided bound must lie in the range too, not just what was seen. A replay has nothing to be confident about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedRate:
    """A range for a share of runs, which may be watched against the baseline too."""

    __pydantic_config__ = STRICT
    min: Share | None = None
    max: Share | None = None
    confidence: Chance | None = None
    regression_alpha: Chance | None = None
    """Fail if it is proven to be more than in the baseline; in a replay, if it is more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedCount:
    """A range for a count, which may be watched against the baseline too."""

    __pydantic_config__ = STRICT
    min: Count | None = None
    max: Count | None = None
    regression_alpha: Chance | None = None
    """Fail if runs that have some are proven to be more than in the baseline; in a replay, if there are more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassHatK:
    """A range for the chance that k trials of a case all succeed."""

    __pydantic_config__ = STRICT
    k: Annotated[int, Says(minimum=1)]
    min: Share | None = None
    max: Share | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SuccessRegression:
    """The cases of the baseline succeed less often than they did."""

    __pydantic_config__ = STRICT
    alpha: Chance = ALPHA
    """Live: how often a build may be red with nothing changed."""
    min_drop: Share = 0.02
    """Live: a smaller drop of the rate is nobody's concern, proven or not."""
    detect: Share | None = None
    """Live: inconclusive unless a drop of this size would be found with a power of 0.8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenCases:
    """Cases that always succeeded and never do now."""

    __pydantic_config__ = STRICT
    max: Count = 0
    alpha: Chance = ALPHA
    """Live: the chance that luck alone breaks a case, at most; above it the gate is inconclusive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Critical:
    """Cases that may not fail; no statistics."""

    __pydantic_config__ = STRICT
    tags: Annotated[tuple[str, ...], Says(minItems=1)]
    allow_failures: Count = 0
    """Failed runs, over all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRegression:
    """The cases of the baseline cost more than they did; in a replay each case is looked at, and its tokens too."""

    __pydantic_config__ = STRICT
    tolerance: Amount = 0.10
    """0.10: a tenth more is fine."""
    alpha: Chance = ALPHA


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """What decides a build, beside the cases themselves."""

    __pydantic_config__ = STRICT
    runs: Limit | None = None
    successes: Limit | None = None
    task_success_rate: RateLimit | None = None
    cost_usd: Limit | None = None
    cost_per_success_usd: Limit | None = None
    intervention_rate: WatchedRate | None = None
    interventions: Limit | None = None
    policy_blocks: Limit | None = None
    unexpected_policy_blocks: WatchedCount | None = None
    tool_calls: Limit | None = None
    tokens: Limit | None = None
    """Input and output together."""
    pass_hat_k: PassHatK | None = None
    success_regression: SuccessRegression | None = None
    broken_cases: BrokenCases | None = None
    critical: Critical | None = None
    cost_regression: CostRegression | None = None
    on_inconclusive: Literal["warn", "fail"] | None = None
    """What a gate that is `inconclusive` or `not_comparable` does to the exit code. Default: it fails."""
    correction: Literal["holm", "none"] = "holm"
    """How the statistical gates of one build share their alpha."""
    confirm: bool = False
    """Live: a proven regression must show again in fresh trials before it fails the build."""


LIMITS = (
    "runs",
    "successes",
    "task_success_rate",
    "cost_usd",
    "cost_per_success_usd",
    "intervention_rate",
    "interventions",
    "policy_blocks",
    "unexpected_policy_blocks",
    "tool_calls",
    "tokens",
    "pass_hat_k",
)
"""Gates with a range, by the metric's name."""
REGRESSIONS = ("success_regression", "broken_cases", "critical", "cost_regression")
SETTINGS = ("on_inconclusive", "correction", "confirm")
"""Keys of `gates` that are none themselves."""
