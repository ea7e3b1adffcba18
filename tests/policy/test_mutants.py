"""A mutation of a rule of a bundled policy is found: by diff always, by the policy's own tests nearly always."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pytest_agentops.cli.policy.sources import facts_of
from pytest_agentops.policy.binding import bind
from pytest_agentops.policy.decide import evaluate
from pytest_agentops.policy.diff import diff
from pytest_agentops.policy.expected import differences, request_of, stand_in, tool_of
from pytest_agentops.policy.extends import template, templates
from pytest_agentops.policy.model import Policy
from pytest_agentops.schema.contract import Contract
from pytest_agentops.schema.document import read, write

from .mutants import mutants, original

ROOT = Path(__file__).resolve().parents[2]
FOUNDING = (ROOT / "cases" / "refunds" / "policy.yaml").read_text(encoding="utf-8")
CONTROLS = ROOT / "cases" / "controls"


def controls() -> dict[str, str]:
    """The policies of cases/controls that are enforced, each alone with the roles of the file."""
    value: Any = read((CONTROLS / "policies.yaml").read_text(encoding="utf-8"), file="c").value
    head = {key: value[key] for key in value if key != "policies"}
    enforced = [p for p in value["policies"] if p.get("tests") and p.get("mode") != "shadow"]
    return {f"controls {p['id']}": write({**head, "policy": p}) for p in enforced}


TEXTS = {"founding": FOUNDING, **controls(), **{name: template(name) for name in templates()}}


@cache
def contracts(name: str) -> Mapping[str, Contract]:
    """The tools of the suite that has the policy; a template has none."""
    suite = {"founding": ROOT / "cases" / "refunds" / "refunds.yaml"}.get(name)
    suite = CONTROLS / "controls.yaml" if name.startswith("controls") else suite
    return {} if suite is None else facts_of(Namespace(suite=[suite], no_suite=False), []).contracts


def holds(policy: Policy, name: str) -> bool:
    for test in policy.tests:
        tool = tool_of(policy, test)
        contract = contracts(name).get(tool) or stand_in(policy, test)
        if differences(policy, test, evaluate(bind([policy], {tool: contract}), request_of(policy, test))):
            return False
    return True


def changed(one: Policy, other: Policy, name: str) -> bool:
    found = diff([one], [other], contracts(name))
    assert found.partial == ()
    return bool(found.changes)


@pytest.mark.parametrize("name", TEXTS)
def test_diff_finds_every_mutation_and_says_whether_it_decides_anything(name: str) -> None:
    whole = original(TEXTS[name])
    assert holds(whole, name)
    for what, mutant in mutants(TEXTS[name]):
        found = diff([whole], [mutant], contracts(name))
        assert found.written, what
        assert found.partial == ()


@pytest.mark.parametrize("name", TEXTS)
def test_what_the_tests_find_diff_finds_too(name: str) -> None:
    whole = original(TEXTS[name])
    for what, mutant in mutants(TEXTS[name]):
        if not holds(mutant, name):
            assert changed(whole, mutant, name) or any(t.rule for t in mutant.tests), what


def test_policy_tests_find_at_least_95_percent_of_what_decides_otherwise() -> None:
    missed: list[str] = []
    count = 0
    for name, text in TEXTS.items():
        whole = original(text)
        for what, mutant in mutants(text):
            if changed(whole, mutant, name):
                count += 1
                missed += [f"{name}: {what}"] if holds(mutant, name) else []
    assert count > 120
    print(f"{count - len(missed)} of {count} mutants that decide otherwise are found by the policies' tests")
    assert len(missed) <= 0.05 * count, (len(missed), count, missed)
