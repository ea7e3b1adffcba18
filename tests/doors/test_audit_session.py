"""The audit log of a session: what it covers, its anchor, how tampering shows, and that a broken one fails the session."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import pytest_agentops.cli.main as cli

from .conftest import Project
from .test_policies import HEAD, ONE, Shop, shop  # noqa: F401  a fixture

TWO = "- {id: one, task: go, setup: {amounts: [20, 30]}}\n- {id: two, task: go, setup: {amounts: [40]}}"


@pytest.fixture
def ran(shop: Shop, project: Project) -> Shop:  # noqa: F811
    """A replayed session with two cases under a policy."""
    shop.suite(TWO)
    project.record()
    assert project.evals("-q").ret == 0
    return shop


def log_of(project: Project) -> Path:
    return project.path / ".agentops/audit/main.jsonl"


def verified(project: Project, capsys: pytest.CaptureFixture[str], anchor: str | None = None) -> tuple[int, str]:
    capsys.readouterr()
    code = cli.main(["audit", "verify", str(log_of(project).parent), *(["--anchor", anchor] if anchor else [])])
    return code, "".join(capsys.readouterr())


def test_the_anchor_of_the_summary_verifies(ran: Shop, project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    anchor = project.results["audit"]["anchor"]
    records = log_of(project).read_text().splitlines()
    assert project.results["audit"] == {"anchor": anchor, "logs": 1, "records": len(records)}
    assert json.loads(records[-1])["hash"] == anchor
    assert verified(project, capsys, anchor)[0] == 0
    assert verified(project, capsys)[0] == 0, "without an anchor it is sound, and says that it is not anchored"
    assert "W_UNANCHORED" in verified(project, capsys)[1]
    assert verified(project, capsys, "0" * 64)[0] == 1


def test_the_command_of_the_summary_works_below_the_rootdir(
    ran: Shop, project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project.path / "cases")
    result = project.evals("--rootdir=..")
    said = next(line for line in result.outlines if line.startswith("  pytest-agentops audit verify"))
    assert said.split()[3] == "../.agentops/audit"
    capsys.readouterr()
    assert cli.main(said.split()[1:]) == 0, "".join(capsys.readouterr())


def swap(lines: list[str]) -> list[str]:
    lines[3], lines[4] = lines[4], lines[3]
    return lines


def forged(lines: list[str]) -> list[str]:
    """Everything written anew by somebody who knows how."""
    from pytest_agentops.audit.record import GENESIS, canon, sealed

    out, before = [], GENESIS
    for line in lines:
        record = {key: value for key, value in json.loads(line).items() if key != "hash"}
        if record["event"] == "policy.decision":
            record["reason"] = "tier_default"
        record = sealed({**record, "prev": before})
        before = record["hash"]
        out.append(canon(record).decode())
    return out


@pytest.mark.parametrize(
    ("tamper", "code"),
    [
        (lambda lines: [lines[0], lines[1], lines[2].replace('"allow"', '"deny"'), *lines[3:]], "E_HASH"),
        (lambda lines: lines[:4] + lines[5:], "E_"),
        (swap, "E_"),
        (lambda lines: lines[:-3], "E_ANCHOR"),
        (lambda lines: [], "E_"),
        (forged, "E_ANCHOR"),
    ],
    ids=["modified", "deleted", "swapped", "cut off", "emptied", "rewritten"],
)
def test_tampering_is_found(
    tamper: Callable[[list[str]], list[str]], code: str, ran: Shop, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    log, anchor = log_of(project), project.results["audit"]["anchor"]
    lines = tamper(log.read_text().splitlines())
    log.write_text("".join(f"{line}\n" for line in lines))
    (log.parent / "heads.json").unlink()  # who rewrites one rewrites the other, too
    found, said = verified(project, capsys, anchor)
    assert found == 1
    assert code in said


def test_an_old_log_does_not_stand_for_a_new_session(ran: Shop, project: Project) -> None:
    ran.suite(ONE, head=HEAD.replace("policies: [./policy.yaml]\n", ""))
    project.evals("-q")
    assert "audit" not in project.results
    assert not log_of(project).exists()


def test_a_log_of_everything(ran: Shop, project: Project) -> None:
    ran.suite(TWO, head=HEAD.replace("policies: [./policy.yaml]\n", ""))
    result = project.evals("--agent-audit=all", "--agent-record=all")
    assert result.ret == 0, result.stdout.str()
    decisions = [json.loads(line) for line in log_of(project).read_text().splitlines() if "policy.decision" in line]
    assert [(d["decision"], d["reason"]) for d in decisions] == [("allow", "no_policy")] * 3


def test_the_log_of_a_rerun_is_sound(ran: Shop, project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    ran.suite(TWO.replace("setup: {amounts: [40]}", "setup: {amounts: [40]}, expect: {output: {equals: no}}"))
    result = project.evals("-p", "pytest_rerunfailures", "--reruns", "1")
    result.stdout.fnmatch_lines(["*1 failed, 1 passed, 1 rerun*"])
    started = [r for line in log_of(project).read_text().splitlines() if (r := json.loads(line))["event"] == "trial.start"]
    assert [r["case"].rpartition("/")[2] for r in started] == ["one", "two", "two"]
    code, said = verified(project, capsys, project.results["audit"]["anchor"])
    assert (code, said.count("E_")) == (0, 0), said


def test_a_log_that_cannot_be_opened_fails_the_session(shop: Shop, project: Project) -> None:  # noqa: F811
    shop.suite(ONE)
    project.record()
    audit = log_of(project).parent
    for path in sorted(audit.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    audit.rmdir()
    audit.write_text("a file where the folder should be")
    result = project.evals()
    assert result.ret == 1
    result.stdout.fnmatch_lines(["ERROR: audit: the audit log could not be written: *"])
    call = project.results["cases"][0]["trials"][0]["calls"][0]
    assert (call["decision"], call["reason"]) == ("deny", "audit_unavailable")


@pytest.mark.parametrize(
    "act", ["shutil.rmtree(AUDIT)", "(AUDIT / 'main.jsonl').unlink()", "(AUDIT / 'main.jsonl').write_text('')"]
)
def test_a_log_that_an_agent_destroys_fails_the_session(act: str, shop: Shop, project: Project) -> None:  # noqa: F811
    shop.policy("version: 1\npolicy: {tool: pay.refund, override_tier: T-1, rules: [{allow: true}]}\n")
    agent = f"""
import shutil
from pathlib import Path

LOG = Path({str(log_of(project))!r})
AUDIT = LOG.parent

def pays(task, tools):
    first = tools.attempt("pay.refund", {{"amount_usd": 1}}).ok
    if task.context.get("evil"):
        {act}
    return [first, tools.attempt("pay.refund", {{"amount_usd": 2}}).ok]
"""
    shop.suite("- {id: one, task: go}", agent=agent)
    project.record()
    paid = len(shop.paid)
    shop.suite("- {id: one, task: go, context: {evil: true}}", agent=agent)
    result = project.evals("--agent-record=all")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["ERROR: audit: the audit log could not be written: *"])
    run = project.results["cases"][0]["trials"][0]
    assert [c["reason"] for c in run["calls"]] == ["rule", "audit_unavailable"]
    assert len(shop.paid) == paid + 1, "the second one was not paid"
