"""Gates against the baseline, over the cases that can be compared: exact in a replay, by a test where runs are live."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TypeAlias

from ..schema import money
from ..schema.gates import BrokenCases, CostRegression, SuccessRegression
from ..schema.sentences import some
from . import statistics
from .finding import EXACT, Finding, percent, signed
from .statistics import Pair
from .tried import Tried, successes

Pairs: TypeAlias = Sequence[tuple[Tried, Tried]]
NAMED = 5


def success(pairs: Pairs, spec: SuccessRegression, *, exact: bool) -> Finding:
    """Whether these cases succeed less often."""
    was, now, trials = sum(b.successes for b, _ in pairs), sum(a.successes for _, a in pairs), sum(a.trials for _, a in pairs)
    finding = Finding(
        result="pass",
        why=f"success {was}/{trials} → {now}/{trials}",
        wanted="no fewer successes than in the baseline",
        measured=now,
        baseline=was,
        test=EXACT,
    )
    worse = [f"{a.id} {b.successes}/{b.trials} → {a.successes}/{a.trials}" for b, a in pairs if a.successes < b.successes]
    finding.details += [f"worse: {some(worse, NAMED)}"] if worse else []
    if exact:
        finding.result = "fail" if worse else "pass"
        return finding
    drop = (was - now) / trials
    finding.p = statistics.stratified([successes(b, a) for b, a in pairs])
    finding.alpha, finding.test = spec.alpha, "exact stratified"
    finding.worse = drop > 0 and drop >= spec.min_drop
    finding.wanted = f"no proven drop of {percent(spec.min_drop)} or more"
    found = statistics.detectable([statistics.likely_rate(b.successes, b.trials) for b, _ in pairs], trials, spec.alpha)
    if found is not None:
        drop_found = f"a drop of {100 * found:.0f} points" if found <= 1 else "no drop"
        finding.details.append(f"{trials} trials find {drop_found} with a power of 0.8")
    if spec.detect is not None and not finding.worse and (found is None or found > spec.detect):
        finding.result = "inconclusive"
        finding.details.append(f"wanted: a drop of {100 * spec.detect:g} points is found (detect: {spec.detect:g})")
    return finding


def broken(pairs: Pairs, spec: BrokenCases, *, exact: bool) -> Finding:
    """Whether cases that always succeeded never do now."""
    lost = [(b, a) for b, a in pairs if statistics.is_broken(successes(b, a))]
    names = some((f"{a.id} ({b.successes}/{b.trials} → 0/{a.trials})" for b, a in lost), NAMED)
    finding = Finding(
        result="fail" if len(lost) > spec.max else "pass",
        why=f"broken: {names}" if lost else f"none of {len(pairs)} cases is broken",
        wanted=f"at most {spec.max} cases that always succeeded and never do now",
        measured=len(lost),
        baseline=0,
        test=EXACT,
    )
    if exact or not lost:
        return finding
    finding.test = "bound"
    bound = statistics.broken_bound([(b.trials, a.trials) for b, a in pairs])
    finding.why += f" (by luck in at most {bound:.2g} of builds, alpha {spec.alpha:g})"
    if finding.result == "fail" and bound > spec.alpha:
        finding.result = "inconclusive"
        needed = statistics.trials_to_break(len(pairs), spec.alpha)
        finding.details.append(f"with {len(pairs)} cases {needed} trials each are needed before a broken one is no luck")
    return finding


def cost(pairs: Pairs, spec: CostRegression, *, exact: bool, in_sum: bool = False) -> Finding:
    """Whether these cases cost more: a replay each for itself, or `in_sum`; live runs by the mean of the cases' ratios."""
    limit = signed(spec.tolerance)
    finding = Finding(result="pass", why="", wanted=f"at most {limit} of cost", test=EXACT)
    unknown = [a.id for b, a in pairs if a.cost_usd is None or b.cost_usd is None]
    if unknown:
        finding.result, finding.why = "fail", f"unknown cost, which is within no limit: {some(unknown, NAMED)}"
        return finding
    known = [(b, a, b.cost_usd or Decimal(0), a.cost_usd or Decimal(0)) for b, a in pairs]
    was, now = sum((w for *_, w, _ in known), Decimal(0)), sum((n for *_, n in known), Decimal(0))
    finding.measured, finding.baseline = money.text(now), money.text(was)
    finding.why = f"cost ${finding.baseline} → ${finding.measured}"
    tables = sorted({f"{b.prices} → {a.prices}" for b, a in pairs if b.prices and a.prices and b.prices != a.prices})
    if tables:
        finding.why += f" (of two price tables: {'; '.join(tables)})"
    more = sorted(((n - w, f"{a.id} ${money.text(w)} → ${money.text(n)}") for _, a, w, n in known if n > w), reverse=True)
    finding.details += [f"dearer: {some((text for _, text in more), NAMED)}"] if more else []
    if exact:
        return _cost_of_replay(finding, pairs, spec, in_sum=in_sum)
    _cost_of_live(finding, known, spec)
    if tables:
        _tokens_of_live(finding, pairs, spec)
    return finding


