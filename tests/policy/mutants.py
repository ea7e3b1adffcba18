"""Mutations of a policy's rules: a comparison flipped, a number moved, a rule dropped, two swapped, an effect changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from pytest_agentops.errors import CaseFileError
from pytest_agentops.policy.files import load_text
from pytest_agentops.policy.model import Policy
from pytest_agentops.schema.document import read, write

FLIPS = {"<=": ["<", ">"], ">=": [">", "<"], "<": ["<=", ">="], ">": [">=", "<="], "==": ["!="], "!=": ["=="]}


def mutants(text: str) -> Iterator[tuple[str, Policy]]:
    """Every mutant that still loads, with what was done to it; rules have ids, so that tests mean the same ones."""
    value = _with_ids(text)
    for what, changed in _changes(value["policy"]["rules"]):
        try:
            yield what, _loaded({**value, "policy": {**value["policy"], "rules": changed}})
        except CaseFileError:  # a test names a rule that is gone, say: such a mutant is found by loading it
            continue


def original(text: str) -> Policy:
    """The policy as the mutants have it: with ids."""
    return _loaded(_with_ids(text))


def _loaded(value: Any) -> Policy:
    return load_text(write(value), file="m.yaml").policies[0]


def _with_ids(text: str) -> Any:
    value: Any = read(text, file="m.yaml").value
    for number, rule in enumerate(value["policy"]["rules"], start=1):
        rule.setdefault("id", f"r{number}")
    for test in value["policy"].get("tests", []):
        if "rule" in test:
            test["rule"] = _named(test["rule"])
        if "spent" in test:
            test["spent"] = {_named(key): amount for key, amount in test["spent"].items()}
    return value


def _named(rule: object) -> str:
    return f"r{rule}" if str(rule).isdigit() else str(rule)


def _changes(rules: list[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for at, rule in enumerate(rules):
        for what, changed in _of_rule(rule):
            yield f"{rule['id']}: {what}", [*rules[:at], changed, *rules[at + 1 :]]
        yield f"{rule['id']}: dropped", [*rules[:at], *rules[at + 1 :]]
        if at + 1 < len(rules):
            yield f"{rule['id']}: swapped with the next", [*rules[:at], rules[at + 1], rule, *rules[at + 2 :]]


def _of_rule(rule: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    condition = rule.get("if")
    if isinstance(condition, str):
        yield "always", {key: value for key, value in rule.items() if key != "if"}
        for found in re.finditer(r"<=|>=|==|!=|<|>", condition):
            for sign in FLIPS[found[0]]:
                yield f"{found[0]} to {sign}", {**rule, "if": condition[: found.start()] + sign + condition[found.end() :]}
        for found in re.finditer(r"\b(and|or)\b", condition):
            other = "or" if found[0] == "and" else "and"
            yield f"{found[0]} to {other}", {**rule, "if": condition[: found.start()] + other + condition[found.end() :]}
    for effect in ("allow", "deny", "require_approval"):
        if effect in rule:
            rest = {key: value for key, value in rule.items() if key != effect}
            for other in sorted({"allow", "deny", "require_approval"} - {effect}):
                yield f"{effect} to {other}", {**rest, other: "somebody" if other == "require_approval" else True}
    yield from _of_duty(rule)


def _of_duty(rule: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if "limit" in rule:
        for factor in (0.5, 2):
            changed = deepcopy(rule)
            changed["limit"]["max"] = changed["limit"]["max"] * factor
            yield f"limit times {factor}", changed
    log = rule.get("log", {})
    for field in log.get("redact_fields", []):
        changed = deepcopy(rule)
        changed["log"]["redact_fields"].remove(field)
        yield f"{field} not redacted", changed
    if "retain_days" in log:
        changed = deepcopy(rule)
        changed["log"]["retain_days"] -= 1
        yield "a day less", changed
    approval = rule.get("require_approval")
    if isinstance(approval, dict) and approval.get("count", 1) > 1:
        yield "one person", {**rule, "require_approval": {**approval, "count": 1}}
    if isinstance(approval, str):
        yield "another role", {**rule, "require_approval": f"not_{approval}"}
    within = rule.get("within")
    if within is not None:
        yield "a minute earlier", {**rule, "within": {**within, "from": "07:59"}}
        yield "every day", {**rule, "within": {**within, "days": ["mon-sun"]}}
