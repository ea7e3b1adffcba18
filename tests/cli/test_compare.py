"""The command `compare`: its page, its exit codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_agentops.cli.main import main
from pytest_agentops.reports.results import Results
from pytest_agentops.schema.values import dumps
from tests.reports.test_markdown import case, results, run


def file(folder: Path, name: str, *cases: dict[str, Any], **more: Any) -> str:
    head = results(*({"digest": "d", **one} for one in cases), **more)
    with Results() as made:
        for one in head.pop("cases"):
            made.add(dumps(one))
        made.write(folder / name, **head)
    return str(folder / name)


def test_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = file(tmp_path, "a.json", case("s/a", run()), case("s/b", run()), case("s/c", run()), case("t/d", run()))
    b = file(
        tmp_path, "b.json", case("s/a", run(success=False)), case("s/b", run(cost="0.3")), case("s/c", run()), case("u/e", run())
    )
    assert main(["compare", a, b]) == 1
    assert capsys.readouterr().out == (
        f"A: {a}\n"
        f"B: {b}\n"
        "\n"
        "suite      A success     B success    A cost/success    B cost/success    A human    B human\n"
        "-------  -----------  ------------  ----------------  ----------------  ---------  ---------\n"
        "s        100 % (3/3)  66.7 % (2/3)           $0.1000           $0.2500        0 %        0 %\n"
        "\n"
        "case      A    B    A cost    B cost\n"
        "------  ---  ---  --------  --------\n"
        "s/a     1/1  0/1   $0.1000   $0.1000\n"
        "s/b     1/1  1/1   $0.1000   $0.3000\n"
        "1 of 3 cases came out alike\n"
        "\n"
        "success: success 3/3 → 2/3\n"
        "broken cases: broken: s/a (1/1 → 0/1)\n"
        "cost: cost $0.3 → $0.5, tokens 6 → 6, tolerated +10.0 %\n"
        "interventions: runs with a human 0 → 0\n"
        "not compared: t/d: only in the first\n"
        "not compared: u/e: only in the second\n"
        "verdict: B is worse: in success, broken cases, cost\n"
    )


def test_costs_of_two_price_tables_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paid = {**run(), "costs": {"models": {"m": "0.1"}}}
    tables = [{"source": "genai-prices", "version": version, "as_of": None} for version in ("1", "2")]
    a, b = (file(tmp_path, f"{n}.json", case("s/a", paid), prices=table) for n, table in enumerate(tables))
    assert main(["compare", a, b]) == 0
    assert "(of two price tables: genai-prices 1 → genai-prices 2)" in capsys.readouterr().out
    assert main(["compare", a, a]) == 0
    assert "price tables" not in capsys.readouterr().out


def test_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = file(tmp_path, "a.json", case("s/a", run()), case("t/b", run()))
    other = file(tmp_path, "o.json", case("x/a", run()))
    assert main(["compare", a, a, "--all"]) == 0
    assert "all suites" in capsys.readouterr().out
    assert main(["compare", a, other]) == 3
    assert capsys.readouterr().out.endswith("verdict: not comparable: no case can be compared\n")


def test_live_runs_have_tests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = [run(mode="live")] * 5, [run(mode="live", success=False)] * 5
    a = file(tmp_path, "a.json", *(case(f"s/c{i}", *good) for i in range(6)), mode="live")
    b = file(tmp_path, "b.json", *(case(f"s/c{i}", *bad) for i in range(6)), mode="live")
    assert main(["compare", a, b]) == 1
    out = capsys.readouterr().out
    assert "success: success 30/30 → 0/30 (exact stratified p=" in out
    assert "Holm" in out
    assert main(["compare", b, a]) == 0
    assert "verdict: B is better: more successes (exact stratified p=" in capsys.readouterr().out


def test_variants_of_one_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = file(
        tmp_path,
        "a.json",
        case("s/a", run(), variant="mini"),
        case("s/a", run(success=False), variant="nano"),
        case("s/b", run()),
    )
    assert main(["compare", path, "--variants", "mini", "nano"]) == 1
    assert capsys.readouterr().out.startswith("A: mini\nB: nano\n")
    assert main(["compare", path, "--variants", "mini", "nanoo"]) == 1
    assert "no case has the variant 'nanoo'; there are mini, nano; did you mean 'nano'?" in capsys.readouterr().err


def test_many_cases_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = file(tmp_path, "a.json", *(case(f"s/c{i}", run()) for i in range(90)), *(case(f"x/{i}", run()) for i in range(50)))
    b = file(tmp_path, "b.json", *(case(f"s/c{i}", run(success=False)) for i in range(90)))
    assert main(["compare", a, b]) == 1
    out = capsys.readouterr().out
    assert "and 50 more cases that differ (--all)" in out
    assert "not compared: 10 more" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a.json"], "1 file: expected two, or one with --variants A B"),
        (["a.json", "b.json", "c.json"], "3 files: expected two"),
        (["a.json", "b.json", "--variants", "x", "y"], "--variants compares within one file"),
        (["a.json", "b.json"], "there is no results file"),
    ],
)
def test_wrong_words(words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["compare", *words]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("share", ["10", "-0.1", "much"])
def test_a_share_is_one(share: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["compare", "a", "b", f"--tolerance={share}"])
    assert "expected a share from 0" in capsys.readouterr().err
