"""What one case came to over its trials: what a baseline keeps of it, and what two builds are compared by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from ..schema import money
from ..schema.run import UNPAID
from ..schema.sentences import count
from ..schema.values import JsonObject
from .statistics import Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One variant of a case with its trials. Counterfactual and unanswerable runs are no trials of it."""

    id: str
    """``suite/case`` or ``suite/case~variant``."""
    mode: str
    """What its runs were; `mixed` of several."""
    trials: int
    successes: int
    cost_usd: Decimal | None
    """Of all trials together; None where a part is unknown."""
    tokens: int | None
    """Input and output of all trials together."""
    intervened: int | None
    """Trials on which a human acted."""
    policy_blocks: int | None
    unexpected_blocks: int | None
    """Calls that a policy denied and that the case does not speak of."""
    blocked: int | None
    """Trials with such a call."""
    digest: str | None
    """Of what the case asks; None in an old results file."""
    tags: tuple[str, ...] = ()
    pins: JsonObject | None = None
    """What the last trial ran with."""
    left_out: int = 0
    """Runs that are no trials."""
    unpaid: int = 0
    """Runs for which the budget of the session or of the suite did not suffice."""
    prices: str | None = None
    """The price table that the cost is of; None where no model was asked, or nobody said."""

    @property
    def suite(self) -> str:
        return self.id.partition("/")[0]


NOWHERE = "nowhere (counterfactual or unanswerable)"


def tried(case: JsonObject, prices: JsonObject | None = None) -> Tried:
    """A case of a results file, whose head names its price table."""
    asked_a_model = any((run.get("costs") or {}).get("models") for run in case["trials"])
    counted = [run for run in case["trials"] if "counterfactual" not in run.get("labels", ())]
    runs = [run for run in counted if run["outcome"] != "unanswerable"]
    modes = sorted({run["mode"] for run in case["trials"]})
    acts = [run.get("interventions") for run in runs]
    unexpected = [run.get("unexpected_policy_blocks") for run in runs]
    tokens = [run["tokens"] for run in runs]
    return Tried(
        id=case["id"] if case["variant"] is None else f"{case['id']}~{case['variant']}",
        mode=modes[0] if len(modes) == 1 else "mixed" if modes else "none",
        trials=len(runs),
        successes=sum(bool(run["success"]) for run in runs),
        cost_usd=money.total([None if run["cost_usd"] is None else Decimal(run["cost_usd"]) for run in runs]),
        tokens=_sum(None if used is None else used["input"] + used["output"] for used in tokens),
        intervened=_sum(None if act is None else int(bool(act)) for act in acts),
        policy_blocks=_sum(run.get("policy_blocks") for run in runs),
        unexpected_blocks=_sum(unexpected),
        blocked=_sum(None if calls is None else int(calls > 0) for calls in unexpected),
        digest=case.get("digest"),
        tags=tuple(case.get("tags") or ()),
        pins=case["trials"][-1].get("pins") if case["trials"] else None,
        left_out=len(case["trials"]) - len(runs),
        unpaid=sum(UNPAID in run.get("labels", ()) for run in case["trials"]),
        prices=f"{prices['source']} {prices['version']}" if prices and asked_a_model else None,
    )


def _sum(numbers: Iterable[int | None]) -> int | None:
    """Unknown if a part is."""
    known = 0
    for number in numbers:
        if number is None:
            return None
        known += number
    return known


def left_out(suite: JsonObject, *, cases: int, trials: int, unpaid: int) -> str:
    """Why a suite did not run whole, by what is known of it (`asked` of the results); an empty string if it did."""
    if unpaid:
        return f"the budget was used up before or in {count(unpaid, 'run')} of {suite['file']}"
    if cases < suite["variants"]:
        return f"{cases} of {suite['variants']} cases of {suite['file']} ran"
    planned = suite.get("trials", 0)  # results of before did not say
    return "" if trials >= planned else f"{trials} of {planned} trials of {suite['file']} ran"


def successes(before: Tried, after: Tried) -> Pair:
    """A case twice, by its successes."""
    return Pair(before.successes, before.trials, after.successes, after.trials)


@dataclass(frozen=True, slots=True)
class Matched:
    """The cases of two builds, set against each other."""

    pairs: tuple[tuple[Tried, Tried], ...]
    """Comparable: before and now."""
    changed: tuple[tuple[str, str], ...]
    """Not comparable: id and why."""
    new: tuple[str, ...]
    removed: tuple[Tried, ...]


def match(before: Iterable[Tried], after: Iterable[Tried]) -> Matched:
    """Set cases against each other by id; what was not asked alike, or not as often, or in another mode, is not compared."""
    old = {one.id: one for one in before}
    pairs, changed, new = [], [], []
    for now in after:
        was = old.pop(now.id, None)
        if was is None:
            new += [now.id] if now.trials else []  # an update takes in what has a run that counts
            continue
        why = differs(was, now)
        if why:
            changed.append((now.id, why))
        else:
            pairs.append((was, now))
    return Matched(tuple(pairs), tuple(changed), tuple(new), tuple(old.values()))


def differs(before: Tried, after: Tried) -> str:
    """Why two records of a case cannot be compared; an empty string if they can."""
    if not after.trials and not after.left_out:
        return "it did not run"
    if before.mode != after.mode:
        return f"mode {before.mode}, now {after.mode}"
    if before.digest != after.digest:
        return "the case was changed"
    if after.left_out:
        return f"{after.left_out} of its runs count{'s' if after.left_out == 1 else ''} {NOWHERE}"
    if before.trials != after.trials:
        return f"{count(before.trials, 'trial')}, now {after.trials}"
    return ""
