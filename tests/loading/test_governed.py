"""What a suite file says of policies, approvals, budgets and the checks on them: every mistake at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_agentops.errors import CaseFileError
from pytest_agentops.loading.suite import load_suite

POLICY = "version: 1\npolicy: {tool: '*', rules: [{allow: true}]}\n"


def mistakes(tmp_path: Path, case: str, head: str = "") -> list[str]:
    (tmp_path / "policy.yaml").write_text(POLICY)
    path = tmp_path / "s.yaml"
    path.write_text(
        f"version: 1\nagent: a\n{head}cases:\n- id: one\n  task: go\n" + "".join(f"  {line}\n" for line in case.splitlines())
    )
    try:
        load_suite(path, tmp_path)
    except CaseFileError as error:
        return [str(mistake).removeprefix("s.yaml:") for mistake in error.mistakes]
    return []


@pytest.mark.parametrize(
    "case",
    [
        "policies: [./policy.yaml]",
        "approvals: [{decision: approve}]",
        "approvals: [{tool: a, args: {n: {$gt: 1}}, role: r, by: b, decision: edit, edit: {n: 1}, message: m}]",
        "approvals: [{decision: timeout}, {decision: escalate, role: r}]",
        "budget: {usd: 1, degrade: [{at: 0.8, model: m}, {at: 0.9, writes: deny}, {at: 0.95, of: usd, require_approval: r}]}",
        "budget: {degrade: [{at: 0.5, of: tool_calls, writes: deny}]}",
        "expect: {policy: {blocks: 1, blocked: [a, {tool: b, reason: rule, rule: p/1, args: {n: {$lt: 2}}}], approvals: 1}}",
        "expect: {interventions: {max: 1}, budget: {exceeded: none, degraded: 0, share: {max: 0.5}}, detectors: {loop: fail}}",
        "principal: {id: bot, on_behalf_of: 'user:1', roles: [a], scopes: [b]}",
    ],
)
def test_what_may_be_said(case: str, tmp_path: Path) -> None:
    assert mistakes(tmp_path, case) == []


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("policies: [./polcy.yaml]", "6:14: policies: there is no file ./polcy.yaml; *did you mean 'policy.yaml'?"),
        ("policies: ./policy.yaml", "6:13: *"),
        ("approvals: [{decision: maybe}]", "6:*approve*"),
        ("approvals: [{tool: a}]", "6:*decision*"),
        ("approvals: [{decision: edit}]", "6:*an edit that changes nothing*edit: {amount_usd: 20}"),
        ("approvals: [{decision: approve, edit: {n: 1}}]", "6:*`edit` with decision: approve*"),
        ("approvals: [{decision: approve, by: ' '}]", "6:*by: an empty text names nobody*"),
        ("approvals: [{decision: approve, args: {n: {$gtt: 1}}}]", "6:*$gtt*"),
        ("budget: {usd: -1}", "6:*"),
        ("budget: {usd: 1, degrade: [{at: 0.8}]}", "6:*a step that does nothing*"),
        ("budget: {usd: 1, degrade: [{at: 1, writes: deny}]}", "6:*"),
        ("budget: {usd: 1, degrade: [{at: 0, writes: deny}]}", "6:*"),
        ("budget: {usd: 1, degrade: [{at: 0.5, writes: ask}]}", "6:*deny*"),
        ("budget: {seconds: 1, degrade: [{at: 0.5, writes: deny}]}", "6:*a share of no limit*"),
        ("budget: {tokens: 1, degrade: [{at: 0.5, of: usd, writes: deny}]}", "6:*the budget names no usd*add budget.usd"),
        ("budget: {usd: 1, degrade: [{at: 0.5, of: seconds, writes: deny}]}", "6:*"),
        ("expect: {policy: {block: 1}}", "6:*unknown key 'block'*"),
        ("expect: {policy: {blocked: [{tool: a, reason: because}]}}", "6:*"),
        ("expect: {policy: {blocks: 0, blocked: [{tool: a, rule: p/1}]}}", "6:*blocks: 0, and `blocked` lists 1 calls*"),
        ("expect: {policy: {blocks: {min: 3, max: 1}}}", "6:*"),
        ("expect: {budget: {exceeded: money}}", "6:*"),
        ("expect: {budget: {share: 0.5}}", "6:*"),
        ("expect: {detectors: {lop: fail}}", "6:*there is no detector 'lop'*did you mean 'loop'*"),
        ("expect: {detectors: {loop: warn}}", "6:*"),
        ("expect: {interventions: -1}", "6:*"),
        ("principal: {name: bot}", "6:*unknown key 'name'*"),
    ],
)
def test_mistakes_have_a_place(case: str, says: str, tmp_path: Path) -> None:
    from fnmatch import fnmatchcase

    found = mistakes(tmp_path, case)
    assert any(fnmatchcase(one.replace("[", "("), says.replace("[", "(")) for one in found), found


def test_all_at_once(tmp_path: Path) -> None:
    case = (
        "approvals: [{decision: edit}, {decision: approve, by: ''}]\nbudget: {usd: 1, degrade: [{at: 0.8}]}\npolicies: [./x.yaml]"
    )
    assert [one.partition(":")[0] for one in mistakes(tmp_path, case)] == ["6", "6", "7", "8"]


def test_the_heads_words(tmp_path: Path) -> None:
    assert (
        mistakes(tmp_path, "", "budget: {usd: 2}\nrunbooks: {loop: https://x, spend_spike: ./y.md}\npolicies: [./policy.yaml]\n")
        == []
    )
    (found,) = mistakes(tmp_path, "", "runbooks: {nothing: x}\n")
    assert found.startswith("3:12: there is no detector 'nothing'")
