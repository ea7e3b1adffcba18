"""Prices of the suite's own: which one is meant, what it comes to, what has no price."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agentops.cost import prices as table
from pytest_agentops.cost.own import dollars, find
from pytest_agentops.cost.prices import cost, pin
from pytest_agentops.cost.usage import Answer, read_answer
from pytest_agentops.schema.prices import ModelPrice
from pytest_agentops.schema.run import Usage

PLAIN = ModelPrice(input_usd_per_million=2, output_usd_per_million="10.50")
FREE = ModelPrice(input_usd_per_million=0, output_usd_per_million="0.0")
FULL = ModelPrice(
    input_usd_per_million="1",
    output_usd_per_million="8",
    cached_usd_per_million="0.1",
    cache_write_usd_per_million="1.25",
    reasoning_usd_per_million="4",
)


def test_the_digits_that_were_written_count() -> None:
    # 1000 * 2 + 100 * 10.5 = 3050 a million
    assert dollars(PLAIN, Usage(input=1000, output=100, reasoning=60), {}) == Decimal("0.00305")
    # 500 * 1 + 300 * 0.1 + 200 * 1.25 + 60 * 8 + 40 * 4 = 1420
    usage = Usage(input=1000, output=100, cached=300, cache_write=200, reasoning=40)
    assert dollars(FULL, usage, {}) == Decimal("0.00142")


@pytest.mark.parametrize(
    ("usage", "extras"),
    [
        (Usage(input=10, output=1, cached=4), {}),
        (Usage(input=10, output=1, cache_write=4), {}),
        (Usage(input=10, output=1), {"web_searches": 1}),
        (None, {}),
    ],
    ids=["cached", "cache write", "a search", "no usage"],
)
def test_what_has_no_price_makes_the_cost_unknown(usage: Usage | None, extras: dict[str, int]) -> None:
    assert dollars(PLAIN, usage, extras) is None
    assert dollars(FREE, usage, extras) == 0, "a model that asks nothing for anything costs nothing, whatever was counted"


@pytest.mark.parametrize("usage", [Usage(input=10, output=1, cached=11), Usage(input=10, output=1, reasoning=2)])
def test_counts_that_contradict_each_other_are_unknown(usage: Usage) -> None:
    assert dollars(FULL, usage, {}) is None


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.decimals(0, 1000, places=4))
def test_the_price_is_exact(tokens_in: int, tokens_out: int, asked: Decimal) -> None:
    price = ModelPrice(input_usd_per_million=str(asked), output_usd_per_million=str(asked))
    assert dollars(price, Usage(input=tokens_in, output=tokens_out), {}) == asked * (tokens_in + tokens_out) / 1_000_000


def test_a_name_wins_over_a_glob_and_a_longer_glob_over_a_shorter() -> None:
    prices = {"*": FREE, "gpt-*": PLAIN, "gpt-5*": FULL, "gpt-5": FREE}
    assert find(prices, Answer(model="gpt-5", asked="gpt-5")) is FREE
    assert find(prices, Answer(model="gpt-5-2026", asked="gpt-5")) is FREE, "who was asked by name, before a glob on who answered"
    assert find(prices, Answer(model="gpt-5-2026")) is FULL
    assert find(prices, Answer(model="gpt-4o")) is PLAIN
    assert find({"gpt-4": PLAIN}, Answer(model="gpt-4o")) is None
    assert find(prices, Answer(model=None)) is None


def test_own_prices_win_over_the_table_and_over_what_the_provider_states() -> None:
    usage = Usage(input=1_000_000, output=0)
    answer = Answer(model="gpt-4o-mini", usage=usage, stated_cost=Decimal("9"))
    assert cost(answer) == 9
    assert cost(answer, own={"gpt-4o-mini": PLAIN}) == 2
    assert cost(answer, own={"another": PLAIN}) == 9
    assert cost(Answer(model="gpt-4o-mini", usage=usage, billed=False), own={"gpt-4o-mini": PLAIN}) == 0
    assert cost(answer, url="http://127.0.0.1:8080/v1", own={"gpt-4o-mini": FREE}) == 0


def test_negative_usage_is_unknown_usage_and_so_is_its_cost() -> None:
    body = b'{"model": "m", "usage": {"prompt_tokens": -5, "completion_tokens": 2}}'
    answer = read_answer(path="/v1/chat/completions", request=b'{"model":"m"}', status=200, content_type="", body=body)
    assert answer is not None
    assert answer.usage is None
    assert cost(answer, own={"m": PLAIN}) is None


def test_the_pin_names_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    found = pin()
    assert found["source"] == "genai-prices"
    assert found["version"].count(".") == 2
    assert found["as_of"] >= "2025-01-01"
    assert pin() is found, "worked out once"
    assert table.pin.cache_info().currsize == 1
