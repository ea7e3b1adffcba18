"""The results file: order, bytes, memory, damage."""

from __future__ import annotations

import json
import random
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from pytest_agentops.reports import json as json_report
from pytest_agentops.reports.results import NoResults, Results, key_of, load
from pytest_agentops.schema.values import dumps

HEAD: dict[str, Any] = {"mode": "replay", "verdict": "pass", "metrics": {"runs": 1}, "suites": {}, "selection": "all"}


def case(name: str, variant: str | None = None, **more: Any) -> str:
    return dumps({"id": name, "suite": name.split("/")[0], "variant": variant, "status": "passed", "trials": [], **more})


def write(path: Path, *cases: str, **head: Any) -> Path:
    with Results() as results:
        for text in cases:
            results.add(text)
        results.write(path, **{**HEAD, **head})
    return path


def test_the_file_is_the_format_of_the_design(tmp_path: Path) -> None:
    path = write(tmp_path / "a" / "results.json", case("s/b"), case("s/a", "x"), suites={"t": {}, "s": {"gates": []}})
    assert path.read_text() == (
        "{\n"
        '"version": 1,\n'
        '"mode": "replay",\n'
        '"verdict": "pass",\n'
        '"metrics": {"runs":1},\n'
        '"suites": {"s":{"gates":[]},"t":{}},\n'
        '"selection": "all",\n'
        '"cases": [\n'
        '{"id":"s/a","suite":"s","variant":"x","status":"passed","trials":[]},\n'
        '{"id":"s/b","suite":"s","variant":null,"status":"passed","trials":[]}\n'
        "]\n"
        "}\n"
    )
    assert list(json.loads(path.read_text())) == ["version", "mode", "verdict", "metrics", "suites", "selection", "cases"]


def test_the_order_of_arrival_does_not_count(tmp_path: Path) -> None:
    cases = [case(f"s/{i}", v, text="é\n" * i) for i in range(30) for v in (None, "a", "b")]
    first = write(tmp_path / "1.json", *cases).read_bytes()
    random.Random(7).shuffle(cases)
    assert write(tmp_path / "2.json", *cases).read_bytes() == first


def test_a_case_that_comes_twice_counts_as_it_came_last(tmp_path: Path) -> None:
    path = write(tmp_path / "r.json", case("s/a"), case("s/a", status="failed"), case("s/a", "v"))
    assert [(c["variant"], c["status"]) for c in load(path)["cases"]] == [(None, "failed"), ("v", "passed")]


def test_no_case_is_a_list_without_one(tmp_path: Path) -> None:
    assert load(write(tmp_path / "r.json"))["cases"] == []


def test_many_cases_stay_out_of_memory(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        with Results() as results:
            for number in range(3000):
                results.add(case(f"s/{number}", text="x" * 10_000))
            results.write(tmp_path / "r.json", **HEAD)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (tmp_path / "r.json").stat().st_size > 30_000_000
    assert peak < 12_000_000


@pytest.mark.parametrize(
    "text",
    [
        case("s/a", "v"),
        '{"variant": "v", "id": "s/a"}',
        '{"id":"s/a","suite":"s\\u0022","variant":"v"}',
        '{"id":"s/\\u0061","suite":"s","variant":"v"}',
    ],
)
def test_the_key_of_any_text(text: str) -> None:
    assert key_of(text) == ("s/a", "v")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = write(tmp_path / "r.json", case("s/a"))
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write(path, case("s/b"), metrics={"runs": object()})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["r.json"]


def test_load_ignores_what_it_does_not_know(tmp_path: Path) -> None:
    path = write(tmp_path / "r.json", case("s/a"))
    path.write_text(path.read_text().replace('"version"', '"new": {"x": 1},\n"version"'))
    assert load(path)["new"] == {"x": 1}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "there is no results file; run pytest --agent-evals"),
        ("{", "not a results file"),
        ("[]", "it has no list of cases"),
        ('{"version": 1}', "it has no list of cases"),
        ('{"version": 2, "cases": []}', "results of version 2; this version of pytest-agentops reads 1"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, text: str | None, says: str) -> None:
    path = tmp_path / "r.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(NoResults, match=says) as error:
        load(path)
    assert str(path) in str(error.value)


def test_the_json_report_is_a_copy(tmp_path: Path) -> None:
    path = write(tmp_path / "r.json", case("s/a"))
    json_report.write(path, tmp_path / "out" / "x.json")
    assert (tmp_path / "out" / "x.json").read_bytes() == path.read_bytes()
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["x.json"]
