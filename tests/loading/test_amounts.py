"""`prices` and `slo` of a suite file: what may stand there."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_agentops.errors import CaseFileError
from pytest_agentops.loading.suite import load_suite
from pytest_agentops.schema.parsed import ParsedCache
from pytest_agentops.schema.prices import ModelPrice

HEAD = "version: 1\nagent: x:y\n"
CASES = "cases: [{id: x, task: t}]\n"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "demo.yaml"
    path.write_text(HEAD + text + CASES)
    return path


def test_prices_reach_the_case(tmp_path: Path) -> None:
    path = written(
        tmp_path, 'prices: {m: {input_usd_per_million: "0.10", output_usd_per_million: 2}}\nslo: {success_rate: 0.9}\n'
    )
    cache = ParsedCache(tmp_path)
    for _ in range(2):  # read, and taken from the cache
        (variant,) = load_suite(path, tmp_path, cache=cache).variants
        assert variant.case().prices == {"m": ModelPrice(input_usd_per_million="0.10", output_usd_per_million=2)}
        assert variant.head.slo == {"success_rate": 0.9}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prices: {m: {input_usd_per_million: 1}}\n", "output_usd_per_million"),
        ("prices: {m: {input_usd_per_million: -1, output_usd_per_million: 1}}\n", "input_usd_per_million"),
        ("prices: {m: {input_usd_per_million: '-1', output_usd_per_million: 1}}\n", "'-1' is no amount of dollars"),
        ("prices: {m: {input_usd_per_million: $1, output_usd_per_million: 1}}\n", "'$1' is no amount of dollars"),
        ("prices: {m: {input: 1, output_usd_per_million: 1, input_usd_per_million: 1}}\n", "unknown key 'input'"),
        ("slo: {success_rate: 95}\n", "success_rate"),
        ("slo: {cost_per_success_usd: cheap}\n", "'cheap' is no amount of dollars"),
        ("slo: {succes_rate: 0.9}\n", "did you mean 'success_rate'"),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(CaseFileError) as caught:
        load_suite(written(tmp_path, text), tmp_path)
    assert any(m.line == 3 and said in str(m) for m in caught.value.mistakes), caught.value
