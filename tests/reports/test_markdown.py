"""The report for pull requests: what stands first, what changed, and that it is never too long."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from pytest_agentops.reports import git, markdown
from pytest_agentops.reports.github import told_github
from pytest_agentops.reports.markdown import LIMIT, page
from pytest_agentops.reports.results import Results
from pytest_agentops.schema.values import dumps
from pytest_agentops.scoring.baseline import Baseline
from pytest_agentops.scoring.metrics import Tally
from pytest_agentops.scoring.tried import tried


def run(*, success: bool = True, cost: str | None = "0.1", mode: str = "replay", **more: Any) -> dict[str, Any]:
    return {
        "trial": 1,
        "success": success,
        "outcome": "completed",
        "mode": mode,
        "cost_usd": cost,
        "tokens": {"input": 1, "output": 1},
        "calls": [],
        "interventions": [],
        "policy_blocks": 0,
        "unexpected_policy_blocks": 0,
        "labels": [],
        "checks": [],
        "problems": [],
        **more,
    }


def case(name: str, *runs: dict[str, Any], variant: str | None = None, **more: Any) -> dict[str, Any]:
    suite = name.partition("/")[0]
    status = "passed" if all(one["success"] for one in runs) else "failed"
    place = {"file": f"cases/{suite}/{suite}.yaml", "line": 7, **more}
    return {"id": name, "suite": suite, "variant": variant, "status": status, **place, "trials": list(runs)}


def results(*cases: dict[str, Any], verdict: str = "pass", mode: str = "replay", **more: Any) -> dict[str, Any]:
    tallies: dict[str, Tally] = {}
    total = Tally()
    for one in cases:
        for tally in (total, tallies.setdefault(one["suite"], Tally())):
            tally.add(one["id"], one["variant"], one["trials"])
    suites = {name: {"metrics": tally.metrics().as_json(), "gates": []} for name, tally in tallies.items()}
    head = {"mode": mode, "verdict": verdict, "metrics": total.metrics().as_json(), "suites": suites, "selection": "all"}
    return {**head, "cases": list(cases), **more}


def text(found: dict[str, Any], root: Path) -> str:
    return page(written(root, found))


def written(root: Path, found: dict[str, Any]) -> Path:
    head = dict(found)
    with Results() as file:
        for one in head.pop("cases"):
            file.add(dumps(one))
        more = {
            key: head.pop(key)
            for key in list(head)
            if key not in ("mode", "verdict", "metrics", "suites", "selection", "gates", "asked")
        }
        assert not more
        file.write(root / ".agentops" / "results.json", **head)
    return root / ".agentops" / "results.json"


def test_the_verdict_stands_first_and_failed_cases_last(tmp_path: Path) -> None:
    bad = run(success=False, checks=[{"name": "calls", "passed": False, "why": "refund was called with `30` | @ann"}])
    shown = text(results(case("s/a", run()), case("s/b", bad, run(), variant="v"), verdict="fail"), tmp_path)
    assert shown == (
        "## ❌ agent evals: fail\n"
        "\n"
        "2 cases, 3 runs, mode replay. 1 case failed.\n"
        "\n"
        "| suite | success | cost/success | interventions | policy blocks |\n"
        "|---|---:|---:|---:|---:|\n"
        "| s | 66.7 % (2/3) | $0.1500 | 0 % | 0 |\n"
        "\n"
        "### Failed cases\n"
        "\n"
        "- [s/b~v](cases/s/s.yaml#L7): 1 of 2 trials passed. `check calls: refund was called with '30' | @ann`\n"
    )


def test_gates_the_worst_first(tmp_path: Path) -> None:
    found = results(case("s/a", run()), verdict="regression")
    found["suites"]["s"]["gates"] = [
        {"name": "task_success_rate", "result": "pass", "why": "fine"},
        {"name": "cost_regression", "result": "not_judged", "why": "no baseline"},
        {"name": "broken_cases", "result": "fail", "why": "a is broken", "details": ["s/a: 5/5 to 0/5"]},
    ]
    shown = text(found, tmp_path)
    assert shown.startswith("## ❌ agent evals: regression\n")
    assert shown.split("### Gates\n\n")[1].splitlines()[:4] == [
        "- ❌ **s** `broken_cases` fail: `a is broken`",
        "  - `s/a: 5/5 to 0/5`",
        "- ➖ **s** `cost_regression` not judged: `no baseline`",
        "- ✅ 1 gate passed",
    ]


def test_many_gates_are_counted(tmp_path: Path) -> None:
    found = results(case("s/a", run()), verdict="fail", gates=[])
    found["suites"]["s"]["gates"] = [{"name": f"g{i}", "result": "inconclusive", "why": "w"} for i in range(60)]
    assert "- and 10 more that did not pass\n" in text(found, tmp_path)


def test_gates_over_the_session_are_told(tmp_path: Path) -> None:
    gate = {"name": "cost_usd", "result": "fail", "why": "too dear"}
    assert "- ❌ **all suites** `cost_usd` fail: `too dear`\n" in text(results(case("s/a", run()), gates=[gate]), tmp_path)


def test_a_live_run_has_intervals_and_a_replay_none(tmp_path: Path) -> None:
    runs = [run(mode="live")] * 56 + [run(mode="live", success=False)] * 4
    assert "| 93.3 % (56/60) [84, 97] |" in text(results(case("s/a", *runs), mode="live"), tmp_path)
    assert "[" not in text(results(case("s/a", run())), tmp_path)


def test_what_changed_since_the_baseline_and_how_old_that_is(tmp_path: Path) -> None:
    before = [case("s/a", run(cost="0.2")), case("s/b", run(success=False))]
    Baseline(tried(one) for one in before).write(tmp_path / "agentops-baseline.json")
    now = results(case("s/a", run(interventions=[{"kind": "edit"}])), case("s/b", run(policy_blocks=2)))
    shown = text(now, tmp_path)
    assert "| s | 100 % (2/2) (+50.0 pt) | $0.1000 (-66.7 %) | 50 % (+50.0 pt) | 2 (+2) |" in shown
    assert "Baseline: `agentops-baseline.json`, its age is not known here (no git history)." in shown
    other = text(results(case("s/a", run())), tmp_path)
    assert "(+" not in other, "other cases: the numbers are no comparison"


def test_the_baseline_that_the_results_name(tmp_path: Path) -> None:
    Baseline([tried(case("s/a", run(cost="0.2")))]).write(tmp_path / "b" / "own.json")
    found = results(case("s/a", run()), asked={"suites": {}, "gates": [], "whole_folders": True, "baseline": "b/own.json"})
    shown = text(found, tmp_path)
    assert "$0.1000 (-50.0 %)" in shown
    assert "Baseline: `b/own.json`, its age" in shown


def test_the_folder_of_results_that_lie_elsewhere_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("SERVER_URL", "https://github.com"), ("REPOSITORY", "our/bot"), ("SHA", "abc")):
        monkeypatch.setenv(f"GITHUB_{name}", value)
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    (tmp_path / "out").mkdir()
    path = written(tmp_path, results(case("s/a", run(success=False)))).rename(tmp_path / "out" / "results.json")
    Baseline([tried(case("s/a", run(cost="0.2")))]).write(tmp_path / "b.json")
    shown = page(path, root=tmp_path, baseline=tmp_path / "b.json")
    assert "/our/bot/blob/abc/cases/s/s.yaml#L7)" in shown
    assert "(-100.0 pt)" in shown
    assert "Baseline: `b.json`, its age" in shown
    assert "`out/results.json` has all" in page(path, root=tmp_path, limit=200)
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path / "elsewhere"))
    assert "](cases/s/s.yaml#L7)" in page(path, root=tmp_path), "no link out of the repository"


def test_a_damaged_baseline_is_named(tmp_path: Path) -> None:
    (tmp_path / "agentops-baseline.json").write_text('{"version": 1,\n')
    assert "agentops-baseline.json" in text(results(case("s/a", run())), tmp_path)


def committed(folder: Path, name: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    for words in (["add", "-A"], [*who, "commit", "-qm", name]):
        subprocess.run(["git", *words], cwd=folder, check=True)


def test_git_tells_the_age_of_a_file(tmp_path: Path) -> None:
    assert git.commit(tmp_path) is None
    assert git.age(tmp_path, tmp_path / "b.json") is None
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "b.json").write_text("1")
    committed(tmp_path, "one")
    (tmp_path / "other").write_text("1")
    committed(tmp_path, "two")
    found = git.age(tmp_path, tmp_path / "b.json")
    assert found is not None
    assert (found.commits, found.changed, len(found.day)) == (1, False, 10)
    assert git.age(tmp_path, tmp_path / "not there") is None
    head = git.commit(tmp_path)
    assert head is not None
    assert len(head) == 40
    (tmp_path / "b.json").write_text("2")
    assert git.commit(tmp_path) == f"{head}+"
    changed = git.age(tmp_path, tmp_path / "b.json")
    assert changed is not None
    assert changed.changed
    assert next(markdown._age(tmp_path, tmp_path / "b.json")).endswith(", 1 commit ago, changed since.")
    subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{tmp_path}", "flat"], cwd=tmp_path, check=True)
    assert git.age(tmp_path / "flat", tmp_path / "flat" / "b.json") is None, "a shallow clone knows no ages"


def test_without_git_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git.commit(tmp_path) is None


def test_links_lead_to_the_commit_on_github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.com")
    monkeypatch.setenv("GITHUB_REPOSITORY", "our/bot")
    monkeypatch.setenv("GITHUB_SHA", "abc")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    shown = text(results(case("s/a", run(success=False))), tmp_path / "evals")
    assert "(https://github.com/our/bot/blob/abc/evals/cases/s/s.yaml#L7)" in shown


@pytest.mark.parametrize("number", [1, 500, 10_000])
def test_it_fits_a_comment_and_says_what_was_left_out(tmp_path: Path, number: int) -> None:
    why = "x" * 400
    cases = [case(f"s/c{i}", run(success=False, error=None, problems=[{"kind": "miss", "text": why}])) for i in range(number)]
    shown = text(results(*cases, verdict="fail"), tmp_path)
    assert len(shown) <= LIMIT
    told = shown.count("\n- [s/c")
    left = number - told
    assert told >= min(number, 150)
    assert (f"and {left} more failed case" in shown) == (left > 0)


def test_a_head_that_is_too_long_is_cut_and_says_so(tmp_path: Path) -> None:
    found = results(case("s/a", run()))
    found["suites"]["s"]["gates"] = [
        {"name": "critical", "result": "fail", "why": "w", "details": ["d" * 290] * 300},
    ]
    shown = text(found, tmp_path)
    assert len(shown) <= LIMIT
    assert shown.endswith("has all)\n")


def test_many_suites_the_worst_are_shown(tmp_path: Path) -> None:
    shown = text(results(*(case(f"s{i:02}/a", run(success=i > 0)) for i in range(60))), tmp_path)
    assert shown.count("\n| s") == 51  # with the head of the table
    assert "\n| s00 | 0 % (0/1)" in shown
    assert "and 10 more suites" in shown


def test_the_file_and_the_page_of_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, results(case("s/a", run())))
    markdown.write(path, tmp_path / "out" / "evals.md")
    shown = (tmp_path / "out" / "evals.md").read_text()
    assert shown.startswith("## ✅ agent evals: pass")
    assert told_github(path) == []
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    (tmp_path / "summary").write_text("before\n")
    assert told_github(path) == []
    assert (tmp_path / "summary").read_text() == "before\n" + shown
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    (problem,) = told_github(path)
    assert problem.startswith("GITHUB_STEP_SUMMARY=")


def test_words_for_a_case_without_a_reason(tmp_path: Path) -> None:
    shown = text(
        results(
            {**case("s/a", run()), "status": "error"},
            {**case("s/b", run()), "status": "failed"},
            case("s/c", run(success=False)),
            verdict="fail",
        ),
        tmp_path,
    )
    for words in ("`around its run something went wrong`", "`it failed`", "`outcome completed`"):
        assert words in shown
