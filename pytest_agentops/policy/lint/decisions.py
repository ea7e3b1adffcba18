"""What a table shows of one policy: rules that never decide, orders that matter, gaps, what is missing, what has no bound."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from ...schema.contract import Contract
from ...schema.tier import Tier
from .. import possible, words
from ..attributes import Path
from ..axis import Entry
from ..binding import BoundTool, bind
from ..builder import CAP, Builder, finest
from ..cells import Cells, canonical
from ..explained import says
from ..model import Policy, Rule
from ..opinion import by_tier
from ..regions import declared_well, rules_builder
from ..table import Table, each, lowest
from .finding import Finding, found
from .pairs import in_pairs, shadow_cure

SHOWN_CELLS = 4
"""So many cells of an overlap, or boxes of a gap, are findings of their own; the last names the number of the others."""


@dataclass(slots=True)
class Analysed:
    """What was found in one policy for one tool."""

    findings: list[Finding] = field(default_factory=list)
    partial: list[str] = field(default_factory=list)
    cells: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """One rule over the table."""

    rule: Rule
    true: Cells
    unknown: Cells
    decides: Cells
    """Where it is the rule that decides."""
    stops: Cells
    """Where the call is denied because it cannot be decided."""


def decisions(policy: Policy, contract: Contract, *, known: bool, beside: Sequence[Policy] = (), cap: int = CAP) -> Analysed:
    """POL004 to POL008 and POL014; `known`: the contract is the tool's own, not assumed; `beside`: what else is for the tool."""
    tool = bind([policy], {contract.name: contract}).tools[contract.name]
    out = Analysed()
    table = finest(partial(rules_builder, policy, tool), cap)
    if not isinstance(table, Table):
        in_pairs(policy, tool, out.findings, out.partial)
        out.findings += _elsewhere(policy, tool, out.partial)
        return out
    out.cells, out.partial = table.size, list(table.partial)
    turns = take_turns(table, policy)
    out.findings += _never(table, policy, turns)
    out.findings += _elsewhere(policy, tool, out.partial)
    out.findings += _overlaps(table, policy, turns)
    out.findings += _gaps(table, policy, turns, tool, known=known)
    out.findings += _missing(table, policy, turns)
    out.findings += _unbounded(table, policy, turns)
    if known:
        out.findings += _unread(table, turns, tool, [policy, *beside])
    if known or contract.tier is not None:
        out.findings += _everything(table, policy, turns, tool)
    return out


def take_turns(table: Table, policy: Policy) -> list[Turn]:
    """All rules in the order of evaluation: denies, then the others, each with the cells that are left for it."""
    good = declared_well(table, policy)
    turns = []
    rest = good
    truths = [(rule, *table.holds(rule.condition)) for rule in policy.denies]
    undecided = 0
    for rule, true, unknown in truths:
        turns.append(Turn(rule, true, unknown, rest & true, 0))
        rest &= ~true
        undecided |= unknown
    turns = [_stopped(turn, rest) for turn in turns]
    rest &= ~undecided
    for rule in policy.ordered:
        true, unknown = table.holds(rule.condition)
        turns.append(Turn(rule, true, unknown, rest & true, rest & unknown))
        rest &= ~(true | unknown)
    return turns


def _stopped(turn: Turn, left: Cells) -> Turn:
    return Turn(turn.rule, turn.true, turn.unknown, turn.decides, left & turn.unknown)


def left_over(table: Table, policy: Policy, turns: Sequence[Turn]) -> Cells:
    """Where no rule decides and none stops the call."""
    rest = declared_well(table, policy)
    for turn in turns:
        rest &= ~(turn.decides | turn.stops)
    return rest


# --- POL004


def _never(table: Table, policy: Policy, turns: Sequence[Turn]) -> Iterator[Finding]:
    good = declared_well(table, policy)
    for n, turn in enumerate(turns):
        rule = turn.rule
        if turn.decides or not table.is_exact(rule.condition):
            continue
        if not turn.true:
            cure = "no call can fulfil its condition: correct it, or remove the rule"
            yield found("POL004", "error", rule, f"rule {rule.id} never matches", cure, cell=_near(table, turn, good))
        elif not turn.true & good:
            cure = "correct one of them, or remove the rule"
            said = f"rule {rule.id} never decides: `attributes` of the policy refuse every call that it is for"
            yield found("POL004", "error", rule, said, cure, cell=_first(table, turn.true))
        else:
            by = _covering(table, turn, turns[:n], good)
            if by:
                names = " and ".join(f"{other.rule.id} (line {other.rule.line})" for other in by)
                said = f"rule {rule.id} never decides: it is shadowed by {names}"
                cure = shadow_cure(rule, [other.rule for other in by], policy)
                yield found("POL004", "error", rule, said, cure, cell=_first(table, turn.true & good))


