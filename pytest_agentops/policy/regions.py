"""What a tool's policies decide over a table: regions that are decided alike, each by asking `decide` about one call of it.

The cuts follow the order of evaluation (scopes, declared attributes, denies, windows, ordered rules, limits, duties, the
evidence of tier 4). They may be finer than decisions are, never coarser; what is decided is never worked out a second time here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ..schema.case import Principal
from ..schema.policy import Decision, Request
from ..schema.tier import Tier
from .attributes import Kind, Path, Prepared, Values
from .axis import Entry
from .binding import Bound, BoundTool, Policies
from .builder import Builder
from .cells import Cell, Cells, Predicate, canonical
from .conditions import Condition
from .decide import decide
from .domain import MISSING
from .model import Declared, LimitRule, Policy
from .opinion import amount_of, is_above, misfit
from .table import Table, each
from .tiers import EVIDENCE
from .windows import Window

CLOCK: Path = ("#clock",)
SCOPES: Path = ("principal", "scopes")
_WEEKS = (dt.datetime(2026, 11, 23, tzinfo=dt.UTC), dt.datetime(2026, 6, 22, tzinfo=dt.UTC))
_MINUTE = dt.timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Region:
    """Cells that are decided alike, and how."""

    cells: Cells
    cell: int
    """One of them: the call that was asked about."""
    decision: Decision


def builder_for(tools: Sequence[BoundTool], *, fine: bool = False) -> Builder:
    """A builder that knows all that these policies (the two sides of a comparison) look at; they are for one tool."""
    first = tools[0]
    builder = Builder(first.contract, first.declared, first.facts, fine=fine)
    policies = [bound.policy for tool in tools for bound in tool.enforced]
    for policy in policies:
        _need_conditions(builder, policy, (condition for _, condition in policy.conditions))
        if policy.scopes:
            _need_scopes(builder, policy)
    _need_windows(builder, [rule.window for policy in policies for rule in policy.windows])
    _need_limits(builder, [(policy, limit) for policy in policies for limit in policy.limits])
    if any(tool.tier is Tier.PRODUCTION for tool in tools):
        for predicate in _evidence():
            builder.want(predicate.paths[0], ".".join(predicate.paths[0])).literals.add(" ")
            builder.add(predicate)
    return builder


def rules_builder(policy: Policy, tool: BoundTool, *, fine: bool = False) -> Builder:
    """A builder that knows what the rules that decide look at, and the declared attributes; no duties, windows or limits."""
    builder = Builder(tool.contract, tool.declared, tool.facts, fine=fine)
    _need_conditions(builder, policy, (rule.condition for rule in policy.rules))
    return builder


def _need_conditions(builder: Builder, policy: Policy, conditions: Iterable[Condition | None]) -> None:
    for condition in conditions:
        if condition is not None:
            builder.condition(condition)
    for declared in policy.attributes:
        fits(builder, declared)


def fits(builder: Builder, declared: Declared) -> Predicate:
    """Whether an attribute is what the policy declares."""

    def good(found: Prepared | None) -> bool:
        return not declared.required if found is None else not misfit(declared, found)

    return builder.declare(declared, good)


def _need_scopes(builder: Builder, policy: Policy) -> Predicate:
    wants = builder.want(SCOPES, "principal.scopes")
    for scope in policy.scopes:
        wants.items[f"{Kind.TEXT:d}{scope!r}"] = (Kind.TEXT, scope)

    def holds(cell: Cell) -> bool:
        found = cell.values[SCOPES]
        return found is not None and found[0] is Kind.LIST and set(policy.scopes) <= found[1].texts

    return builder.add(Predicate(("scopes", policy.scopes), (SCOPES,), holds))


def _need_windows(builder: Builder, windows: Sequence[Window]) -> None:
    if not windows:
        return
    if len({window.zone for window in windows}) > 1:
        builder.partial["windows in several time zones: only two weeks of a year are tried"] = None
    moments: dict[dt.datetime, None] = {}
    for window in windows:
        _open(builder, window)
        for monday in _WEEKS:
            midnight = dt.datetime(monday.year, monday.month, monday.day, tzinfo=window.zone)
            for day in range(7):
                for minute in (window.start, window.end, (window.start + window.end) // 2):
                    at = (midnight + dt.timedelta(days=day, minutes=minute)).astimezone(dt.UTC)
                    moments.update(dict.fromkeys((at, at - _MINUTE)))
    named: list[tuple[str, Any]] = [(f"the time is such as {at:%a %Y-%m-%d %H:%M} UTC", at) for at in moments]
    builder.special_axis(CLOCK, "the time", [*named, ("there is no clock", None)])


def _open(builder: Builder, window: Window) -> Predicate:
    return builder.add(Predicate(("window", window), (CLOCK,), lambda cell: window.open(cell.values[CLOCK])))


def _spent(policy: Policy, limit: LimitRule, declared: Collection[str]) -> Path:
    """The sum that a limit looks at, known by what it adds up: rules of one sum, on one side or both, were charged the same."""
    what = "" if limit.sum is None else ".".join(canonical(limit.sum.path, declared))
    condition = "" if limit.condition is None else " ".join(limit.condition.text.split())
    return "#spent", policy.tool, what, condition


def _sums(tool: BoundTool) -> dict[Path, list[LimitRule]]:
    """The limits of each sum."""
    found: dict[Path, list[LimitRule]] = {}
    for bound in tool.enforced:
        for limit in bound.policy.limits:
            found.setdefault(_spent(bound.policy, limit, tool.declared), []).append(limit)
    return found


def _need_limits(builder: Builder, limits: Sequence[tuple[Policy, LimitRule]]) -> None:
    most: dict[Path, set[Decimal]] = {}
    for policy, limit in limits:
        most.setdefault(_spent(policy, limit, builder.declared), set()).add(limit.max)
    for policy, limit in limits:
        spent = _spent(policy, limit, builder.declared)
        sums = sorted({Decimal(0), *most[spent]})
        name = f"what {limit.id} was charged before"
        builder.special_axis(spent, name, [(f"{name} is {amount:f}", amount) for amount in sums])
        left = {high - before for high in most[spent] for before in sums if high >= before}
        if limit.sum is not None:
            path = canonical(limit.sum.path, builder.declared)
            builder.want(path, limit.sum.name).numbers.update(left)
            for amount in left:
                builder.add(_above(path, amount))
        _over(builder, policy, limit)


def _above(path: Path, amount: Decimal) -> Predicate:
    def holds(cell: Cell) -> bool | None:
        found = cell.get(path)
        return found[1] > amount if found is not None and found[0] is Kind.NUMBER else None

    return Predicate(("above", path, amount), (path,), holds)


def _over(builder: Builder, policy: Policy, limit: LimitRule) -> Predicate:
    """Whether the call goes above the limit; unknown where there is no amount."""
    spent = _spent(policy, limit, builder.declared)
    path = None if limit.sum is None else canonical(limit.sum.path, builder.declared)

    def holds(cell: Cell) -> bool | None:
        amount = amount_of(limit, cell)
        return None if amount is None else is_above(limit, cell.values[spent], amount)

    paths = (spent,) if path is None else (path, spent)
    return builder.add(Predicate(("over", spent, limit.max), paths, holds, crossing=False))


def _evidence() -> tuple[Predicate, Predicate]:
    """The change ticket and the sandbox that tier 4 asks for."""
    ticket, sandbox = (("context", name) for name in EVIDENCE)

    def has_ticket(cell: Cell) -> bool:
        found = cell.get(ticket)
        return found == (Kind.BOOL, True) or (found is not None and found[0] in (Kind.TEXT, Kind.LONG) and bool(found[1].strip()))

    return (
        Predicate(("evidence", ticket), (ticket,), has_ticket),
        Predicate(("evidence", sandbox), (sandbox,), lambda cell: cell.get(sandbox) == (Kind.BOOL, True)),
    )


# --- cutting


def cut(table: Table, tool: BoundTool) -> list[Cells]:
    """The cells in parts that these policies decide alike."""
    parts = [table.all]
    for bound in tool.enforced:
        for partition in _partitions(table, bound):
            parts = product(parts, partition)
    if tool.tier is Tier.PRODUCTION:
        for predicate in _evidence():
            parts = product(parts, _three(table, *table.of(predicate)))
    return parts


def _partitions(table: Table, bound: Bound) -> Iterable[list[Cells]]:
    policy, builder = bound.policy, table.builder
    if policy.scopes:
        yield _three(table, *table.of(_need_scopes(builder, policy)))
    if policy.attributes:
        yield _three(table, declared_well(table, policy), 0)
    true = unknown = 0
    for rule in bound.denies:
        yes, maybe = table.holds(rule.condition)
        true, unknown = true | yes, unknown | maybe
    yield _three(table, true, unknown & ~true)
    for window in policy.windows:
        yield _three(table, *table.holds(window.condition))
        yield _three(table, *table.of(_open(builder, window.window)))
    yield in_order(table, bound)
    for limit in policy.limits:
        yield _three(table, *table.holds(limit.condition))
        yield _three(table, *table.of(_over(builder, policy, limit)))
    for log in policy.logs:
        yes, maybe = table.holds(log.condition)
        yield _three(table, yes | maybe, 0)


def in_order(table: Table, bound: Bound) -> list[Cells]:
    """Where each ordered rule is the first that applies, where it is the first that cannot be decided, and the rest."""
    rest, parts = table.all, []
    for rule in bound.ordered:
        yes, maybe = table.holds(rule.condition)
        parts += [rest & yes, rest & maybe]
        rest &= ~(yes | maybe)
    return [part for part in (*parts, rest) if part]


def declared_well(table: Table, policy: Policy) -> Cells:
    """Where all attributes are what the policy declares."""
    good = table.all
    for declared in policy.attributes:
        good &= table.of(fits(table.builder, declared))[0]
    return good


def _three(table: Table, true: Cells, unknown: Cells) -> list[Cells]:
    return [part for part in (true, unknown, table.all & ~(true | unknown)) if part]


def product(one: Sequence[Cells], other: Sequence[Cells]) -> list[Cells]:
    """The parts of two partitions put over each other."""
    if len(other) == 1:
        return list(one)
    return [both for a in one for b in other if (both := a & b)]


# --- calls


def request_at(table: Table, cell: int, tool: BoundTool) -> Request | None:
    """The call of a cell; None where its values exclude each other (an attribute, and what is inside of it)."""
    return request_of(table.values(cell), tool)


def request_of(values: Mapping[Path, Entry], tool: BoundTool) -> Request | None:
    """The same, from the values themselves."""
    given: dict[str, dict[str, Any]] = {"args": {}, "context": {}, "principal": {}, "session": {}}
    for path, entry in values.items():
        if path[0] in given and entry.first.value is not MISSING and not _put(given[path[0]], path[1:], entry.first.value):
            return None
    who = given["principal"]
    scopes = (*tool.contract.scopes, *(scope for bound in tool.enforced for scope in bound.policy.scopes))
    spent = {limit.key: values[path].value for path, limits in _sums(tool).items() for limit in limits if path in values}
    request = Request(
        tool=tool.contract.name,
        args=given["args"],
        context=given["context"],
        principal=Principal(
            id=who.get("id"),
            on_behalf_of=who.get("on_behalf_of"),
            roles=tuple(who.get("roles", ())),
            scopes=tuple(who["scopes"] if "scopes" in who else dict.fromkeys(scopes)),
        ),
        now=values[CLOCK].value if CLOCK in values else None,
        session=given["session"],
        spent=spent,
        able=frozenset(["redact", "retain"]),
    )
    return request if _is_so(request, values, tool) else None


def _put(inside: dict[str, Any], path: Path, value: Any) -> bool:
    for step in path[:-1]:
        inside = inside.setdefault(step, {})
        if not isinstance(inside, dict):
            return False
    if path[-1] in inside:
        return False
    inside[path[-1]] = value
    return True


def _is_so(request: Request, values: Mapping[Path, Entry], tool: BoundTool) -> bool:
    if all(len(path) <= 2 for path in values):
        return True
    seen = Values(request, frozenset(), tool.facts)
    return all(seen.get(path) == entry.value for path, entry in values.items() if not path[0].startswith("#"))


def regions(table: Table, tool: BoundTool, policies: Policies, inside: Sequence[Cells] | None = None) -> list[Region]:
    """Every region with its decision; a region that no call can be in is left out."""
    found = []
    for cells in cut(table, tool) if inside is None else inside:
        cell = next((c for c, _ in zip(each(cells), range(64), strict=False) if request_at(table, c, tool) is not None), None)
        request = None if cell is None else request_at(table, cell, tool)
        if cell is not None and request is not None:
            found.append(Region(cells, cell, decide(policies, request)))
    return found


def attribute_of(tool: BoundTool, request: Request) -> Any:
    """Looks attributes of a request up by their canonical names, for `Table.locate`; whether a sum is too much matters."""
    values = Values(request, frozenset(), tool.facts)
    sums = _sums(tool)

    def get(path: Path) -> Any:
        if path == CLOCK:
            return request.now
        return spent(sums[path]) if path in sums else values.get(path)

    def spent(limits: Sequence[LimitRule]) -> Decimal:
        """One of the sums that are tried, with which all of these limits are met as they are with the request's."""
        tried = sorted({Decimal(0), *(limit.max for limit in limits)})
        before = max(request.spent.get(limit.key, Decimal(0)) for limit in limits)
        met = [over(limit, before) for limit in limits]
        same = (amount for amount in tried if [over(limit, amount) for limit in limits] == met)
        return before if before in tried else next(same, Decimal(0))

    def over(limit: LimitRule, before: Decimal) -> bool:
        amount = amount_of(limit, Values(request, tool.declared, tool.facts))
        return amount is not None and is_above(limit, before, amount)

    return get


__all__ = ["Region", "attribute_of", "builder_for", "cut", "regions", "request_at", "request_of"]
