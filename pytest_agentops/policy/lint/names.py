"""Attributes that are not there, and comparisons with values that they can never have."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ...schema.contract import Contract
from ...schema.suggest import did_you_mean
from .. import possible, words
from ..attributes import ROOTS, Kind, Path, Prepared, declared_names
from ..cells import canonical
from ..conditions import Attribute, Comparison, Constant, Membership
from ..domain import MISSING, Candidate, Wants, pool
from ..model import Declared, Placed, Policy
from ..opinion import misfit
from .finding import Finding, found
from .world import World


def names(policy: Policy, contract: Contract, world: World, *, known: bool) -> Iterator[Finding]:
    """POL002 and POL003."""
    declared = declared_names(contract)
    for placed, condition in policy.conditions:
        for attribute in condition.attributes:
            if known:
                yield from _there(placed, attribute, contract, declared, world, condition.lead + attribute.at)
        for atom in condition.atoms():
            yield from _never_such(policy, placed, atom, contract, declared, condition.lead)
    for limit in policy.limits:
        if known and limit.sum is not None:
            yield from _there(limit, limit.sum, contract, declared, world, None)


def _there(
    placed: Placed, attribute: Attribute, contract: Contract, declared: frozenset[str], world: World, at: int | None
) -> Iterator[Finding]:
    first, name = attribute.path[0], attribute.name
    inside = possible.lacks(contract, canonical(attribute.path, declared))
    if inside is not None:
        word, within = inside
        cure = did_you_mean(word, within) or (f"known are {', '.join(within)}" if within else "what it is in has nothing inside")
        said = f"{name}: {contract.name} has no {word!r} there"
        yield found("POL002", "error", placed, said, cure, key="limit" if at is None else "if", at=at)
        return
    if first == "args":
        word, options = attribute.path[1], sorted(declared)
        missing = not contract.open and _closed(contract) and word not in declared
    elif first == "context":
        word, options = attribute.path[1], sorted(world.context or ())
        missing = world.context is not None and word not in world.context
    elif first in ROOTS:
        return
    else:
        word, options = first, sorted({*declared, *(world.context or ())})
        missing = not contract.open and world.context is not None and word not in options
    if missing:
        where = f"{contract.name} has no such argument" if first == "args" else "no case has it in its context"
        where = where if first in ROOTS else f"it is no argument of {contract.name}, and no case has it in its context"
        near = did_you_mean(word, options)
        cure = near or (
            f"known are {', '.join(options)}" if options else "declare it in the tool's contract or in a case's context"
        )
        yield found("POL002", "error", placed, f"{name}: {where}", cure, key="limit" if at is None else "if", at=at)


def _closed(contract: Contract) -> bool:
    """Whether the schema names the tool's arguments; one that names none and allows any is open."""
    return bool(declared_names(contract)) or contract.parameters.get("additionalProperties") is False


def _never_such(
    policy: Policy, placed: Placed, atom: object, contract: Contract, declared: frozenset[str], lead: int
) -> Iterator[Finding]:
    """A comparison whose constant is of another kind than the attribute ever is, or none of its values."""
    for attribute, constant, ordered in _held(atom):
        path = canonical(attribute.path, declared)
        says = [d for d in policy.attributes if canonical(d.path, declared) == path]
        schema, _ = possible.schema_of(contract, path)
        if schema is None and not says:
            continue
        values = _values(contract, path, says, constant.prepared)
        kind = constant.prepared[0]
        if kind is Kind.NULL or any(_equal(value, constant.prepared) for value in values):
            continue
        kinds = {value.sort for value in values if value.sort != "odd"}
        same = _SORTS.get(kind) in kinds
        if same and ordered:
            continue
        shown = words.literal(constant.prepared)
        if same:
            said = f"{attribute.name} is never {shown}"
            cure = _near(constant.prepared, values)
        else:
            said = f"{attribute.name} is compared with {shown}, but is never a {_SORTS.get(kind, 'value')} (it is {_or(kinds)})"
            cure = "compare it with a value of its own kind: nothing is converted"
        yield found("POL003", "error", placed, said, cure, key="if", at=lead + constant.at)


_SORTS = {Kind.TEXT: "text", Kind.NUMBER: "number", Kind.BOOL: "bool", Kind.NULL: "null"}


def _held(atom: object) -> Iterator[tuple[Attribute, Constant, bool]]:
    if isinstance(atom, Comparison):
        for one, other in ((atom.left, atom.right), (atom.right, atom.left)):
            if isinstance(one, Attribute) and isinstance(other, Constant):
                yield one, other, atom.op not in ("==", "!=")
    elif isinstance(atom, Membership) and isinstance(atom.needle, Attribute):
        for constant in atom.constants:
            yield atom.needle, constant, False


def _values(contract: Contract, path: Path, says: list[Declared], constant: Prepared) -> list[Candidate]:
    wants = Wants()
    wants.constant(constant)
    for declared in says:
        for prepared in declared.prepared_enum:
            wants.constant(prepared)
    every = pool(possible.widened(contract, path, wants)).candidates
    return [
        c
        for c in every
        if c.value is not MISSING
        and possible.may_be(contract, path, c)
        and all((p := c.prepared) is not None and not misfit(d, p) for d in says)
    ]


def _equal(candidate: Candidate, constant: Prepared) -> bool:
    return candidate.prepared == constant


def _near(constant: Prepared, values: list[Candidate]) -> str:
    known = [c.value for c in values if c.literal]
    texts = [value for value in known if isinstance(value, str)]
    near = did_you_mean(str(constant[1]), texts) if constant[0] is Kind.TEXT else ""
    return near or "its values are " + ", ".join(words.literal(p) for c in values if (p := c.prepared) is not None and c.literal)


def _or(kinds: Collection[str]) -> str:
    return " or ".join(sorted(f"a {kind}" if kind != "null" else kind for kind in kinds)) or "nothing"
