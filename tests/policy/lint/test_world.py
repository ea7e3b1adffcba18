"""What stands around the policies that are linted."""

from __future__ import annotations

import pytest

from pytest_agentops.policy.files import load_text
from pytest_agentops.policy.lint.run import lint
from pytest_agentops.policy.lint.world import world_of
from pytest_agentops.policy.model import PolicyFile, roles_of
from pytest_agentops.schema.case import Case, CaseFields, Principal

ASKS = """version: 1
roles: {{boss: [{people}], clerk: [cleo]}}
policy: {{id: {name}, tool: pay, tier: 3, default: "require_approval:boss", tests: [{{name: t, expect: require_approval}}]}}
"""


def files(*people: str) -> list[PolicyFile]:
    return [load_text(ASKS.format(name=f"p{n}", people=who), file=f"p{n}.yaml") for n, who in enumerate(people)]


def case(**fields: object) -> Case:
    return Case(suite="shop", id="a", variant=None, file="shop.yaml", line=1, fields=CaseFields(**fields))


@pytest.mark.parametrize(("people", "codes"), [(("ann, bob", "bob"), []), (("ann", "bob"), ["POL011", "POL011"])])
def test_a_role_of_two_files_is_what_the_guard_takes_it_for(people: tuple[str, ...], codes: list[str]) -> None:
    every = files(*people)
    found = lint([policy for file in every for policy in file.policies], world_of(every, {}, []))
    assert [finding.code for finding in found.findings if finding.code == "POL011"] == codes
    assert roles_of(every)["clerk"] == {"cleo"}


def test_cases_give_contexts_and_principals() -> None:
    bot = Principal(id="bot")
    cases = [case(context={"tier": "pro"}, principal=bot), case(principal=bot), case(context={"region": "eu"})]
    world = world_of([], {}, cases)
    assert (world.context, world.principals, world.roles) == ({"tier", "region"}, (bot,), None)
    assert world_of([], {}, [], suites_known=False).context is None
