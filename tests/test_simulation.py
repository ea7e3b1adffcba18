"""The table of docs/statistics.md is what the simulation gives, and says what it must."""

from __future__ import annotations

import re

import pytest

from benchmarks.simulation import ALPHA, BUILDS, COST, MARK, PAGE, SUCCESS, Row, error, simulate


def told() -> dict[tuple[str, str, str], tuple[str, str]]:
    """(table, size, change) -> the test's share and that of any gate, as the page has them."""
    text = PAGE.read_text(encoding="utf-8").split(f"{MARK}\n")[1]
    found, table = {}, ""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| cases x trials"):
            table = cells[2]
        elif re.match(r"\| \d+ x", line):
            found[table, cells[0], cells[1]] = (cells[2], cells[3])
    return found


def test_the_page_has_every_row_and_the_number_of_builds() -> None:
    assert len(told()) == len(SUCCESS) + len(COST)
    assert f"{MARK}\n{BUILDS} builds a row" in PAGE.read_text(encoding="utf-8")
    assert BUILDS >= 1000


def test_with_nothing_changed_at_most_alpha_of_the_builds_are_red() -> None:
    idle = {key: shares for key, shares in told().items() if key[2] == "nothing"}
    assert len(idle) == 7
    for key, (_, any_gate) in idle.items():
        assert float(any_gate) <= ALPHA + error(ALPHA, BUILDS, BUILDS) / 2, key


@pytest.mark.parametrize("row", [*SUCCESS, *COST], ids=lambda row: f"{row.cases}x{row.trials}-{row.words}".replace(" ", "_"))
def test_the_shares_are_those_of_research(row: Row) -> None:
    table = "exact stratified test of success" if row in SUCCESS else "paired t of log cost"
    share = float(told()[table, f"{row.cases} x {row.trials}", row.words][0])
    if row.expected is not None:
        assert abs(share - row.expected) <= error(row.expected, row.of_builds, BUILDS)


def test_a_row_comes_out_as_the_page_has_it() -> None:
    row = SUCCESS[0]
    found = simulate(row)
    assert (f"{found.success:.3f}", f"{found.any:.3f}") == told()["exact stratified test of success", "10 x 3", "nothing"]