def _covering(table: Table, turn: Turn, before: Sequence[Turn], good: Cells) -> list[Turn]:
    """The rules that leave it nothing; empty where that is only so for the values that were tried."""
    rest, by = turn.true & good, []
    for other in before:
        if other.rule.verdict == "deny" and turn.rule.verdict == "deny":
            taken = other.true
        else:
            taken = other.true | other.unknown
        if rest & taken and table.is_exact(other.rule.condition):
            by.append(other)
            rest &= ~taken
    return by if not rest else []


def _near(table: Table, turn: Turn, good: Cells) -> str:
    """Of a rule that never matches: the calls of which it is not even false."""
    return f"it is unknown for {_first(table, turn.unknown & good)}" if turn.unknown & good else ""


def _first(table: Table, cells: Cells) -> str:
    """The largest box around the first of these cells."""
    return next((table.box_words(box) for box, _ in table.boxes(cells, 1)), "")


def _elsewhere(policy: Policy, tool: BoundTool, partial: list[str]) -> Iterator[Finding]:
    """Conditions of log, within and limit rules that never hold."""
    for placed in (*policy.logs, *policy.windows, *policy.limits):
        if placed.condition is None:
            continue
        builder = Builder(tool.contract, tool.declared, tool.facts)
        builder.condition(placed.condition)
        table = builder.build()
        partial += [f"rule {placed.id}: {why}" for why in builder.partial]
        if not isinstance(table, Table):
            partial.append(f"rule {placed.id}: {table.size} cells are too many")
        elif table.is_exact(placed.condition) and not table.holds(placed.condition)[0]:
            said = f"rule {placed.id} never matches: {says(placed)}"
            yield found("POL004", "error", placed, said, "no call can fulfil its condition: correct it, or remove the rule")


# --- POL005


def _overlaps(table: Table, policy: Policy, turns: Sequence[Turn]) -> Iterator[Finding]:
    """Calls for which a rule decides and a later one would decide otherwise; a last rule without `if` is the rest by design."""
    ordered = [turn for turn in turns if turn.rule.verdict != "deny"]
    for n, turn in enumerate(ordered):
        for later in ordered[n + 1 :]:
            if later.rule.condition is None and later is ordered[-1]:
                continue
            both = turn.decides & later.true
            if both and turn.rule.effect != later.rule.effect:
                yield from _order_matters(table, turn.rule, later.rule, both)


def _order_matters(table: Table, first: Rule, later: Rule, both: Cells) -> Iterator[Finding]:
    count = both.bit_count()
    for n, cell in enumerate(each(both), start=1):
        said = f"rules {first.id} ({says(first)}) and {later.id} ({says(later)}, line {later.line}) both hold; the first decides"
        more = f" (and {count - n} more cells)" if n == SHOWN_CELLS and count > n else ""
        cure = "make the conditions exclude each other, or pin the order with a test for this call"
        yield found("POL005", "warning", first, said, cure, cell=table.words(cell) + more)
        if n == SHOWN_CELLS:
            return


# --- POL006


def _gaps(table: Table, policy: Policy, turns: Sequence[Turn], tool: BoundTool, *, known: bool) -> Iterator[Finding]:
    if policy.default is not None or not policy.ordered:
        return
    rest = left_over(table, policy, turns)
    default = by_tier(tool, thresholds=tool.enforced[0].thresholds if tool.enforced else False)
    then = f"tier {int(tool.tier)}: {default.verdict}" if known or tool.contract.tier is not None else "the tier's default"
    boxes = list(table.boxes(rest, SHOWN_CELLS))
    shown = 0
    for n, (box, covered) in enumerate(boxes):
        shown |= covered
        left = (rest & ~shown).bit_count() if n == len(boxes) - 1 else 0
        more = f" (and {left} more cells)" if left else ""
        said = f"no rule of policy {policy.id} applies, the call falls to {then}"
        cure = "add a rule for it, or say what is meant: `default: deny`"
        yield found("POL006", "warning", policy, said, cure, cell=table.box_words(box) + more)


# --- POL007


def _missing(table: Table, policy: Policy, turns: Sequence[Turn]) -> Iterator[Finding]:
    if policy.on_unknown is not None:
        return
    absent = {
        axis.path: table.where(axis.path, lambda e: e.sort in ("missing", "null"))
        for axis in table.axes
        if any(entry.sort in ("missing", "null") for entry in axis.entries)
    }
    for path, here in absent.items():
        if possible.lacks(table.builder.contract, path) is not None:
            continue  # it is never there, which POL002 says
        for turn in turns:
            condition = turn.rule.condition
            if condition is None or all(canonical(a.path, table.builder.declared) != path for a in condition.attributes):
                continue
            cells = turn.stops & here
            if cells:
                present = cells
                for other, missing in absent.items():
                    if other != path and present & ~missing:
                        present &= ~missing
                attribute = next(a for a in condition.attributes if canonical(a.path, table.builder.declared) == path)
                where = table.where(path, lambda e: e.sort == "missing")
                word = "missing" if cells & where else "null"
                said = f"{attribute.name} may be {word}, then rule {turn.rule.id} cannot be decided and the call is denied"
                cure = f"declare it under `attributes` as required, ask `exists({attribute.name})`, or make the tool require it"
                yield found("POL007", "warning", turn.rule, said, cure, cell=_first(table, present), key="if")
                break


