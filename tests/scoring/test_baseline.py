"""The baseline file: what it holds, how it is read, how two branches merge it, and what is said of one that is broken."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agentops.errors import BaselineError
from pytest_agentops.schema.values import dumps, loads
from pytest_agentops.scoring.baseline import Baseline, parse, read_baseline
from pytest_agentops.scoring.tried import Tried, match, tried


def record(ident: str, **more: Any) -> Tried:
    words: dict[str, Any] = {
        "mode": "replay",
        "trials": 2,
        "successes": 2,
        "cost_usd": Decimal("0.01"),
        "tokens": 12,
        "intervened": 0,
        "policy_blocks": 0,
        "unexpected_blocks": 0,
        "blocked": 0,
        "digest": "sha256:abc",
        "tags": ("critical",),
        "pins": {"model": "m", "prompt": None, "policy": None, "tools": {}},
    }
    return Tried(id=ident, **{**words, **more})


TWO = Baseline([record("s/a"), record("s/b")])


def run(success: bool = True, **more: Any) -> dict[str, Any]:
    return {
        "success": success,
        "outcome": "completed",
        "mode": "replay",
        "cost_usd": "0.005",
        "tokens": {"input": 4, "output": 2},
        "interventions": [],
        "policy_blocks": 0,
        "unexpected_policy_blocks": 0,
        "pins": {"model": "m"},
        "labels": [],
        **more,
    }


def test_a_case_of_the_results_as_a_record() -> None:
    case = {
        "id": "s/a",
        "variant": "v",
        "tags": ["x"],
        "digest": "d",
        "trials": [run(), run(False, interventions=[{"kind": "edit"}])],
    }
    found = tried(case)
    assert found == Tried(
        id="s/a~v",
        mode="replay",
        trials=2,
        successes=1,
        cost_usd=Decimal("0.010"),
        tokens=12,
        intervened=1,
        policy_blocks=0,
        unexpected_blocks=0,
        blocked=0,
        digest="d",
        tags=("x",),
        pins={"model": "m"},
    )
    assert found.suite == "s"


def test_runs_that_count_nowhere_are_left_out_and_unknown_stays_unknown() -> None:
    odd = [
        run(labels=["counterfactual"]),
        run(outcome="unanswerable"),
        run(mode="live", cost_usd=None, tokens=None, interventions=None),
    ]
    found = tried({"id": "s/a", "variant": None, "trials": odd})
    assert (found.trials, found.left_out, found.mode) == (1, 2, "mixed")
    assert (found.cost_usd, found.tokens, found.intervened) == (None, None, None)
    assert tried({"id": "s/a", "variant": None, "trials": []}).mode == "none"
    old = {key: value for key, value in run().items() if key not in ("policy_blocks", "unexpected_policy_blocks")}
    assert tried({"id": "s/a", "variant": None, "trials": [old]}).blocked is None


def test_one_case_a_line_sorted_and_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "agentops-baseline.json"
    made = Baseline([record("s/b"), record("s/a", mode="live"), record("s/a")])
    assert made.write(path)
    lines = path.read_text().splitlines()
    assert [loads(line.removesuffix(",")) and loads(line.removesuffix(","))["id"] for line in lines[2:-1]] == [
        "s/a",
        "s/a",
        "s/b",
    ]
    assert lines[-1] == "null]}"
    assert not made.write(path)
    assert list(read_baseline(path) or ()) == list(made)
    assert [p.name for p in path.parent.iterdir()] == ["agentops-baseline.json"]


def test_no_file_is_no_baseline(tmp_path: Path) -> None:
    assert read_baseline(tmp_path / "none.json") is None


@given(
    st.lists(
        st.builds(
            record,
            st.from_regex(r"[a-z]{1,3}/[a-z0-9_-]{1,8}", fullmatch=True),
            mode=st.sampled_from(["replay", "live"]),
            successes=st.integers(0, 2),
            cost_usd=st.none() | st.decimals(0, 100, places=6),
            tokens=st.none() | st.integers(0, 10**9),
            blocked=st.none() | st.integers(0, 2),
            digest=st.none() | st.text(max_size=5),
            pins=st.none() | st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
        ),
        max_size=6,
    )
)
def test_reading_gives_back_what_was_written(records: list[Tried]) -> None:
    made = Baseline(records)
    assert list(parse(made.text())) == list(made)
    assert parse(made.text()).text() == made.text()


def merged(tmp_path: Path, ours: Baseline, base: Baseline, theirs: Baseline) -> tuple[int, str]:
    for name, one in (("ours", ours), ("base", base), ("theirs", theirs)):
        (tmp_path / name).write_text(one.text())
    words = ["git", "merge-file", "-p", *(str(tmp_path / name) for name in ("ours", "base", "theirs"))]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_two_branches_that_add_cases_in_different_places_merge(tmp_path: Path) -> None:
    base = Baseline([record(f"s/{letter}") for letter in "cdemn"])
    ours = Baseline([*base, record("s/a"), record("s/d", successes=1)])
    theirs = Baseline([*base, record("s/z")])
    code, text = merged(tmp_path, ours, base, theirs)
    assert code == 0
    assert [one.id for one in parse(text)] == [f"s/{letter}" for letter in "acdemnz"]


def test_a_conflict_is_told_by_its_line_with_a_cure(tmp_path: Path) -> None:
    code, text = merged(
        tmp_path, Baseline([record("s/a", successes=1)]), TWO, Baseline([record("s/a", successes=0), record("s/b")])
    )
    assert code > 0
    with pytest.raises(
        BaselineError, match=r"^agentops-baseline.json:3:1: a conflict marker of a merge: '<<<<<<< .*\n  cure: a case is one line"
    ):
        parse(text)


def test_a_truncated_file(tmp_path: Path) -> None:
    text = TWO.text()
    for length in (0, 1, 20, len(text) // 2, len(text) - 3):
        with pytest.raises(BaselineError, match=r"agentops-baseline.json:\d+:\d+: it is truncated\n  cure: restore it"):
            parse(text[:length])


def test_a_newer_file() -> None:
    with pytest.raises(BaselineError, match=r":1:1: version 2, and this version of pytest-agentops reads 1\n  cure: upgrade"):
        parse(TWO.text().replace('"version": 1', '"version": 2'))


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"version": "1", "cases": []}', '{"version": true, "cases": []}', '{"version": 1}']
)
def test_no_baseline_at_all(text: str) -> None:
    with pytest.raises(BaselineError, match="no baseline: expected"):
        parse(text)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"trials": "2"}, "trials is '2', expected a whole number"),
        ({"trials": -1}, "trials is -1"),
        ({"trials": True}, "trials is True"),
        ({"successes": 3}, "successes 3 of 2 trials cannot be"),
        ({"blocked": 3}, "blocked 3 of 2 trials cannot be"),
        ({"successes": None}, "successes is None"),
        ({"cost_usd": 0.01}, "cost_usd is 0.01, expected a decimal in quotes or null"),
        ({"cost_usd": "-1"}, "cost_usd is '-1'"),
        ({"cost_usd": "cheap"}, "cost_usd is 'cheap'"),
        ({"tags": "critical"}, "tags is 'critical'"),
        ({"tags": [1]}, r"tags is \[1\]"),
        ({"pins": []}, "pins or digest"),
        ({"digest": 1}, "pins or digest"),
        ({"mode": None}, "mode: None is none"),
        ({"id": "b"}, "id: 'b' is none"),
    ],
)
def test_a_record_that_was_edited_by_hand(change: dict[str, Any], said: str) -> None:
    lines = TWO.text().splitlines()
    lines[3] = dumps({**loads(lines[3].removesuffix(",")), **change}) + ","
    with pytest.raises(BaselineError, match=rf"^agentops-baseline.json:4:1: edited by hand: .*{said}"):
        parse("\n".join(lines))


def test_other_edits() -> None:
    lines = TWO.text().splitlines()
    missing = {k: v for k, v in loads(lines[2].removesuffix(",")).items() if k != "mode"}
    with pytest.raises(BaselineError, match=r":3:1: edited by hand: s/a: the key 'mode' is missing"):
        parse("\n".join([*lines[:2], dumps(missing, sort_keys=True) + ",", *lines[3:]]))
    with pytest.raises(BaselineError, match=r":5:1: s/b \(replay\) has two lines\n  cure: a merge kept both"):
        parse("\n".join([*lines[:4], lines[3].replace('"trials":2', '"trials":3'), lines[4]]))
    with pytest.raises(BaselineError, match=":1:1: edited by hand: an entry is no mapping"):
        parse("\n".join([*lines[:3], "7,", *lines[3:]]).replace("7,", "7 ,"))
    with pytest.raises(BaselineError, match=r":4:\d+: edited by hand, it is no JSON any more"):
        parse(TWO.text().replace('"id":"s/b"', '"id":s/b'))
    with pytest.raises(BaselineError, match=r":1:1: edited by hand: NaN is not JSON"):
        parse(TWO.text().replace('"tokens":12', '"tokens":NaN'))


def test_a_key_twice_and_a_file_that_is_nested_too_deeply() -> None:
    twice = TWO.text().replace('"tokens":12', '"tokens":12,"tokens":13', 1)
    line = next(number for number, line in enumerate(twice.splitlines(), start=1) if '"tokens":13' in line)
    with pytest.raises(
        BaselineError, match=rf"^agentops-baseline.json:{line}:1: edited by hand: the key 'tokens' stands there twice"
    ):
        parse(twice)
    with pytest.raises(BaselineError, match=":1:1: edited by hand: the key 'version' stands there twice"):
        parse(TWO.text().replace('"version": 1', '"version": 1, "version": 1'))
    with pytest.raises(BaselineError, match=r":1:1: edited by hand: it is nested too deeply\n  cure: restore it"):
        parse("[" * 100_000)


def test_a_record_names_its_price_table_where_a_model_was_asked() -> None:
    run = {"success": True, "outcome": "completed", "mode": "live", "cost_usd": "1", "tokens": {"input": 1, "output": 1}}
    case = {"id": "s/a", "variant": None, "digest": "d", "trials": [{**run, "costs": {"models": {"m": "1"}}}]}
    table = {"source": "genai-prices", "version": "9", "as_of": None}
    found = tried(case, table)
    assert found.prices == "genai-prices 9"
    text = Baseline([found]).text()
    assert [one.prices for one in parse(text)] == ["genai-prices 9"]
    assert tried({**case, "trials": [run]}, table).prices is tried(case).prices is None
    assert "prices" not in Baseline([tried(case)]).text()
    with pytest.raises(BaselineError, match=":3:1: edited by hand: s/a: prices is 7"):
        parse(text.replace('"genai-prices 9"', "7"))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"\xff")
    with pytest.raises(BaselineError, match=r"^b:1:1: it is not UTF-8"):
        read_baseline(tmp_path / "b")
    with pytest.raises(BaselineError, match=r"^x:1:1: it cannot be read"):
        read_baseline(tmp_path, "x")


def test_an_update_of_a_part_keeps_the_rest() -> None:
    fresh = record("s/a", successes=1)
    after = TWO.updated([fresh, record("s/c", trials=0, successes=0, mode="none")])
    assert list(after) == [fresh, record("s/b")]


def test_an_update_of_a_whole_suite_drops_what_is_gone() -> None:
    base = Baseline([*TWO, record("s/b", mode="live"), record("t/a"), record("u/a")])
    after = base.updated([record("s/a")], whole_suites=["s"], gone=["u"])
    assert [one.id for one in after] == ["s/a", "t/a"]
    nowhere = base.updated([record("s/a"), record("s/b", trials=0, successes=0, left_out=1)], whole_suites=["s"])
    assert list(nowhere) == list(base), "a run that counts nowhere says nothing against the record"
    kept = base.updated([record("s/a"), record("s/b")], whole_suites=["s"])
    assert len(kept) == len(base)


def test_a_case_is_compared_with_the_record_of_its_own_mode() -> None:
    base = Baseline(
        [
            record("s/a", mode="live"),
            record("s/a"),
            record("s/b", mode="live"),
            record("s/gone"),
            record("s/old", mode="live"),
            record("t/a"),
        ]
    )
    now = [record("s/a"), record("s/b")]
    found = match(base.against(now, ["s"]), now)
    assert [one.mode for pair in found.pairs for one in pair] == ["replay", "replay"]
    assert found.changed == (("s/b", "mode live, now replay"),)
    assert [one.id for one in found.removed] == ["s/gone"]
    assert "t/a" in [one.id for one in base.against(now)]
    assert match([], [replace(now[0], id="s/new")]).new == ("s/new",)
