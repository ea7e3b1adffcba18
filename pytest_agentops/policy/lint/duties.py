"""Duties: what is redacted and how long calls are kept."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from ...schema import paths
from ...schema.contract import Contract
from ...schema.suggest import did_you_mean
from .. import fields
from ..binding import bind
from ..match import fits
from ..model import Policy
from ..retention import conflicts, pairs_of
from .finding import Finding, found
from .world import World

SECRETS = frozenset(
    ["card", "cvv", "cvc", "ssn", "iban", "bic", "password", "passwd", "passphrase", "secret", "token"]
) | frozenset(["apikey", "pin", "passport", "credential", "credentials"])
SECRET_PAIRS = frozenset(
    ["account_number", "bank_account", "api_key", "private_key", "access_key", "social_security", "tax_id", "date_of_birth"]
)
_WORDS = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")


def duties(
    policy: Policy, policies: Sequence[Policy], contract: Contract, world: World, partial: list[str], *, known: bool
) -> Iterator[Finding]:
    """POL009, POL010 and POL017."""
    if known and not contract.open:
        yield from _no_such_field(policy, contract)
        yield from _not_redacted(policy, policies, contract)
    yield from _retention(policy, policies, contract, world, partial)
    for log in policy.logs:
        for duty in sorted(log.obligations.duties - world.able):
            said = f"rule {log.id} asks to {duty}, which cannot be carried out here: every call would be denied"
            yield found("POL017", "warning", log, said, "switch the audit log on, or remove the duty", key="log")


# --- POL009


def _no_such_field(policy: Policy, contract: Contract) -> Iterator[Finding]:
    where = "arguments and results" if contract.returns is not None else "arguments (what it returns is not declared)"
    for log in policy.logs:
        for field in log.obligations.redact_fields:
            if not fields.may_have(contract, field):
                said = f"rule {log.id} redacts {field!r}, which is not in the {where} of {contract.name}"
                near = did_you_mean(_last(field), fields.names(contract))
                yield found("POL009", "warning", log, said, near or "correct the name, or remove it", key="log")


def _not_redacted(policy: Policy, policies: Sequence[Policy], contract: Contract) -> Iterator[Finding]:
    """Told once a tool, at the first policy that is for it."""
    fitting = [other for other in policies if fits(other.tool, contract.name)]
    if not fitting or fitting[0] is not policy:
        return
    redacted = {name for other in fitting for log in other.logs for name in log.obligations.redact_fields} | set(
        contract.sensitive
    )
    plain = {_last(name) for name in redacted if fields.may_have(contract, name)}
    for field in fields.names(contract):
        if looks_secret(field) and field not in plain:
            said = f"{contract.name} has a field {field!r}, which looks like a secret and is not redacted"
            cure = f"add it: log: {{redact_fields: [{field}]}}, or name it in the tool's `sensitive`"
            yield found("POL009", "warning", policy, said, cure)


def _last(field: str) -> str:
    """The key whose value is hidden: a JSON path ends at it, another name is it, dots and all."""
    steps = paths.parse(field).steps if paths.is_path(field) else (field,)
    return next((step for step in reversed(steps) if isinstance(step, str)), field)


def looks_secret(name: str) -> bool:
    """By whole words: ``card_number`` and ``apiKey`` are, ``max_tokens`` is not."""
    parts = [part.lower() for part in _WORDS.findall(name)]
    return bool(SECRETS & set(parts)) or any("_".join(pair) in SECRET_PAIRS for pair in pairwise(parts))


# --- POL010


def _retention(
    policy: Policy, policies: Sequence[Policy], contract: Contract, world: World, partial: list[str]
) -> Iterator[Finding]:
    kept = [log for log in policy.logs if log.obligations.retain_days is not None]
    if policy.logs and not kept:
        said = f"policy {policy.id} does not say how long calls are kept"
        yield found("POL010", "warning", policy.logs[0], said, "add retain_days", key="log")
    for log in kept:
        days = log.obligations.retain_days
        if world.least_days is not None and days is not None and days < world.least_days:
            said = f"rule {log.id} keeps calls {days} days, at least {world.least_days} are asked for"
            yield found("POL010", "warning", log, said, f"retain_days: {world.least_days}", key="log")
    tool = bind([policy], {contract.name: contract}).tools[contract.name]
    fitting = [other for other in policies if fits(other.tool, contract.name)]
    later = fitting[fitting.index(policy) + 1 :] if policy in fitting else []
    logs = [log for other in later for log in other.logs]
    pairs = [*pairs_of(policy), *((one, other) for one in kept for other in logs)]
    for conflict in conflicts(pairs, contract, tool.facts, partial):
        one, other = conflict.one, conflict.other
        days, more = conflict.days
        place = f"line {other.line}" if one.file == other.file else other.where
        said = (
            f"rules {one.id} ({days} days) and {other.id} ({more} days, {place}) hold for the same call; the longer time counts"
        )
        cure = "make their conditions exclude each other, or name one time"
        yield found("POL010", "warning", one, said, cure, cell=conflict.cell, key="log")
