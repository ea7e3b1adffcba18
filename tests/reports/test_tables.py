"""The reports csv and parquet: the frame of pandas as a file."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pytest_agentops.reports import frame
from tests.reports.test_results import case, write


def results(tmp_path: Path) -> Path:
    runs: list[dict[str, Any]] = [
        {"trial": 1, "success": True, "outcome": "completed", "cost_usd": "0.25", "tokens": None, "output": 'a,\n"b"'},
        {"trial": 2, "success": False, "outcome": "error", "cost_usd": None, "tokens": {"input": 3, "output": 4}},
    ]
    return write(tmp_path / "r.json", case("s/a", trials=runs), case("s/b", status="skipped"))


def test_csv(tmp_path: Path) -> None:
    frame.csv(results(tmp_path), tmp_path / "out" / "r.csv")
    text = (tmp_path / "out" / "r.csv").read_text()
    assert text.splitlines()[0].split(",")[:6] == ["case", "suite", "variant", "status", "trial", "success"]
    back = pd.read_csv(tmp_path / "out" / "r.csv")
    assert list(back.columns) == list(frame.COLUMNS)
    assert back["output"][0] == 'a,\n"b"'
    assert back["tool_calls"].isna().all(), "what a file does not tell is unknown"
    assert back["cost_usd"].isna().tolist() == [False, True]
    assert back["tokens_input"].isna().tolist() == [True, False], "unknown is empty, never 0"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["r.csv"]


def test_parquet_keeps_the_types(tmp_path: Path) -> None:
    path = results(tmp_path)
    frame.parquet(path, tmp_path / "r.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "r.parquet"), frame.load_results(path))


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(OSError, match="pip install pyarrow"):
        frame.parquet(results(tmp_path), tmp_path / "r.parquet")


def test_a_table_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "r.csv").mkdir()
    with pytest.raises(OSError):
        frame.csv(results(tmp_path), tmp_path / "r.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.csv", "r.json"]