# --- POL008


def _unbounded(table: Table, policy: Policy, turns: Sequence[Turn]) -> Iterator[Finding]:
    """Amounts that rules compare with numbers, and let through below or above all of these."""
    allowing = [turn for turn in turns if turn.rule.verdict == "allow" and turn.decides]
    for axis in table.axes:
        if not axis.points:
            continue
        for side, at in (("below", 0), ("above", 2 * len(axis.points))):
            end = table.where(axis.path, partial(_has_number_at, at))
            blind = side == "above" and _asked_above(table, policy, axis.path)
            open_ = [t for t in allowing if end != table.all and t.decides & end and (blind or _reads(table, t.rule, axis.path))]
            if open_:
                point = words.plain_number(axis.points[0] if side == "below" else axis.points[-1])
                yield _no_bound(table, [turn.rule for turn in open_], axis.name, (side, point), open_[0].decides & end)


def _has_number_at(at: int, entry: Entry) -> bool:
    return any(c.sort == "number" and c.at == at for c in entry.members) and entry.sort == "number"


def _no_bound(table: Table, rules: Sequence[Rule], name: str, end: tuple[str, str], cells: Cells) -> Finding:
    side, point = end
    rule = rules[0]
    what = "however low it is, also below 0" if side == "below" else "however high it is"
    said = f"rule {rule.id} allows {name} {side} {point} without a bound, {what}{_so_do(rules[1:])}"
    word = ("minimum", f"{name} > 0") if side == "below" else ("maximum", f"{name} <= ...")
    cure = f"add `{word[1]}` to the rule, or declare attributes: {{{name}: {{{word[0]}: ...}}}}"
    return found("POL008", "warning", rule, said, cure, cell=_first(table, cells), key="if" if rule.condition is not None else "")


def _so_do(others: Sequence[Rule]) -> str:
    if not others:
        return ""
    return f"; so {'does' if len(others) == 1 else 'do'} " + " and ".join(f"{rule.id} (line {rule.line})" for rule in others)


def _reads(table: Table, rule: Rule, path: tuple[str, ...]) -> bool:
    if rule.condition is None:
        return False
    return any(canonical(a.path, table.builder.declared) == path for a in rule.condition.attributes)


def _asked_above(table: Table, policy: Policy, path: tuple[str, ...]) -> bool:
    """Whether a person is asked by this attribute elsewhere: then a rule that does not look at it lets any amount through."""
    return any(rule.verdict == "require_approval" and _reads(table, rule, path) for rule in policy.rules)


def _unread(table: Table, turns: Sequence[Turn], tool: BoundTool, others: Sequence[Policy]) -> Iterator[Finding]:
    """Numbers that a tool which writes must be given, that its schema leaves open and no policy looks at, and that are allowed.

    A rule without a condition allows everything, and says so.
    """
    allowing = [turn for turn in turns if turn.rule.verdict == "allow" and turn.decides and turn.rule.condition is not None]
    if not allowing or not tool.contract.writes:
        return
    looked_at = {canonical(path, tool.declared) for policy in others for path in _looks_at(policy)}
    for name in sorted(tool.declared):
        if ("args", name) not in looked_at and possible.is_open_number(tool.contract, ("args", name)):
            rule = allowing[0].rule
            also = _so_do([turn.rule for turn in allowing[1:]])
            said = f"rule {rule.id} allows any {name}, also below 0: no policy looks at it{also}"
            cure = f"add `0 < {name} <= ...` to the rule, or declare attributes: {{{name}: {{minimum: ..., maximum: ...}}}}"
            yield found("POL008", "warning", rule, said, cure, cell=_first(table, allowing[0].decides), key="if")


def _looks_at(policy: Policy) -> Iterator[Path]:
    yield from (attribute.path for _, condition in policy.conditions for attribute in condition.attributes)
    yield from (declared.path for declared in policy.attributes)
    yield from (limit.sum.path for limit in policy.limits if limit.sum is not None)


# --- POL014


def _everything(table: Table, policy: Policy, turns: Sequence[Turn], tool: BoundTool) -> Iterator[Finding]:
    if tool.tier < Tier.LOW_RISK_WRITE:
        return
    good = declared_well(table, policy)
    for turn in turns:
        if turn.rule.verdict == "allow" and turn.decides and not good & ~turn.true:
            said = f"rule {turn.rule.id} allows every call of {tool.contract.name}, which is tier {int(tool.tier)}"
            cure = "give it a condition, or ask a person"
            yield found("POL014", "warning", turn.rule, said, cure, cell=table.words(lowest(turn.decides)) if table.axes else "")
