"""A policy's own tests: the request that a test writes, and how the decision differs from what it expects."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator

from ..schema.contract import Contract
from ..schema.policy import Decision, Request
from .model import Policy, PolicyTest


def request_of(policy: Policy, test: PolicyTest) -> Request:
    """The call of a test; all duties can be met, there is no session behind it but `spent`."""
    keys = {limit.id.removeprefix(f"{policy.id}/"): limit.key for limit in policy.limits}
    return Request(
        tool=tool_of(policy, test),
        args=test.args,
        context=test.context,
        principal=test.principal,
        now=None if test.clock is None else dt.datetime.fromisoformat(test.clock),
        spent={keys[name]: amount for name, amount in test.spent.items() if name in keys},
        able=frozenset(["redact", "retain"]),
    )


def tool_of(policy: Policy, test: PolicyTest) -> str:
    """The tool that a test calls."""
    return test.tool or policy.tool


def stand_in(policy: Policy, test: PolicyTest) -> Contract:
    """A contract for where no suite declares the tool: it takes the arguments of the test, and has the policy's tier."""
    schema = {"type": "object", "properties": {name: {} for name in test.args}}
    return Contract(
        name=tool_of(policy, test), parameters=schema, tier=policy.tier, effect="read" if policy.tier == 0 else "write"
    )


def differences(policy: Policy, test: PolicyTest, found: Decision) -> list[str]:
    """How the decision is not what the test expects, a sentence each; empty if it is."""
    said = [f"expected {what} {wanted}, found {got}" for what, wanted, got in _pairs(policy, test, found) if wanted != got]
    return [*said, f"because: {found.message}"] if said else []


def _pairs(policy: Policy, test: PolicyTest, found: Decision) -> Iterator[tuple[str, object, object]]:
    yield "the decision", test.expect, found.verdict
    if test.reason is not None:
        yield "the reason", test.reason, found.reason
    if test.rule is not None:
        yield "the rule", test.rule, "none" if found.rule is None else found.rule.removeprefix(f"{policy.id}/")
    if test.roles is not None:
        yield "approvals by", _sorted(test.roles), _sorted([need.role or "anybody" for need in found.approvals])
    if test.redact_fields is not None:
        yield "redact_fields", _sorted(test.redact_fields), _sorted(found.obligations.redact_fields)
    if test.retain_days is not None:
        yield "retain_days", test.retain_days, found.obligations.retain_days


def _sorted(words: Collection[str]) -> str:
    return ", ".join(sorted(words)) or "none"
