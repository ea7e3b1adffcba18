"""Why calls and expectations do not match, told so that a person can act: only run where a match failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from ..schema import operators
from ..schema.operators import Difference
from ..schema.sentences import some
from ..schema.suggest import did_you_mean
from . import alignment
from .calls import Made, Match, Pair, Rules, Wanted, differences, name_fits

_MOST_LINES = 40
_NAMED = 6
_WHOLE = 1000
"""The closeness of a call that fits; a call of the right name has 1 at least."""


def explain(
    made: Sequence[Made],
    wanted: Sequence[Wanted],
    rules: Rules,
    fits: Callable[[int, int], bool],
    forbidden: Sequence[bool],
    pairs: list[Pair],
) -> Match:
    """The failed match: what is missing, extra, out of order or different, and the text that says so."""
    near = _Near(made, wanted, rules)
    if rules.order == "any_order":
        moved: list[Pair] = []
    else:
        pairs, moved = _in_order(made, wanted, rules, fits, forbidden, near)
    met = {p.expected for p in pairs}
    used = {p.actual for p in pairs}
    left = [w for w in range(len(wanted)) if w not in met and w not in {p.expected for p in moved}]
    free = [f for f in range(len(made)) if f not in used and f not in {p.actual for p in moved}]
    close = near.best(left, free, keep_order=rules.order != "any_order", pairs=pairs)
    match = Match(
        passed=False,
        pairs=pairs,
        missing=sorted([*left, *(p.expected for p in moved)]) if rules.missing == "forbid" else [],
        extra=sorted(f for f in [*free, *(p.actual for p in moved)] if forbidden[f]),
        moved=moved,
        near=[(pair, near.differences(pair)) for pair in close],
    )
    return replace(match, why=_Text(made, wanted, rules, match).whole())


def _in_order(
    made: Sequence[Made],
    wanted: Sequence[Wanted],
    rules: Rules,
    fits: Callable[[int, int], bool],
    forbidden: Sequence[bool],
    near: _Near,
) -> tuple[list[Pair], list[Pair]]:
    """The alignment that breaks the fewest rules and, of these, is closest in arguments; and the calls that only stand wrong."""
    big = (_WHOLE + 1) * (min(len(wanted), len(made)) + 1)
    missing = big if rules.missing == "forbid" else 0
    extra = [big if bad else 0 for bad in forbidden]

    def cost(w: int, f: int) -> int | None:
        if fits(w, f):
            return -_WHOLE
        close = near.closeness(w, f)
        return missing + extra[f] - close if close else None

    aligned = alignment.pair_in_order(len(wanted), len(made), cost, missing=missing, extra=extra)
    pairs = [Pair(f, w) for w, f in aligned if fits(w, f)]
    met, used = {p.expected for p in pairs}, {p.actual for p in pairs}
    left = [w for w in range(len(wanted)) if w not in met]
    free = [f for f in range(len(made)) if f not in used]
    mates = alignment.pair_freely(
        len(left), len(free), lambda w, f: fits(left[w], free[f]), due=True, claimed=[False] * len(free)
    )
    return pairs, [Pair(free[f], left[w]) for w, f in enumerate(mates) if f != alignment.NOBODY]


class _Near:
    """How close a call comes to an expectation that it does not meet."""

    def __init__(self, made: Sequence[Made], wanted: Sequence[Wanted], rules: Rules) -> None:
        self._made = made
        self._wanted = wanted
        self._mode = rules.args
        self._known: dict[tuple[int, int], int] = {}

    def closeness(self, w: int, f: int) -> int:
        """0 for another tool, else 1 to `_WHOLE` by the share of wanted values that are there."""
        if (w, f) not in self._known:
            self._known[w, f] = self._measure(w, f)
        return self._known[w, f]

    def _measure(self, w: int, f: int) -> int:
        if not name_fits(self._wanted[w].name, self._made[f].name):
            return 0
        asked = operators.leaves(self._wanted[w].args)
        wrong = len(self.differences(Pair(f, w)))
        return max(1, _WHOLE * max(asked - wrong, 0) // max(asked, 1)) if wrong else _WHOLE

    def differences(self, pair: Pair) -> list[Difference]:
        return differences(self._wanted[pair.expected], self._made[pair.actual].args, self._mode)

    def best(self, left: Sequence[int], free: Sequence[int], *, keep_order: bool, pairs: Sequence[Pair]) -> list[Pair]:
        """For the expectations that were not met the closest calls that nobody needs, each call once, closest first."""
        crossing = pairs if keep_order else ()
        ranked = sorted((-close, crossings(w, f, crossing), w, f) for w in left for f in free if (close := self.closeness(w, f)))
        taken_w: set[int] = set()
        taken_f: set[int] = set()
        out: list[Pair] = []
        for _, _, w, f in ranked:
            if w not in taken_w and f not in taken_f:
                taken_w.add(w)
                taken_f.add(f)
                out.append(Pair(f, w))
        return sorted(out, key=lambda p: p.expected)


def crossings(w: int, f: int, pairs: Sequence[Pair]) -> int:
    """How many pairs would stand in another order beside this one."""
    return sum((p.expected < w) != (p.actual < f) for p in pairs)


class _Text:
    """The words of a failed match."""

    def __init__(self, made: Sequence[Made], wanted: Sequence[Wanted], rules: Rules, match: Match) -> None:
        self._made = made
        self._wanted = wanted
        self._rules = rules
        self._match = match
        self._in_order = rules.order != "any_order"
        self._call_of = {p.expected: p.actual for p in match.pairs}
        self._moved = {p.expected: p.actual for p in match.moved}
        self._near = {p.expected: (p.actual, diffs) for p, diffs in match.near}

    def whole(self) -> str:
        lines = self._shorten(list(self._body()))
        if len(lines) > _MOST_LINES:
            lines = [*lines[:_MOST_LINES], f"  ... and {len(lines) - _MOST_LINES} lines more"]
        return "\n".join([self._head(), *lines])

    def _head(self) -> str:
        rules, match = self._rules, self._match
        differ = {p.expected for p, _ in match.near}
        gone = [w for w in match.missing if w not in differ and w not in self._moved]
        found = {
            "missing": len(gone),
            "different": len(differ) if rules.missing == "forbid" else 0,
            "out of order": len(match.moved),
            "not expected": len(self._extras()),
        }
        counts = ", ".join(f"{n} {word}" for word, n in found.items() if n)
        mode = f"order: {rules.order}, args: {rules.args}, extra: {rules.extra}"
        mode += ", missing: allow" if rules.missing == "allow" else ""
        return f"{len(match.pairs)} of {len(self._wanted)} expected calls fit, {counts} ({mode})"

    def _extras(self) -> list[int]:
        """Forbidden calls that need a line of their own: no line of an expectation names them yet."""
        named = set(self._moved.values())
        if self._rules.missing == "forbid":
            named |= {f for f, _ in self._near.values()}
        return [f for f in self._match.extra if f not in named]

    def _body(self) -> Iterator[str]:
        extras = self._extras()
        for w, wanted in enumerate(self._wanted):
            place = self._call_of.get(w, self._near[w][0] if w in self._near else None)
            while self._in_order and extras and place is not None and extras[0] < place and w not in self._moved:
                yield from self._extra(extras.pop(0))
            yield from self._expectation(w, f"{w + 1}. {_call(wanted.name, wanted.args)}")
        for f in extras:
            yield from self._extra(f)

    def _expectation(self, w: int, title: str) -> Iterator[str]:
        if w in self._call_of:
            yield f"  fits          {title} (call {self._call_of[w] + 1})"
        elif w in self._moved:
            yield f"  out of order  {title}"
            yield f"                {self._displaced(w, self._moved[w])}"
        elif self._rules.missing == "allow":
            return
        elif w in self._near:
            f, diffs = self._near[w]
            yield f"  different     {title}"
            place = " (and out of order)" if self._in_order and crossings(w, f, self._match.pairs) else ""
            yield f"                call {f + 1}: {_call(self._made[f].name, self._made[f].args)}{place}"
            for diff in diffs[:8]:
                yield f"                  {diff}"
            if len(diffs) > 8:
                yield f"                  ... and {len(diffs) - 8} differences more"
        else:
            yield f"  missing       {title}"
            yield f"                {self._absence(w)}"

    def _extra(self, f: int) -> Iterator[str]:
        call = self._made[f]
        writes = " (a write)" if self._rules.extra == "forbid_writes" else ""
        yield f"  not expected  call {f + 1}: {_call(call.name, call.args)}{writes}"
        if self._rules.missing == "allow":
            for w, (near, diffs) in self._near.items():
                if near == f:
                    yield f"                closest is expectation {w + 1}: {'; '.join(str(d) for d in diffs[:4])}"

    def _displaced(self, w: int, f: int) -> str:
        for other, call in sorted(self._call_of.items(), reverse=True):
            if other < w and call > f:
                return f"it was call {f + 1}; wanted after call {call + 1} ({self._wanted[other].name})"
        for other, call in sorted(self._call_of.items()):
            if other > w and call < f:
                return f"it was call {f + 1}; wanted before call {call + 1} ({self._wanted[other].name})"
        return f"it was call {f + 1}"

    def _absence(self, w: int) -> str:
        name = self._wanted[w].name
        same = [f for f, call in enumerate(self._made) if name_fits(name, call.name)]
        if not self._made:
            return "no tool was called"
        if not same:
            names = sorted({call.name for call in self._made})
            near = did_you_mean(name, names)
            return f"{name} was never called; called were {some(names, _NAMED)}" + (f"; {near}" if near else "")
        holders = {f: other for other, f in [*self._call_of.items(), *((w, f) for w, (f, _) in self._near.items())]}
        held = [f"call {f + 1} goes with expectation {holders[f] + 1}" for f in same if f in holders]
        times = "once" if len(same) == 1 else f"{len(same)} times"
        return f"{name} was called {times}, and a call meets one expectation only" + (f": {some(held, _NAMED)}" if held else "")

    @staticmethod
    def _shorten(lines: list[str]) -> list[str]:
        """Long runs of what fits say little."""
        out: list[str] = []
        run: list[str] = []
        for line in [*lines, ""]:
            if line.startswith("  fits"):
                run.append(line)
                continue
            out += run if len(run) <= 4 else [run[0], f"  fits          ... {len(run) - 2} more ...", run[-1]]
            run = []
            out.append(line)
        return out[:-1]


def _call(name: str, args: object) -> str:
    return name if args is None else f"{name} {operators.show(args)}"
