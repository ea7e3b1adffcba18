"""The decision table: exact where it says so, in cells of real calls."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pytest_agentops.policy.binding import bind
from pytest_agentops.policy.decide import evaluate
from pytest_agentops.policy.regions import attribute_of, builder_for, regions, request_at
from pytest_agentops.policy.table import Table
from pytest_agentops.schema.policy import Decision, Request

from .conftest import policies_of, rules
from .generated import CALL, MORE, RULES, TIER, refund


@given(RULES, MORE, TIER, st.lists(CALL, min_size=1, max_size=8), st.booleans())
@settings(max_examples=400, deadline=None)
def test_every_call_is_in_a_cell_and_is_decided_like_the_cells_region(
    lines: list[str], more: str, tier: int | None, calls: list[Request], fine: bool
) -> None:
    contract = refund(tier)
    policies = bind(policies_of(rules(*lines, more=more)), {contract.name: contract})
    tool = policies.tools[contract.name]
    table = builder_for([tool], fine=fine).build()
    assume(isinstance(table, Table) and not table.partial)
    found = regions(table, tool, policies)
    assert sum(region.cells.bit_count() for region in found) == table.size
    for call in calls:
        cell = table.locate(attribute_of(tool, call))
        assert cell is not None
        region = next(region for region in found if region.cells >> cell & 1)
        decided = evaluate(policies, call)
        assert what_counts(decided) == what_counts(region.decision), table.words(cell)


def what_counts(decision: Decision) -> object:
    """Which of several denies is named makes no difference."""
    said = (decision.reason, decision.rule, decision.approvals) if decision.verdict != "deny" else ()
    return decision.verdict, decision.obligations, said


@given(RULES, MORE, TIER)
@settings(max_examples=200, deadline=None)
def test_the_call_of_a_cell_is_in_that_cell(lines: list[str], more: str, tier: int | None) -> None:
    contract = refund(tier)
    policies = bind(policies_of(rules(*lines, more=more)), {contract.name: contract})
    tool = policies.tools[contract.name]
    table = builder_for([tool], fine=True).build(2_000)
    assume(isinstance(table, Table))
    for cell in range(0, table.size, 1 + table.size // 50):
        request = request_at(table, cell, tool)
        assert request is not None
        assert table.locate(attribute_of(tool, request)) == cell, table.words(cell)


def test_between_two_constants_there_is_a_whole_number_and_a_broken_one() -> None:
    """Found by the property above: the middle of 10 and 50 is a whole number, and so are the middles of both halves."""
    text = rules(
        '{if: "amount_usd == 10", allow: true}', more="attributes: {amount_usd: {type: integer, minimum: 5, maximum: 50}}"
    )
    contract = refund(0)
    tool = bind(policies_of(text), {contract.name: contract}).tools[contract.name]
    table = builder_for([tool], fine=True).build()
    assert isinstance(table, Table)
    call = Request(tool=contract.name, args={"amount_usd": 10.25}, able=frozenset())
    assert table.locate(attribute_of(tool, call)) is not None
