"""Compare two results files: two models, two branches, or two variants of a matrix in one file (--variants).

Exit 0: the second is not worse; 1: it is; 3: they cannot be compared.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from ..errors import AgentOpsError
from ..schema.sentences import count
from ..schema.suggest import did_you_mean
from ..schema.values import JsonObject
from ..scoring.comparison import Compared, compare
from ..scoring.tried import Tried, tried

NAME = "compare"
HELP = "compare two results files, or two variants in one"
NOT_COMPARABLE = 3
SHOWN = 40
"""Cases that are listed; those that differ most come first."""


class NoCompare(AgentOpsError):
    """What was asked for is not in the files."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="two results.json; one with --variants")
    parser.add_argument("--variants", nargs=2, metavar=("A", "B"), help="two variants of the cases of one file")
    parser.add_argument("--tolerance", type=_share, default=0.10, metavar="X", help="cost may grow by this share (%(default)s)")
    parser.add_argument("--alpha", type=_share, default=0.05, metavar="X", help="how often a test may be wrong (%(default)s)")
    parser.add_argument("--all", action="store_true", help="list every case, and not only those that differ")


def run(options: argparse.Namespace) -> int:
    """Print the tables, the tests and the verdict."""
    before, after, names = _sides(options)
    found = compare(before, after, tolerance=options.tolerance, alpha=options.alpha)
    print("\n".join(_page(found, names, everything=options.all)))
    if found.answer == "not_comparable":
        return NOT_COMPARABLE
    return 1 if found.answer == "worse" else 0


def _sides(options: argparse.Namespace) -> tuple[list[Tried], list[Tried], tuple[str, str]]:
    files: list[Path] = options.files
    if options.variants is None:
        if len(files) != 2:
            raise NoCompare(f"{count(len(files), 'file')}: expected two, or one with --variants A B")
        first, second = (_tried(path) for path in files)
        return first, second, (str(files[0]), str(files[1]))
    if len(files) != 1:
        raise NoCompare("--variants compares within one file")
    a, b = options.variants
    cases = list(_cases(files[0]))
    return _of_variant(cases, a), _of_variant(cases, b), (a, b)


def _tried(path: Path) -> list[Tried]:
    from ..reports.results import stream

    head, cases = stream(path)
    return [tried(case, head.get("prices")) for case in cases]


def _cases(path: Path) -> Iterator[JsonObject]:
    from ..reports.results import stream

    return stream(path)[1]


def _of_variant(cases: Iterable[JsonObject], variant: str) -> list[Tried]:
    """The cases of one variant, under their own ids, so that they meet those of another."""
    mine = [replace(tried(case), id=case["id"]) for case in cases if case["variant"] == variant]
    if not mine:
        known = sorted({case["variant"] for case in cases if case["variant"] is not None})
        near = did_you_mean(variant, known)
        raise NoCompare(
            f"no case has the variant {variant!r}; there are {', '.join(known) or 'none'}" + (f"; {near}" if near else "")
        )
    return mine


def _page(found: Compared, names: tuple[str, str], *, everything: bool) -> Iterator[str]:
    from ..reports.table import grid

    yield f"A: {names[0]}"
    yield f"B: {names[1]}"
    if found.pairs:
        yield ""
        yield grid(
            ("suite", "A success", "B success", "A cost/success", "B cost/success", "A human", "B human"), _suites(found.pairs)
        )
        rows = _rows(found.pairs, everything=everything)
        yield ""
        if rows:
            yield grid(("case", "A", "B", "A cost", "B cost"), rows if everything else rows[:SHOWN])
        if len(rows) > SHOWN and not everything:
            yield f"and {len(rows) - SHOWN} more cases that differ (--all)"
        equal = len(found.pairs) - len(rows)
        if equal and not everything:
            yield f"{equal} of {len(found.pairs)} cases came out alike"
    yield ""
    for name, finding, p in found.findings:
        test = "" if finding.p is None else f" ({finding.test} p={finding.p:.2g}, Holm {p:.2g}, alpha {finding.alpha:g})"
        yield f"{name}: {finding.why}{test}"
    for case, why in found.apart[:SHOWN]:
        yield f"not compared: {case}: {why}"
    if len(found.apart) > SHOWN:
        yield f"not compared: {len(found.apart) - SHOWN} more"
    yield f"verdict: {_VERDICTS[found.answer]}: {found.why}"


_VERDICTS = {
    "worse": "B is worse",
    "better": "B is better",
    "same": "B is not worse",
    "unproven": "B is not proven to be worse",
    "not_comparable": "not comparable",
}


def _suites(pairs: Sequence[tuple[Tried, Tried]]) -> list[Sequence[str]]:
    suites: dict[str, list[tuple[Tried, Tried]]] = {}
    for pair in pairs:
        suites.setdefault(pair[1].suite, []).append(pair)
    groups = sorted(suites.items())
    if len(groups) > 1:
        groups.append(("all suites", list(pairs)))
    return [(name, *_side_by_side(mine)) for name, mine in groups]


def _side_by_side(pairs: Sequence[tuple[Tried, Tried]]) -> Iterator[str]:
    from ..reports.table import share
    from ..schema.money import total

    sides = [[pair[side] for pair in pairs] for side in (0, 1)]
    for mine in sides:
        done, trials = sum(one.successes for one in mine), sum(one.trials for one in mine)
        yield f"{share(done / trials)} ({done}/{trials})"
    for mine in sides:
        cost, done = total([one.cost_usd for one in mine]), sum(one.successes for one in mine)
        yield _money(None if cost is None else cost / done) if done else "-"
    for mine in sides:
        touched, trials = [one.intervened for one in mine], sum(one.trials for one in mine)
        yield "-" if None in touched else share(sum(t for t in touched if t is not None) / trials)


def _rows(pairs: Sequence[tuple[Tried, Tried]], *, everything: bool) -> list[Sequence[str]]:
    """The cases that differ, the greatest loss first."""
    ordered = sorted(pairs, key=lambda pair: (_gain(pair), -_dearer(pair), pair[1].id))
    return [
        (a.id, f"{b.successes}/{b.trials}", f"{a.successes}/{a.trials}", _each(b), _each(a))
        for b, a in ordered
        if everything or _gain((b, a)) or _dearer((b, a))
    ]


def _gain(pair: tuple[Tried, Tried]) -> float:
    return pair[1].successes / pair[1].trials - pair[0].successes / pair[0].trials


def _dearer(pair: tuple[Tried, Tried]) -> Decimal:
    before, after = (None if one.cost_usd is None else one.cost_usd / one.trials for one in pair)
    return Decimal(0) if before is None or after is None else after - before


def _each(one: Tried) -> str:
    return _money(None if one.cost_usd is None else one.cost_usd / one.trials)


def _money(amount: Decimal | None) -> str:
    from ..reports.table import money

    return money(None if amount is None else str(amount))


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a share from 0, such as 0.1")
    return value