def _cost_of_live(finding: Finding, known: Sequence[tuple[Tried, Tried, Decimal, Decimal]], spec: CostRegression) -> None:
    """The cases' ratios of mean cost against the tolerance; what cost nothing before has none."""
    priced = [(float(w / b.trials), float(n / a.trials)) for b, a, w, n in known if w and n]
    free = [a.id for _, a, w, n in known if not w and n]
    if free:
        finding.details.append(f"cost nothing in the baseline, so that there is no ratio: {some(free, NAMED)}")
    ratio = statistics.cost_ratio(priced, spec.tolerance)
    if ratio is None or ratio.p is None:
        above = ratio is not None and ratio.ratio > 1 + spec.tolerance
        finding.result = "inconclusive" if above or free else "pass"
        if ratio is not None:
            finding.why += f", {signed(ratio.ratio - 1)} a trial"
        if finding.result == "inconclusive":
            finding.details.append("a change of cost is proven by two cases or more that cost something before and now")
        return
    assert ratio.low is not None
    assert ratio.high is not None
    span = f"[{signed(ratio.low - 1)}, {signed(ratio.high - 1)}]"
    finding.why += f", {signed(ratio.ratio - 1)} a trial {span}, tolerated {signed(spec.tolerance)}"
    finding.p, finding.alpha, finding.test = ratio.p, spec.alpha, "paired t of log cost"
    finding.worse = ratio.ratio > 1 + spec.tolerance
    if free and not finding.worse:
        finding.result = "inconclusive"


def _tokens_of_live(finding: Finding, pairs: Pairs, spec: CostRegression) -> None:
    """Tokens are tested, too, where dollars are of two price tables: lower prices may not hide more use. Both share the p."""
    if any(one.tokens is None for pair in pairs for one in pair):
        finding.result = "inconclusive"
        finding.why += ", tokens unknown"
        return
    used = [((b.tokens or 0) / b.trials, (a.tokens or 0) / a.trials) for b, a in pairs if b.tokens and a.tokens]
    ratio = statistics.cost_ratio(used, spec.tolerance)
    if ratio is None:
        return
    finding.why += f", tokens {signed(ratio.ratio - 1)} a trial"
    more = ratio.ratio > 1 + spec.tolerance
    if ratio.p is None:
        finding.result = "inconclusive" if more else finding.result
        return
    finding.p = min(1.0, 2 * min(ratio.p, 1.0 if finding.p is None else finding.p))
    finding.alpha, finding.test = spec.alpha, "paired t of log cost and of log tokens"
    finding.worse = finding.worse or more


def _cost_of_replay(finding: Finding, pairs: Pairs, spec: CostRegression, *, in_sum: bool) -> Finding:
    """A replay costs what its recording did: neither cost nor tokens may grow by more than the tolerance."""
    times = Decimal(repr(1 + spec.tolerance))
    finding.wanted += " and tokens" + ("" if in_sum else ", in every case")
    if any(a.tokens is None or b.tokens is None for b, a in pairs):
        finding.result, finding.why = "fail", f"{finding.why}; tokens unknown, which is within no limit"
        return finding
    used, uses = sum(b.tokens or 0 for b, _ in pairs), sum(a.tokens or 0 for _, a in pairs)
    finding.why += f", tokens {used} → {uses}, tolerated {signed(spec.tolerance)}"
    if in_sum:
        was, now = (sum((one.cost_usd or Decimal(0) for one in side), Decimal(0)) for side in zip(*pairs, strict=True))
        finding.result = "fail" if now > was * times or uses > used * times else "pass"
        return finding
    beyond = []
    for b, a in pairs:
        dear = (a.cost_usd or 0) > (b.cost_usd or 0) * times
        more = (a.tokens or 0) > (b.tokens or 0) * times
        said = [f"${money.text(b.cost_usd)} → ${money.text(a.cost_usd)}"] if dear else []
        said += [f"{b.tokens} → {a.tokens} tokens"] if more else []
        beyond += [f"{a.id} {', '.join(said)}"] if said else []
    if beyond:
        finding.result = "fail"
        finding.why += f"; beyond it: {some(beyond, NAMED)}"
    return finding


def more_often(name: str, pairs: Pairs, alpha: float, *, exact: bool) -> Finding:
    """Whether humans act on more runs, or the policy stops more of them unexpectedly, than in the baseline."""
    acts = name == "intervention_rate"
    what = "runs with a human" if acts else "unexpected policy blocks"
    numbers = [((b.intervened, a.intervened) if acts else (b.unexpected_blocks, a.unexpected_blocks)) for b, a in pairs]
    if any(w is None or n is None for w, n in numbers):
        return Finding(result="fail", why=f"{what} unknown, which is within no limit", test=EXACT)
    was, now = sum(w or 0 for w, _ in numbers), sum(n or 0 for _, n in numbers)
    worse = [f"{a.id} {w} → {n}" for (w, n), (_, a) in zip(numbers, pairs, strict=True) if (n or 0) > (w or 0)]
    finding = Finding(result="pass", why=f"{what} {was} → {now}", baseline=was, test=EXACT)
    finding.details += [f"more: {some(worse, NAMED)}"] if worse else []
    if exact:
        finding.result = "fail" if worse else "pass"
        return finding
    seen = [((b.intervened, a.intervened) if acts else (b.blocked, a.blocked), b.trials, a.trials) for b, a in pairs]
    if any(w is None or n is None for (w, n), *_ in seen):
        return Finding(result="fail", why=f"{what} unknown, which is within no limit", test=EXACT)
    if any(w or n for (w, n), *_ in seen):  # a test of nothing can prove nothing, and would only weaken the others (Holm)
        finding.p = statistics.stratified([Pair(w or 0, was_of, n or 0, now_of) for (w, n), was_of, now_of in seen], "more")
    finding.alpha, finding.test = alpha, "exact stratified"
    finding.worse = sum(n or 0 for (_, n), *_ in seen) > sum(w or 0 for (w, _), *_ in seen)
    return finding
